import { gpuMatcher } from "../../model/gpu-names.ts";
import type { Billing } from "../../model/instance.ts";
import type { ObservedPrice } from "../../model/listed-price.ts";
import type { Money } from "../../model/money.ts";
import type { Offer, ReclaimedShare } from "../../model/offer.ts";
import type { BestOf, Cheapest, PriceBook, PriceQuery } from "../../state/price-book/types.ts";
import { listedOffer } from "./listed-offer.ts";

/** Which lists may be read: those of catalogues, or the table that comes with the program. */
export type ListSource = "catalog" | "bundled";

/**
 * How much of catalogues is read, which may have millions of prices: so many of each cloud and way of billing, so many in all,
 * or the best of each machine or zone.
 */
export type Reading = Cheapest | ({ readonly by: Cheapest["by"] } & ({ readonly mostInAll: number } | { readonly bestOf: BestOf }));

/** Which prices of lists are wanted; what is left out is not asked for. */
export interface ListedQuery {
  readonly gpuModel?: string;
  readonly gpuCount?: number;
  readonly billing?: Billing;
  readonly maxPrices?: readonly Money[];
  /** Whether the prices of a cloud are wanted: not of those that said theirs themselves. */
  readonly isWanted: (cloud: string) => boolean;
  /** Either one when not given. */
  readonly source?: ListSource;
  readonly read: Reading;
  /** What is published of how many machines a cloud took back lately. */
  readonly reclaimedOf?: (price: Pick<ObservedPrice, "provider" | "region" | "type">) => ReclaimedShare | undefined;
}

/** What one list says of one cloud. */
export interface ListedSource {
  readonly provider: string;
  readonly source: ListSource;
  /** When it last said so: epoch milliseconds, the oldest of what was read. */
  readonly observedAt: number;
  /** How many of its prices fit. */
  readonly offers: number;
}

export interface ListedMarket {
  readonly offers: readonly Offer[];
  /** How many prices an offer stands for: more than one where only the best was read. */
  standsFor(offer: Offer): number;
  /** How many fit besides, and were not read. */
  readonly unread: number;
  /** Each cloud once. */
  readonly sources: readonly ListedSource[];
}

export const NOTHING_LISTED: ListedMarket = { offers: [], standsFor: () => 1, unread: 0, sources: [] };

const BILLINGS: readonly Billing[] = ["spot", "on-demand", "monthly"];

/**
 * What lists say of the clouds that did not say it themselves: the catalogue where there is one, else the bundled table; never
 * both of one cloud. Without a `book` there is no catalogue.
 * @throws Problem of the price book.
 */
export async function listedMarket(
  book: PriceBook | undefined,
  bundled: readonly ObservedPrice[],
  query: ListedQuery,
): Promise<ListedMarket> {
  const catalogued = book === undefined || query.source === "bundled" ? NOTHING_LISTED : await catalogues(book, query);
  if (query.source === "catalog") return catalogued;
  const known = new Set(catalogued.sources.map(({ provider }) => provider));
  const offers = bundled
    .filter((price) => query.isWanted(price.provider) && !known.has(price.provider) && fits(price, query))
    .map((price) => listedOffer(price, price.observedAt, query.reclaimedOf?.(price)));
  return {
    ...catalogued,
    // What is above a cap stays: by which rate it is so has to be said.
    offers: [...catalogued.offers, ...offers],
    sources: [...catalogued.sources, ...sourcesOf(offers, query)],
  };
}

/** Whether it is what was asked for, whatever it costs. */
function fits({ gpu, billing }: ObservedPrice, query: ListedQuery): boolean {
  if (query.billing !== undefined && billing !== query.billing) return false;
  if (query.gpuCount !== undefined && gpu.count !== query.gpuCount) return false;
  return query.gpuModel === undefined || gpuMatcher(query.gpuModel)(gpu);
}

