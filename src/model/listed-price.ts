import type { Gpu } from "./gpu.ts";
import type { Billing } from "./instance.ts";
import type { Money } from "./money.ts";

/** What a source says that a machine costs in a place, per instance-hour. */
export interface ListedPrice {
  /** Ours where we can rent there, else the source's word for the cloud: `azure`, `runpod`. */
  readonly provider: string;
  readonly region: string;
  /** The region again where the source knows no zones. */
  readonly zone: string;
  readonly type: string;
  readonly gpu: Gpu;
  /** 0 where the source does not say. */
  readonly vcpus: number;
  readonly memoryGb: number;
  readonly billing: Billing;
  readonly price: Money;
  /** Of the same machine in the same place and currency; null when the source does not say. */
  readonly onDemandPrice: Money | null;
}

/** Who said a price: a provider's own API, a public catalogue, or the table that comes with the program. */
export type PriceSource = "live" | "catalog" | "bundled";

/** A price as it was last observed. Times are epoch milliseconds. */
export interface ObservedPrice extends ListedPrice {
  readonly source: PriceSource;
  readonly observedAt: number;
  /** Since when it has been observed as it is. */
  readonly since: number;
}

/** A run of observations of one price: what was seen from the first to the last of them, both included. */
export interface PriceRun {
  readonly from: number;
  readonly to: number;
  readonly micros: bigint;
}

/** A price as its provider remembers it: for how long it was in force, in epoch milliseconds, both included. */
export interface RememberedPrice {
  readonly price: ListedPrice;
  readonly from: number;
  readonly to: number;
}

/** All that was observed of one machine in one place, oldest first. */
export interface PriceSeries extends Omit<ListedPrice, "price"> {
  /** As it was last stated. */
  readonly onDemandPrice: Money | null;
  readonly source: PriceSource;
  readonly currency: string;
  readonly runs: readonly PriceRun[];
}
