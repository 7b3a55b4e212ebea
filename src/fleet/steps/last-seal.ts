import { unfitText } from "../../model/checkpoint-fit.ts";
import { durationText } from "../../model/duration.ts";
import { EXIT } from "../../model/exit-codes.ts";
import type { Outlook } from "../../model/outlook.ts";
import { Problem } from "../../model/problem.ts";
import { deadline } from "../../platform/clock.ts";
import { ProviderError } from "../../providers/errors.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, NewEvent } from "../../state/records.ts";
import { goesUnsealed, isOnItsWay } from "../deciding/last-seal.ts";
import { UNSEALED_GRACE_MS } from "../deciding/policy.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { syncRecordCheckpoints } from "../volumes/checkpoint-sync.ts";
import { noteUnfit } from "./unfit.ts";

/** How long before a deadline the agent should have sealed. */
const SEAL_MARGIN_SECONDS = 1;
/** Of a machine whose end was put off no longer is waited for one checkpoint more, in milliseconds: it is paid for meanwhile. */
const AGAIN_LIMIT_MS = 600_000;
/** That a machine goes on running because nothing can be sealed of it is said again after so many milliseconds. */
const SAID_AGAIN_MS = 3_600_000;

/** What came of the checkpoint before a machine sleeps or ends, to be written down together with that. */
export interface LastSeal {
  /** A checkpoint was made, and holds what the workload wrote for it; null when that was not tried now. */
  readonly sealed: boolean | null;
  /** Nothing more is to be sealed, also where there was nothing to seal: the machine can do without its volume from now on. */
  readonly isOver: boolean;
  readonly outlook?: Outlook;
  readonly events: readonly NewEvent[];
}

/** None is to be made. */
export const NO_SEAL: LastSeal = { sealed: null, isOver: false, events: [] };

/** What became of one try that did not fail. */
type Tried = Pick<LastSeal, "isOver"> & { readonly sealed: boolean };

type Reason = "hibernate" | "down";

const reasonOf = ({ desired }: InstanceRecord): Reason => (desired === "gone" ? "down" : "hibernate");

/**
 * The checkpoint before the machine sleeps or ends; when its end was put off, the one after that, which puts off nothing more.
 * When it fails, nothing is ended: the work is worth more than the minutes that it costs to look. But a machine whose time is
 * up is not paid for without end, and goes without.
 * @throws Problem when nothing could be sealed, so that nothing is to be ended.
 */
