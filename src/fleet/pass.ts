import { EXIT } from "../model/exit-codes.ts";
import type { Notice } from "../model/notice.ts";
import { hasFailed } from "../model/workload-end.ts";
import type { InstanceRecord } from "../state/records.ts";
import { watchBudgets } from "./budgets/budget-watch.ts";
import { isSettled, isUp } from "./deciding/decide.ts";
import { neighbourhoodOf } from "./deciding/history.ts";
import { isDueUnderNotice } from "./deciding/under-notice.ts";
import { byUrgency, urgencyOf } from "./deciding/urgency.ts";
import { step, whileOurs } from "./drive.ts";
import type { Fleet } from "./fleet.ts";
import { lookAtGuards } from "./guards.ts";
import { listAll } from "./hearing/listings.ts";
import { type Silent, silentOf } from "./hearing/look.ts";
import { noPace, type Pace } from "./hearing/pace.ts";
import { noteListed, quietTest, readBooks } from "./hearing/quiet.ts";
import { LATE_MS } from "./intent.ts";
import { instanceLease, whileHolding } from "./leases/lease.ts";
import type { Turns } from "./leases/turns.ts";
import { type LooseEnds, tieUp } from "./loose-ends.ts";
import type { Listing } from "./observe.ts";
import { forgetOthers } from "./steps/told.ts";
import { syncAllDue } from "./volumes/checkpoint-sync.ts";
import { failedProblem } from "./workload.ts";

export interface PassItem {
  readonly instance: string;
  readonly outcome: "settled" | "busy" | "waiting" | "stuck";
  readonly why: string | null;
  readonly problem: unknown;
}

/** Of loose ends: what this pass came to, or where they are looked at beside the passes, what the last look came to. */
export interface PassReport extends LooseEnds {
  readonly items: readonly PassItem[];
  /** Providers that did not answer. */
  readonly silent: readonly Silent[];
}

/**
 * One pass over everything: each record and its cloud are made to agree, what a killed command began is finished, and
 * machines that carry our token without a record are ended.
 */
export async function reconcile(
  fleet: Fleet,
  options: { readonly signal: AbortSignal; readonly limitMs: number; readonly pace?: Pace },
): Promise<PassReport> {
  const { signal, limitMs, pace = noPace() } = options;
  const found = await fleet.state.instances();
  // Also where nothing of ours is known to live any more: a machine may have come up after its promise was given up.
  const promised = await fleet.state.promisedProviders(fleet.clock.now() - LATE_MS);
  const listings = await listAll([...found.map((record) => record.provider), ...promised], fleet, pace, signal);
  const records = await watchBudgets(fleet, found, listings, pace.budgets, signal);
  forgetOthers(pace.told, records);
  const among: Fleet = { ...fleet, neighbours: neighbourhoodOf(records, fleet.clock.now()), told: pace.told };
  // What is under way is looked at in every pass; what rests, or could not go on, when its provider's account is listed.
  const books = await readBooks(among, listings);
  await noteListed(among, books);
  const isQuiet = quietTest(among, books);
  const inOrder = ranked(records, listings, pace, fleet.clock.now());
  const items = await Promise.all(
    inOrder.map(async (record): Promise<readonly PassItem[]> => {
      const { id, name: instance } = record;
      if (pace.underway?.has(id) !== true && isQuiet(record)) {
        pace.stuck.delete(id);
        return [{ instance, outcome: "settled", why: null, problem: null }];
      }
      const stuck = pace.stuck.get(id);
      const isStuck = stuck?.version === record.version;
      // What was said of it stands while it is tried again.
      const atIt: PassItem = stuck === undefined ? stillAtIt(instance) : stuckItem(instance, stuck);
      if (!listings.has(record.provider) && isStuck) return [atIt];
      if (!listings.has(record.provider) && isSettled(record) && !isDueUnderNotice(record, fleet.clock.now())) return [];
      if (pace.underway?.has(id) === true) return [atIt];
      const later = pace.later?.get(id);
      if (!listings.has(record.provider) && later?.version === record.version && later.at > fleet.clock.monotonic())
        return [{ instance, outcome: "waiting", why: later.why, problem: null }];
      pace.later?.delete(id);
      if (!isStuck) pace.stuck.delete(id);
      // Remembered whenever it ends: also when this pass is over by then.
      const work = settle(among, record, listings.get(record.provider), pace, signal, limitMs).then((item) =>
        remember(fleet, pace.stuck, id, item),
      );
      if (pace.underway === null) return [await work];
      return [await orLater(fleet, pace.underway, id, work, isStuck ? atIt : stillAtIt(instance), limitMs)];
    }),
  );
  await lookAtGuards(fleet, records, listings, pace.guards, signal);
  const ends = await tieUp(fleet, listings, records, pace.looseEnds, signal);
  await readVolumes(fleet, listings, pace, signal);
  return { items: items.flat(), ...ends, silent: silentOf(listings) };
}

