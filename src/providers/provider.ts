import type { Account } from "../model/account.ts";
import type { AsleepBook } from "../model/asleep.ts";
import type { Gpu } from "../model/gpu.ts";
import type { Billing, InstanceState } from "../model/instance.ts";
import type { RememberedPrice } from "../model/listed-price.ts";
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
  /**
   * Never pay more than this per instance-hour. Null means that nobody named a limit: the offer's price at most where prices
   * are fixed; where they follow a market the machine follows it, up to what the cloud itself caps it at (on demand).
   */
  readonly maxPrice: Money | null;
  readonly image: string | null;
  readonly volumes: readonly VolumeMount[];
  readonly env: Readonly<Record<string, string>>;
  /** The shell script that the machine runs at boot: the agent with its settings. */
  readonly bootScript: string;
  /** Our public key, one line as in `authorized_keys`; null where nobody comes in by SSH. */
  readonly sshKey: string | null;
  /** Of others who shall come in beside us, for a cloud that takes several; elsewhere the boot script sees to it. */
  readonly peerKeys?: readonly string[];
  /** Ports of the machine that shall be reachable from outside, where the cloud has to be told. */
  readonly ports: readonly { readonly port: number; readonly protocol: "http" | "tcp" }[];
  /** Id or name of the registry credentials that the cloud keeps for a private image; null for none. */
  readonly registryAuth: string | null;
  /** The provider's id of a root volume that an earlier machine of this instance left (`Capabilities.keepsRoot`); boot from it. */
  readonly rootVolumeId: string | null;
  /** How long the provider itself should let it live, where it can (`Capabilities.endsAtTtl`); null means for ever. */
  readonly ttlSeconds: number | null;
  /**
   * At a reclaim the cloud shall stop the machine and start it again by itself when there is capacity, instead of ending it
   * (only where `Capabilities.restartsReclaimed`).
   */
  readonly waitsForCapacity?: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** How a command is run inside the machine. */
export type Reach =
  | {
      readonly kind: "ssh";
      readonly host: string;
      readonly port: number;
      readonly user: string;
      /** Where the cloud gives one; never written down. */
      readonly password: string | null;
      /** Under which its host key is pinned: another machine is another name, whatever its address. */
      readonly alias: string;
    }
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
  /** When that price was told, where it comes from memory; absent: at this very look. */
  readonly pricedAt?: number | undefined;
  readonly createdAt: number | null;
  readonly protectedUntil: number | null;
  readonly notice: Notice | null;
  readonly reach: Reach | null;
  readonly volumeIds: readonly string[];
  /** Why it failed or ended, in the provider's words. */
  readonly reason: string | null;
  /**
   * Who ended it, once it is over or stopped and as far as the provider says; null while it lives or when nobody knows.
   * A `stopped` one that the provider ended is what is left of a reclaim.
   */
  readonly endedBy: "provider" | "guest" | "user" | null;
  /** False: this very machine cannot be hibernated, although its cloud can; it is parked instead. */
  readonly canHibernate: boolean;
  /** When a stopped machine's disk is deleted by the provider; null when it is not stopped or nobody says. */
  readonly dataKeptUntil: number | null;
  /** Where its ports are reached from outside: a URL, or `host:port`. */
  readonly endpoints: readonly { readonly port: number; readonly address: string }[];
  /** The provider's id of its root volume, where `Capabilities.keepsRoot`; null otherwise. */
  readonly rootVolumeId: string | null;
}

/** The metadata services that the agent can ask, each with its own protocol; `controller` is none of them. */
export type NoticeMouth = "local" | "aws" | "gcp" | "alibaba" | "controller";

/** What a cloud's machines are like, for whoever prepares what runs inside them. */
export interface MachineKind {
  /**
   * `process`: the embedded cloud's. `vm`: boots; cloud-init runs the boot script as root. `container`: no init; the boot
   * script is its main process, as root.
   */
  readonly kind: "process" | "vm" | "container";
  /**
   * Who tells the agent of a notice: the metadata service that this row of the agent's own table asks, or `controller`:
   * nobody inside, so we do.
   */
  readonly notices: NoticeMouth;
  /** Whether a machine can end its own billing (TTL, idle). Where it cannot, `reconcile` and `watch` do. */
  readonly endsItself: boolean;
  /** `mounted`: the cloud mounts volumes. `device`: it attaches a block device, and the agent mounts it once it is told which. */
  readonly volumes: "mounted" | "device";
}

