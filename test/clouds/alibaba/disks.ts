import { DISK_PER_GIB_HOUR, LARGEST_DISK, LEAST_ESSD, type Region } from "./catalogue.ts";
import { invalid, notFound, Refusal, wrongDiskStatus, wrongInstanceStatus } from "./refusal.ts";
import type { Disk, Instance, Site } from "./site.ts";

const MOST_DATA_DISKS = 16;
const LETTERS = "bcdefghijklmnopqrstuvwxyz";

/** A disk that was asked for and found good. Sizes are GiB. */
export interface DiskOrder {
  readonly category: string;
  readonly performanceLevel: string;
  readonly size: number;
  readonly snapshotId: string;
  readonly name: string;
  readonly isEncrypted: boolean;
  readonly deleteWithInstance: boolean;
}

type Asked = Omit<DiskOrder, "performanceLevel" | "size" | "snapshotId"> & {
  readonly performanceLevel: string | undefined;
  readonly size: number | undefined;
  readonly snapshotId: string | undefined;
};

function leastSize(category: string, level: string): number {
  if (category === "cloud_essd") return LEAST_ESSD[level] ?? 20;
  if (category === "cloud_auto") return 1;
  return category === "cloud_essd_entry" ? 10 : 20;
}

/** @throws Refusal for a category, level, size or snapshot that this cloud would not take. */
export function checkedDisk(site: Site, region: Region, asked: Asked): DiskOrder {
  if (DISK_PER_GIB_HOUR[asked.category] === undefined)
    throw new Refusal(400, "InvalidDiskCategory.ValueNotSupported", "The specified parameter DiskCategory is not valid.");
  const isEssd = asked.category === "cloud_essd";
  if (!isEssd && asked.performanceLevel !== undefined) throw invalid("PerformanceLevel");
  const performanceLevel = isEssd ? (asked.performanceLevel ?? "PL1") : "";
  if (isEssd && LEAST_ESSD[performanceLevel] === undefined) throw invalid("PerformanceLevel");
  const snapshot = asked.snapshotId === undefined ? undefined : site.snapshots.get(asked.snapshotId);
  if (asked.snapshotId !== undefined && snapshot?.region !== region) throw notFound("SnapshotId", "SnapshotId");
  if (snapshot !== undefined && !isUsable(snapshot))
    throw new Refusal(403, "IncorrectSnapshotStatus", "The specified snapshot is not ready yet.");
  const size = asked.size ?? snapshot?.disk.size;
  if (size === undefined) throw new Refusal(400, "MissingParameter", "The input parameter Size or SnapshotId must be supplied.");
  if (size < leastSize(asked.category, performanceLevel) || size > LARGEST_DISK || size < (snapshot?.disk.size ?? 0))
    throw new Refusal(400, "InvalidDiskSize.NotSupported", "The specified disk size is not supported.");
  return { ...asked, performanceLevel, size, snapshotId: asked.snapshotId ?? "" };
}

/** A snapshot of an ESSD can be used at once, any other when it is done. */
export function isUsable(snapshot: { readonly status: string; readonly disk: Disk }): boolean {
  if (snapshot.status === "accomplished") return true;
  return snapshot.status === "progressing" && isEssdFamily(snapshot.disk);
}

export function isEssdFamily(disk: Disk): boolean {
  return disk.category.startsWith("cloud_essd") || disk.category === "cloud_auto";
}

export function makeDisk(
  site: Site,
  region: Region,
  zone: string,
  order: DiskOrder,
  kind: Disk["kind"],
  tags: ReadonlyMap<string, string>,
): Disk {
  const { id, number } = site.nextId("d", region);
  const disk: Disk = {
    id,
    number,
    name: order.name,
    description: "",
    region,
    zone,
    kind,
    category: order.category,
    performanceLevel: order.performanceLevel,
    size: order.size,
    createdAt: site.schedule.time(),
    tags: new Map(tags),
    sourceSnapshotId: order.snapshotId,
    isEncrypted: order.isEncrypted,
    status: "Creating",
    deleteWithInstance: order.deleteWithInstance,
    instanceId: null,
    device: null,
    attachedAt: null,
    detachedAt: null,
    wasAttached: false,
  };
  site.disks.set(id, disk);
  if (order.snapshotId !== "") site.contents.copy(order.snapshotId, id);
  const rate = (DISK_PER_GIB_HOUR[order.category] ?? 0) * order.size;
  site.ledger.begin(id, "disk", () => rate, site.schedule.time());
  return disk;
}

/** Also of what is being released: a machine's disks as long as it is there. */
export function disksOf(site: Site, instance: Instance): readonly Disk[] {
  return [...site.disks.values()].filter(({ instanceId }) => instanceId === instance.id);
}

export function putIn(site: Site, disk: Disk, instance: Instance): void {
  const taken = new Set(disksOf(site, instance).map(({ device }) => device));
  disk.instanceId = instance.id;
  disk.device =
    disk.kind === "system" ? "/dev/xvda" : ([...LETTERS].map((letter) => `/dev/xvd${letter}`).find((name) => !taken.has(name)) ?? "");
  disk.wasAttached = true;
  disk.attachedAt = site.schedule.time();
}

export function takeOut(site: Site, disk: Disk): void {
  site.schedule.cancel(disk);
  disk.instanceId = null;
  disk.device = null;
  disk.detachedAt = site.schedule.time();
  disk.status = "Available";
}

export function eraseDisk(site: Site, disk: Disk): void {
  site.schedule.cancel(disk);
  site.disks.delete(disk.id);
  site.ledger.end(disk.id, site.schedule.time());
  site.contents.erase(disk.id);
}

export function diskNamed(site: Site, id: string | undefined): Disk {
  const disk = site.disks.get(id ?? "");
  if (disk === undefined) throw notFound("DiskId", "DiskId");
  return disk;
}

function refuseWhileLocked(instance: Instance): void {
  if (instance.lock === "security" || instance.lock === "financial")
    throw new Refusal(403, "InstanceLockedForSecurity", "The instance is locked.");
}

export function attachDisk(site: Site, disk: Disk, instance: Instance, deleteWithInstance: boolean): void {
  refuseWhileLocked(instance);
  if (disk.zone !== instance.zone) throw new Refusal(403, "ResourcesNotInSameZone", "The disk and the instance are not in the same zone.");
  if (!["Running", "Stopped"].includes(instance.status) || instance.isEnding) throw wrongInstanceStatus();
  if (disk.status !== "Available") throw wrongDiskStatus();
  if (disksOf(site, instance).filter(({ kind }) => kind === "data").length >= MOST_DATA_DISKS)
    throw new Refusal(403, "InstanceDiskLimitExceeded", "The number of disks of the instance is at its limit.");
  disk.deleteWithInstance = deleteWithInstance;
  disk.status = "Attaching";
  putIn(site, disk, instance);
  site.schedule.later(disk, site.delays.attachMs, () => {
    disk.status = "In_use";
  });
}

export function detachDisk(site: Site, disk: Disk, instance: Instance): void {
  refuseWhileLocked(instance);
  if (disk.instanceId !== instance.id)
    throw new Refusal(403, "DependencyViolation", "The specified disk has not been attached to the specified instance.");
  if (disk.kind === "system" && instance.status !== "Stopped") throw wrongInstanceStatus();
  if (disk.status !== "In_use") throw wrongDiskStatus();
  disk.status = "Detaching";
  site.schedule.later(disk, site.delays.detachMs, () => takeOut(site, disk));
}
