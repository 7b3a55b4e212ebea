import { type RungName, USUAL_RUNGS } from "../model/comeback.ts";
import { durationText } from "../model/duration.ts";
import { EXIT } from "../model/exit-codes.ts";
import { type Money, moneyText } from "../model/money.ts";
import { Problem } from "../model/problem.ts";
import type { InstanceRecord, VolumeRecord } from "../state/records.ts";
import { endOwnSnapshots } from "./climbing/own-snapshot.ts";
import { backOffMs } from "./deciding/back-off.ts";
import { isUp } from "./deciding/decide.ts";
import type { Fleet } from "./fleet.ts";
import { interrupted } from "./interrupted.ts";
import { overruled } from "./park.ts";
import { volumeNamed } from "./volumes/volumes.ts";
import { type MoneyMeter, moneyMeter } from "./wakes/money-meter.ts";
import { type WakeOptions, wakeUp } from "./waking.ts";

export interface UntilUpOptions extends WakeOptions {
  /** How long it is tried, in milliseconds; null: until it is up, or told to stop. */
  readonly forMs: number | null;
  /** What its machines may cost meanwhile; null: what the budgets allow. */
  readonly maxCost: Money | null;
}

/**
 * Wakes it as `wakeUp` does, again and again, each try within its cap, with growing pauses in which it sleeps: waiting costs
 * what sleeping costs.
 * @throws Problem when the time or the money is used up: exit 5 when no machine was to be had in all that time, 124 when there
 * were some and none came to serve; 130 when interrupted, asleep; and whatever of a try no other try can mend.
 */
export async function wakeUntilUp(fleet: Fleet, record: InstanceRecord, options: UntilUpOptions): Promise<InstanceRecord> {
  try {
    return await tryUntilUp(fleet, record, options);
  } finally {
    await endOwnSnapshots(fleet, record);
  }
}

async function tryUntilUp(fleet: Fleet, record: InstanceRecord, options: UntilUpOptions): Promise<InstanceRecord> {
  const { clock } = fleet;
  const meter = await moneyMeter(fleet, record.id, options.maxCost);
  const begun: Begun = { at: clock.now(), since: clock.monotonic(), options, meter, volumes: await fleet.state.volumes() };
  let current = record;
  for (let tries = 1; ; tries++) {
    const leftMs = timeLeft(fleet, begun);
    if (leftMs <= 0 || (await meter.left()) <= 0n) throw await usedUp(fleet, current, begun, undefined);
    let failure: Problem;
    try {
      return await tryOnce(fleet, current, begun, Math.min(options.capMs, leftMs));
    } catch (error) {
      if (!isWorthAnotherTry(error)) throw error;
      failure = error;
    }
    const { listEvery, pollMs } = (await fleet.provider(record.provider)).capabilities;
    const pauseMs = backOffMs(tries, fleet.rng.next(), listEvery?.ms ?? pollMs);
    current = (await fleet.state.instance(record.id)) ?? current;
    // A pause takes time, and costs nothing.
    if (timeLeft(fleet, begun) <= pauseMs || (await meter.left()) <= 0n) throw await usedUp(fleet, current, begun, failure);
    fleet.say(`${record.name}: ${failure.message}; asleep, and tried again in ${durationText(pauseMs)}`);
    await asleepFor(fleet, current, pauseMs, options.signal);
    current = (await fleet.state.instance(record.id)) ?? current;
    // Another command may have woken it, or ended it.
    if (current.desired === "gone" || current.state === "gone") throw overruled(current);
    if (isUp(current) && current.desired === "running") return current;
  }
}

interface Begun {
  /** By the wall clock, as the ledger has it; and by the one that never jumps. */
  readonly at: number;
  readonly since: number;
  readonly options: UntilUpOptions;
  readonly meter: MoneyMeter;
  /** All that there were. */
  readonly volumes: readonly VolumeRecord[];
}

