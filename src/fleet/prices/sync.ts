import type { Clock } from "../../platform/clock.ts";
import { isStillToCome } from "../../pricing/price-age.ts";
import { type CatalogAnswer, catalogAddress, fetchCatalog, isOfThisReader } from "../../providers/public-catalog.ts";
import { NAMED_TWICE, type PriceBook, type SourceRecord } from "../../state/price-book/types.ts";

/**
 * What became of one cloud's file. `stands`: what is known of it from before. `datedAhead`: when it was read before, by a clock
 * that was ahead, and what that dated is dated back; epoch milliseconds.
 */
export type SyncOutcome = { readonly cloud: string; readonly datedAhead?: number } & (
  | { readonly outcome: "read" | "unchanged"; readonly record: SourceRecord }
  /** `why` of a file that was there, null of one that never was. */
  | { readonly outcome: "absent"; readonly why: string | null; readonly stands: SourceRecord | null }
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
/** It is believed when it is still so after this: whoever writes a file anew is done by then. */
const DOUBTED_FOR_MS = 3_600_000;
/** So long the prices of a file that is gone stay on offer. */
const GONE_FOR_MS = 30 * 86_400_000;

/** A file that is looked for now. */
interface Look {
  readonly book: PriceBook;
  /** What is known of the same address: other mirrors have other files. */
  readonly before: SourceRecord | undefined;
  /** When what is read now is said to be read. */
  readonly at: number;
  /** When the clock was ahead: dates back what it dated, so that it is older than what is read now. */
  settle(): Promise<void>;
}

/**
 * Brings the prices of one cloud up to date from the catalogue below `base`: all of them at once when the file was read to its
 * end, and else none. A file that fails, or that seems to be cut off, changes nothing.
 * @throws the signal's reason, a Problem of the price book, or a TypeError when `base` is no address.
 */
export async function syncCatalog(cloud: string, base: string, { book, clock, env, signal }: SyncWorld): Promise<SyncOutcome> {
  const source = { name: `catalog:${cloud}`, kind: "catalog" } as const;
  const url = catalogAddress(base, cloud);
  const known = (await book.sources()).find(({ name }) => name === source.name);
  const now = clock.now();
  const wasAhead = known !== undefined && isStillToCome(known.checkedAt, now);
  const look: Look = {
    book,
    before: known?.url === url ? known : undefined,
    // A clock that was set back a little must not make what is read now older than what is known.
    at: wasAhead ? now : Math.max(now, (known?.checkedAt ?? 0) + 1),
    settle: async () => (wasAhead ? await book.setBack(source.name, now - 1) : undefined),
  };
  const settled = { cloud, ...(wasAhead ? { datedAhead: known.checkedAt } : {}) };
  const stands = known ?? null;
  const reading = book.reading(source);
  try {
    const version = wasAhead ? null : (look.before?.etag ?? null);
    const answer = await fetchCatalog({ cloud, url, version, take: reading.add }, { env, signal });
    if (answer.outcome === "failed") return { cloud, ...answer, stands };
    if (answer.outcome === "absent") {
      const gone = await goneSince(look);
      return gone === null ? { cloud, outcome: "absent", why: null, stands } : { ...settled, outcome: "absent", ...gone };
    }
    if (answer.outcome === "unchanged") {
      // Only of what is known is a version asked for.
      const record = { ...(known as SourceRecord), checkedAt: look.at, doubtedAt: undefined };
      await book.recordSource(record);
      return { cloud, outcome: "unchanged", record };
    }
    const doubt = await doubtOf(answer, look);
    if (doubt !== null) return { cloud, outcome: "failed", why: doubt, stands };
    await look.settle();
    const { tally, version: etag } = answer;
    const record = await reading.publish({ ...source, ...tally, url, etag, changedAt: look.at, checkedAt: look.at });
    return { ...settled, outcome: "read", record };
  } finally {
    reading.drop();
  }
}

/** Why this version is not believed, which is remembered; null when it is. */
async function doubtOf({ tally }: CatalogAnswer & { readonly outcome: "read" }, { book, before, at }: Look): Promise<string | null> {
  // Another reader made other prices of the same file.
  if (before === undefined || !isOfThisReader(before.etag)) return null;
  const stated = before.kept + (before.refused[NAMED_TWICE] ?? 0);
  const isLess = tally.kept < stated * LEAST_SHARE;
  // Some files never end with a line's end; one that has become shorter as well was cut within its last row.
  const isCut = tally.refused["unfinished row"] !== undefined && tally.read < before.read;
  if (!isLess && !isCut) return null;
  const doubtedAt = Math.min(before.doubtedAt ?? at, at);
  if (at - doubtedAt >= DOUBTED_FOR_MS) return null;
  await book.recordSource({ ...before, doubtedAt });
  const what = isLess
    ? `has ${tally.kept} prices where it had ${stated}`
    : `ends within a row, and has ${tally.read} rows where it had ${before.read}`;
  const until = new Date(doubtedAt + DOUBTED_FOR_MS).toISOString().slice(0, 16).replace("T", " ");
  return `it ${what}: taken for a file that was cut off, and believed if it is still so after ${until} UTC`;
}

/** What becomes of the prices of a file that was there; null where there was none at this address. */
async function goneSince({ book, before, at, settle }: Look): Promise<{ readonly why: string; readonly stands: SourceRecord } | null> {
  if (before === undefined || before.kept === 0) return null;
  await settle();
  const stands = { ...before, changedAt: Math.min(before.changedAt, at), checkedAt: Math.min(before.checkedAt, at) };
  const read = new Date(stands.checkedAt).toISOString().slice(0, 10);
  if (at - stands.checkedAt <= GONE_FOR_MS) return { why: `the file is gone; what was read on ${read} stands`, stands };
  const nothing = { ...stands, etag: null, changedAt: at, checkedAt: at, read: 0, kept: 0, refused: {}, doubtedAt: undefined };
  await book.recordSource(nothing);
  return { why: `the file is gone; what was read on ${read} is too old, and is not on offer any more`, stands: nothing };
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
