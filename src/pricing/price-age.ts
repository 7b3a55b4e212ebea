import type { PriceSource } from "../model/listed-price.ts";
import type { RankedOffer } from "./rank.ts";

const DAY_MS = 24 * 3_600_000;

/** A list of last week is not what prices are chosen by. */
const STALE_MS = 7 * DAY_MS;
/** Prices of machines have more than doubled within half a year. */
const OLD_MS = 90 * DAY_MS;

/** Clocks of one computer differ by no more than that, and reading takes as long. */
const CLOCK_SLACK_MS = 5 * 60_000;

/** Whether an observation is dated later than now, by a clock that was ahead: nobody knows how old it is. Epoch milliseconds. */
export function isStillToCome(at: number, now: number): boolean {
  return at > now + CLOCK_SLACK_MS;
}

/** A price, or a list of them, and when its source last said so, in epoch milliseconds. */
export interface Dated {
  readonly source: PriceSource;
  readonly observedAt: number;
}

function isListedFor({ source, observedAt }: Dated, now: number, ms: number): boolean {
  return source !== "live" && (now - observedAt > ms || isStillToCome(observedAt, now));
}

/** Whether a list is older than a week, or nobody knows how old. What is live is as young as its question. */
export function isStale(one: Dated, now: number): boolean {
  return isListedFor(one, now, STALE_MS);
}

/** The same of a list that is so old that its prices stand behind all younger ones. */
export function isOld(one: Dated, now: number): boolean {
  return isListedFor(one, now, OLD_MS);
}

/** The same order, but what is old stands last, before only what is sold out: the best row is never one of another year. */
export function oldPricesLast(ranked: readonly RankedOffer[], now: number): readonly RankedOffer[] {
  const place = ({ offer }: RankedOffer) => (offer.stock === 0 ? 2 : Number(isOld(offer, now)));
  return ranked.toSorted((a, b) => place(a) - place(b));
}
