import type { RankedOffer } from "../pricing/rank.ts";
import { isRentable } from "../pricing/spot-terms.ts";
import { effectiveJson, hourlyJson } from "./effective-view.ts";
import { gpuJson } from "./json.ts";

/** An offer, and how many more of its group stand behind it. */
export interface OfferRow {
  readonly ranked: RankedOffer;
  /** Set when offers are grouped: how many the group has. */
  readonly count?: number;
}

/** `spot.offers/1`, one offer. */
export function offerJson({ ranked, count }: OfferRow): unknown {
  const { offer, gpuPrice, effective, savings } = ranked;
  return {
    provider: offer.provider,
    region: offer.region,
    zone: offer.zone,
    type: offer.type,
    gpu: gpuJson(offer.gpu),
    vcpus: offer.vcpus,
    memoryGb: offer.memoryGb,
    billing: offer.billing,
    price: hourlyJson(offer.price, "instance"),
    gpuPrice: hourlyJson(gpuPrice, "gpu"),
    onDemandPrice: offer.onDemandPrice === null ? null : hourlyJson(offer.onDemandPrice, "instance"),
    savings,
    effectivePrice: hourlyJson(effective.price, "instance"),
    effective: effectiveJson(effective),
    stock: offer.stock,
    noticeSeconds: offer.noticeSeconds,
    noticeUpToSeconds: offer.noticeUpToSeconds ?? null,
    protectionSeconds: offer.protectionSeconds,
    reclaimed:
      offer.reclaimed === undefined ? null : { ...offer.reclaimed, observedAt: new Date(offer.reclaimed.observedAt).toISOString() },
    placementScore: offer.placementScore ?? null,
    source: offer.source,
    observedAt: new Date(offer.observedAt).toISOString(),
    rentable: isRentable(offer.provider),
    ...(count === undefined ? {} : { offersInGroup: count }),
  };
}