/** Beside the passes where that is allowed: a thousand volumes that are read keep no notice from being heard. */
async function readVolumes(fleet: Fleet, listings: ReadonlyMap<string, Listing>, { syncs }: Pace, signal: AbortSignal): Promise<void> {
  if (syncs === null) return syncAllDue(fleet, listings, signal);
  // Those that are read now were due before; the next pass looks again.
  syncs.underway ??= syncAllDue(fleet, listings, signal)
    .catch(() => undefined)
    .finally(() => {
      syncs.underway = null;
    });
}

/** A pass that may leave work going on beside the next ones waits for it so long, and no longer than its limit: a notice may be next. */
const PATIENCE_MS = 500;

function stillAtIt(instance: string): PassItem {
  return { instance, outcome: "busy", why: "still being worked on", problem: null };
}

function stuckItem(instance: string, { why, problem }: Pick<PassItem, "why" | "problem">): PassItem {
  return { instance, outcome: "stuck", why, problem };
}

/** What could not go on is tried again when it has changed, or at the pace of its provider's list. */
async function remember(fleet: Fleet, stuck: Pace["stuck"], id: string, item: PassItem): Promise<PassItem> {
  const now = item.outcome === "stuck" ? await fleet.state.instance(id) : undefined;
  if (now === undefined) stuck.delete(id);
  else stuck.set(id, { version: now.version, why: item.why, problem: item.problem });
  return item;
}

/**
 * One instance that takes long (a seal of many gigabytes, say) must not keep the others' notices from being heard: its work
 * goes on beside the passes to come, which leave it alone.
 */
async function orLater(
  fleet: Fleet,
  underway: Map<string, Promise<unknown>>,
  id: string,
  work: Promise<PassItem>,
  meanwhile: PassItem,
  limitMs: number,
): Promise<PassItem> {
  const waiting = new AbortController();
  const ended = work.finally(() => {
    underway.delete(id);
    waiting.abort();
  });
  underway.set(
    id,
    ended.catch(() => undefined),
  );
  // Ctrl-C reaches the work itself, and its end ends the waiting.
  const late = fleet.clock.sleep(Math.min(limitMs, PATIENCE_MS), waiting.signal).then(
    () => meanwhile,
    () => ended,
  );
  return Promise.race([ended, late]);
}

/** The records, most urgent first, and their turns told so: also of those that wait for theirs since an earlier pass. */
function ranked(
  records: readonly InstanceRecord[],
  listings: ReadonlyMap<string, Listing>,
  { turns, told }: Pick<Pace, "turns" | "told">,
  now: number,
): readonly InstanceRecord[] {
  const said = new Map<string, Notice>();
  for (const [provider, listing] of listings)
    for (const { providerId, notice } of typeof listing === "string" ? [] : listing)
      if (notice !== null) said.set(`${provider} ${providerId}`, notice);
  const all = records.map((record) => ({
    record,
    urgency: urgencyOf(record, said.get(`${record.provider} ${record.providerId}`) ?? null, now, told),
  }));
  turns.rank(all.map(({ record, urgency }) => [record.id, urgency]));
  return all.sort((one, other) => byUrgency(one.urgency, other.urgency)).map(({ record }) => record);
}