/** One try, which ends as well when the money is used up, whatever its machine costs. */
async function tryOnce(fleet: Fleet, record: InstanceRecord, begun: Begun, capMs: number): Promise<InstanceRecord> {
  const { options, meter } = begun;
  const { comeback = { allow: USUAL_RUNGS, ceiling: null } } = options;
  const allow = (await hasMoved(fleet, record, begun)) ? comeback.allow.filter((rung) => !COPYING.includes(rung)) : comeback.allow;
  const tried = { ...options, capMs, keepsSnapshots: true, comeback: { ...comeback, allow } };
  if (options.maxCost === null) return wakeUp(fleet, record, tried);
  const [enough, watching] = [new AbortController(), new AbortController()];
  const money = `${record.name} was not serving for ${moneyText(options.maxCost)}`;
  const spent = () => enough.abort(new Problem({ code: "SPOT_E_WAKE_TIMEOUT", message: money, exit: EXIT.timeout, retryable: true }));
  const watched = meter.untilUsedUp(watching.signal).then(spent, (error) => {
    // Money that nobody can count any more is not spent.
    if (!watching.signal.aborted) enough.abort(error);
  });
  try {
    return await wakeUp(fleet, record, { ...tried, enough: enough.signal });
  } finally {
    watching.abort();
    await watched;
  }
}

/** The ways that make a second volume, and leave the first one behind. */
const COPYING: readonly RungName[] = ["snapshot", "copy"];

/** Whether a try went elsewhere with its volume: once is enough, or a workload that never serves leaves a disk at each try. */
async function hasMoved(fleet: Fleet, { spec }: InstanceRecord, { volumes }: Begun): Promise<boolean> {
  if (spec.volume === null) return false;
  const home = await volumeNamed(fleet, spec.volume.name);
  return volumes.some(({ name }) => name === spec.volume?.name) && volumes.every(({ id }) => id !== home?.id);
}

/** What another try may mend: capacity, and a machine that does not come to serve. What may still bill is not left for that. */
function isWorthAnotherTry(error: unknown): error is Problem {
  if (!(error instanceof Problem) || !error.retryable) return false;
  return error.exit === EXIT.timeout || error.exit === EXIT.noCapacity || error.code === "SPOT_E_UNAVAILABLE";
}

/** In milliseconds. */
function timeLeft({ clock }: Fleet, { options: { forMs }, since }: Begun): number {
  return forMs === null ? Number.POSITIVE_INFINITY : forMs - (clock.monotonic() - since);
}

async function asleepFor(fleet: Fleet, { name }: InstanceRecord, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await fleet.clock.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw interrupted(signal, `${name} is asleep and its GPU is not billed`, [`spot restore ${name} --until-up`], error);
  }
}

async function usedUp(fleet: Fleet, record: InstanceRecord, begun: Begun, cause: Problem | undefined): Promise<Problem> {
  const { forMs, maxCost } = begun.options;
  const hadMachine = await begun.meter.hadMachine();
  await endOwnSnapshots(fleet, record);
  const left = await leftBehind(fleet, record, begun);
  const hint = [...(cause === undefined ? [] : [cause.message]), ...(left === null ? [] : [left])].join("; ");
  const isTime = forMs !== null && fleet.clock.monotonic() - begun.since >= forMs;
  const limit = isTime || maxCost === null ? `in ${durationText(forMs ?? 0)}` : `for ${moneyText(maxCost)}`;
  return new Problem({
    code: hadMachine ? "SPOT_E_WAKE_TIMEOUT" : "SPOT_E_NO_CAPACITY",
    message: `${record.name} did not come back ${limit}; it is ${record.state} and its GPU is not billed`,
    exit: hadMachine ? EXIT.timeout : EXIT.noCapacity,
    ...(hint === "" ? {} : { hint }),
    next: [`spot restore ${record.name} --dry-run`, `spot restore ${record.name} --until-up`],
    retryable: true,
    cause,
  });
}

/** What was made on its way and goes on billing; null where that is nothing. */
async function leftBehind(fleet: Fleet, { spec }: InstanceRecord, { at, volumes }: Begun): Promise<string | null> {
  if (spec.volume === null) return null;
  const { name } = spec.volume;
  const was = volumes.find((volume) => volume.name === name);
  const kept = (await fleet.state.volumes()).find(({ id }) => id === was?.id);
  const events = (await fleet.state.events({ since: at, limit: 100_000 })).filter(({ at: thenAt }) => thenAt >= at);
  const idsOf = (action: string) =>
    events.filter(({ data }) => data["action"] === action && data["volume"] === name).map(({ data }) => String(data["providerId"]));
  const gone = new Set(idsOf("snapshot-remove"));
  const snapshots = idsOf("volume-snapshot").filter((id) => !gone.has(id));
  const left = [
    ...(kept === undefined || kept.name === name ? [] : [`the volume ${kept.name} (spot volumes rm ${kept.name})`]),
    ...(snapshots.length === 0 ? [] : [`the snapshots ${snapshots.join(", ")} (spot volumes snapshot --ls)`]),
  ];
  return left.length === 0 ? null : `left on its way, and billed: ${left.join(", ")}`;
}