export async function sealLast(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<LastSeal> {
  if (isOnItsWay(record)) return sealAgain(fleet, record, instance, signal);
  const sealed = await trySeal(fleet, record, instance, reasonOf(record), signal);
  if (typeof sealed !== "string") return { ...sealed, events: [] };
  if (goesUnsealed(record, fleet.clock.now())) return unsealedEnd(fleet, record, sealed);
  await noteUnsealed(fleet, record, sealed);
  throw unsealed(record, reasonOf(record), sealed);
}

async function sealAgain(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<LastSeal> {
  const limit = deadline(signal, AGAIN_LIMIT_MS);
  const sealed = await trySeal(fleet, record, instance, reasonOf(record), limit.signal)
    .catch((error: unknown) => {
      signal.throwIfAborted();
      if (limit.signal.aborted || error instanceof ProviderError) return error instanceof Error ? error.message : String(error);
      throw error;
    })
    .finally(() => limit.done());
  const outlook = { ...record.outlook, sealedAgainAt: fleet.clock.now() };
  if (typeof sealed !== "string") return { ...sealed, outlook, events: [] };
  const message = `its end was put off, and what it has done since its last checkpoint is not sealed: ${sealed}`;
  return { sealed: false, isOver: false, outlook, events: (await isNews(fleet, record)) ? [warned(fleet, record, message)] : [] };
}

function warned(fleet: Fleet, record: InstanceRecord, message: string): NewEvent {
  fleet.say(`${record.name}: ${message}`);
  return eventOf(fleet, record, "warning", { guard: "unsealed", message });
}

async function unsealedEnd(fleet: Fleet, record: InstanceRecord, why: string): Promise<LastSeal> {
  const volumes = new Set(record.volumes.map(({ name }) => name));
  const newest = (await fleet.state.checkpoints({ instance: record.name })).find(({ volume }) => volumes.has(volume));
  const stands =
    newest === undefined
      ? "nothing of it is known to be sealed"
      : `${newest.id}, sealed ${durationText(Math.max(0, fleet.clock.now() - newest.createdAt))} ago, stands`;
  const what = record.desired === "gone" ? "ended" : "put to sleep";
  return {
    sealed: false,
    isOver: false,
    events: [warned(fleet, record, `its time is up, and it is ${what} without a last checkpoint (${why}): ${stands}`)],
  };
}

async function isNews(fleet: Fleet, { name }: InstanceRecord): Promise<boolean> {
  const told = await fleet.state.events({ instances: [name], since: fleet.clock.now() - SAID_AGAIN_MS });
  return !told.some(({ type, data }) => type === "warning" && data["guard"] === "unsealed");
}

/** That it goes on running against the wish is written down, also where nobody waits for an answer; not at every look. */
async function noteUnsealed(fleet: Fleet, record: InstanceRecord, why: string): Promise<void> {
  const now = fleet.clock.now();
  const what = record.desired === "gone" ? "end" : "sleep";
  const asWished = record.reason === null ? "" : ` (${record.reason})`;
  const events = (await isNews(fleet, record))
    ? [warned(fleet, record, `it is to ${what}${asWished}, and goes on running and billing: the checkpoint failed: ${why}`)]
    : [];
  // Its TTL holds whatever else was asked of it.
  const isOver = record.ttlEndsAt !== null && now >= record.ttlEndsAt && record.outlook.endsUnsealedAt == null;
  if (isOver) await changeRecord(fleet, record, { outlook: { ...record.outlook, endsUnsealedAt: now + UNSEALED_GRACE_MS } }, { events });
  else if (events.length > 0) await fleet.state.commit({ events });
}

/**
 * The checkpoint before a machine is left. Where it cannot be done before a reclaim, one goes on without: the machine ends
 * anyway, and the last sealed checkpoint stands. Without a notice there is always time.
 * @throws Problem when it failed.
 */
export async function sealFirst(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  reason: Reason,
  signal: AbortSignal,
): Promise<Tried> {
  const sealed = await trySeal(fleet, record, instance, reason, signal);
  if (typeof sealed === "string") throw unsealed(record, reason, sealed);
  return sealed;
}

/** @returns as above; in words why it failed. */
async function trySeal(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  reason: Reason,
  signal: AbortSignal,
): Promise<Tried | string> {
  const none: Tried = { sealed: false, isOver: false };
  if (record.spec.volume === null) return none;
  if (instance.reach === null) return "its cloud does not say how it is reached";
  fleet.say(`${record.name}: sealing a checkpoint`);
  const notice = instance.notice ?? record.notice;
  // A mere hint ends nothing.
  const presses = notice !== null && notice.kind !== "rebalance";
  const until = presses ? Math.floor(notice.deadline / 1000) - SEAL_MARGIN_SECONDS : null;
  const sealed = await fleet.guest.snapshot(instance.reach, reason, until, signal);
  await syncRecordCheckpoints(fleet, record, signal, instance.reach);
  if (sealed.kind === "failed") return sealed.why;
  // An empty checkpoint folder says nothing of what the workload wrote elsewhere: that is on the machine alone.
  if (sealed.kind !== "does-not-fit") return { sealed: sealed.kind === "sealed", isOver: true };
  await noteUnfit(fleet, record, sealed.fit);
  fleet.say(`${record.name}: ${unfitText(sealed.fit)}`);
  return none;
}

function unsealed(record: InstanceRecord, reason: Reason, why: string): Problem {
  return new Problem({
    code: "SPOT_E_CHECKPOINT",
    message: `${record.name}: the checkpoint failed, so it was left running (and billing): ${why}`,
    exit: EXIT.partial,
    hint: "with --no-snapshot the last sealed checkpoint is relied on",
    next: [`spot checkpoints ls ${record.name}`, `spot ${reason} ${record.name} --no-snapshot`],
  });
}
