import { isEssdFamily, isUsable } from "./disks.ts";
import type { Parameters } from "./parameters.ts";
import { regionNamed } from "./places.ts";
import { invalid, notFound, Refusal, wrongDiskStatus, wrongInstanceStatus } from "./refusal.ts";
import { type Disk, type Site, type Snapshot, type SnapshotGroup, toldTime } from "./site.ts";
import { checkedTags, tagsJson } from "./tags.ts";

const MOST_IN_GROUP = 16;
const MOST_DAYS = 65_536;

interface SnapshotOrder {
  readonly name: string;
  readonly description: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly retentionDays: number | null;
  readonly groupId: string | null;
}

function make(site: Site, disk: Disk, order: SnapshotOrder): Snapshot {
  const { id, number } = site.nextId("s", disk.region);
  const snapshot: Snapshot = {
    ...order,
    id,
    number,
    region: disk.region,
    disk,
    createdAt: site.schedule.time(),
    tags: new Map(order.tags),
    status: "progressing",
  };
  site.snapshots.set(id, snapshot);
  site.contents.copy(disk.id, id);
  site.schedule.later(snapshot, site.delays.snapshotMs, () => {
    snapshot.status = site.switches.failSnapshots ? "failed" : "accomplished";
  });
  return snapshot;
}

function checkedName(found: Parameters, parameter: string): string {
  const name = found.text(parameter) ?? "";
  if (name.startsWith("auto") || name.length > 128)
    throw new Refusal(400, "InvalidSnapshotName.Malformed", "The specified SnapshotName is wrongly formed: it must not begin with auto.");
  return name;
}

/** @throws Refusal for a disk that was never attached or is on its way, and for one in a machine that is, or is locked. */
function refuseUnready(site: Site, disk: Disk): void {
  if (!["In_use", "Available"].includes(disk.status) || !disk.wasAttached) throw wrongDiskStatus();
  const instance = disk.instanceId === null ? undefined : site.instances.get(disk.instanceId);
  if (instance === undefined) return;
  if (instance.lock === "security") throw new Refusal(403, "InstanceLockedForSecurity", "The instance is locked.");
  if (!["Running", "Stopped"].includes(instance.status)) throw wrongInstanceStatus();
}

export function createSnapshot(site: Site, found: Parameters): unknown {
  const disk = site.disks.get(found.text("DiskId") ?? "");
  if (disk === undefined) throw notFound("DiskId", "DiskId");
  const days = found.number("RetentionDays") ?? null;
  if (days !== null && (days < 1 || days > MOST_DAYS)) throw invalid("RetentionDays");
  const name = checkedName(found, "SnapshotName");
  refuseUnready(site, disk);
  const order = { name, description: found.text("Description") ?? "", retentionDays: days, groupId: null };
  return { SnapshotId: make(site, disk, { ...order, tags: checkedTags(found.structures("Tag")) }).id };
}

export function deleteSnapshot(site: Site, found: Parameters): unknown {
  const snapshot = site.snapshots.get(found.text("SnapshotId") ?? "");
  if (snapshot === undefined && site.switches.deletesUnknown === "ignore") return {};
  if (snapshot === undefined) throw notFound("SnapshotId", "SnapshotId");
  const isUsed = [...site.disks.values()].some(({ sourceSnapshotId }) => sourceSnapshotId === snapshot.id);
  if (isUsed && found.flag("Force") !== true)
    throw new Refusal(403, "SnapshotCreatedDisk", "The snapshot has been used to create disks; delete it with Force.");
  erase(site, snapshot);
  return {};
}

function erase(site: Site, snapshot: Snapshot): void {
  site.schedule.cancel(snapshot);
  site.snapshots.delete(snapshot.id);
  site.contents.erase(snapshot.id);
}

