import { createHash } from "node:crypto";
import type { Clock } from "../../../src/platform/clock.ts";
import type { Machine, MachineRoom } from "../machine-room.ts";
import type { MetadataService } from "../metadata/service.ts";
import { type Ledger, ledger } from "./ledger.ts";
import { type Schedule, schedule } from "./schedule.ts";
import type { Delays, Switches } from "./switches.ts";

export const PROJECT = "spot-tests-1";
export const PROJECT_NUMBER = "613829405176";

/** `zones/us-central1-a`, `regions/us-central1` or `global`. */
export type Scope = string;

export interface OperationError {
  readonly code: string;
  readonly message: string;
  readonly errorDetails?: readonly unknown[];
}

export interface Operation {
  readonly id: string;
  readonly name: string;
  readonly scope: Scope;
  readonly operationType: string;
  readonly user: string;
  /** Path below `projects/{p}/`. */
  readonly target: string;
  readonly targetId: string;
  /** The requestId of the request that began it. */
  clientOperationId: string | null;
  readonly insertTime: number;
  startTime: number | null;
  endTime: number | null;
  status: "PENDING" | "RUNNING" | "DONE";
  statusMessage: string | null;
  errors: readonly OperationError[];
  httpError: { readonly status: number; readonly message: string } | null;
}

export interface Attachment {
  readonly diskName: string;
  readonly deviceName: string;
  readonly boot: boolean;
  readonly mode: "READ_WRITE" | "READ_ONLY";
  autoDelete: boolean;
  readonly index: number;
}

export interface Scheduling {
  readonly isSpot: boolean;
  readonly provisioningModel: string;
  readonly preemptible: boolean;
  readonly automaticRestart: boolean;
  readonly onHostMaintenance: string;
  readonly terminationAction: "STOP" | "DELETE" | null;
  readonly maxRunSeconds: number | null;
  /** Epoch milliseconds. */
  readonly terminationTime: number | null;
  /** Zero by default; only the beta path can ask for more. */
  readonly noticeSeconds: number;
}

/** What stands for a machine in the machine room. */
export interface RoomMachine {
  readonly handle: Machine;
  readonly service: MetadataService;
  running: boolean;
  /** The room's volume, by the kernel's name of the device. */
  readonly devices: Map<string, string>;
  /** What its metadata service says of a preemption. */
  flag: boolean;
}

export interface Vm {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly type: string;
  /** Those of its type, or those that were asked for beside an N1. */
  readonly accelerator: { readonly type: string; readonly count: number } | null;
  readonly description: string;
  readonly createdAt: number;
  readonly hasExternalAddress: boolean;
  readonly serviceAccounts: readonly unknown[];
  readonly deletionProtection: boolean;
  scheduling: Scheduling;
  labels: Readonly<Record<string, string>>;
  metadata: readonly { readonly key: string; readonly value: string }[];
  tags: readonly string[];
  attachments: Attachment[];
  status: string;
  natIp: string | null;
  lastStart: number | null;
  lastStop: number | null;
  lastSuspended: number | null;
  /** When the cloud ends it by itself; set when it comes to run. */
  endsAt: number | null;
  /** What `instance/preempted` says inside. */
  preempted: boolean;
  isBeingPreempted: boolean;
  /** The operation that is making it or starting it. */
  coming: Operation | null;
  /** What goes on when a machine that was held is let go. */
  held: (() => void) | null;
  isBeingDeleted: boolean;
  /** Answered with 404 from now on. */
  gone: boolean;
  hasPlace: boolean;
  machine: RoomMachine | null;
}

export interface Disk {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly type: string;
  readonly sizeGb: number;
  readonly description: string;
  readonly createdAt: number;
  readonly sourceImage: string | null;
  readonly sourceSnapshot: Snapshot | null;
  labels: Readonly<Record<string, string>>;
  status: "CREATING" | "RESTORING" | "READY" | "FAILED" | "DELETING" | "UNAVAILABLE";
  lastAttach: number | null;
  lastDetach: number | null;
}

export interface Snapshot {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly createdAt: number;
  readonly sourceDisk: string;
  readonly sourceDiskId: string;
  readonly sizeGb: number;
  labels: Readonly<Record<string, string>>;
  status: "CREATING" | "UPLOADING" | "READY" | "FAILED" | "DELETING";
}

export interface Firewall {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Site extends Schedule {
  readonly url: () => string;
  readonly delays: Delays;
  readonly switches: Switches;
  readonly room: MachineRoom | null;
  readonly ledger: Ledger;
  /** By `zone/name`. */
  readonly vms: Map<string, Vm>;
  readonly disks: Map<string, Disk>;
  readonly snapshots: Map<string, Snapshot>;
  readonly firewalls: Map<string, Firewall>;
  readonly operations: Operation[];
  /** By method, path and requestId. */
  readonly requestIds: Map<string, { readonly operation: Operation; readonly at: number }>;
  /** By `zone/machineType` or `zone/acceleratorType`; without an entry: the usual. */
  readonly stock: Map<string, number>;
  /** By metric, or `region/metric`; without an entry: plenty. */
  readonly quotas: Map<string, number>;
  nextId(): string;
}

export function site(clock: Clock, delays: Delays, switches: Switches, room: MachineRoom | null, url: () => string): Site {
  let ids = 0;
  return {
    ...schedule(clock),
    url,
    delays,
    switches,
    room,
    ledger: ledger(),
    vms: new Map(),
    disks: new Map(),
    snapshots: new Map(),
    firewalls: new Map(),
    operations: [],
    requestIds: new Map(),
    stock: new Map(),
    quotas: new Map(),
    // 64 bits, more than a number of JSON can hold.
    nextId: () => String(4_815_162_342_000_000_000n + BigInt(++ids) * 7_919n),
  };
}

export const vmKey = (zone: string, name: string): string => `${zone}/${name}`;
export const vmPath = ({ zone, name }: { readonly zone: string; readonly name: string }): string => `zones/${zone}/instances/${name}`;
export const diskPath = ({ zone, name }: { readonly zone: string; readonly name: string }): string => `zones/${zone}/disks/${name}`;
export const snapshotPath = ({ name }: { readonly name: string }): string => `global/snapshots/${name}`;
/** `projects/p/zones/z/instances/i`: how errors name it. */
export const fullName = (path: string): string => `projects/${PROJECT}/${path}`;

/** Of any content: changes with it, and is the base64 of eight bytes. */
export function fingerprint(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest().subarray(0, 8).toString("base64");
}

export function liveVm(site: Site, zone: string, name: string): Vm | undefined {
  const vm = site.vms.get(vmKey(zone, name));
  return vm === undefined || vm.gone ? undefined : vm;
}

/** Who has which disk, by `zone/name` of the disk: for whoever looks at many of them. */
export function usersByDisk(site: Site): ReadonlyMap<string, readonly Vm[]> {
  const users = new Map<string, Vm[]>();
  for (const vm of site.vms.values()) {
    if (vm.gone) continue;
    for (const { diskName } of vm.attachments) {
      const key = vmKey(vm.zone, diskName);
      users.set(key, [...(users.get(key) ?? []), vm]);
    }
  }
  return users;
}

export function usersOf(site: Site, disk: Disk): readonly Vm[] {
  return usersByDisk(site).get(vmKey(disk.zone, disk.name)) ?? [];
}
