import type { Money } from "../../model/money.ts";
import { worthIn } from "../currency.ts";
import { type Block, type Demand, dividedUp, greater, lesser, msFor, paceOf, unitsIn } from "./demand.ts";
import { type Exact, exactCost, isLess, NOTHING, plusExact, type Reckoning } from "./exact.ts";
import { longCost, MOST_MACHINES, type Rental, unitsOf, wholeRental } from "./rental.ts";
import { HOUR_MS, type Tariff, tariffCost } from "./tariff.ts";
import type { MachineWay, TokenWay } from "./way.ts";

/** What one way has to do with a mix. */
export interface MixPart {
  readonly role: "base" | "burst" | "tokens";
  readonly way: MachineWay | TokenWay;
  /** The most that run at a time; null for tokens, and by the hour in a job without a deadline, where one does. */
  readonly machines: bigint | null;
  /** Milliseconds of all machines together in which they are wanted. 0 for tokens. */
  readonly usefulMs: bigint;
  /** The hours that are paid: what spot loses and the idle time of a rental included. 0 for tokens. */
  readonly hoursPaid: number;
  /** Whole tokens; 0 for machines. */
  readonly tokens: bigint;
  /** In the way's own currency. */
  readonly cost: Money;
  /** The cost in the currency that is compared in; the cost itself where it is the same. */
  readonly worth: Money;
}

/** A way, or several together, that does all of the workload. */
export interface Mix {
  readonly parts: readonly MixPart[];
  /** The sum of what the parts are worth. */
  readonly total: Money;
}

export interface Base {
  readonly way: MachineWay;
  readonly rental: Rental;
}

/** Who takes part: long rentals, kinds of machines by the hour for what they leave, and an API. */
export interface Crew {
  readonly bases: readonly Base[];
  readonly hourly: readonly MachineWay[];
  readonly tokens: TokenWay | null;
}

/** A price per million tokens is one per 10^12 millionths of a token. */
const MILLION_TOKENS = 1_000_000_000_000n;

function tokenTariff({ perMillion }: TokenWay): Tariff {
  return { price: perMillion, perMs: MILLION_TOKENS };
}

/** What of a block's rest machines by the hour do: milliseconds of all of them, how many at a time, and what is left for tokens. */
interface Share {
  readonly way: MachineWay | null;
  readonly ms: bigint;
  readonly machines: bigint | null;
  readonly left: bigint;
}

/** The shares of one kind among which its cheapest is: costs are linear between whole machines, so that the ends decide. */
function sharesOf(way: MachineWay, rest: bigint, { ms }: Block, demand: Demand): readonly Share[] {
  const pace = paceOf(way, demand);
  const each = unitsIn(pace, ms);
  if (demand.isBatch) {
    const isAnyTime = demand.isJob && demand.deadlineMs === null;
    if (each === 0n && !isAnyTime) return [];
    return [{ way, ms: msFor(pace, rest), machines: isAnyTime ? null : dividedUp(rest, each), left: 0n }];
  }
  if (each === 0n) return [];
  const full = rest / each;
  return [full, full + 1n].map((machines) => {
    const left = rest - machines * each;
    return { way, ms: machines * ms, machines, left: left > 0n ? left : 0n };
  });
}

/** The cheapest share of a block's rest for one kind by the hour and the API; null when nobody can do it. */
function cheapestShare(rest: bigint, block: Block, { hourly, tokens }: Crew, demand: Demand, reckoning: Reckoning): Share | null {
  let best: { readonly share: Share; readonly cost: Exact } | null = null;
  const none: Share = { way: null, ms: 0n, machines: 0n, left: rest };
  for (const share of [none, ...(rest === 0n ? [] : hourly.flatMap((way) => sharesOf(way, rest, block, demand)))]) {
    if ((share.left > 0n && tokens === null) || (share.machines ?? 0n) > MOST_MACHINES) continue;
    const machines = share.way === null ? NOTHING : exactCost(share.way.effective, share.ms, reckoning);
    const api = tokens === null ? NOTHING : exactCost(tokenTariff(tokens), share.left, reckoning);
    if (machines === null || api === null) continue;
    const cost = plusExact(machines, api);
    if (best === null || isLess(cost, best.cost)) best = { share, cost };
  }
  return best?.share ?? null;
}

