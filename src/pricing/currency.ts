import { type Money, moneyFromDecimal, moneyToDecimal } from "../model/money.ts";

/** How much of a currency one USD is. */
export interface QuotedRate {
  /** Millionths of the currency for one USD. */
  readonly micros: bigint;
  /** Where it comes from and of which day, or that none was stated; for people: a clause without a full stop. */
  readonly source: string;
}

/**
 * How much of other currencies one USD is. It decides in which order offers in different currencies are shown and tried, and
 * whether one is above a cap that was given in another currency. No amount is ever recorded converted, and none is added up
 * converted but against a budget and in a comparison, which say so.
 */
export interface ExchangeRate {
  readonly perUsd: Readonly<Record<string, QuotedRate>>;
}

/**
 * The market's close of 19 June 2026 was 6.7686 CNY for 1 USD (public data set AlphaDojo/dojo_forex_kline); rounded, because
 * an order of offers needs no more. Of no other currency a rate is bundled.
 */
export const BUNDLED_RATE: ExchangeRate = {
  perUsd: { CNY: { micros: 6_770_000n, source: "market of 2026-06-19; spot config set fxCny changes it" } },
};

const MICROS = 1_000_000n;

/** The least and the most that a rate may be, in millionths; the yuan's is narrower, so that a slip is found. */
function boundsOf(currency: string): readonly [bigint, bigint] {
  return currency === "CNY" ? [MICROS / 10n, 100n * MICROS] : [1n, 1_000_000n * MICROS];
}

/** A day begins first where clocks are so far ahead of UTC. */
const FARTHEST_AHEAD_MS = 14 * 3_600_000;

/**
 * Reads how much of `currency` one USD is: `6.77`, or with its day `6.77@2026-06-19`. `now`, in epoch milliseconds, where it is
 * being stated: a day that has begun nowhere is a slip. What was kept is read without it, so that a clock that is wrong stops
 * no command.
 * @throws RangeError when it is neither, or out of all bounds.
 */
export function quotedRate(currency: string, text: string, source: string, now = Number.POSITIVE_INFINITY): QuotedRate {
  const [, decimal, day] = /^(\d{1,7}(?:\.\d{1,6})?)(?:@(\d{4}-\d{2}-\d{2}))?$/.exec(text.trim()) ?? [];
  const micros = decimal === undefined ? 0n : moneyFromDecimal(decimal, currency).micros;
  const [least, most] = boundsOf(currency);
  const isDay = day === undefined || new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day);
  if (micros < least || micros > most || !isDay) {
    const bounds = [least, most].map((bound) => plainDecimal(bound)).join(" to ");
    const example = currency === "CNY" ? "6.77" : "0.92";
    throw new RangeError(
      `${JSON.stringify(text)} is not how many ${currency} one USD is (expected a decimal from ${bounds}, e.g. ${example})`,
    );
  }
  if (day !== undefined && Date.parse(day) - FARTHEST_AHEAD_MS > now)
    throw new RangeError(`${JSON.stringify(text)} is the rate of a day that has not come`);
  return { micros, source: `${source}, of ${day ?? "no stated day"}` };
}

/** The same rates with some said anew. */
export function withRates(rate: ExchangeRate, quotes: Readonly<Record<string, QuotedRate>>): ExchangeRate {
  return { perUsd: { ...rate.perUsd, ...quotes } };
}

/**
 * Reads the setting `fxCny`; `now` as `quotedRate` takes it.
 * @throws RangeError when it is no rate from 0.1 to 100.
 */
export function exchangeRateFrom(text: string, now?: number): ExchangeRate {
  return withRates(BUNDLED_RATE, { CNY: quotedRate("CNY", text, "fxCny", now) });
}

function plainDecimal(micros: bigint): string {
  return moneyToDecimal({ micros, currency: "" }).replace(/\.?0+$/, "");
}

/** `6.77`: the rate as a setting takes it; `?` where none is known. */
export function exchangeRateText(rate: ExchangeRate, currency = "CNY"): string {
  const quoted = rate.perUsd[currency];
  return quoted === undefined ? "?" : plainDecimal(quoted.micros);
}

