import type { Machine, MachineRoom } from "../machine-room.ts";
import type { MetadataService } from "../metadata/service.ts";
import type { Image, InstanceType, Region } from "./catalogue.ts";
import type { Ledger } from "./ledger.ts";
import type { Market, SpotDuration } from "./market.ts";
import type { Schedule } from "./schedule.ts";
import type { Delays, Switches } from "./switches.ts";

export type InstanceStatus = "Pending" | "Starting" | "Running" | "Stopping" | "Stopped";
export type StoppedMode = "StopCharging" | "KeepCharging" | "Not-applicable";
export type SpotStrategy = "NoSpot" | "SpotWithPriceLimit" | "SpotAsPriceGo";

/** All times are epoch milliseconds. */
export interface Instance {
  readonly id: string;
  readonly number: number;
  name: string;
  readonly region: Region;
  readonly zone: string;
  readonly type: InstanceType;
  readonly image: Image;
  readonly vSwitch: VSwitch;
  readonly securityGroups: readonly SecurityGroup[];
  readonly spotStrategy: SpotStrategy;
  /** In the account's currency; null without one. */
  readonly spotPriceLimit: number | null;
  readonly spotDuration: SpotDuration;
  readonly interruption: "Terminate" | "Stop";
  readonly createdAt: number;
  readonly userData: string;
  readonly keyPair: KeyPair | null;
  readonly bandwidthOut: number;
  readonly httpTokens: "optional" | "required";
  readonly httpEndpoint: "enabled" | "disabled";
  readonly deletionProtection: boolean;
  readonly privateIp: string;
  readonly tags: Map<string, string>;
  readonly hostName: string;
  startedAt: number | null;
  autoReleaseAt: number | null;
  publicIp: string | null;
  status: InstanceStatus;
  stoppedMode: StoppedMode;
  /** The word in `OperationLocks`. */
  lock: "Recycling" | "security" | "financial" | null;
  /** What its metadata service says under `termination-time`; null for 404. */
  terminationTime: number | null;
  /** Kept in Pending until it is let go. */
  isHeld: boolean;
  isGone: boolean;
  /** Being released: still listed, no longer billed. */
  isEnding: boolean;
  /** Who ended it, for the tests. */
  endedBy: "user" | "reclaim" | "time" | "failure" | null;
  machine: RunningInside | null;
}

export interface RunningInside {
  readonly handle: Machine;
  running: boolean;
  /** Disk ids by the name of their device. */
  readonly devices: Map<string, string>;
  /** Null for one that was launched without it. */
  readonly metadata: MetadataService | null;
  /** The end that its metadata service tells. */
  toldEnd: number | null;
}

export type DiskStatus = "Creating" | "Available" | "Attaching" | "In_use" | "Detaching";

export interface Disk {
  readonly id: string;
  readonly number: number;
  name: string;
  description: string;
  readonly region: Region;
  readonly zone: string;
  readonly kind: "system" | "data";
  readonly category: string;
  /** Empty for what is no ESSD. */
  readonly performanceLevel: string;
  readonly size: number;
  readonly createdAt: number;
  readonly tags: Map<string, string>;
  readonly sourceSnapshotId: string;
  readonly isEncrypted: boolean;
  status: DiskStatus;
  deleteWithInstance: boolean;
  instanceId: string | null;
  device: string | null;
  attachedAt: number | null;
  detachedAt: number | null;
  wasAttached: boolean;
}

export interface Snapshot {
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly description: string;
  readonly region: Region;
  readonly disk: Disk;
  readonly createdAt: number;
  readonly retentionDays: number | null;
  readonly tags: Map<string, string>;
  readonly groupId: string | null;
  status: "progressing" | "accomplished" | "failed";
}

export interface SnapshotGroup {
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly description: string;
  readonly region: Region;
  readonly instanceId: string;
  readonly createdAt: number;
  readonly tags: Map<string, string>;
  readonly snapshots: readonly Snapshot[];
}

export interface Vpc {
  readonly id: string;
  readonly region: Region;
  readonly isDefault: boolean;
}

export interface VSwitch {
  readonly id: string;
  readonly vpc: Vpc;
  readonly zone: string;
  readonly isDefault: boolean;
}

export interface SecurityGroup {
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly description: string;
  readonly region: Region;
  readonly vpc: Vpc;
  readonly createdAt: number;
  readonly tags: Map<string, string>;
  readonly rules: Readonly<Record<string, string>>[];
}

export interface KeyPair {
  readonly name: string;
  readonly number: number;
  readonly region: Region;
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly createdAt: number;
  readonly tags: Map<string, string>;
}

export interface HistoryEvent {
  readonly id: string;
  readonly number: number;
  readonly region: Region;
  readonly instanceId: string;
  readonly type: string;
  readonly code: number;
  readonly reason: string;
  readonly publishedAt: number;
  readonly notBefore: number;
  status: "Scheduled" | "Executing" | "Executed" | "Canceled";
  finishedAt: number | null;
}

/** What CloudMonitor tells its subscribers; no call of ECS shows it. */
export interface MonitorEvent {
  readonly product: "ECS";
  readonly eventType: "StatusNotification";
  readonly name: "Instance:PreemptibleInstanceInterruption";
  readonly instanceId: string;
  readonly at: number;
}

export interface Site {
  readonly schedule: Schedule;
  readonly market: Market;
  readonly ledger: Ledger;
  readonly delays: Delays;
  readonly switches: Switches;
  readonly room: MachineRoom | null;
  /** What lies on disks and in snapshots, by their ids; nothing where machines exist on paper. */
  readonly contents: { copy(from: string, to: string): void; erase(id: string): void };
  readonly instances: Map<string, Instance>;
  readonly disks: Map<string, Disk>;
  readonly snapshots: Map<string, Snapshot>;
  readonly snapshotGroups: Map<string, SnapshotGroup>;
  readonly vpcs: Vpc[];
  readonly vSwitches: VSwitch[];
  readonly securityGroups: Map<string, SecurityGroup>;
  readonly keyPairs: KeyPair[];
  readonly history: HistoryEvent[];
  readonly monitored: MonitorEvent[];
  /** Every number once, growing. */
  nextNumber(): number;
  /** `i-bp1…`: the kind, then 20 characters, of which the first three tell the region. */
  nextId(kind: string, region: Region): { readonly id: string; readonly number: number };
}

const REGION_MARKS: Readonly<Record<string, string>> = {
  "cn-hangzhou": "bp1",
  "cn-shanghai": "uf6",
  "ap-southeast-1": "t4n",
  "eu-central-1": "gw8",
};

export function idMaker(): Pick<Site, "nextNumber" | "nextId"> {
  let count = 0;
  const nextNumber = () => ++count;
  return {
    nextNumber,
    nextId(kind, region) {
      const number = nextNumber();
      const tail = (BigInt(number) * 7_919_432_653_177n + 1_000_003n).toString(36).padStart(17, "0").slice(-17);
      return { id: `${kind}-${REGION_MARKS[region.id] ?? "xx1"}${tail}`, number };
    },
  };
}

/** A time as most fields of this cloud tell it. */
export function toldTime(site: Site, at: number): string {
  return new Date(at + site.switches.clockAheadMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** As its older fields tell it: without seconds. */
export function toldMinute(site: Site, at: number): string {
  return toldTime(site, at).replace(/:\d{2}Z$/, "Z");
}