export function createSnapshotGroup(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const instanceId = found.text("InstanceId");
  const [wanted, excluded] = [found.list("DiskId"), found.list("ExcludeDiskId")];
  if (wanted.length > 0 && excluded.length > 0)
    throw new Refusal(400, "InvalidParameter.Conflict", "DiskId and ExcludeDiskId cannot both be specified.");
  const disks =
    wanted.length > 0
      ? wanted.map((id) => {
          const disk = site.disks.get(id);
          if (disk?.region !== region) throw notFound("DiskId", "DiskId");
          return disk;
        })
      : [...site.disks.values()].filter((disk) => disk.instanceId === instanceId && !excluded.includes(disk.id));
  if (instanceId !== undefined && site.instances.get(instanceId)?.region !== region) throw notFound("InstanceId", "InstanceId");
  if (disks.length === 0 || disks.length > MOST_IN_GROUP) throw invalid("DiskId");
  if (new Set(disks.map(({ zone }) => zone)).size > 1) throw new Refusal(403, "ResourcesNotInSameZone", "The disks are not in one zone.");
  for (const disk of disks) {
    if (!isEssdFamily(disk)) throw new Refusal(403, "InvalidDiskCategory.NotSupported", "Snapshot-consistent groups take ESSD disks only.");
    refuseUnready(site, disk);
  }
  const { id, number } = site.nextId("ssg", region);
  const name = checkedName(found, "Name");
  const tags = checkedTags(found.structures("Tag"));
  const description = found.text("Description") ?? "";
  const snapshots = disks.map((disk) => make(site, disk, { name, description, tags, retentionDays: null, groupId: id }));
  const group: SnapshotGroup = {
    ...{ id, number, name, description, region, tags, snapshots },
    instanceId: instanceId ?? "",
    createdAt: site.schedule.time(),
  };
  site.snapshotGroups.set(id, group);
  return { SnapshotGroupId: id };
}

export function deleteSnapshotGroup(site: Site, found: Parameters): unknown {
  const group = site.snapshotGroups.get(found.text("SnapshotGroupId") ?? "");
  if (group === undefined || group.region !== regionNamed(found)) throw notFound("SnapshotGroupId", "SnapshotGroupId");
  site.snapshotGroups.delete(group.id);
  for (const snapshot of group.snapshots) erase(site, snapshot);
  return {};
}

function progressOf(site: Site, { status, createdAt }: Snapshot): string {
  if (status === "accomplished") return "100%";
  return `${Math.min(99, Math.floor((100 * (site.schedule.time() - createdAt)) / Math.max(1, site.delays.snapshotMs)))}%`;
}

export function snapshotJson(site: Site, snapshot: Snapshot): unknown {
  const { disk } = snapshot;
  return {
    SnapshotId: snapshot.id,
    SnapshotName: snapshot.name,
    Description: snapshot.description,
    RegionId: snapshot.region.id,
    Status: snapshot.status,
    Progress: progressOf(site, snapshot),
    Available: isUsable(snapshot),
    SourceDiskId: disk.id,
    // A string, as the vendor's SDK has it.
    SourceDiskSize: String(disk.size),
    SourceDiskType: disk.kind,
    SourceStorageType: "disk",
    SnapshotType: "user",
    Category: "standard",
    Encrypted: disk.isEncrypted,
    Usage: [...site.disks.values()].some(({ sourceSnapshotId }) => sourceSnapshotId === snapshot.id) ? "disk" : "none",
    CreationTime: toldTime(site, snapshot.createdAt),
    LastModifiedTime: toldTime(site, snapshot.createdAt),
    RetentionDays: snapshot.retentionDays ?? undefined,
    ResourceGroupId: "",
    Tags: tagsJson(snapshot.tags),
  };
}

/** Inside groups tags are called `Key` and `Value`. */
export function snapshotGroupJson(site: Site, group: SnapshotGroup): unknown {
  const Tags = { Tag: [...group.tags].map(([Key, Value]) => ({ Key, Value })) };
  const isDone = group.snapshots.every(({ status }) => status === "accomplished");
  return {
    SnapshotGroupId: group.id,
    Name: group.name,
    Description: group.description,
    InstanceId: group.instanceId,
    Status: isDone ? "accomplished" : "progressing",
    ProgressStatus: "",
    CreationTime: toldTime(site, group.createdAt),
    ResourceGroupId: "",
    Tags,
    Snapshots: {
      Snapshot: group.snapshots.map((snapshot) => ({
        SnapshotId: snapshot.id,
        SourceDiskId: snapshot.disk.id,
        SourceDiskType: snapshot.disk.kind,
        Progress: progressOf(site, snapshot),
        Available: isUsable(snapshot),
        InstantAccess: false,
        Tags,
      })),
    },
  };
}