/** `1 USD for 6.77 CNY (--fx, of 2026-06-19)`: the rates of these currencies that are known, for people; empty when they need none. */
export function ratesText(rate: ExchangeRate, currencies: Iterable<string>): string {
  const known = ratesJson(rate, currencies).map(({ currency, perUsd, source }) => `${perUsd} ${currency} (${source})`);
  return known.length === 0 ? "" : `1 USD for ${known.join(" and ")}`;
}

/** The same for a document. */
export function ratesJson(rate: ExchangeRate, currencies: Iterable<string>) {
  return [...new Set(currencies)].sort().flatMap((currency) => {
    const quoted = rate.perUsd[currency];
    return quoted === undefined ? [] : [{ currency, perUsd: plainDecimal(quoted.micros), source: quoted.source }];
  });
}

/** How much of it one USD is, in millionths; undefined where the rate does not say. */
export function perUsdMicros(currency: string, rate: ExchangeRate): bigint | undefined {
  return currency === "USD" ? MICROS : rate.perUsd[currency]?.micros;
}

/**
 * Orders amounts by what they are worth: negative when `a` is the cheaper one. A currency that the rate does not know stands
 * after those that it knows, by its name; amounts of one currency are always compared exactly.
 */
export function compareMoney(a: Money, b: Money, rate: ExchangeRate): number {
  if (a.currency === b.currency) return order(a.micros, b.micros);
  const [left, right] = [perUsdMicros(a.currency, rate), perUsdMicros(b.currency, rate)];
  if (left !== undefined && right !== undefined) return order(a.micros * right, b.micros * left);
  if (left === undefined && right === undefined) return a.currency < b.currency ? -1 : 1;
  return left === undefined ? 1 : -1;
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The most of `currency` that is worth no more than `cap`, rounded down; null when the rate does not know one of the two. */
export function capIn(cap: Money, currency: string, rate: ExchangeRate): Money | null {
  if (cap.currency === currency) return cap;
  const [from, to] = [perUsdMicros(cap.currency, rate), perUsdMicros(currency, rate)];
  return from === undefined || to === undefined ? null : { micros: (cap.micros * to) / from, currency };
}

/** What an amount is worth in `currency`, rounded up; null when the rate does not know one of the two. */
export function worthIn(amount: Money, currency: string, rate: ExchangeRate): Money | null {
  if (amount.currency === currency) return amount;
  const [from, to] = [perUsdMicros(amount.currency, rate), perUsdMicros(currency, rate)];
  return from === undefined || to === undefined ? null : { micros: dividedUp(amount.micros * to, from), currency };
}

function dividedUp(amount: bigint, by: bigint): bigint {
  return (amount + by - 1n) / by;
}

const SIGNS: Readonly<Record<string, string>> = { $: "USD", "¥": "CNY", "€": "EUR" };

/**
 * Reads a price as people type it: `2.5` is USD; `2.5USD`, `$2.5`, `18CNY` and `¥18` say their currency.
 * @throws RangeError when it is none of these.
 */
export function parsePrice(text: string): Money {
  const amount = parseAmount(text);
  if (amount.currency !== "USD" && amount.currency !== "CNY") throw notMoney(text);
  return amount;
}

function notMoney(text: string): RangeError {
  return new RangeError(`not an amount of money: ${JSON.stringify(text)} (expected e.g. 2.5, which is USD, or 18CNY)`);
}

/**
 * The same for any currency by its code: `2.5EUR`, `€2.5`.
 * @throws RangeError when it is no such thing.
 */
export function parseAmount(text: string): Money {
  const match = /^([$¥€])?\s*(-?\d{1,12}(?:\.\d{1,12})?)\s*([A-Z]{3})?$/i.exec(text.trim());
  const [, sign, amount, word] = match ?? [];
  const bySign = sign === undefined ? undefined : SIGNS[sign];
  const currency = word?.toUpperCase() ?? bySign ?? "USD";
  if (amount === undefined || (bySign !== undefined && bySign !== currency)) throw notMoney(text);
  return moneyFromDecimal(amount, currency);
}

/** A price as a spec keeps it, so that the same price is the same text: `2.5` for USD, `18CNY`. */
export function priceText(price: Money): string {
  const decimal = moneyToDecimal(price).replace(/\.?0+$/, "");
  return price.currency === "USD" ? decimal : `${decimal}${price.currency}`;
}
