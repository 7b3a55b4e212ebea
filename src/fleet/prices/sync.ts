import type { ListedPrice } from "../../model/listed-price.ts";
import type { Clock } from "../../platform/clock.ts";
import { catalogAddress, fetchCatalog } from "../../providers/public-catalog.ts";
import type { PriceBook, SourceRecord } from "../../state/price-book/types.ts";

/** What became of one cloud's file. `stands`: what is known of it from before. */
export type SyncOutcome = { readonly cloud: string } & (
  | { readonly outcome: "read" | "unchanged"; readonly record: SourceRecord }
  | { readonly outcome: "absent"; readonly stands: SourceRecord | null }
  | { readonly outcome: "failed"; readonly why: string; readonly stands: SourceRecord | null }
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
  const stands = known ?? null;
  if (answer.outcome === "failed") return { cloud, ...answer, stands };
  if (answer.outcome !== "read") return { cloud, outcome: "absent", stands };
  const { tally } = answer;
  if (known !== undefined && tally.kept < known.kept * LEAST_SHARE)
    return {
      cloud,
      outcome: "failed",
      why: `it has ${tally.kept} prices where it had ${known.kept}: taken for a file that was cut off`,
      stands,
    };
  const record = { ...source, ...tally, url, etag: answer.etag, changedAt: at, checkedAt: at };
  await book.recordSource(record);
  return { cloud, outcome: "read", record };
}

/** So many files are read at once: they come from one server, and are written to one book. */
const AT_ONCE = 4;
/** What is older than this is thinned out to four prices an hour. */
export const COMPACT_AFTER_MS = 86_400_000;

/**
 * `syncCatalog` for several clouds, a few at a time; the outcomes in the order of the clouds. `said` hears each as it comes.
 * @throws what `syncCatalog` throws, when nobody reads any more; what was read until then stands.
 */
export async function syncCatalogs(
  clouds: readonly string[],
  base: string,
  world: SyncWorld,
  said: (outcome: SyncOutcome) => void,
): Promise<readonly SyncOutcome[]> {
  const outcomes = new Map<string, SyncOutcome>();
  const waiting = [...clouds];
  const stop = new AbortController();
  const signal = AbortSignal.any([world.signal, stop.signal]);
  const work = async () => {
    for (let cloud = waiting.shift(); cloud !== undefined; cloud = waiting.shift()) {
      signal.throwIfAborted();
      const outcome = await syncCatalog(cloud, base, { ...world, signal });
      outcomes.set(cloud, outcome);
      said(outcome);
    }
  };
  // Whoever closes the book afterwards must not do so while another one still writes into it.
  const workers = Array.from({ length: AT_ONCE }, () =>
    work().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  await Promise.all(workers);
  await world.book.compact(world.clock.now() - COMPACT_AFTER_MS);
  return clouds.flatMap((cloud) => outcomes.get(cloud) ?? []);
}