/** What a crew does, before it is paid: milliseconds and units of a day, or of the job. */
interface Work {
  readonly baseMs: readonly bigint[];
  readonly hourly: ReadonlyMap<MachineWay, { readonly ms: bigint; readonly machines: bigint | null }>;
  readonly left: bigint;
}

function workOf(demand: Demand, crew: Crew, reckoning: Reckoning): Work | null {
  const baseMs = crew.bases.map(() => 0n);
  const hourly = new Map<MachineWay, { ms: bigint; machines: bigint | null }>();
  let left = 0n;
  for (const block of demand.blocks) {
    let rest = block.units;
    for (const [index, { way, rental }] of crew.bases.entries()) {
      const done = lesser(rest, unitsOf(way, rental, block, demand));
      rest -= done;
      const pace = paceOf(way, demand);
      const each = unitsIn(pace, block.ms);
      const ms = demand.isBatch ? msFor(pace, done) : each === 0n ? 0n : dividedUp(done, each) * block.ms;
      baseMs[index] = (baseMs[index] ?? 0n) + ms;
    }
    const share = cheapestShare(rest, block, crew, demand, reckoning);
    if (share === null) return null;
    left += share.left;
    if (share.way === null || share.ms === 0n) continue;
    const known = hourly.get(share.way) ?? { ms: 0n, machines: 0n };
    const machines = share.machines === null || known.machines === null ? null : greater(known.machines, share.machines);
    hourly.set(share.way, { ms: known.ms + share.ms, machines });
  }
  return { baseMs, hourly, left };
}

const hours = (ms: bigint) => Number(ms) / Number(HOUR_MS);

/**
 * The cheapest that this crew can do with all of its long rentals, or null when it cannot do all of the work or its currencies
 * cannot be compared. The rentals take what they can of each block; of the rest each block has its own best share, and with it
 * the best of all. Amounts are rounded once for each part.
 */
export function mixOf(demand: Demand, crew: Crew, reckoning: Reckoning): Mix | null {
  const work = workOf(demand, crew, reckoning);
  if (work === null) return null;
  const parts: Omit<MixPart, "worth">[] = crew.bases.map(({ way, rental: { machines, paidMs } }, index) => ({
    role: "base",
    way,
    machines,
    usefulMs: (work.baseMs[index] ?? 0n) * demand.days,
    hoursPaid: hours(paidMs),
    tokens: 0n,
    cost: longCost(way, paidMs),
  }));
  for (const [way, { ms, machines }] of work.hourly) {
    const usefulMs = ms * demand.days;
    const hoursPaid = hours(usefulMs) * (1 + way.loss.lostShare);
    parts.push({ role: "burst", way, machines, usefulMs, hoursPaid, tokens: 0n, cost: tariffCost(way.effective, usefulMs) });
  }
  const { tokens } = crew;
  if (tokens !== null && work.left > 0n) {
    const units = work.left * demand.days;
    const cost = tariffCost(tokenTariff(tokens), units);
    parts.push({ role: "tokens", way: tokens, machines: null, usefulMs: 0n, hoursPaid: 0, tokens: dividedUp(units, 1_000_000n), cost });
  }
  const known = parts.flatMap((one) => {
    const worth = worthIn(one.cost, reckoning.currency, reckoning.rate);
    return worth === null ? [] : [{ ...one, worth }];
  });
  if (known.length < parts.length) return null;
  return { parts: known, total: { micros: known.reduce((sum, { worth }) => sum + worth.micros, 0n), currency: reckoning.currency } };
}

/** All of the work in this one way; null when it cannot be done. */
export function singleOf(way: MachineWay, demand: Demand, reckoning: Reckoning): Mix | null {
  if (!way.isLong) return mixOf(demand, { bases: [], hourly: [way], tokens: null }, reckoning);
  const rental = wholeRental(way, demand);
  return rental === null ? null : mixOf(demand, { bases: [{ way, rental }], hourly: [], tokens: null }, reckoning);
}

/** All of the work by the API; null where nobody knows which part of the work so many tokens are. */
export function tokensOnly(tokens: TokenWay, demand: Demand, reckoning: Reckoning): Mix | null {
  return demand.unit === "tokens" ? mixOf(demand, { bases: [], hourly: [], tokens }, reckoning) : null;
}
