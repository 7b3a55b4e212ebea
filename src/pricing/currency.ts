import { type Money, moneyFromDecimal, moneyToDecimal } from "../model/money.ts";

/**
 * How many CNY one USD is. It decides in which order offers in different currencies are shown and tried, and whether one
 * is above a cap that was given in the other currency. No amount is ever recorded converted, and none is added up converted
 * but against a budget, which says so.
 */
export interface ExchangeRate {
  /** Millionths of a CNY for one USD. */
  readonly cnyPerUsdMicros: bigint;
  /** Where it comes from, for people: a clause without a full stop. */
  readonly source: string;
}

/**
 * The market's close of 19 June 2026 was 6.7686 CNY for 1 USD (public data set AlphaDojo/dojo_forex_kline); rounded, because
 * an order of offers needs no more.
 */
export const BUNDLED_RATE: ExchangeRate = { cnyPerUsdMicros: 6_770_000n, source: "market of 2026-06-19; spot config set fxCny changes it" };

const MICROS = 1_000_000n;

/**
 * Reads the setting `fxCny`.
 * @throws RangeError when it is not a plain decimal from 0.1 to 100.
 */
export function exchangeRateFrom(text: string): ExchangeRate {
  const trimmed = text.trim();
  const micros = /^\d{1,3}(\.\d{1,6})?$/.test(trimmed) ? moneyFromDecimal(trimmed, "CNY").micros : 0n;
  if (micros < MICROS / 10n || micros > 100n * MICROS)
    throw new RangeError(`${JSON.stringify(text)} is not how many CNY one USD is (expected a decimal from 0.1 to 100, e.g. 6.77)`);
  return { cnyPerUsdMicros: micros, source: "fxCny" };
}

/** `6.77`: the rate as `fxCny` takes it. */
export function exchangeRateText(rate: ExchangeRate): string {
  return moneyToDecimal({ micros: rate.cnyPerUsdMicros, currency: "CNY" }).replace(/\.?0+$/, "");
}

/** Comparable among all currencies that the rate knows; null for another currency. */
function weight({ micros, currency }: Money, rate: ExchangeRate): bigint | null {
  if (currency === "USD") return micros * rate.cnyPerUsdMicros;
  return currency === "CNY" ? micros * MICROS : null;
}

/**
 * Orders amounts by what they are worth: negative when `a` is the cheaper one. A currency that the rate does not know stands
 * after those that it knows, by its name; amounts of one currency are always compared exactly.
 */
export function compareMoney(a: Money, b: Money, rate: ExchangeRate): number {
  if (a.currency === b.currency) return order(a.micros, b.micros);
  const [left, right] = [weight(a, rate), weight(b, rate)];
  if (left !== null && right !== null) return order(left, right);
  if (left === null && right === null) return a.currency < b.currency ? -1 : 1;
  return left === null ? 1 : -1;
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The most of `currency` that is worth no more than `cap`, rounded down; null when the rate does not know one of the two. */
export function capIn(cap: Money, currency: string, rate: ExchangeRate): Money | null {
  if (cap.currency === currency) return cap;
  if (cap.currency === "USD" && currency === "CNY") return { micros: (cap.micros * rate.cnyPerUsdMicros) / MICROS, currency };
  if (cap.currency === "CNY" && currency === "USD") return { micros: (cap.micros * MICROS) / rate.cnyPerUsdMicros, currency };
  return null;
}

/** What an amount is worth in `currency`, rounded up; null when the rate does not know one of the two. */
export function worthIn(amount: Money, currency: string, rate: ExchangeRate): Money | null {
  if (amount.currency === currency) return amount;
  if (amount.currency === "USD" && currency === "CNY") return { micros: dividedUp(amount.micros * rate.cnyPerUsdMicros, MICROS), currency };
  if (amount.currency === "CNY" && currency === "USD") return { micros: dividedUp(amount.micros * MICROS, rate.cnyPerUsdMicros), currency };
  return null;
}

function dividedUp(amount: bigint, by: bigint): bigint {
  return (amount + by - 1n) / by;
}

const CURRENCIES: Readonly<Record<string, string>> = { $: "USD", "¥": "CNY", USD: "USD", CNY: "CNY" };

/**
 * Reads a price as people type it: `2.5` is USD; `2.5USD`, `$2.5`, `18CNY` and `¥18` say their currency.
 * @throws RangeError when it is none of these.
 */
export function parsePrice(text: string): Money {
  const match = /^([$¥])?\s*(-?\d{1,12}(?:\.\d{1,12})?)\s*([A-Z]{3})?$/i.exec(text.trim());
  const [, sign, amount, word] = match ?? [];
  const currency = CURRENCIES[(word ?? sign ?? "USD").toUpperCase()];
  const agrees = sign === undefined || word === undefined || CURRENCIES[sign] === currency;
  if (amount === undefined || currency === undefined || !agrees)
    throw new RangeError(`not an amount of money: ${JSON.stringify(text)} (expected e.g. 2.5, which is USD, or 18CNY)`);
  return moneyFromDecimal(amount, currency);
}

/** A price as a spec keeps it, so that the same price is the same text: `2.5` for USD, `18CNY`. */
export function priceText(price: Money): string {
  const decimal = moneyToDecimal(price).replace(/\.?0+$/, "");
  return price.currency === "USD" ? decimal : `${decimal}${price.currency}`;
}
