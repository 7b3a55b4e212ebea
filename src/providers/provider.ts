import type { Gpu } from "../model/gpu.ts";
import type { Billing, InstanceState } from "../model/instance.ts";
import type { Money } from "../model/money.ts";
import type { Notice } from "../model/notice.ts";
import type { Offer } from "../model/offer.ts";

/** Every call carries a deadline: `signal` fires on Ctrl-C and when the time is up, and reaches the request in flight. */
export interface CallContext {
  readonly signal: AbortSignal;
}

export interface OfferQuery {
  /** Upper case; undefined means any. */
  readonly gpuModel?: string;
  readonly gpuCount?: number;
  readonly regions?: readonly string[];
}

/** A volume to attach at launch. */
export interface VolumeMount {
  readonly providerVolumeId: string;
  readonly mount: string;
}

/** What to rent. The tag and the token are written by the caller into its own records before this is sent. */
export interface LaunchSpec {
  /** Ours; also the visible name at the provider. */
  readonly name: string;
  /** Unique for this intent. The provider stores it with the instance, so that a lost answer can be found again. */
  readonly token: string;
  readonly offer: Offer;
  /** Never pay more than this per instance-hour; null means the offer's price at most. */
  readonly maxPrice: Money | null;
  readonly image: string | null;
  readonly volumes: readonly VolumeMount[];
  readonly env: Readonly<Record<string, string>>;
  /** The shell script that the machine runs at boot: the agent with its settings. */
  readonly bootScript: string;
  /** How long the provider itself should let it live, where it can; null means for ever. */
  readonly ttlSeconds: number | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** How a command is run inside the machine. */
export type Reach =
  | { readonly kind: "ssh"; readonly host: string; readonly port: number; readonly user: string }
  /** The embedded cloud: a process on this very machine, in the instance's own directory. */
  | { readonly kind: "process"; readonly cwd: string; readonly env: Readonly<Record<string, string>>; readonly log: string };

/** One rented machine as the provider sees it. Times are epoch milliseconds. */
export interface ProviderInstance {
  readonly providerId: string;
  readonly name: string;
  /** The token of the launch that made it; null when it carries no tag of ours. */
  readonly token: string | null;
  readonly state: InstanceState;
  /** The provider's own word for the state. */
  readonly rawState: string;
  readonly region: string;
  readonly zone: string;
  readonly type: string;
  readonly gpu: Gpu;
  readonly billing: Billing;
  /** Per instance-hour, when the provider says. */
  readonly price: Money | null;
  readonly createdAt: number | null;
  readonly protectedUntil: number | null;
  readonly notice: Notice | null;
  readonly reach: Reach | null;
  readonly volumeIds: readonly string[];
  /** Why it failed or ended, in the provider's words. */
  readonly reason: string | null;
  /** Who ended it, once it is over and as far as the provider says; null while it lives or when nobody knows. */
  readonly endedBy: "provider" | "guest" | "user" | null;
}

export interface Capabilities {
  /** Usual length of a reclaim notice, in seconds. */
  readonly noticeSeconds: number;
  readonly protectionSeconds: number;
  /** `native`: hibernate and restore below exist. `park`: delete, keep the volume, create again. */
  readonly hibernate: "native" | "park";
  /** A second launch with the same token returns the first one's instance. */
  readonly idempotentLaunch: boolean;
  /** How soon a launched instance is sure to appear in `list`, in milliseconds. */
  readonly listSettlesMs: number;
  readonly volumes: boolean;
}

/** The port. Faults are thrown as `ProviderError` (errors.ts), never as anything else. */
export interface Provider {
  readonly id: string;
  readonly capabilities: Capabilities;
  /** Everything rentable that matches; sold out is stock 0. */
  offers(query: OfferQuery, context: CallContext): Promise<readonly Offer[]>;
  /** Returns before the machine is reachable. */
  launch(spec: LaunchSpec, context: CallContext): Promise<ProviderInstance>;
  /** The whole account, every page, notices included. Instances that are gone may be missing. */
  list(context: CallContext): Promise<readonly ProviderInstance[]>;
  /** Undefined when the provider does not know it: it is gone. */
  get(providerId: string, context: CallContext): Promise<ProviderInstance | undefined>;
  /** Idempotent. Only `gone` means that billing has ended. */
  destroy(providerId: string, context: CallContext): Promise<"accepted" | "gone">;
  readonly volumes?: VolumeOperations;
  /** Present exactly when `capabilities.hibernate` is `native`. */
  readonly hibernation?: HibernationOperations;
  readonly billing?: BillingOperations;
}

/** Both return as soon as the provider has accepted; poll `get`. */
export interface HibernationOperations {
  hibernate(providerId: string, context: CallContext): Promise<void>;
  /** @throws ProviderError `no-capacity` when the hardware is not in stock; the instance stays hibernated. */
  restore(providerId: string, context: CallContext): Promise<void>;
}

/** A disk that outlives instances. */
export interface ProviderVolume {
  readonly providerId: string;
  readonly name: string;
  readonly token: string | null;
  readonly sizeGb: number;
  readonly region: string;
  readonly zone: string;
  readonly rawState: string;
  /** The provider's id of the instance it is attached to. */
  readonly attachedTo: string | null;
  /** Per hour, when the provider says. */
  readonly pricePerHour: Money | null;
  /** Bytes in use, where the provider knows. */
  readonly usedBytes: number | null;
  /** Where this machine can read it directly (embedded cloud only). */
  readonly localPath: string | null;
}

export interface VolumeSpec {
  readonly name: string;
  readonly token: string;
  readonly sizeGb: number;
  readonly region: string;
  readonly zone: string;
}

export interface VolumeOperations {
  create(spec: VolumeSpec, context: CallContext): Promise<ProviderVolume>;
  list(context: CallContext): Promise<readonly ProviderVolume[]>;
  /** Idempotent; `conflict` while attached. */
  remove(providerId: string, context: CallContext): Promise<void>;
}

/** What the provider says it charged. Times are epoch milliseconds. */
export interface BilledItem {
  readonly resourceId: string;
  readonly kind: "gpu" | "disk";
  readonly from: number;
  readonly to: number;
  readonly amount: Money;
}

export interface BillingOperations {
  billed(since: number, context: CallContext): Promise<readonly BilledItem[]>;
}
