import type { ExchangeRate } from "../currency.ts";
import { type Demand, dividedUp, lesser, paceOf, unitsIn } from "./demand.ts";
import { worthOf } from "./exact.ts";
import { leastRental, longCost } from "./rental.ts";
import { DAY_MS, HOUR_MS } from "./tariff.ts";
import type { MachineWay, TokenWay } from "./way.ts";

/** From how many hours of one way a machine that is paid for a time costs no more. */
export interface HoursBreakEven {
  readonly long: MachineWay;
  readonly against: MachineWay;
  /** Useful hours of the other machine in the time that is paid for, in milliseconds, rounded up; null when it never does. */
  readonly ms: bigint | null;
  /** What the machine does in that time, in hours of the other one: above it a second one is needed. Milliseconds. */
  readonly canMs: bigint;
  /** The time that is paid for. */
  readonly ofMs: bigint;
  /** What these hours make in tokens, rounded up; null where the throughput is not known, or it never does. */
  readonly tokens: bigint | null;
}

/** From how many tokens a machine costs no more than an API. */
export interface TokenBreakEven {
  readonly way: MachineWay;
  readonly api: TokenWay;
  /** Tokens for one hour that the machine is paid for, rounded up. */
  readonly perPaidHour: bigint;
  /** For a machine that is paid for a time, in a month: tokens a day, rounded up; else null. */
  readonly perDay: bigint | null;
  /** For a machine that is paid for a time: tokens in all of it, rounded up; else null. */
  readonly tokens: bigint | null;
  /** What one machine can make, of the tokens that are meant: a day, in all of a job, or by the hour in an hour; null where nobody knows. */
  readonly can: bigint | null;
  /** False: the machine cannot make so many in the hours of this workload; null where nobody knows. */
  readonly isReachable: boolean | null;
}

const MILLION = 1_000_000n;

/**
 * Where the two lines cross: one costs `C` whatever it does, the other `r` an hour, so at `C / r` hours. Null when the
 * currencies cannot be compared.
 */
export function hoursBreakEven(long: MachineWay, against: MachineWay, demand: Demand, rate: ExchangeRate): HoursBreakEven | null {
  const { paidMs: ofMs, workMs } = leastRental(long, demand);
  const cost = longCost(long, ofMs);
  const { price, perMs } = against.effective;
  const by = worthOf(cost.currency, price.currency, rate);
  if (by === null) return null;
  const needed = dividedUp(cost.micros * by.n * perMs, by.d * price.micros);
  const [own, other] = [paceOf(long, demand), paceOf(against, demand)];
  const canMs = other.units === 0n ? 0n : (workMs * own.units * other.perMs) / (own.perMs * other.units);
  const ms = needed <= canMs ? needed : null;
  const tokens = ms === null || demand.unit !== "tokens" ? null : dividedUp(ms * other.units, other.perMs * MILLION);
  return { long, against, ms, canMs, ofMs, tokens };
}

/** How many tokens a day one machine can make that come as the demand's do: the block that is hardest for it decides. */
function dailyTokens(way: MachineWay, { blocks, ...demand }: Demand): bigint {
  const total = blocks.reduce((sum, { units }) => sum + units, 0n);
  const pace = paceOf(way, demand);
  return blocks
    .filter(({ units }) => units > 0n)
    .map(({ ms, units }) => (unitsIn(pace, ms) * total) / (units * MILLION))
    .reduce(lesser);
}

/** Where a machine's bill and an API's cross: at `bill / price` tokens. Null when the currencies cannot be compared. */
export function tokenBreakEven(way: MachineWay, api: TokenWay, demand: Demand, rate: ExchangeRate): TokenBreakEven | null {
  const { paidMs, workMs } = way.isLong ? leastRental(way, demand) : { paidMs: way.effective.perMs, workMs: HOUR_MS };
  const cost = way.isLong ? longCost(way, paidMs) : way.effective.price;
  const by = worthOf(cost.currency, api.perMillion.currency, rate);
  if (by === null) return null;
  const tokensIn = (ms: bigint) => dividedUp(cost.micros * by.n * MILLION * ms, by.d * api.perMillion.micros * paidMs);
  const perPaidHour = tokensIn(HOUR_MS);
  const perDay = way.isLong && !demand.isJob ? tokensIn(DAY_MS) : null;
  const tokens = way.isLong ? tokensIn(paidMs) : null;
  const can = demand.unit !== "tokens" ? null : perDay === null ? unitsIn(paceOf(way, demand), workMs) / MILLION : dailyTokens(way, demand);
  return { way, api, perPaidHour, perDay, tokens, can, isReachable: can === null ? null : (perDay ?? tokens ?? perPaidHour) <= can };
}
