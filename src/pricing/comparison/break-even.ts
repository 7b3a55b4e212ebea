import { type ExchangeRate, perUsdMicros } from "../currency.ts";
import { type Demand, dividedUp, paceOf } from "./demand.ts";
import { boundMs, longCost } from "./mix.ts";
import type { MachineWay, TokenWay } from "./way.ts";

/** From how many hours of one way a machine that is paid for a time costs no more. */
export interface HoursBreakEven {
  readonly long: MachineWay;
  readonly against: MachineWay;
  /** Useful hours of the other machine in the time that is paid for, in milliseconds, rounded up; null when it never does. */
  readonly ms: bigint | null;
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
  /** For a machine that is paid for a time: tokens a day, rounded up; null for one by the hour. */
  readonly perDay: bigint | null;
  /** False: the machine cannot make so many at the throughput and use that were said; null where nothing was said. */
  readonly isReachable: boolean | null;
}

const HOUR = 3_600_000n;
const DAY = 24n * HOUR;
const MILLION = 1_000_000n;

/** How many millionths of `to` one of `from` is worth, as a fraction; null where no rate says. */
function factor(from: string, to: string, rate: ExchangeRate): readonly [bigint, bigint] | null {
  if (from === to) return [1n, 1n];
  const [own, other] = [perUsdMicros(from, rate), perUsdMicros(to, rate)];
  return own === undefined || other === undefined ? null : [other, own];
}

/**
 * Where the two lines cross: one costs `C` whatever it does, the other `r` an hour, so at `C / r` hours. Null when the
 * currencies cannot be compared.
 */
export function hoursBreakEven(long: MachineWay, against: MachineWay, demand: Demand, rate: ExchangeRate): HoursBreakEven | null {
  const ofMs = boundMs(long, demand);
  const cost = longCost(long, ofMs);
  const { price, perMs } = against.effective;
  const by = factor(cost.currency, price.currency, rate);
  if (by === null) return null;
  const needed = dividedUp(cost.micros * by[0] * perMs, by[1] * price.micros);
  const [own, other] = [paceOf(long, demand), paceOf(against, demand)];
  // What the machine can do in its time, in hours of the other one.
  const can = other.units === 0n ? 0n : (ofMs * own.units * other.perMs) / (own.perMs * other.units);
  const ms = needed <= can ? needed : null;
  const tokens = ms === null || demand.unit !== "tokens" ? null : dividedUp(ms * other.units, other.perMs * MILLION);
  return { long, against, ms, ofMs, tokens };
}

/** Where a machine's bill and an API's cross: at `bill / price` tokens. Null when the currencies cannot be compared. */
export function tokenBreakEven(way: MachineWay, api: TokenWay, demand: Demand, rate: ExchangeRate): TokenBreakEven | null {
  const ofMs = way.isLong ? boundMs(way, demand) : way.effective.perMs;
  const cost = way.isLong ? longCost(way, ofMs) : way.effective.price;
  const by = factor(cost.currency, api.perMillion.currency, rate);
  if (by === null) return null;
  const tokensIn = (ms: bigint) => dividedUp(cost.micros * by[0] * MILLION * ms, by[1] * api.perMillion.micros * ofMs);
  const perPaidHour = tokensIn(HOUR);
  const { units, perMs } = paceOf(way, demand);
  return {
    way,
    api,
    perPaidHour,
    perDay: way.isLong ? tokensIn(DAY) : null,
    isReachable: demand.unit === "tokens" ? perPaidHour * MILLION <= (units * HOUR) / perMs : null,
  };
}
