import { eachOf } from "../../checkpoints/bounded.ts";
import { isFault } from "../../providers/errors.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { decide } from "../deciding/decide.ts";
import type { Action } from "../deciding/decision.ts";
import type { Fleet } from "../fleet.ts";
import { lookAtGuards } from "../guards.ts";
import { LeaseLost } from "../leases/held-leases.ts";
import { instanceLease, whileHolding } from "../leases/lease.ts";
import { followLedger, type Listing, observe } from "../observe.ts";
import { RecordMoved } from "../record-change.ts";
import { perform } from "../steps/perform.ts";
import { followWorkload } from "../workload.ts";
import { listAll } from "./listings.ts";
import { noPace } from "./pace.ts";
import { noteListed, quietTest, readBooks } from "./quiet.ts";

/** Steps that only write down what was seen; everything else spends, ends or changes something. */
const PASSIVE: ReadonlySet<Action["do"]> = new Set<Action["do"]>([
  "adopt-launch",
  "note-ready",
  "note-notice",
  "note-withdrawn",
  "note-mouth",
  // What noting the notice had begun.
  "tell-notice",
  "note-gone",
  "note-hibernated",
  "note-overdue",
  "note-stopped",
  "note-unknown",
]);

/** So many records are looked at side by side: telling an agent of a notice takes a connection. */
const AT_ONCE = 64;

/** The end of an instance deletes the root disk that was kept for it: that is left to whoever acts. */
export function isPassive(record: InstanceRecord, action: Action): boolean {
  return PASSIVE.has(action.do) && !(action.do === "note-gone" && record.rootVolume !== null);
}

/** A provider that did not answer, and why. */
export interface Silent {
  readonly provider: string;
  readonly why: string;
}

export function silentOf(listings: ReadonlyMap<string, Listing>): readonly Silent[] {
  return [...listings].flatMap(([provider, listing]) => (typeof listing === "string" ? [{ provider, why: listing }] : []));
}

/**
 * Looks at every record and writes down what was seen, without acting on it. Records that somebody works on are left to them.
 * @returns the providers that did not answer, of which nothing new is known.
 */
export async function look(fleet: Fleet, signal: AbortSignal, names?: readonly string[], pace = noPace()): Promise<readonly Silent[]> {
  const records = await fleet.state.instances(names === undefined || names.length === 0 ? {} : { names });
  const providers = records.map((record) => record.provider);
  const listings = await listAll(providers, fleet, pace, signal);
  const knowing: Fleet = { ...fleet, told: pace.told };
  const books = await readBooks(knowing, listings);
  await noteListed(knowing, books);
  const isQuiet = quietTest(knowing, books);
  const loud = records.filter((record) => listings.has(record.provider) && !isQuiet(record));
  const failures: unknown[] = [];
  await eachOf(mostUrgentFirst(loud, listings), AT_ONCE, (record) =>
    // One whose credentials are refused keeps nobody from the others.
    lookAt(knowing, record, signal, listings.get(record.provider)).then(
      () => undefined,
      (error: unknown) => void failures.push(error),
    ),
  );
  if (failures.length > 0) throw failures[0];
  await lookAtGuards(fleet, records, listings, pace.guards, signal);
  return silentOf(listings);
}

/** Whose deadline is nearest is looked at first; a thousand notices may have come in one list. */
function mostUrgentFirst(records: readonly InstanceRecord[], listings: ReadonlyMap<string, Listing>): readonly InstanceRecord[] {
  const deadlines = new Map<string, number>();
  const note = (provider: string, { providerId, notice }: ProviderInstance) =>
    notice === null ? undefined : deadlines.set(`${provider} ${providerId}`, notice.deadline);
  for (const [provider, listing] of listings) if (typeof listing !== "string") for (const instance of listing) note(provider, instance);
  const deadlineOf = (record: InstanceRecord) => deadlines.get(`${record.provider} ${record.providerId}`) ?? Number.POSITIVE_INFINITY;
  return [...records].sort((one, other) => {
    const [first, second] = [deadlineOf(one), deadlineOf(other)];
    return first === second ? 0 : first - second;
  });
}

/** Whether that step only writes down what was seen. */
export function isWriting(action: Action["do"]): boolean {
  return PASSIVE.has(action);
}

/**
 * Looks at one record, by this list or by asking for this very machine, and writes down what is only to be written down.
 * @returns the step that is to be done; undefined when somebody else works on it, or has changed it meanwhile.
 */
export async function lookAt(
  fleet: Fleet,
  record: InstanceRecord,
  signal: AbortSignal,
  listing?: Listing,
): Promise<Action["do"] | undefined> {
  signal.throwIfAborted();
  return whileHolding(fleet, instanceLease(record.id), signal, async (held) => {
    const seen = await observe(held.fleet, record, held.signal, listing);
    const current = await followWorkload(held.fleet, await followLedger(held.fleet, record, seen), seen.guest, seen.now);
    const { action, why } = decide(current, seen);
    if (isPassive(current, action)) await perform({ ...held.fleet, because: why }, current, action, seen, held.signal);
    return action.do;
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    // What a cloud does not answer now, and what another process has taken over, is looked at the next time.
    if (!(error instanceof RecordMoved) && !(error instanceof LeaseLost) && !isFault(error, "unavailable", "rate-limited")) throw error;
    return undefined;
  });
}
