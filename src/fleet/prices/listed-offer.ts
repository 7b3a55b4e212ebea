import type { ObservedPrice } from "../../model/listed-price.ts";
import type { Offer, ReclaimedShare } from "../../model/offer.ts";
import { spotTermsOf } from "../../pricing/spot-terms.ts";

/** What is not given back and not taken back: everything but spot. */
const FOR_GOOD = { noticeSeconds: 0, protectionSeconds: 0 };

/**
 * A price of a list as an offer: whether there is such a machine nobody knows, nor how often it is taken back.
 * `observedAt`: when its source last said so.
 */
export function listedOffer(price: ObservedPrice, observedAt = price.observedAt, reclaimed?: ReclaimedShare): Offer {
  const { provider, region, zone, type, gpu, vcpus, memoryGb, billing, onDemandPrice, source } = price;
  return {
    ...{ provider, region, zone, type, gpu, vcpus, memoryGb, billing, price: price.price, onDemandPrice },
    stock: "unknown",
    ...(billing === "spot" ? spotTermsOf(provider) : FOR_GOOD),
    interruptionsPerHour: null,
    ...(billing === "spot" && reclaimed !== undefined ? { reclaimed } : {}),
    source,
    observedAt,
  };
}