async function settle(
  fleet: Fleet,
  first: InstanceRecord,
  listing: Listing | undefined,
  { turns, later }: Pick<Pace, "turns" | "later">,
  signal: AbortSignal,
  limitMs: number,
): Promise<PassItem> {
  const hasBegun = await turns.begin(first.id, signal);
  try {
    const held = await whileOurs(signal, () =>
      whileHolding(fleet, instanceLease(first.id), signal, (lease) =>
        settleHeld(turns.among(lease.fleet, first.id, hasBegun), first, { listing, turns, later, hasBegun, signal: lease.signal, limitMs }),
      ),
    );
    return held ?? { instance: first.name, outcome: "busy", why: "another process works on it", problem: null };
  } finally {
    hasBegun();
  }
}

interface Settling {
  readonly listing: Listing | undefined;
  readonly turns: Turns;
  readonly later: Pace["later"];
  readonly hasBegun: () => void;
  readonly signal: AbortSignal;
  readonly limitMs: number;
}

async function settleHeld(fleet: Fleet, first: InstanceRecord, settling: Settling): Promise<PassItem> {
  const { listing, turns, later, hasBegun, signal, limitMs } = settling;
  const start = fleet.clock.monotonic();
  // The list is as old as this pass: good for the first look, never for a later one.
  let fresh = listing;
  let known = first;
  for (;;) {
    const record = await fleet.state.instance(first.id);
    if (record === undefined || record.state === "gone") return { instance: first.name, outcome: "settled", why: null, problem: null };
    const sameMachine = record.providerId === known.providerId && record.version === known.version;
    // What has been answered is less urgent from here on.
    if (record.version !== first.version) turns.rankOne(record.id, urgencyOf(record, null, fleet.clock.now(), fleet.told));
    const outcome = await step(fleet, record, signal, sameMachine ? fresh : undefined);
    // Our own note is one change of the record and none of its machine: nobody need be asked about that again.
    if (outcome.kind === "again" && outcome.isNote === true) known = { ...record, version: record.version + 1 };
    else fresh = undefined;
    if (outcome.kind === "stuck") {
      // What somebody wished meanwhile is another thing to try, and not to be remembered as what failed.
      const wished = await fleet.state.instance(first.id);
      if (wished !== undefined && (wished.desired !== record.desired || wished.skipSnapshot !== record.skipSnapshot)) continue;
      return { instance: first.name, outcome: "stuck", why: messageOf(outcome.problem), problem: outcome.problem };
    }
    // Whoever did not answer for everything is not asked again and again for one.
    if (typeof listing === "string")
      return { instance: first.name, outcome: "waiting", why: `${first.provider} does not answer`, problem: null };
    const now = await fleet.state.instance(first.id);
    if (outcome.kind === "rest")
      return failedItem(now, fleet.clock.now()) ?? { instance: first.name, outcome: "settled", why: null, problem: null };
    // Where another pass follows, what takes longer than this one is looked at there: by the next list, which costs one call for all.
    const until = fleet.clock.monotonic() + (later === null ? 0 : outcome.ms);
    if (until - start >= limitMs && now !== undefined && (outcome.ms > 0 || !isSettled(now))) {
      const why = isSettled(now) ? outcome.why : `still ${now.state}`;
      if (outcome.ms > 0) later?.set(first.id, { version: now.version, at: until, why });
      return { instance: first.name, outcome: "waiting", why, problem: null };
    }
    if (outcome.ms <= 0) continue;
    hasBegun();
    await fleet.clock.sleep(outcome.ms, signal);
  }
}

/** One whose command has failed before it was ready rests as well, and bills: its owner is to know. */
function failedItem(record: InstanceRecord | undefined, now: number): PassItem | null {
  if (record === undefined || record.desired !== "running" || isUp(record) || !hasFailed(record)) return null;
  const problem = failedProblem([record], EXIT.partial, now);
  return stuckItem(record.name, { why: problem.message.slice(record.name.length + 2), problem });
}

function messageOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
