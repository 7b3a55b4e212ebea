import type { Money } from "../../model/money.ts";
import { parseAmount } from "../currency.ts";

export const HOUR_MS = 3_600_000n;
export const DAY_MS = 24n * HOUR_MS;
/** A month is 30 days wherever something is compared, and a year twelve of them. */
export const MONTH_MS = 30n * DAY_MS;

/** A price for a span of time: 30,000 CNY for 30 days. Exact, whereas a price per hour may have no end of digits. */
export interface Tariff {
  readonly price: Money;
  /** The span in milliseconds; more than zero. */
  readonly perMs: bigint;
}

export function perHour(price: Money): Tariff {
  return { price, perMs: HOUR_MS };
}

/** What so many milliseconds cost, rounded half up to the millionth. */
export function tariffCost({ price, perMs }: Tariff, ms: bigint): Money {
  return { micros: (price.micros * ms + perMs / 2n) / perMs, currency: price.currency };
}

const SPANS: Readonly<Record<string, bigint>> = {
  h: HOUR_MS,
  hour: HOUR_MS,
  d: DAY_MS,
  day: DAY_MS,
  w: 7n * DAY_MS,
  week: 7n * DAY_MS,
  mo: MONTH_MS,
  month: MONTH_MS,
  y: 12n * MONTH_MS,
  year: 12n * MONTH_MS,
};

/**
 * Reads a span: `month`, `730h`, `3 years`.
 * @throws RangeError when it is none, or longer than a hundred years.
 */
export function parseSpan(text: string): bigint {
  const [, count = "", unit = ""] = /^(\d{0,6})\s*([a-z]+?)s?$/i.exec(text.trim()) ?? [];
  const ms = BigInt(count === "" ? "1" : count) * (SPANS[unit.toLowerCase()] ?? 0n);
  if (ms <= 0n || ms > 1200n * MONTH_MS)
    throw new RangeError(`${JSON.stringify(text)} is not a time (expected e.g. hour, month, 730h or 3 years)`);
  return ms;
}

/**
 * Reads a price and its span: `1.98CNY/hour`, `30000CNY/month`, `240000CNY/3years`; without a span it is one per hour.
 * @throws RangeError when it is no such thing, or not more than zero.
 */
export function parseTariff(text: string): Tariff {
  const slash = text.indexOf("/");
  const price = parseAmount(slash === -1 ? text : text.slice(0, slash));
  if (price.micros <= 0n) throw new RangeError(`${JSON.stringify(text)} is not more than zero`);
  return { price, perMs: slash === -1 ? HOUR_MS : parseSpan(text.slice(slash + 1)) };
}

/** A number of hours in milliseconds. */
export function hoursMs(hours: number): bigint {
  return BigInt(Math.round(hours * Number(HOUR_MS)));
}
