import type { Gpu } from "./gpu.ts";
import type { Billing } from "./instance.ts";
import type { Money } from "./money.ts";

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
  /** Seconds after the start in which the provider does not reclaim. */
  readonly protectionSeconds: number;
  /** Expected interruptions per instance-hour, where the provider says; null otherwise. */
  readonly interruptionsPerHour: number | null;
  readonly source: "live" | "catalog" | "bundled";
  /** Epoch milliseconds. */
  readonly observedAt: number;
}
