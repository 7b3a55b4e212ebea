import { durationText } from "../model/duration.ts";
import { EXIT } from "../model/exit-codes.ts";
import { type Money, moneyText } from "../model/money.ts";
import { Problem } from "../model/problem.ts";
import { BUNDLED_RATE, worthIn } from "../pricing/currency.ts";
import { intervalCost } from "../pricing/instance-cost.ts";
import type { InstanceRecord } from "../state/records.ts";
import { backOffMs } from "./deciding/back-off.ts";
import { isUp } from "./deciding/decide.ts";
import type { Fleet } from "./fleet.ts";
import { interrupted } from "./interrupted.ts";
import { overruled } from "./park.ts";
import { type WakeOptions, wakeUp } from "./waking.ts";

const MS_PER_HOUR = 3_600_000n;

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
  const { clock } = fleet;
  const begun: Begun = { at: clock.now(), since: clock.monotonic(), options };
  let current = record;
  for (let tries = 1; ; tries++) {
    const leftMs = await leftFor(fleet, current, begun);
    if (leftMs <= 0) throw await usedUp(fleet, current, begun, undefined);
    let failure: Problem;
    try {
      return await wakeUp(fleet, current, { ...options, capMs: Math.min(options.capMs, leftMs) });
    } catch (error) {
      if (!isWorthAnotherTry(error)) throw error;
      failure = error;
    }
    const { listEvery, pollMs } = (await fleet.provider(record.provider)).capabilities;
    const pauseMs = backOffMs(tries, fleet.rng.next(), listEvery?.ms ?? pollMs);
    current = (await fleet.state.instance(record.id)) ?? current;
    if ((await leftFor(fleet, current, begun)) <= pauseMs) throw await usedUp(fleet, current, begun, failure);
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
}

/** What another try may mend: capacity, and a machine that does not come to serve. What may still bill is not left for that. */
function isWorthAnotherTry(error: unknown): error is Problem {
  if (!(error instanceof Problem) || !error.retryable) return false;
  return error.exit === EXIT.timeout || error.exit === EXIT.noCapacity || error.code === "SPOT_E_UNAVAILABLE";
}

/** How long a try may last at the most: until the time is up, or until what its machine costs would pass the money. */
async function leftFor({ clock, ...fleet }: Fleet, record: InstanceRecord, begun: Begun): Promise<number> {
  const { forMs, maxCost } = begun.options;
  const timeMs = forMs === null ? Number.POSITIVE_INFINITY : forMs - (clock.monotonic() - begun.since);
  if (maxCost === null) return timeMs;
  const left = maxCost.micros - (await spentOn({ ...fleet, clock }, record, begun, maxCost.currency));
  if (left <= 0n) return 0;
  const rate = record.price === null ? null : worthIn(record.price, maxCost.currency, fleet.exchange ?? BUNDLED_RATE);
  if (rate === null || rate.micros <= 0n) return timeMs;
  return Math.min(timeMs, Number((left * MS_PER_HOUR) / rate.micros));
}

/** What its machines have cost since it is being woken, in micro-units of a currency; what cannot be converted counts nothing. */
async function spentOn(fleet: Fleet, { id }: InstanceRecord, { at }: Begun, currency: string): Promise<bigint> {
  const entries = (await fleet.state.ledger({ instanceId: id })).filter(({ kind, from }) => kind === "gpu" && from >= at);
  const rate = fleet.exchange ?? BUNDLED_RATE;
  return entries.reduce((sum, entry) => sum + (worthIn(intervalCost(entry, fleet.clock.now()), currency, rate)?.micros ?? 0n), 0n);
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
  const hadMachine = (await fleet.state.ledger({ instanceId: record.id })).some(({ kind, from }) => kind === "gpu" && from >= begun.at);
  const isTime = forMs !== null && fleet.clock.monotonic() - begun.since >= forMs;
  const limit = isTime || maxCost === null ? `in ${durationText(forMs ?? 0)}` : `for ${moneyText(maxCost)}`;
  return new Problem({
    code: hadMachine ? "SPOT_E_WAKE_TIMEOUT" : "SPOT_E_NO_CAPACITY",
    message: `${record.name} did not come back ${limit}; it is ${record.state} and its GPU is not billed`,
    exit: hadMachine ? EXIT.timeout : EXIT.noCapacity,
    ...(cause === undefined ? {} : { hint: cause.message }),
    next: [`spot restore ${record.name} --dry-run`, `spot restore ${record.name} --until-up`],
    retryable: true,
    cause,
  });
}
