import { isAskedGpu } from "../../model/gpu-names.ts";
import type { Money } from "../../model/money.ts";
import type { Offer } from "../../model/offer.ts";
import { BUNDLED_RATE, capIn, compareMoney, type ExchangeRate, parsePrice } from "../../pricing/currency.ts";
import type { InstanceSpec } from "../../state/records.ts";
import { SHAKEN_FACTOR, SPREAD_PERCENT } from "./policy.ts";

/** What ties an instance to a place: a volume that already exists can only be attached there. */
export interface Tie {
  readonly provider: string;
  readonly region: string;
  /** Where volumes are tied to their zone; null where the region is enough. */
  readonly zone: string | null;
}

/** The key under which an offer that just said no is passed over. */
export function offerKey(offer: Pick<Offer, "provider" | "region" | "zone" | "type" | "billing">): string {
  return [offer.provider, offer.region, offer.zone, offer.type, offer.billing].join("/");
}

/** `provider/region/zone` of an offer, or of an offer's key. */
export function zoneOf(pool: string): string {
  return pool.split("/").slice(0, 3).join("/");
}

/** What the reason begins with for which an offer without capacity is passed over; any other reason is told as it is. */
export const NO_CAPACITY = "no capacity";

/** How `whyNothingFits` begins where nothing but the price is in the way. */
export const TOO_DEAR = "every offer that fits costs more than";

/** More reasons than these are counted, not told. */
const MOST_REASONS = 3;

/** What speaks for and against the pools that a machine could come from. */
export interface Preferences {
  /** Zones (`provider/region/zone`) whose spot is passed over, and until when. */
  readonly burnt: ReadonlyMap<string, number>;
  /** Pools whose neighbours are being taken back. */
  readonly shaken: ReadonlySet<string>;
  /** How many instances of the same fleet each pool has. */
  readonly beside: ReadonlyMap<string, number>;
  /** How many others of that fleet choose at the same time and before this one. */
  readonly before: number;
  /** Spot was asked for and has been refused for so long that on-demand will do. */
  readonly onDemand: boolean;
}

export const NO_PREFERENCES: Preferences = { burnt: new Map(), shaken: new Set(), beside: new Map(), before: 0, onDemand: false };

/** Whether an offer is spot in a zone that has taken this very instance back too often. */
export function isBurnt(offer: Offer, { burnt }: Preferences): boolean {
  return offer.billing === "spot" && burnt.has(zoneOf(offerKey(offer)));
}

/**
 * Whether a burnt zone will do when nothing else does: a machine that may go soon beats none. While on-demand is still to
 * come, that is waited for.
 */
function isBurntBetterThanNothing({ fallbackAfterMs }: Pick<InstanceSpec, "fallbackAfterMs">, { onDemand }: Preferences): boolean {
  return fallbackAfterMs === null || onDemand;
}

/** What an offer says about a machine, as a record keeps it. */
export function asOffered(offer: Offer) {
  const { provider, region, zone, type, gpu, billing, price, onDemandPrice } = offer;
  return { provider, region, zone, type, gpu, billing, price, onDemandPrice };
}

/**
 * The cap as money in the offer's own currency; null when there is none. A cap in another currency is converted, rounded
 * down; where no exchange rate is known it is zero, since nothing can be shown to be below it.
 */
export function priceCap(spec: Pick<InstanceSpec, "maxPrice">, currency: string, rate: ExchangeRate): Money | null {
  if (spec.maxPrice === null) return null;
  return capIn(parsePrice(spec.maxPrice), currency, rate) ?? { micros: 0n, currency };
}

function isInPlace({ provider, region, zone }: Offer, tie: Tie): boolean {
  return provider === tie.provider && region === tie.region && (tie.zone === null || zone === tie.zone);
}

/** Why an offer cannot serve a spec; null when it can. The order of the checks is the order of what a person would say first. */
export function refusal(
  offer: Offer,
  spec: InstanceSpec,
  tie: Tie | null,
  rate: ExchangeRate = BUNDLED_RATE,
  onDemand = false,
): "gpu" | "billing" | "place" | "price" | "stock" | null {
  if (spec.gpu !== null && (!isAskedGpu(spec.gpu.model, offer.gpu) || offer.gpu.count !== spec.gpu.count)) return "gpu";
  const billing = spec.billing === "auto" || (onDemand && spec.billing === "spot") ? ["spot", "on-demand"] : [spec.billing];
  if (!billing.includes(offer.billing)) return "billing";
  if (spec.regions.length > 0 && !spec.regions.includes(offer.region) && !spec.regions.includes(offer.zone)) return "place";
  if (tie !== null && !isInPlace(offer, tie)) return "place";
  const cap = priceCap(spec, offer.price.currency, rate);
  // A price of zero is no price: some catalogues write it where there is no offer.
  if (offer.price.micros <= 0n || (cap !== null && offer.price.micros > cap.micros)) return "price";
  if (offer.stock === 0) return "stock";
  return null;
}

/**
 * The offers that can serve a spec, best first: spot before on-demand, then by price (in several currencies by the exchange
 * rate; a shaken pool counts as dearer than it is), then by name, so that the same market always gives the same plan. Among
 * those that are about as cheap as the best one, the pools with the fewest of the fleet come first. Offers that just said no
 * are left out; burnt ones are left to the last, and to those that nothing else is coming for.
 */
