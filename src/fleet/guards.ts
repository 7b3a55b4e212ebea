import { eachOf } from "../checkpoints/bounded.ts";
import { CLOUD_GUARDS, type Guardian, guardOf } from "../model/guard.ts";
import { deadline } from "../platform/clock.ts";
import type { Reach } from "../providers/provider.ts";
import type { GuardRecord, InstanceRecord, NewEvent } from "../state/records.ts";
import { isUp } from "./deciding/decide.ts";
import type { Fleet, GuestReport } from "./fleet.ts";
import { noteSeal } from "./measured-seal.ts";
import type { Listing } from "./observe.ts";
import { eventOf } from "./record-change.ts";
import { noteUnfit } from "./steps/unfit.ts";
import { noteWorkload } from "./workload.ts";

/** How often an agent that keeps a TTL or an idle time is asked whether it lives, in milliseconds. */
const EVERY_MS = 300_000;
/** Who did not answer is asked again this soon: a connection that broke is no death. */
const AGAIN_MS = 60_000;
/** Under a notice the agent is asked whether its checkpoint fits. */
const NOTICED_MS = 5_000;
/** A heartbeat that is older than this when it is told is none. */
const DEAD_MS = 180_000;
/**
 * A watch looks who is due this often, and asks no more than so many then: one a second. Of ten thousand machines each is heard
 * every three hours, and asking costs a connection each.
 */
const LOOK_MS = 15_000;
const ASKED_AT_MOST = 15;
const ASKED_AT_ONCE = 8;
/** One `reconcile` asks no more than this. */
const ASKED_BY_ONE_PASS = 32;
const ANSWER_MS = 5_000;

/** When a watch asks next; a single pass has none of its own. */
export interface GuardPace {
  /** By provider, by the monotonic clock. */
  readonly next: Map<string, number>;
  /** When each was last asked, by instance and by the wall clock. */
  readonly asked: Map<string, number>;
  /** The asking under way, beside the passes; null when there is none. */
  underway: Promise<void> | null;
}

interface Asked {
  readonly record: InstanceRecord;
  readonly providerId: string;
  readonly reach: Reach;
  readonly before: GuardRecord | undefined;
  /** Epoch milliseconds; 0 for never. */
  readonly askedAt: number;
}

/**
 * Hears whether the agents that keep a TTL or an idle time live, and whether checkpoints fit notices. Beside the passes of a
 * watch (`pace`), within a single pass. What cannot be asked now is asked later.
 */
export async function lookAtGuards(
  fleet: Fleet,
  records: readonly InstanceRecord[],
  listings: ReadonlyMap<string, Listing>,
  pace: GuardPace | null,
  signal: AbortSignal,
): Promise<void> {
  if (pace === null) return ask(fleet, records, listings, { most: ASKED_BY_ONE_PASS, asked: new Map() }, signal);
  if (pace.underway !== null) return;
  const now = fleet.clock.monotonic();
  const due = new Map([...listings].filter(([provider]) => now >= (pace.next.get(provider) ?? 0)));
  if (due.size === 0) return;
  for (const provider of due.keys()) pace.next.set(provider, now + (records.some(isNoticed) ? NOTICED_MS : LOOK_MS));
  pace.underway = ask(fleet, records, due, { most: ASKED_AT_MOST, asked: pace.asked }, signal)
    .catch(() => undefined)
    .finally(() => {
      pace.underway = null;
    });
}

const isNoticed = ({ notice, spec }: InstanceRecord) => notice !== null && notice.kind !== "rebalance" && spec.volume !== null;

/** Its agent keeps a TTL or an idle time. */
const isGuarded = ({ ttlEndsAt, spec }: InstanceRecord) => ttlEndsAt !== null || spec.idleMs !== null;

async function ask(
  fleet: Fleet,
  records: readonly InstanceRecord[],
  listings: ReadonlyMap<string, Listing>,
  { most, asked }: { readonly most: number; readonly asked: Map<string, number> },
  signal: AbortSignal,
): Promise<void> {
  const wanted = records.filter((record) => isUp(record) && (isGuarded(record) || isNoticed(record)));
  if (wanted.length === 0) return;
  const known = new Map((wanted.some(isGuarded) ? await fleet.state.guards() : []).map((guard) => [guard.instanceId, guard]));
  const doors = doorsOf(listings);
  const now = fleet.clock.now();
  const due = wanted
    .flatMap((record): readonly Asked[] => {
      const { id, provider, providerId } = record;
      const reach = doors.get(`${provider} ${providerId}`);
      const seen = known.get(id);
      const before = seen?.providerId === providerId ? seen : undefined;
      const askedAt = asked.get(id) ?? before?.askedAt ?? 0;
      if (
        providerId === null ||
        reach === undefined ||
        !isDue(record, { askedAt, silentAt: before?.silentAt ?? null, warned: before?.warned ?? false }, now)
      )
        return [];
      return [{ record, providerId, reach, before, askedAt }];
    })
    .sort((one, other) => Number(isNoticed(other.record)) - Number(isNoticed(one.record)) || one.askedAt - other.askedAt)
    .slice(0, most);
  const answers: (readonly [Asked, GuestReport | undefined])[] = [];
  await eachOf(due, ASKED_AT_ONCE, async (one) => {
    if (signal.aborted) return;
    asked.set(one.record.id, fleet.clock.now());
    answers.push([one, await reportOf(fleet, one.reach, signal)]);
  });
  if (signal.aborted || answers.length === 0) return;
  const noted = answers.filter(([{ record }]) => isGuarded(record)).map(([one, report]) => outcomeOf(fleet, one, report));
  if (noted.length > 0)
    await fleet.state.commit({ guards: noted.map(({ guard }) => guard), events: noted.flatMap(({ events }) => events) });
  for (const [{ record }, report] of answers) {
    await noteUnfit(fleet, record, report?.fit);
    await noteWorkload(fleet, record, report);
    await noteSeal(fleet, record, report);
  }
}

