import { gpuMatcher, productName } from "../model/gpu-names.ts";
import type { Billing } from "../model/instance.ts";
import { type Money, savingsShare } from "../model/money.ts";
import type { Offer } from "../model/offer.ts";
import { capIn, compareMoney, type ExchangeRate } from "./currency.ts";
import { type EffectivePrice, effectivePrice, type WorkModel } from "./effective.ts";

/** Which offers are wanted; what is left out is not asked for. */
export interface RankQuery {
  /** However it is spelt; see `gpuMatcher`. */
  readonly gpuModel?: string;
  readonly gpuCount?: number;
  readonly billing?: Billing;
  readonly providers?: readonly string[];
  /** Per instance-hour; an offer in another currency is compared by the exchange rate, and left out where that does not know it. */
  readonly maxPrice?: Money;
}

export const OFFER_SORTS = ["effective", "price", "savings"] as const;
export type OfferSort = (typeof OFFER_SORTS)[number];

/** An offer with the figures it is ranked by. */
export interface RankedOffer {
  readonly offer: Offer;
  /** Per GPU-hour. */
  readonly gpuPrice: Money;
  readonly effective: EffectivePrice;
  /** Share saved against on demand; null when that price is not known. */
  readonly savings: number | null;
}

/** Per GPU, rounded half up. */
export function perGpu(money: Money, count: number): Money {
  const gpus = BigInt(Math.max(1, count));
  return { micros: (money.micros + gpus / 2n) / gpus, currency: money.currency };
}

/** What was asked for, whatever it costs. */
function wanted(offers: readonly Offer[], { gpuModel, gpuCount, billing, providers }: RankQuery): readonly Offer[] {
  const isGpu = gpuModel === undefined ? () => true : gpuMatcher(gpuModel);
  return offers.filter(
    (offer) =>
      isGpu(offer.gpu) &&
      (gpuCount === undefined || offer.gpu.count === gpuCount) &&
      (billing === undefined || offer.billing === billing) &&
      (providers === undefined || providers.includes(offer.provider)),
  );
}

/** The currencies that are held against each other: of what was asked for, and of the cap. Of more than one, rates decide. */
export function comparedCurrencies(offers: readonly Offer[], query: RankQuery): ReadonlySet<string> {
  const prices = wanted(offers, query).map(({ price }) => price);
  return new Set([...prices, ...(query.maxPrice === undefined ? [] : [query.maxPrice])].map(({ currency }) => currency));
}

function isAffordable(offer: Offer, { maxPrice }: RankQuery, rate: ExchangeRate): boolean {
  const cap = maxPrice === undefined ? undefined : capIn(maxPrice, offer.price.currency, rate);
  if (cap === null || (cap !== undefined && offer.price.micros > cap.micros)) return false;
  // Some catalogues write zero where there is no offer; it is no price.
  return offer.price.micros > 0n;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareRatio(a: Money, aCount: number, b: Money, bCount: number, rate: ExchangeRate): number {
  const left = { ...a, micros: a.micros * BigInt(Math.max(1, bCount)) };
  const right = { ...b, micros: b.micros * BigInt(Math.max(1, aCount)) };
  return compareMoney(left, right, rate);
}

function identity(offer: Offer): string {
  return [offer.provider, offer.region, offer.zone, offer.type, offer.gpu.model, offer.gpu.count, offer.billing, offer.source].join(
    "\u0000",
  );
}

/** What can be had before what is sold out, then the figure asked for, per GPU, whatever the currency; ties by name. */
function compareRanked(a: RankedOffer, b: RankedOffer, sort: OfferSort, rate: ExchangeRate): number {
  const aCount = a.offer.gpu.count;
  const bCount = b.offer.gpu.count;
  const byPrice = compareRatio(a.offer.price, aCount, b.offer.price, bCount, rate);
  const figure = {
    price: () => byPrice,
    effective: () => compareRatio(a.effective.price, aCount, b.effective.price, bCount, rate),
    // An unknown saving ranks below every known one, a loss included.
    savings: () => (b.savings ?? Number.NEGATIVE_INFINITY) - (a.savings ?? Number.NEGATIVE_INFINITY) || 0,
  }[sort]();
  return (
    Number(a.offer.stock === 0) - Number(b.offer.stock === 0) ||
    figure ||
    byPrice ||
    compareText(identity(a.offer), identity(b.offer)) ||
    compareRatio(a.offer.price, 1, b.offer.price, 1, rate) ||
    // Worth the same by a round rate.
    compareText(a.offer.price.currency, b.offer.price.currency) ||
    a.offer.observedAt - b.offer.observedAt
  );
}

/**
 * The offers that were asked for, best first: a total order, the same for the same offers in whatever order they came.
 * Offers in several currencies stand in one order by the exchange rate; their prices stay as they are.
 */
export function rankOffers(
  offers: readonly Offer[],
  query: RankQuery,
  sort: OfferSort,
  work: WorkModel,
  rate: ExchangeRate,
): readonly RankedOffer[] {
  return wanted(offers, query)
    .filter((offer) => isAffordable(offer, query, rate))
    .map((offer) => ({
      offer,
      gpuPrice: perGpu(offer.price, offer.gpu.count),
      effective: effectivePrice(offer, work),
      savings: offer.onDemandPrice === null ? null : savingsShare(offer.price, offer.onDemandPrice),
    }))
    .sort((a, b) => compareRanked(a, b, sort, rate));
}

export const OFFER_GROUPS = ["gpu", "provider", "type", "zone"] as const;
export type OfferGroup = (typeof OFFER_GROUPS)[number];

function groupKey(offer: Offer, group: OfferGroup): string {
  switch (group) {
    case "gpu":
      return `${productName(offer.gpu)}\u0000${offer.gpu.count}`;
    case "provider":
      return offer.provider;
    case "type":
      return `${offer.provider}\u0000${offer.type}`;
    case "zone":
      return `${offer.provider}\u0000${offer.zone}`;
  }
}

/** The best offer of each group, and how many the group has, where an offer may stand for several; the order of `ranked` is kept. */
export function bestOfEach(
  ranked: readonly RankedOffer[],
  group: OfferGroup,
  standsFor: (offer: Offer) => number = () => 1,
): readonly { readonly best: RankedOffer; readonly count: number }[] {
  const groups = new Map<string, { best: RankedOffer; count: number }>();
  for (const one of ranked) {
    const key = groupKey(one.offer, group);
    const known = groups.get(key);
    const count = standsFor(one.offer);
    if (known === undefined) groups.set(key, { best: one, count });
    else known.count += count;
  }
  return [...groups.values()];
}
