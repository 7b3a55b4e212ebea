import type { Gpu } from "../../model/gpu.ts";
import type { Billing } from "../../model/instance.ts";
import type { ListedPrice, ObservedPrice, PriceSeries, PriceSource, RememberedPrice } from "../../model/listed-price.ts";
import type { Money } from "../../model/money.ts";
import type { SqliteDatabase } from "../../platform/sqlite.ts";

/** Who states prices, for example `catalog:aws`, and when it was last asked. Times are epoch milliseconds. */
export interface SourceRecord {
  readonly name: string;
  readonly kind: PriceSource;
  /** Where it was read; empty for what is no document. */
  readonly url: string;
  /** What whoever reads it calls the version that was read; null where it has no name. */
  readonly etag: string | null;
  /** When the newest version was read: what was not seen since then is not on offer any more. */
  readonly changedAt: number;
  /** When it last said so, changed or not. */
  readonly checkedAt: number;
  /** Since when it has said something else that is not believed. */
  readonly doubtedAt?: number | undefined;
  /** Rows of the newest version, and how many of them are kept; the others have no GPU, or were refused. */
  readonly read: number;
  readonly kept: number;
  /** How many rows were refused, by why. */
  readonly refused: Readonly<Record<string, number>>;
}

/** So many prices of a document, by `SourceRecord.refused`, repeat another one of the same machine in the same place, or are above it. */
export const NAMED_TWICE = "named twice";

/** A document on its way into the price book, of which nothing counts until it is published. Whoever has it drops it at the end. */
export interface Reading {
  /** In one transaction: a few thousand at a time let others have their turn. */
  add(prices: readonly ListedPrice[]): Promise<void>;
  /**
   * From now on it is what is on offer, all at once; of a machine that is named twice the lower price.
   * @returns the record with what is kept; that of a newer version where one was published meanwhile, and then this one is not.
   */
  publish(record: SourceRecord): Promise<SourceRecord>;
  drop(): void;
}

/** A price at a moment. */
export interface Observation {
  readonly price: ListedPrice;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface PriceQuery {
  /** However it is spelt; see `gpuMatcher`. */
  readonly gpuModel?: string;
  readonly gpuCount?: number;
  readonly billing?: Billing;
  readonly providers?: readonly string[];
  /** As the provider writes it. */
  readonly type?: string;
  /** A region or a zone. */
  readonly place?: string;
  readonly source?: PriceSource;
  /** At most one of these an instance-hour, each in its own currency; a price in any other currency does not fit. */
  readonly maxPrices?: readonly Money[];
}

export const CHEAPEST_BY = ["price", "savings"] as const;

/** Which prices are wanted of each provider where there are too many to rank: those that come first by this. */
export interface Cheapest {
  readonly by: (typeof CHEAPEST_BY)[number];
  readonly most: number;
}

export interface CurrentPrices {
  readonly prices: readonly ObservedPrice[];
  /** How many fit, those that `cheapest` left out included. */
  readonly count: number;
  /** The same by provider. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What a best price is the best of: all places of a machine type, or all machines of a provider in a zone. */
export type BestOf = "machine" | "zone";

/** The best price of a group, and how many prices the group has. */
export interface BestPrice {
  readonly price: ObservedPrice;
  readonly count: number;
}

export interface KnownGpu extends Pick<Gpu, "model" | "vramGb" | "form"> {
  readonly provider: string;
}

/** What was observed of prices. Every call may throw a `Problem` of the database. */
export interface PriceBook {
  sources(): Promise<readonly SourceRecord[]>;
  reading(source: Pick<SourceRecord, "name" | "kind">): Reading;
  /** What is known of a source apart from its prices: that it was found unchanged, for example. Nothing older counts, and nothing of an older version. */
  recordSource(record: SourceRecord): Promise<void>;
  /** Nothing of a source is dated later than `until` any more: the clock was ahead when it was read. */
  setBack(name: string, until: number): Promise<void>;
  /** Keeps observations of one source, in one transaction: a few thousand at a time let others have their turn. */
  observe(source: Pick<SourceRecord, "name" | "kind">, observations: readonly Observation[]): Promise<void>;
  /** Keeps what a provider itself remembers, in one transaction; saying it again changes nothing. */
  recall(source: Pick<SourceRecord, "name" | "kind">, remembered: readonly RememberedPrice[]): Promise<void>;
  /** What catalogues and the bundled table say now. Live prices are asked, not looked up. */
  current(query: PriceQuery, cheapest?: Cheapest): Promise<CurrentPrices>;
  /** What `current` would say, but of each group only the price that comes first. */
  best(query: PriceQuery, by: Cheapest["by"], of: BestOf): Promise<readonly BestPrice[]>;
  /** The GPUs that were ever observed, each once a provider, to tell a slip from a GPU that is not on offer. */
  gpus(): Promise<readonly KnownGpu[]>;
  /** How many series `history` would give. */
  seriesCount(query: PriceQuery): Promise<number>;
  /** Everything observed at `since` or later, and the price that held then. */
  history(query: PriceQuery, since: number): Promise<readonly PriceSeries[]>;
  /** Of each hour that ended before `until` keeps the first, the last, the lowest and the highest price. @returns runs removed. */
  compact(until: number): Promise<number>;
  close(): void;
}

/** One open price book. */
export interface BookConnection {
  readonly database: SqliteDatabase;
  /** Runs `work` in a transaction of its own. */
  transaction<Result>(work: () => Result): Promise<Result>;
  /** Names the file in what the database says. */
  guarded<Result>(work: () => Result): Result;
}
