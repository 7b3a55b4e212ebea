import { isAskedGpu } from "../model/gpu-names.ts";
import type { Money } from "../model/money.ts";
import type { Offer } from "../model/offer.ts";
import { BUNDLED_RATE, capIn, compareMoney, type ExchangeRate, parsePrice } from "../pricing/currency.ts";
import type { InstanceSpec } from "../state/records.ts";

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
): "gpu" | "billing" | "place" | "price" | "stock" | null {
  if (spec.gpu !== null && (!isAskedGpu(spec.gpu.model, offer.gpu) || offer.gpu.count !== spec.gpu.count)) return "gpu";
  const billing = spec.billing === "auto" ? ["spot", "on-demand"] : [spec.billing];
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
 * rate), then by name, so that the same market always gives the same plan. Offers that just said no are left out.
 */
export function chooseOffers(
  offers: readonly Offer[],
  spec: InstanceSpec,
  tie: Tie | null,
  blocked: ReadonlySet<string>,
  rate: ExchangeRate = BUNDLED_RATE,
): readonly Offer[] {
  const order = (a: Offer, b: Offer) =>
    Number(a.billing !== "spot") - Number(b.billing !== "spot") ||
    compareMoney(a.price, b.price, rate) ||
    offerKey(a).localeCompare(offerKey(b));
  return offers.filter((offer) => refusal(offer, spec, tie, rate) === null && !blocked.has(offerKey(offer))).sort(order);
}

/** A cap as a person reads it: a bare number means dollars. */
function capText(maxPrice: string): string {
  return /^[\d.]+$/.test(maxPrice) ? `$${maxPrice}` : maxPrice;
}

/** A sentence for a person whose spec no offer can serve: the nearest miss first. */
export function whyNothingFits(offers: readonly Offer[], spec: InstanceSpec, tie: Tie | null, rate: ExchangeRate = BUNDLED_RATE): string {
  const refusals = new Set(offers.map((offer) => refusal(offer, spec, tie, rate)));
  if (refusals.has(null)) return "every offer that fits has just said that it has no capacity";
  if (refusals.has("stock")) return "every offer that fits is sold out";
  if (refusals.has("price"))
    return `every offer that fits costs more than ${spec.maxPrice === null ? "it should" : capText(spec.maxPrice)} an hour`;
  if (refusals.has("place"))
    return tie === null
      ? "no offer in the regions asked for"
      : `no offer in ${tie.provider} ${tie.zone ?? tie.region}, where the volume lies`;
  if (refusals.has("billing")) return `no ${spec.billing} offer for this GPU`;
  return "no provider offers this GPU";
}
