import type { Gpu } from "./gpu.ts";
import type { Billing } from "./instance.ts";
import type { Money } from "./money.ts";

/**
 * The share of machines that a provider took back in the trailing month. Not a rate per hour: how long they had run is not
 * published, so it ranks types and predicts nothing.
 */
export interface ReclaimedShare {
  readonly atLeast: number;
  /** Null where the last band has no upper bound. */
  readonly atMost: number | null;
  /** As the provider writes it, for example "5-10%". */
  readonly label: string;
  readonly source: string;
  /** Epoch milliseconds of the data, not of the question. */
  readonly observedAt: number;
}

/** Something rentable now. Sold out is `stock: 0`, never absence. Prices are per instance-hour. */
export interface Offer {
  readonly provider: string;
  readonly region: string;
  readonly zone: string;
  readonly type: string;
  readonly gpu: Gpu;
  readonly vcpus: number;
  readonly memoryGb: number;
  readonly billing: Billing;
  readonly price: Money;
  /** What the same machine costs on demand; null when the provider does not say. */
  readonly onDemandPrice: Money | null;
  readonly stock: number | "unknown";
  /** Seconds between the notice and the reclaim; 0 when there is none. */
  readonly noticeSeconds: number;
  /** Where nothing is promised: what a notice may last at the most, in seconds. */
  readonly noticeUpToSeconds?: number;
  /** Seconds after the start in which the provider does not reclaim. */
  readonly protectionSeconds: number;
  /** Expected interruptions per instance-hour, where the provider says; null otherwise. */
  readonly interruptionsPerHour: number | null;
  /** How many machines of the type the provider took back lately, where it publishes that. */
  readonly reclaimed?: ReclaimedShare;
  /** The provider's own guess, 1 to 10, of how likely a request is to be served now; only where the account may ask. */
  readonly placementScore?: number;
  readonly source: "live" | "catalog" | "bundled";
  /** Epoch milliseconds. */
  readonly observedAt: number;
}
