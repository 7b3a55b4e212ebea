import type { ListedPrice } from "../../model/listed-price.ts";
import type { Clock } from "../../platform/clock.ts";
import { catalogAddress, fetchCatalog } from "../../providers/public-catalog.ts";
import type { PriceBook, SourceRecord } from "../../state/price-book/types.ts";

/** What became of one cloud's file. */
export type SyncOutcome = { readonly cloud: string } & (
  | { readonly outcome: "read" | "unchanged"; readonly record: SourceRecord }
  | { readonly outcome: "absent" }
  | { readonly outcome: "failed"; readonly why: string }
);

export interface SyncWorld {
  readonly book: PriceBook;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** A version with less than this share of the prices of the one before is taken for one that was cut off. */
const LEAST_SHARE = 0.5;

/**
 * Brings the prices of one cloud up to date from the catalogue below `base`. A file that fails, or that lacks half of what it
 * had, leaves what is on offer as it is; what was read of it stands as observed.
 * @throws the signal's reason, a Problem of the price book, or a TypeError when `base` is no address.
 */
export async function syncCatalog(cloud: string, base: string, { book, clock, env, signal }: SyncWorld): Promise<SyncOutcome> {
  const source = { name: `catalog:${cloud}`, kind: "catalog" } as const;
  const url = catalogAddress(base, cloud);
  const known = (await book.sources()).find(({ name }) => name === source.name);
  // A clock that was set back must not make what is read now older than what is known.
  const at = Math.max(clock.now(), (known?.checkedAt ?? 0) + 1);
  const take = (prices: readonly ListedPrice[]) =>
    book.observe(
      source,
      prices.map((price) => ({ price, at })),
    );
  // A version is one of its address: another mirror's says nothing of this one's.
  const etag = known?.url === url ? known.etag : null;
  const answer = await fetchCatalog({ cloud, url, etag, take }, { env, signal });
  if (answer.outcome === "unchanged" && known !== undefined) {
    const record = { ...known, checkedAt: at };
    await book.recordSource(record);
    return { cloud, outcome: "unchanged", record };
  }
  if (answer.outcome !== "read") return answer.outcome === "failed" ? { cloud, ...answer } : { cloud, outcome: "absent" };
  const { tally } = answer;
  if (known !== undefined && tally.kept < known.kept * LEAST_SHARE)
    return { cloud, outcome: "failed", why: `it has ${tally.kept} prices where it had ${known.kept}: taken for a file that was cut off` };
  const record = { ...source, ...tally, url, etag: answer.etag, changedAt: at, checkedAt: at };
  await book.recordSource(record);
  return { cloud, outcome: "read", record };
}
