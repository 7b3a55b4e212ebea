import type { PriceSource } from "../model/listed-price.ts";
import { type Dated, isStale, isStillToCome } from "../pricing/price-age.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MONTH_MS = 30.44 * DAY_MS;

/** What one list says of one cloud; see `ListedSource`. */
export interface SourceOfPrices {
  readonly provider: string;
  readonly source: Exclude<PriceSource, "live">;
  /** Epoch milliseconds. */
  readonly observedAt: number;
  readonly offers: number;
}

/** How old something is, in one word: `40m`, `5h`, `12d`, `9mo`, `2y`. Of what is dated later than now nobody knows: `?`. */
export function ageText(ms: number): string {
  if (isStillToCome(0, ms)) return "?";
  if (ms < HOUR_MS) return `${Math.max(0, Math.floor(ms / 60_000))}m`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)}h`;
  if (ms < 2 * MONTH_MS) return `${Math.floor(ms / DAY_MS)}d`;
  return ms < 24 * MONTH_MS ? `${Math.floor(ms / MONTH_MS)}mo` : `${Math.floor(ms / (12 * MONTH_MS))}y`;
}

/** "live", "catalog 3d", "catalog 9d stale", "bundled 9mo stale". */
export function sourceText(price: Dated, now: number): string {
  if (price.source === "live") return "live";
  return `${price.source} ${ageText(now - price.observedAt)}${isStale(price, now) ? " stale" : ""}`;
}

/** Each list that was read, for a document: JSON-safe. */
export function sourcesJson(sources: readonly SourceOfPrices[], now: number): readonly Readonly<Record<string, unknown>>[] {
  return sources.map((one) => ({ ...one, observedAt: new Date(one.observedAt).toISOString(), stale: isStale(one, now) }));
}

function clouds(count: number): string {
  return count === 1 ? "one cloud" : `${count} clouds`;
}

/** Where listed prices come from, how old they are, and how to get newer ones: sentences for people; empty without lists. */
export function sourcesText(sources: readonly SourceOfPrices[], now: number): string {
  const used = sources.filter(({ offers }) => offers > 0);
  const ages = (list: readonly SourceOfPrices[]) => {
    const [youngest = now, oldest = now] = [Math.max, Math.min].map((pick) => pick(...list.map(({ observedAt }) => observedAt)));
    const [from, to] = [ageText(now - youngest), ageText(now - oldest)];
    return from === to ? from : `${from} to ${to}`;
  };
  const catalogs = used.filter(({ source }) => source === "catalog");
  const bundled = used.filter(({ source }) => source === "bundled");
  const parts = [
    ...(catalogs.length === 0 ? [] : [`catalogues of ${clouds(catalogs.length)} (${ages(catalogs)} old)`]),
    ...(bundled.length === 0 ? [] : [`the table that comes with spot for ${clouds(bundled.length)} (${ages(bundled)} old)`]),
  ];
  if (parts.length === 0) return "";
  const isDue = used.some((one) => isStale(one, now));
  return `Not live: ${parts.join(" and ")}; nobody was asked whether there is stock.${isDue ? " spot price sync fetches newer catalogues, spot provider login a cloud's own prices." : ""}`;
}
