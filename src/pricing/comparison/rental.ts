import type { Money } from "../../model/money.ts";
import { type Block, type Demand, dividedUp, greater, lesser, msFor, paceOf, unitsIn } from "./demand.ts";
import { MONTH_MS, tariffCost } from "./tariff.ts";
import type { MachineWay } from "./way.ts";

/** More machines of one kind at a time are not reckoned with. */
export const MOST_MACHINES = 2000n;
/** Nor is a rental of more than a hundred years. */
const MOST_MS = 1200n * MONTH_MS;

/** Machines that are paid for a time, used or not. All times are of all of them together. */
export interface Rental {
  readonly machines: bigint;
  /** The time that is paid. */
  readonly paidMs: bigint;
  /** The part of it in which they may work: a job's deadline ends it. */
  readonly workMs: bigint;
}

/** What machines cost that are paid for so long, all together. */
export function longCost(way: MachineWay, paidMs: bigint): Money {
  const price = tariffCost(way.sticker, paidMs);
  return way.plus === null ? price : { ...price, micros: price.micros + tariffCost(way.plus, paidMs).micros };
}

function month(machines: bigint): Rental {
  return { machines, paidMs: machines * MONTH_MS, workMs: machines * MONTH_MS };
}

/** What such machines do of a block. */
export function unitsOf(way: MachineWay, { machines, workMs }: Rental, { ms }: Block, demand: Demand): bigint {
  const pace = paceOf(way, demand);
  return demand.isJob ? unitsIn(pace, workMs) : machines * unitsIn(pace, ms);
}

/** How many of these machines do all of each day by themselves; null when no number of them that is reckoned with does. */
function machinesFor(way: MachineWay, demand: Demand): bigint | null {
  const pace = paceOf(way, demand);
  let most = 0n;
  for (const { ms, units } of demand.blocks) {
    const each = unitsIn(pace, ms);
    if (each === 0n && units > 0n) return null;
    most = greater(most, each === 0n ? 0n : dividedUp(units, each));
  }
  return most > MOST_MACHINES ? null : most;
}

/** The first number from `low` to `high` from which on it is enough; null when none is. */
function fewest(low: bigint, high: bigint, isEnough: (count: bigint) => boolean): bigint | null {
  if (low > high || !isEnough(high)) return null;
  let [from, to] = [low, high];
  while (from < to) {
    const middle = (from + to) / 2n;
    if (isEnough(middle)) to = middle;
    else from = middle + 1n;
  }
  return to;
}

/** How a machine is paid for in a job: by whole steps of its own, so many at the least, of which those before the deadline count. */
interface Steps {
  readonly ms: bigint;
  readonly least: bigint;
  /** Those in which it may work from end to end; the least where these are more. */
  readonly whole: bigint;
  /** Those in which it may work at all. */
  readonly most: bigint;
  workMs(steps: bigint): bigint;
}

function stepsOf({ stepMs, termMs }: MachineWay, { deadlineMs }: Demand): Steps {
  const until = deadlineMs ?? MOST_MS;
  const bound = greater(1n, dividedUp(termMs, stepMs));
  return {
    ms: stepMs,
    least: bound,
    whole: greater(bound, until / stepMs),
    most: greater(bound, dividedUp(until, stepMs)),
    workMs: (steps) => lesser(steps * stepMs, until),
  };
}

function neededMs(way: MachineWay, demand: Demand): bigint {
  const units = demand.blocks.reduce((sum, block) => sum + block.units, 0n);
  return greater(1n, msFor(paceOf(way, demand), units));
}

/**
 * All rentals among which the cheapest part of a job is. Of so many machines the work that gets done rises in straight lines
 * with the steps that are paid: until each is bound for its least, until each has all of its whole steps, and until each has
 * the last one, which the deadline cuts. So the cheapest is at an end of a line, at the fewest steps that do everything, or at
 * one less. Without a deadline one machine does what several would.
 */
function jobRentals(way: MachineWay, demand: Demand): readonly Rental[] {
  const needed = neededMs(way, demand);
  const steps = stepsOf(way, demand);
  const crew = demand.deadlineMs === null ? 1n : lesser(MOST_MACHINES, dividedUp(needed, steps.workMs(steps.least)));
  const found: Rental[] = [];
  for (let machines = 1n; machines <= crew; machines++) {
    const workMs = (paid: bigint) => {
      const [each, more] = [paid / machines, paid % machines];
      return (machines - more) * steps.workMs(each) + more * steps.workMs(each + 1n);
    };
    const [from, to] = [machines * steps.least, machines * steps.most];
    const enough = fewest(from, to, (paid) => workMs(paid) >= needed);
    const ends = [from, machines * steps.whole, ...(enough === null ? [to] : [enough - 1n, enough])];
    for (const paid of new Set(ends.filter((one) => one >= from && one <= (enough ?? to))))
      found.push({ machines, paidMs: paid * steps.ms, workMs: workMs(paid) });
  }
  return found;
}

/** All rentals of it that may be a part of the cheapest way to do the work, the fewest machines first. */
export function rentalsOf(way: MachineWay, demand: Demand): readonly Rental[] {
  if (demand.isJob) return jobRentals(way, demand);
  return Array.from({ length: Number(machinesFor(way, demand) ?? 0n) }, (_, index) => month(BigInt(index) + 1n));
}

/** The cheapest rental that does all of the work; null when no number of machines that is reckoned with does. */
export function wholeRental(way: MachineWay, demand: Demand): Rental | null {
  if (!demand.isJob) {
    const machines = machinesFor(way, demand);
    return machines === null ? null : month(machines);
  }
  const needed = neededMs(way, demand);
  return jobRentals(way, demand)
    .filter(({ workMs }) => workMs >= needed)
    .reduce<Rental | null>((best, one) => (best === null || one.paidMs < best.paidMs ? one : best), null);
}

/** One machine for as short as it can be had. */
export function leastRental(way: MachineWay, demand: Demand): Rental {
  if (!demand.isJob) return month(1n);
  const steps = stepsOf(way, demand);
  return { machines: 1n, paidMs: steps.least * steps.ms, workMs: steps.workMs(steps.least) };
}