export interface Capabilities {
  /** Usual length of a reclaim notice, in seconds. */
  readonly noticeSeconds: number;
  readonly protectionSeconds: number;
  /** `native`: hibernate and restore below exist. `park`: delete, keep the volume, create again. */
  readonly hibernate: "native" | "park";
  /** A second launch with the same token returns the first one's instance. */
  readonly idempotentLaunch: boolean;
  /** How often one machine may be asked about while it changes, in milliseconds; mind the cloud's rate limit. */
  readonly pollMs: number;
  /** How soon a launched instance is sure to appear in `list`, in milliseconds. */
  readonly listSettlesMs: number;
  readonly volumes: boolean;
  /** A volume can only be attached in the zone it lies in; elsewhere the region is enough. */
  readonly zonalVolumes: boolean;
  /** The cloud itself ends, or at least stops, a machine when the `ttlSeconds` of its launch are over. */
  readonly endsAtTtl: boolean;
  /** The cloud can stop a machine at a reclaim and start it again by itself, as `LaunchSpec.waitsForCapacity` asks for. */
  readonly restartsReclaimed: boolean;
  /**
   * How often the whole account may be listed by a watch, in milliseconds, and why: what the length of the notice wants and
   * the cloud's rate limit allows. Null: the length of the notice alone decides.
   */
  readonly listEvery: { readonly ms: number; readonly why: string } | null;
  readonly machine: MachineKind;
  /** `hibernate` can keep the machine's public address when asked to. */
  readonly retainsAddress: boolean;
  /** Parking keeps the root disk as a volume, and a launch can boot from it. */
  readonly keepsRoot: boolean;
  /**
   * A spot machine is billed at the market's price of each moment, which moves, and not at that of its launch; one that is
   * protected, at that of its launch until its protection is over. `ProviderInstance.price` is then the price of now.
   */
  readonly billsMarketPrice: boolean;
  /** A spot machine that the cloud itself ends or stops before it is so old is not charged for, in milliseconds; 0: it is, at once. */
  readonly freeIfReclaimedWithinMs: number;
  /** A machine that is merely stopped goes on paying for its GPU. */
  readonly stoppedBillsGpu: boolean;
  /** Why `spot stop` is refused there: what a merely stopped machine costs. A sentence without its full stop. */
  readonly whyNoStop: string;
  /** What holds while an instance sleeps there: what is billed, what is lost, how long it is kept, and who says so. */
  readonly asleep: AsleepBook;
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
  /**
   * Idempotent. Only `gone` means that billing has ended. Volumes that were attached at launch or later stay. `keepRoot`
   * (only where `Capabilities.keepsRoot`): the root disk stays too.
   */
  destroy(providerId: string, context: CallContext, options?: { readonly keepRoot: boolean }): Promise<"accepted" | "gone">;
  readonly volumes?: VolumeOperations;
  /** Present exactly when `capabilities.hibernate` is `native`. */
  readonly hibernation?: HibernationOperations;
  readonly billing?: BillingOperations;
  /** Present where the provider itself remembers what spot cost. */
  readonly priceHistory?: PriceHistoryOperations;
  /** Present where there are credentials. */
  readonly credentials?: CredentialOperations;
  /** Present where a launch of ours leaves, or may leave, something behind that is neither machine, volume nor snapshot. */
  readonly leftovers?: LeftoverOperations;
}

/** How long the credentials that are used now are good. */
export interface CredentialExpiry {
  /** Epoch milliseconds; null when they do not expire, or when nobody says. */
  readonly expiresAt: number | null;
  /** They last, or are renewed without anybody doing anything. False with no `expiresAt`: nobody knows. */
  readonly renews: boolean;
  /** What they are, for people: a clause without a full stop. */
  readonly why: string;
}

export interface CredentialOperations {
  /**
   * Whose they are; null where the cloud does not tell. Asked of the cloud once for each set of credentials, so that a
   * change of them is noticed at once, and asking again costs nothing.
   */
  account(context: CallContext): Promise<Account | null>;
  /** Asks nobody but whoever gives the credentials. */
  expiry(context: CallContext): Promise<CredentialExpiry>;
}

export type LeftoverKind =
  /** What asks a market for a machine, and may ask again. */
  | "spot-request"
  /** A machine's own disk that outlived it, and is no volume of anybody's. */
  | "root-disk"
  /** A volume that was deleted and can still be had back. */
  | "trashed-volume"
  | "startup-script"
  | "key-pair"
  | "security-group"
  | "firewall-rule";