export function chooseOffers(
  offers: readonly Offer[],
  spec: InstanceSpec,
  tie: Tie | null,
  blocked: Pick<ReadonlySet<string>, "has">,
  rate: ExchangeRate = BUNDLED_RATE,
  prefer: Preferences = NO_PREFERENCES,
): readonly Offer[] {
  const worth = (offer: Offer) => (prefer.shaken.has(offerKey(offer)) ? times(offer.price, SHAKEN_FACTOR) : offer.price);
  const order = (a: Offer, b: Offer) =>
    Number(a.billing !== "spot") - Number(b.billing !== "spot") ||
    compareMoney(worth(a), worth(b), rate) ||
    offerKey(a).localeCompare(offerKey(b));
  const possible = offers.filter((offer) => refusal(offer, spec, tie, rate, prefer.onDemand) === null && !blocked.has(offerKey(offer)));
  const calm = possible.filter((offer) => !isBurnt(offer, prefer));
  const fitting = (calm.length === 0 && isBurntBetterThanNothing(spec, prefer) ? possible : calm).sort(order);
  const [best] = fitting;
  if (best === undefined || spec.fleet === null) return fitting;
  const most = { ...worth(best), micros: (worth(best).micros * (100n + SPREAD_PERCENT)) / 100n };
  const isNear = (offer: Offer) => offer.billing === best.billing && compareMoney(worth(offer), most, rate) <= 0;
  const near = fitting.filter(isNear);
  return [...spread(near, prefer), ...fitting.filter((offer) => !isNear(offer))];
}

const times = ({ micros, currency }: Money, factor: bigint): Money => ({ micros: micros * factor, currency });

/** Pools with few of the fleet first; those that choose before this one are reckoned with as if they had chosen so. */
function spread(near: readonly Offer[], { beside, before }: Preferences): readonly Offer[] {
  const counts = new Map(near.map((offer) => [offerKey(offer), beside.get(offerKey(offer)) ?? 0]));
  const count = (offer: Offer) => counts.get(offerKey(offer)) ?? 0;
  const byCount = () => [...near].sort((a, b) => count(a) - count(b));
  for (let chosen = 0; chosen < before; chosen++) {
    const [next] = byCount();
    if (next === undefined) break;
    counts.set(offerKey(next), count(next) + 1);
  }
  return byCount();
}

/** A cap as a person reads it: a bare number means dollars. */
function capText(maxPrice: string): string {
  return /^[\d.]+$/.test(maxPrice) ? `$${maxPrice}` : maxPrice;
}

/** `north-a and north-b`, three at most. */
function namesOf(offers: readonly Offer[]): string {
  const zones = [...new Set(offers.map(({ zone }) => zone))].sort();
  return zones.length > 3 ? `${zones.length} zones` : zones.join(" and ");
}

/** Why offers that would fit are passed over, what a person can do something about first; null where it is capacity alone. */
function whyPassedOver(fitting: readonly Offer[], blocked: ReadonlyMap<string, string>): string | null {
  const reasons = new Set(fitting.map((offer) => blocked.get(offerKey(offer)) ?? NO_CAPACITY));
  const others = [...reasons].filter((reason) => !reason.startsWith(NO_CAPACITY)).sort();
  if (others.length === 0) return null;
  const told = others.slice(0, MOST_REASONS);
  if (others.length > told.length) told.push(`${others.length - told.length} more reasons`);
  return [...told, ...(others.length < reasons.size ? ["the others have no capacity"] : [])].join("; ");
}

/**
 * A sentence for a person whose spec no offer can serve: the nearest miss first.
 * @param blocked the offers that are passed over for now, by their keys, with why.
 */
export function whyNothingFits(
  offers: readonly Offer[],
  spec: InstanceSpec,
  tie: Tie | null,
  rate: ExchangeRate = BUNDLED_RATE,
  prefer: Preferences = NO_PREFERENCES,
  blocked: ReadonlyMap<string, string> = new Map(),
): string {
  const refusals = new Set(offers.map((offer) => refusal(offer, spec, tie, rate, prefer.onDemand)));
  const fitting = offers.filter((offer) => refusal(offer, spec, tie, rate, prefer.onDemand) === null);
  const burnt = isBurntBetterThanNothing(spec, prefer) ? [] : fitting.filter((offer) => isBurnt(offer, prefer));
  const others = whyPassedOver(
    fitting.filter((offer) => !burnt.includes(offer)),
    blocked,
  );
  if (burnt.length > 0)
    return `it was taken back too often in ${namesOf(burnt)}, and ${others === null ? "nothing else that fits has capacity" : `the rest is passed over for now: ${others}`}`;
  if (refusals.has(null))
    return others === null
      ? "every offer that fits has just said that it has no capacity"
      : `every offer that fits is passed over for now: ${others}`;
  if (refusals.has("stock")) return "every offer that fits is sold out";
  if (refusals.has("price")) return `${TOO_DEAR} ${spec.maxPrice === null ? "it should" : capText(spec.maxPrice)} an hour`;
  if (refusals.has("place"))
    return tie === null
      ? "no offer in the regions asked for"
      : `no offer in ${tie.provider} ${tie.zone ?? tie.region}, where the volume lies`;
  if (refusals.has("billing")) return `no ${spec.billing} offer for this GPU`;
  return "no provider offers this GPU";
}
