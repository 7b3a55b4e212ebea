import type { Account } from "../model/account.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import type { EventType, FleetEvent } from "../model/event.ts";
import type { Gpu } from "../model/gpu.ts";
import type { GuardSeen } from "../model/guard.ts";
import type { Billing, InstanceState } from "../model/instance.ts";
import type { Money } from "../model/money.ts";
import type { Notice } from "../model/notice.ts";
import type { Outlook } from "../model/outlook.ts";
import type { VolumePolicy } from "../model/volume-policy.ts";

/** What a person asked for; kept whole, so that a replacement is the same machine again. Plain JSON. */
export interface InstanceSpec {
  readonly name: string;
  readonly providers: readonly string[];
  readonly gpu: { readonly model: string; readonly count: number } | null;
  readonly billing: "spot" | "on-demand" | "auto";
  /** Per instance-hour: `2.5` is USD, `18CNY` says its currency. */
  readonly maxPrice: string | null;
  readonly regions: readonly string[];
  readonly image: string | null;
  readonly volume: {
    readonly name: string;
    readonly sizeGb: number;
    readonly mount: string;
    /** What becomes of it at `down` when nothing else is said; absent: it is kept. */
    readonly atDown?: VolumePolicy;
  } | null;
  readonly ttlMs: number | null;
  readonly idleMs: number | null;
  /** `gpu`: a workload that runs and leaves the GPUs alone is idle too, and not only one that is over. */
  readonly idleBy: "exit" | "gpu";
  readonly env: Readonly<Record<string, string>>;
  readonly onReclaim: "replace" | "hibernate" | "checkpoint" | "wait" | "let-go";
  /** How long spot may be refused before on-demand is rented instead, in milliseconds; null: never. */
  readonly fallbackAfterMs: number | null;
  /** Go back to spot from on-demand, once it has been on offer for a while. */
  readonly returnToSpot: boolean;
  /** What a mere hint that a reclaim is likelier than usual brings about. */
  readonly onRebalance: "log" | "checkpoint";
  /** Shell command run on a notice and before a snapshot, inside its share of the deadline. */
  readonly checkpointHook: string | null;
  /** A checkpoint by the clock at this interval; 0: none by the clock; null: as often as pays (`deciding/checkpoint-interval.ts`). */
  readonly checkpointEveryMs: number | null;
  readonly readyHttp: string | null;
  readonly readyCmd: string | null;
  readonly command: readonly string[];
  /** False: frameworks keep their caches where they like; absent or true: on the volume. */
  readonly caches?: boolean;
  /** Where the command runs on `local`; elsewhere the machine's own home. */
  readonly workdir: string | null;
  /** Ports of the machine that shall be reachable from outside, by number; no port twice. */
  readonly ports: readonly { readonly port: number; readonly protocol: "http" | "tcp" }[];
  /** Id or name of the registry credentials that the cloud keeps for a private image; null for none. */
  readonly registryAuth: string | null;
  readonly fleet: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** What we want of it; `reconcile` brings the provider there. */
export type Desired = "running" | "hibernated" | "gone";

/** One rented machine of ours. Times are epoch milliseconds. */
export interface InstanceRecord {
  readonly id: string;
  readonly name: string;
  readonly spec: InstanceSpec;
  readonly desired: Desired;
  readonly state: InstanceState;
  readonly rawState: string;
  readonly provider: string;
  readonly providerId: string | null;
  readonly region: string;
  readonly zone: string;
  readonly type: string;
  readonly gpu: Gpu;
  readonly billing: Billing;
  /** Per instance-hour. */
  readonly price: Money | null;
  readonly onDemandPrice: Money | null;
  readonly createdAt: number;
  readonly readyAt: number | null;
  readonly protectedUntil: number | null;
  readonly notice: Notice | null;
  readonly parked: "native" | "recreate" | null;
  readonly volumes: readonly { readonly name: string; readonly id: string; readonly mount: string }[];
  readonly ssh: { readonly host: string; readonly port: number; readonly user: string } | null;
  readonly fleet: string | null;
  readonly ttlEndsAt: number | null;
  /** The idle time after which it ends, as its spec has it: a list reads no specs. */
  readonly idleMs: number | null;
  readonly labels: Readonly<Record<string, string>>;
  /** How many machines this record has had; 1 for the first. */
  readonly generation: number;
  /** Skip the final checkpoint of the operation under way. */
  readonly skipSnapshot: boolean;
  /** Its cloud's own hibernation is not for it: this machine cannot, or it could not come back. It is parked instead. */
  readonly parkOnly: boolean;
  /** A checkpoint was sealed right before it went to sleep: nothing is lost with its root disk. */
  readonly sealedAsleep: boolean;
  /** Keep the public address over the hibernation under way. */
  readonly retainAddress: boolean;
  /** Our id of the volume that holds its root disk while it is parked; null when there is none. */
  readonly rootVolume: string | null;
  /** When the disk of a stopped machine is deleted by its provider; null when it is not stopped or nobody says. */
  readonly dataKeptUntil: number | null;
  /** Where its ports are reached from outside. */
  readonly endpoints: readonly { readonly port: number; readonly address: string }[];
  /** By when a restore must serve, or it is put back to sleep, whoever looks at it then. Null when none is under way. */
  readonly wakeBy: number | null;
  /** When its owner had us forget it: its machine is left alone, whatever it costs. Null for every other record. */
  readonly forgottenAt: number | null;
  /** What deciding remembers of it from one look to the next. */
  readonly outlook: Outlook;
  /** Whose it is at its cloud, as the credentials said when it was rented; null when nobody could tell. */
  readonly account: Account | null;
  /** Why it is where it is, for people. */
  readonly reason: string | null;
  /** When the state last changed. */
  readonly changedAt: number;
  /** Grows with every change; guards against two writers. */
  readonly version: number;
}

/** A record as a list shows it: what was asked for is left where it lies. */
export type ListedRecord = Omit<InstanceRecord, "spec">;

/** A durable promise, written before a request leaves, that a resource may exist or be changed. */
export interface IntentRecord {
  readonly id: string;
  readonly kind:
    | "launch"
    | "destroy"
    | "hibernate"
    | "restore"
    | "volume-create"
    | "volume-remove"
    | "volume-snapshot"
    | "volume-end"
    | "snapshot-end"
    | "reap";
  /** Our instance id, or null for a volume of its own. */
  readonly instanceId: string | null;
  readonly provider: string;
  /** The token that the resource carries at the provider. */
  readonly token: string;
  readonly createdAt: number;
  readonly status: "pending" | "done" | "failed";
  readonly closedAt: number | null;
  /** JSON-safe: what was asked, later also what came of it. */
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface VolumeRecord {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly providerId: string | null;
  readonly region: string;
  readonly zone: string;
  readonly sizeGb: number;
  readonly state: "requested" | "available" | "gone";
  readonly createdAt: number;
  readonly pricePerHour: Money | null;
  /** The id of the account that it is in; absent when nobody could tell. */
  readonly account?: string;
}

/** A checkpoint that lies in a bucket, as it was when it was last verified there. Times are epoch milliseconds. */
export interface BucketCopy {
  /** The checkpoint's id. */
  readonly checkpoint: string;
  /** `s3://BUCKET` or `s3://BUCKET/PREFIX`. */
  readonly place: string;
  /** The server's URL, without anything secret; empty for AWS's own. */
  readonly endpoint: string;
  /** Name of the instance that made it. */
  readonly instance: string;
  /** Of the manifest. */
  readonly sha256: string;
  readonly bytes: number;
  readonly sealedAt: number;
  readonly verifiedAt: number;
  /** `checksum`: the server confirmed a SHA-256 of every object; `read`: every byte was read back and hashed. */
  readonly proof: "checksum" | "read";
}

/** One stretch of time at one rate. `to` is null while it runs. */
export interface LedgerRecord {
  readonly id: string;
  readonly instanceId: string | null;
  readonly instance: string;
  readonly fleet: string | null;
  readonly provider: string;
  readonly providerId: string;
  readonly kind: "gpu" | "disk";
  readonly billing: Billing;
  readonly from: number;
  readonly to: number | null;
  readonly rate: Money;
  readonly onDemandRate: Money | null;
  /** Null while only estimated. */
  readonly billed: Money | null;
  /** When a look last found its machine, written down once in half an hour; absent: none did. Disks are not looked at. */
  readonly seenAt?: number;
}

/** A cap on spending. */
export interface BudgetRecord {
  /** `total`, `day` (by UTC), `fleet:NAME` or `fleet:NAME:day`. */
  readonly scope: string;
  readonly cap: Money;
  /** What happens when it is reached. */
  readonly atCap: "warn" | "hibernate" | "refuse";
  readonly createdAt: number;
  /** How far the spending had come, in percent of the cap, when an event last told of it, and when; 0 for never. */
  readonly said: { readonly percent: number; readonly at: number };
}

/** What was last heard of one machine's agent. */
export interface GuardRecord extends GuardSeen {
  readonly instanceId: string;
  /** The machine that it was heard of. */
  readonly providerId: string;
  /** An event has told that it is silent. */
  readonly warned: boolean;
}

/** A computer that works on this state. Only what may be known to everybody is kept of it. */
export interface PeerRecord {
  readonly host: string;
  /** One line as in `authorized_keys`. */
  readonly publicKey: string;
  readonly seenAt: number;
}

export interface NewEvent {
  readonly at: number;
  readonly type: EventType;
  readonly instance: string | null;
  readonly provider: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Everything that must become true together, in one transaction. */
export interface Change {
  /**
   * The leases under which it was decided. Refused as `lost`, in the same transaction, when one of them is another owner's by
   * now or has run out. `now` (epoch ms) is the committer's; a PostgreSQL goes by its own clock.
   */
  readonly under?: { readonly leases: readonly string[]; readonly owner: string; readonly now: number };
  /** Refused as `name-taken` while another record with this name is not gone. */
  readonly addInstance?: InstanceRecord;
  /** Refused as `stale` when the stored version is another one. The stored version is raised by one. */
  readonly instance?: { readonly id: string; readonly version: number; readonly set: Partial<Omit<InstanceRecord, "id" | "version">> };
  readonly openIntents?: readonly IntentRecord[];
  readonly closeIntents?: readonly {
    readonly id: string;
    readonly status: "done" | "failed";
    readonly at: number;
    readonly detail?: Readonly<Record<string, unknown>>;
  }[];
  readonly events?: readonly NewEvent[];
  /** Inserted or replaced by id. A living volume's (provider, name) is unique: `name-taken` otherwise. */
  readonly volumes?: readonly VolumeRecord[];
  /** Inserted or replaced by id and volume: a copy has the id of what it is a copy of. */
  readonly checkpoints?: readonly Checkpoint[];
  readonly removeCheckpoints?: readonly Pick<Checkpoint, "id" | "volume">[];
  /** Inserted or replaced by checkpoint, place and endpoint. */
  readonly bucketCopies?: readonly BucketCopy[];
  readonly removeBucketCopies?: readonly Pick<BucketCopy, "checkpoint" | "place" | "endpoint">[];
  /** Inserted or replaced by id. */
  readonly ledger?: readonly LedgerRecord[];
  /** The machines of these intervals, by id, were found at that moment. */
  readonly seen?: { readonly intervals: readonly string[]; readonly at: number };
  /** Key (provider/region/zone/type/billing) → epoch ms until which the offer is passed over. */
  readonly blockOffers?: readonly { readonly key: string; readonly until: number; readonly why: string }[];
  /** Set or replaced by scope. */
  readonly budgets?: readonly BudgetRecord[];
  /** How far was told, and nothing else of it; passed over where that scope has another budget by now (by `createdAt`), or none. */
  readonly saidBudgets?: readonly Pick<BudgetRecord, "scope" | "createdAt" | "said">[];
  readonly removeBudgets?: readonly string[];
  /** Inserted or replaced by instance. */
  readonly guards?: readonly GuardRecord[];
  /** How far the reader of that name has come in the events; set as told, also backwards. */
  readonly cursors?: readonly { readonly name: string; readonly seq: number; readonly at: number }[];
}

export type CommitResult = "committed" | "name-taken" | "stale" | "lost";

/** The database, as the fleet sees it. Every function is one statement or one transaction. */
export interface State {
  commit(change: Change): Promise<CommitResult>;
  /** Newest first; without the gone ones unless asked. */
  instances(filter?: { readonly includeGone?: boolean; readonly names?: readonly string[] }): Promise<readonly InstanceRecord[]>;
  instance(id: string): Promise<InstanceRecord | undefined>;
  /** The living record of that name, or else the newest gone one. */
  instanceByName(name: string): Promise<InstanceRecord | undefined>;
  pendingIntents(filter?: { readonly instanceId?: string }): Promise<readonly IntentRecord[]>;
  /** Of several, the one that made the resource, or that took it over last. */
  intentByToken(token: string): Promise<IntentRecord | undefined>;
  /** The promise to make the volume of this id, open or closed; or what was written down when it was taken over. */
  volumePromise(volumeId: string): Promise<IntentRecord | undefined>;
  /** Every provider that was promised something at or after `since` (epoch ms), or to whom a promise is still open. */
  promisedProviders(since: number): Promise<readonly string[]>;
  /** Every provider at which the making of a volume, or a snapshot of one, was given up at or after `since` (epoch ms): it may have arrived all the same. */
  volumesGivenUp(since: number, kind?: "volume-create" | "volume-snapshot"): Promise<readonly string[]>;
  /** Newest first; without the gone ones unless asked. */
  volumes(filter?: {
    readonly includeGone?: boolean;
    readonly ids?: readonly string[];
    readonly name?: string;
  }): Promise<readonly VolumeRecord[]>;
  /** Newest first. */
  checkpoints(filter?: { readonly instance?: string; readonly volume?: string }): Promise<readonly Checkpoint[]>;
  /** The copies in buckets that we know of, those of the newest checkpoints first. */
  bucketCopies(filter?: { readonly instance?: string; readonly checkpoint?: string }): Promise<readonly BucketCopy[]>;
  ledger(filter?: { readonly since?: number; readonly openOnly?: boolean; readonly instanceId?: string }): Promise<readonly LedgerRecord[]>;
  /** In order of `seq`, `limit` at most (1000 unless told). */
  events(filter: {
    readonly afterSeq?: number;
    readonly since?: number;
    readonly instances?: readonly string[];
    readonly types?: readonly EventType[];
    readonly limit?: number;
  }): Promise<readonly FleetEvent[]>;
  /** The newest `seq`, 0 when there is none. */
  lastSeq(): Promise<number>;
  /** The offers that are passed over at `now` (epoch ms), by their keys, each with why. */
  blockedOffers(now: number): Promise<ReadonlyMap<string, string>>;
  /** By scope. */
  budgets(): Promise<readonly BudgetRecord[]>;
  /** What was last heard of the agents of machines with a TTL or an idle time. */
  guards(filter?: { readonly instanceId?: string }): Promise<readonly GuardRecord[]>;
  /** How far the reader of that name has come in the events; undefined for one that never said. */
  cursor(name: string): Promise<{ readonly seq: number; readonly at: number } | undefined>;
  /** Says who works on this state, and with which key; one entry a computer. */
  putPeer(peer: Pick<PeerRecord, "host" | "publicKey">, at: number): Promise<void>;
  /** The computers that were seen at or after `since` (epoch ms), by name. */
  peers(since: number): Promise<readonly PeerRecord[]>;
  /**
   * True when the lease is ours now: free, expired, or already held by this owner (then extended). `now` is the clock of a
   * file's processes; computers that share a PostgreSQL need not agree on the time, so there all leases go by its own.
   */
  acquireLease(name: string, owner: string, now: number, ttlMs: number): Promise<boolean>;
  /** Extends every lease that this owner still has, in one statement. @returns their names; what is missing is not ours any more. */
  renewLeases(owner: string, now: number, ttlMs: number): Promise<ReadonlySet<string>>;
  leaseHolder(name: string, now: number): Promise<{ readonly owner: string; readonly expiresAt: number } | undefined>;
  /** The leases that are held whose names begin so, by name. */
  leasesUnder(prefix: string, now: number): Promise<readonly { readonly name: string; readonly owner: string }[]>;
  /** As `leaseHolder`, and also one that has run out: `leftMs` is then 0 or less. `since`: epoch ms, 0 when it is not known. */
  lease(name: string, now: number): Promise<{ readonly owner: string; readonly since: number; readonly leftMs: number } | undefined>;
  releaseLease(name: string, owner: string): Promise<void>;
  close(): Promise<void>;
}