function sourcesOf(offers: readonly Offer[], { maxPrices }: ListedQuery): readonly ListedSource[] {
  const found = new Map<string, ListedSource>();
  for (const { provider, observedAt, price } of offers) {
    const known = found.get(provider) ?? { provider, source: "bundled", observedAt, offers: 0 };
    const cap = maxPrices?.find(({ currency }) => currency === price.currency);
    const fitting = known.offers + Number(maxPrices === undefined || (cap !== undefined && price.micros <= cap.micros));
    found.set(provider, { ...known, observedAt: Math.min(known.observedAt, observedAt), offers: fitting });
  }
  return [...found.values()];
}

const CATALOG = "catalog:";

/** The clouds that a catalogue was read of, also where it is gone since. */
export async function cataloguedClouds(book: PriceBook): Promise<readonly string[]> {
  return (await book.sources()).filter(({ kind }) => kind === "catalog").map(({ name }) => name.slice(CATALOG.length));
}

async function catalogues(book: PriceBook, { isWanted, read, reclaimedOf, ...query }: ListedQuery): Promise<ListedMarket> {
  const checked = new Map(
    (await book.sources())
      .filter(({ kind, kept }) => kind === "catalog" && kept > 0)
      .map(({ name, checkedAt }) => [name.slice(CATALOG.length), checkedAt] as const)
      .filter(([cloud]) => isWanted(cloud)),
  );
  if (checked.size === 0) return NOTHING_LISTED;
  const { billing, ...asked } = query;
  const counts = new Map<string, number>();
  const many = new Map<Offer, number>();
  const offers: Offer[] = [];
  let unread = 0;
  const take = (price: ObservedPrice) => {
    // A catalogue that was found unchanged has said the same once more.
    const offer = listedOffer(price, Math.max(price.observedAt, checked.get(price.provider) ?? 0), reclaimedOf?.(price));
    offers.push(offer);
    return offer;
  };
  const count = (cloud: string, more: number) => counts.set(cloud, (counts.get(cloud) ?? 0) + more);
  // Each way of billing for itself: what spot loses by interruptions changes the order between two of them, not within one.
  const wishes = (billing === undefined ? BILLINGS : [billing]).map(
    (one): PriceQuery => ({ ...asked, billing: one, providers: [...checked.keys()], source: "catalog" }),
  );
  const most = "bestOf" in read ? 0 : "most" in read ? read.most : await levelOf(book, wishes, read);
  for (const wanted of wishes) {
    if ("bestOf" in read) {
      for (const best of await book.best(wanted, read.by, read.bestOf)) {
        many.set(take(best.price), best.count);
        count(best.price.provider, best.count);
      }
    } else {
      const found = await book.current(wanted, { by: read.by, most });
      for (const price of found.prices) take(price);
      for (const [cloud, fitting] of Object.entries(found.counts)) count(cloud, fitting);
      unread += found.count - found.prices.length;
    }
  }
  const sources = [...checked].map(
    ([provider, observedAt]): ListedSource => ({ provider, source: "catalog", observedAt, offers: counts.get(provider) ?? 0 }),
  );
  return { offers, standsFor: (offer) => many.get(offer) ?? 1, unread, sources };
}

/** How many of each cloud and way of billing may be read so that all together are no more than that. */
async function levelOf(
  book: PriceBook,
  wishes: readonly PriceQuery[],
  { by, mostInAll }: { readonly by: Cheapest["by"]; readonly mostInAll: number },
): Promise<number> {
  const counts: number[] = [];
  for (const wanted of wishes) counts.push(...Object.values((await book.current(wanted, { by, most: 1 })).counts));
  return level(counts, mostInAll);
}

/** The most that each may have, so that all have no more than `total` together: whoever has less leaves its share to the others. */
export function level(counts: readonly number[], total: number): number {
  let left = total;
  const inOrder = counts.toSorted((a, b) => a - b);
  for (const [index, count] of inOrder.entries()) {
    const share = Math.max(1, Math.floor(left / (inOrder.length - index)));
    if (count > share) return share;
    left -= count;
  }
  return Math.max(1, inOrder.at(-1) ?? 1);
}
