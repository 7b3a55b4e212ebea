import { type ExchangeRate, perUsdMicros } from "../currency.ts";
import type { Tariff } from "./tariff.ts";

/** What decides how costs are compared. */
export interface Reckoning {
  readonly currency: string;
  readonly rate: ExchangeRate;
}

/** An exact amount of the compared currency's millionths. */
export interface Exact {
  readonly n: bigint;
  readonly d: bigint;
}

export const NOTHING: Exact = { n: 0n, d: 1n };

export function plusExact(a: Exact, b: Exact): Exact {
  return { n: a.n * b.d + b.n * a.d, d: a.d * b.d };
}

export function isLess(a: Exact, b: Exact): boolean {
  return a.n * b.d < b.n * a.d;
}

/** How many millionths of `to` one of `from` is worth, as a fraction; null where no rate says. */
export function worthOf(from: string, to: string, rate: ExchangeRate): Exact | null {
  if (from === to) return { n: 1n, d: 1n };
  const [own, other] = [perUsdMicros(from, rate), perUsdMicros(to, rate)];
  return own === undefined || other === undefined ? null : { n: other, d: own };
}

/** What so much of it costs, without any rounding; null where no rate says. */
export function exactCost({ price, perMs }: Tariff, amount: bigint, { currency, rate }: Reckoning): Exact | null {
  const worth = worthOf(price.currency, currency, rate);
  return worth === null ? null : { n: price.micros * amount * worth.n, d: perMs * worth.d };
}