/** Something that a launch of ours made besides its machine. Times are epoch milliseconds. */
export interface Leftover {
  readonly kind: LeftoverKind;
  /** `bills`: costs as long as it is there. `respawns`: may bring a machine back. `harmless`: merely lies around. */
  readonly class: "bills" | "respawns" | "harmless";
  readonly providerId: string;
  readonly name: string;
  /** The token of the launch that made it; null for what all launches there share, which is known by its name. */
  readonly token: string | null;
  readonly region: string;
  readonly zone: string;
  readonly rawState: string;
  readonly createdAt: number | null;
  /** Per hour, when the provider says. */
  readonly price: Money | null;
  /** The provider's id of the machine that it belongs to now. */
  readonly attachedTo: string | null;
}

export interface LeftoverOperations {
  /** Those of ours in the whole account. `harmless`: those too that cost nothing and do nothing; they are more questions. */
  list(context: CallContext, options: { readonly harmless: boolean }): Promise<readonly Leftover[]>;
  /** Idempotent; `conflict` while something needs it. */
  remove(leftover: Pick<Leftover, "kind" | "providerId">, context: CallContext): Promise<void>;
}

/** Both return as soon as the provider has accepted; poll `get`. */
export interface HibernationOperations {
  /**
   * Volumes that would be locked by it are detached first; after the restore the fleet attaches them again.
   * @throws ProviderError `unsupported` when this very machine cannot be hibernated.
   */
  hibernate(providerId: string, context: CallContext, options?: { readonly retainAddress: boolean }): Promise<void>;
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
  /**
   * How the machine that it is attached to finds it: a path (`/dev/vdb`), or `serial:TEXT` where the kernel chooses the name
   * and the disk says its serial number; null when it is not attached, or mounted by the cloud.
   */
  readonly device: string | null;
}

export interface VolumeSpec {
  readonly name: string;
  readonly token: string;
  readonly sizeGb: number;
  readonly region: string;
  readonly zone: string;
  /** The snapshot that it begins with; empty without one. Only where there are `VolumeOperations.snapshots`. */
  readonly fromSnapshotId?: string;
}

/** The provider's own snapshot of a volume. Times are epoch milliseconds. */
export interface ProviderSnapshot {
  readonly providerId: string;
  readonly name: string;
  readonly token: string | null;
  /** The volume it was made of; null when the provider does not say. */
  readonly volumeId: string | null;
  /** Of the volume: the least that a volume made from it has. */
  readonly sizeGb: number;
  readonly region: string;
  /** Only a `ready` one can be restored from. */
  readonly state: "pending" | "ready" | "failed";
  readonly rawState: string;
  readonly createdAt: number | null;
}

/** Snapshots that outlive their volume. What was written to the disk at that moment is in it, nothing later. */
export interface SnapshotOperations {
  /** Returns as soon as the provider has accepted; poll `list`. */
  create(volumeId: string, spec: { readonly name: string; readonly token: string }, context: CallContext): Promise<ProviderSnapshot>;
  /** Those of the whole account, other people's and the cloud's public ones left out. */
  list(context: CallContext): Promise<readonly ProviderSnapshot[]>;
  /** Idempotent. */
  remove(snapshotId: string, context: CallContext): Promise<void>;
}

export interface VolumeOperations {
  create(spec: VolumeSpec, context: CallContext): Promise<ProviderVolume>;
  list(context: CallContext): Promise<readonly ProviderVolume[]>;
  /** Idempotent; `conflict` while attached. */
  remove(providerId: string, context: CallContext): Promise<void>;
  /**
   * Where volumes cannot be given at launch: attaches one to a running machine. Idempotent; `conflict` while the machine or
   * the volume is not ready for it. Absent where a launch attaches them.
   */
  attach?(providerId: string, instanceId: string, context: CallContext): Promise<void>;
  readonly snapshots?: SnapshotOperations;
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

/** Which prices of the past are wanted; what is left out is not asked for. */
export interface PriceHistoryQuery extends OfferQuery {
  readonly type?: string;
  /** Epoch milliseconds. */
  readonly since: number;
}

export interface PriceHistoryOperations {
  /** How far back it remembers, in milliseconds. */
  readonly keptMs: number;
  /** Every spot price that was in force at `since` or later, in every zone; those of the present up to now. */
  read(query: PriceHistoryQuery, context: CallContext): Promise<readonly RememberedPrice[]>;
}
