import { isOld } from "../pricing/price-age.ts";
import { isRentable } from "../pricing/spot-terms.ts";
import type { OfferRow } from "./offers-json.ts";
import { type SourceOfPrices, sourcesText } from "./price-sources.ts";

/** In the column of the stock: spot cannot rent there. */
export const ELSEWHERE = "elsewhere";

/** What people have to know of prices that are not live, and of the embedded cloud's among those of others. */
export function listNotes(rows: readonly OfferRow[], sources: readonly SourceOfPrices[], now: number): readonly string[] {
  if (sources.length === 0) return [];
  const offers = rows.map(({ ranked }) => ranked.offer);
  const shown = new Set(offers.map(({ provider }) => provider));
  const where = sourcesText(
    sources.filter(({ provider }) => shown.has(provider)),
    now,
  );
  const old = offers.filter((offer) => isOld(offer, now)).length;
  return [
    ...(where === "" ? [] : [`${where} spot up rents live offers only.`]),
    ...(old === 0 ? [] : [old === offers.length ? "No price here is younger than 90 days." : "Prices older than 90 days stand last."]),
    ...(shown.has("local") ? ["local: the embedded cloud, whose machines and prices are made up."] : []),
    ...([...shown].some((provider) => !isRentable(provider)) ? [`${ELSEWHERE}: a cloud that spot cannot rent from.`] : []),
  ];
}
