import type { Money } from "../../model/money.ts";
import type { Offer } from "../../model/offer.ts";
import { isInvented } from "../../pricing/spot-terms.ts";
import type { Observation, PriceBook } from "../../state/price-book/types.ts";

/** Of one provider's answer no more is kept: a command that only looks must not write for long. */
const MOST = 4_000;

function inSameCurrency(price: Money, other: Money | null): Money | null {
  return other?.currency === price.currency ? other : null;
}

function observationOf({
  provider,
  region,
  zone,
  type,
  gpu,
  vcpus,
  memoryGb,
  billing,
  price,
  onDemandPrice,
  observedAt,
}: Offer): Observation {
  const listed = { provider, region, zone, type, gpu, vcpus, memoryGb, billing, price };
  return { price: { ...listed, onDemandPrice: inSameCurrency(price, onDemandPrice) }, at: observedAt };
}

/** What providers said just now, as observations: at most 4,000 of each, none of the embedded cloud. */
export function observationsOf(offers: readonly Offer[]): ReadonlyMap<string, readonly Observation[]> {
  const found = new Map<string, Observation[]>();
  for (const offer of offers) {
    if (isInvented(offer.provider)) continue;
    const known = found.get(offer.provider);
    if (known === undefined) found.set(offer.provider, [observationOf(offer)]);
    else if (known.length < MOST) known.push(observationOf(offer));
  }
  return found;
}

/** Keeps what providers said, under `live:<provider>`. @throws Problem of the price book. */
export async function observeLive(book: PriceBook, observed: ReadonlyMap<string, readonly Observation[]>): Promise<void> {
  for (const [provider, observations] of observed) await book.observe({ name: `live:${provider}`, kind: "live" }, observations);
}
