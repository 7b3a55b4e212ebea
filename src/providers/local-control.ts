/** What an operator of the embedded cloud sees and may do; no part of the provider port. Times are epoch milliseconds unless they are texts. */
export interface LocalHealth {
  readonly pid: number;
  readonly version: string;
  /** ISO-8601. */
  readonly startedAt: string;
  readonly profile: string;
  readonly metadataPort: number;
  readonly simulated: {
    readonly provisioningMs: number;
    readonly hibernateMs: number;
    readonly restoreMs: number;
    readonly hazardPerHour: number;
  };
}

export interface LocalInstance {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly address: string | null;
  readonly notice: { readonly kind: string; readonly at: number; readonly deadline: number } | null;
}

export interface LocalMarket {
  readonly profile: string;
  readonly seed: number;
  readonly provisioningMs: number;
  readonly hibernateMs: number;
  readonly restoreMs: number;
  readonly hazardPerHour: number;
  readonly schedule: readonly { readonly afterSeconds: number; readonly noticeSeconds: number; readonly times: number }[];
  readonly stock: Readonly<Record<string, number>>;
}

export interface LocalChaosRule {
  readonly on: string;
  readonly effect: string;
  readonly ms?: number | undefined;
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly times: number;
}

/** Everything throws ProviderError; `unavailable` when the cloud does not run. */
export interface LocalControl {
  health(signal: AbortSignal): Promise<LocalHealth>;
  instances(signal: AbortSignal): Promise<readonly LocalInstance[]>;
  /** By id, or by the name of a living instance. `noticeSeconds: null` is the profile's. */
  reclaim(
    instance: string,
    options: { readonly noticeSeconds: number | null; readonly kind: "reclaim" | "rebalance" },
    signal: AbortSignal,
  ): Promise<LocalInstance>;
  withdraw(instance: string, signal: AbortSignal): Promise<LocalInstance>;
  market(signal: AbortSignal): Promise<LocalMarket>;
  /** Fields that are left out stay as they are. */
  setMarket(change: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<LocalMarket>;
  chaos(signal: AbortSignal): Promise<readonly LocalChaosRule[]>;
  addChaos(rule: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<readonly LocalChaosRule[]>;
  clearChaos(signal: AbortSignal): Promise<void>;
  /** @throws ProviderError `conflict` while instances run, unless forced. */
  shutdown(force: boolean, signal: AbortSignal): Promise<void>;
  reset(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