/** Whether it is time to ask. A clock that was set back makes nobody wait for ever. Pure. */
export function isDue(record: InstanceRecord, before: Pick<GuardRecord, "askedAt" | "silentAt" | "warned">, now: number): boolean {
  if (now < before.askedAt) return true;
  const every = isNoticed(record) ? NOTICED_MS : before.silentAt !== null && !before.warned ? AGAIN_MS : EVERY_MS;
  return now - before.askedAt >= every - 500;
}

function doorsOf(listings: ReadonlyMap<string, Listing>): ReadonlyMap<string, Reach> {
  const doors = new Map<string, Reach>();
  for (const [provider, listing] of listings)
    if (typeof listing !== "string")
      for (const { providerId, reach, state } of listing)
        if (reach !== null && (state === "running" || state === "reclaiming")) doors.set(`${provider} ${providerId}`, reach);
  return doors;
}

async function reportOf(fleet: Fleet, reach: Reach, signal: AbortSignal): Promise<GuestReport | undefined> {
  const limit = deadline(signal, ANSWER_MS);
  try {
    return await fleet.guest.report(reach, limit.signal).catch(() => undefined);
  } finally {
    limit.done();
  }
}

/** What follows from one answer, or from none. */
function outcomeOf(fleet: Fleet, { record, providerId, before }: Asked, report: GuestReport | undefined) {
  const now = fleet.clock.now();
  const heartbeatAt = heartbeatOf(report, now) ?? before?.heartbeatAt ?? null;
  const lives = report !== undefined && heartbeatAt !== null && now - heartbeatAt < DEAD_MS;
  const silentAt = lives ? null : (before?.silentAt ?? now);
  // Once is a hiccup: it is dead when it was asked again, and nothing was heard of it for long.
  const isDead = silentAt !== null && now - silentAt >= AGAIN_MS - 500 && now - Math.max(heartbeatAt ?? 0, record.readyAt ?? 0) >= DEAD_MS;
  const warns = isDead && before?.warned !== true;
  const guard: GuardRecord = {
    instanceId: record.id,
    providerId,
    heartbeatAt,
    askedAt: now,
    silentAt,
    warned: !lives && (isDead || before?.warned === true),
  };
  const events: readonly NewEvent[] = warns
    ? [eventOf(fleet, record, "warning", { guard: "silent", since: heartbeatAt, message: deadText(record, guard, now) })]
    : [];
  return { guard, events };
}

/** By our clock: a machine's own may be off, so only the difference is taken. An agent that says neither lives. */
function heartbeatOf(report: GuestReport | undefined, now: number): number | null {
  if (report === undefined) return null;
  const { heartbeatAt = null, saidAt = null } = report;
  if (heartbeatAt === null || saidAt === null) return now;
  return now - Math.max(0, saidAt - heartbeatAt) * 1000;
}

const WHO: Readonly<Record<Guardian, (cloud: string) => string>> = {
  agent: () => "its agent",
  cloud: (name) => name,
  controller: () => "spot watch --act or reconcile",
};

/** What a dead guard means, for people. */
function deadText(record: InstanceRecord, guard: GuardRecord, now: number): string {
  const guards = guardOf({ ...record, idleMs: record.spec.idleMs }, guard, now);
  const name = CLOUD_GUARDS[record.provider]?.name ?? record.provider;
  const by = (guardians: readonly Guardian[]) =>
    guardians.length === 0 ? "nobody" : guardians.map((who) => WHO[who](name)).join(", else ");
  const heard =
    guard.heartbeatAt === null
      ? "its agent was never heard"
      : `its agent was last heard at ${new Date(guard.heartbeatAt).toISOString().slice(0, 19)}Z`;
  const ttl = record.ttlEndsAt === null ? "" : `; its TTL is kept by ${by(guards?.ttlBy ?? [])}`;
  const idle = record.spec.idleMs === null ? "" : `; its idle time by ${by(guards?.idleBy ?? [])}`;
  return `${heard}${ttl}${idle}`;
}
