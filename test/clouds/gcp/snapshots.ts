import { HOURS_IN_A_MONTH, SNAPSHOT_PER_GIB_MONTH } from "./catalogue.ts";
import { checkedLabels, checkedName, referenceTo } from "./checks.ts";
import { copyContent, roomSnapshot, roomVolume } from "./content.ts";
import { diskOf } from "./disks.ts";
import { begin, finish } from "./operations.ts";
import { alreadyExists, invalid, notFound, notReady } from "./refusal.ts";
import { checkedBody, SNAPSHOT } from "./shapes.ts";
import { type Disk, diskPath, fullName, type Operation, type Site, type Snapshot, snapshotPath } from "./site.ts";

const about = (snapshot: Snapshot) => ({ scope: "global", target: snapshotPath(snapshot), targetId: snapshot.id });

/** `POST global/snapshots`: the disk is named in the body. */
export function insertSnapshot(site: Site, input: unknown): Operation {
  const body = checkedBody(input, SNAPSHOT);
  const { scope, name } = referenceTo("disks", body["sourceDisk"], "resource.sourceDisk");
  return take(site, diskOf(site, scope.replace("zones/", ""), name), body, { scope: "global" });
}

/** `POST zones/{z}/disks/{d}/createSnapshot`: its operation is the zone's. */
export function createSnapshot(site: Site, disk: Disk, input: unknown): Operation {
  const body = checkedBody(input, SNAPSHOT);
  if (body["sourceDisk"] !== undefined) throw invalid("Invalid value for field 'resource.sourceDisk': ''. It must not be specified.");
  return take(site, disk, body, {
    scope: `zones/${disk.zone}`,
    target: diskPath(disk),
    targetId: disk.id,
    operationType: "createSnapshot",
  });
}

function take(
  site: Site,
  disk: Disk,
  body: Readonly<Record<string, unknown>>,
  where: { readonly scope: string; readonly target?: string; readonly targetId?: string; readonly operationType?: string },
): Operation {
  const name = checkedName(body["name"]);
  if (site.snapshots.has(name)) throw alreadyExists(fullName(`global/snapshots/${name}`));
  if (disk.status !== "READY") throw notReady(fullName(diskPath(disk)));
  const snapshot: Snapshot = {
    id: site.nextId(),
    name,
    description: String(body["description"] ?? ""),
    createdAt: site.time(),
    sourceDisk: diskPath(disk),
    sourceDiskId: disk.id,
    sizeGb: disk.sizeGb,
    labels: checkedLabels(body["labels"]),
    status: "CREATING",
  };
  site.snapshots.set(name, snapshot);
  // What is on the disk at this moment is in it, nothing later.
  copyContent(site, roomVolume(disk), roomSnapshot(snapshot));
  const operation = begin(site, { ...about(snapshot), operationType: "insert", ...where });
  site.later(snapshot, site.delays.pendingMs + site.delays.snapshotMs, () => {
    snapshot.status = "UPLOADING";
    site.later(snapshot, site.delays.uploadMs, () => end(site, snapshot, operation));
  });
  return operation;
}

function end(site: Site, snapshot: Snapshot, operation: Operation): void {
  if (site.switches.snapshotsFail) {
    snapshot.status = "FAILED";
    finish(site, operation, { code: "INTERNAL_ERROR", httpStatus: 503, message: "Internal error. Please try again." });
    return;
  }
  snapshot.status = "READY";
  site.ledger.set(`global/${snapshot.name}`, "snapshot", (SNAPSHOT_PER_GIB_MONTH * snapshot.sizeGb) / HOURS_IN_A_MONTH, site.time());
  finish(site, operation);
}

/** @throws Refusal for a snapshot that is not there. */
export function snapshotNamed(site: Site, name: string): Snapshot {
  const snapshot = site.snapshots.get(name);
  if (snapshot === undefined) throw notFound(fullName(`global/snapshots/${name}`));
  return snapshot;
}

export function deleteSnapshot(site: Site, snapshot: Snapshot): Operation {
  if (["CREATING", "UPLOADING", "DELETING"].includes(snapshot.status)) throw notReady(fullName(snapshotPath(snapshot)));
  snapshot.status = "DELETING";
  const operation = begin(site, { ...about(snapshot), operationType: "delete" });
  site.later(snapshot, site.delays.pendingMs + site.delays.diskMs, () => {
    site.snapshots.delete(snapshot.name);
    site.ledger.set(`global/${snapshot.name}`, "snapshot", 0, site.time());
    site.room?.eraseVolume(roomSnapshot(snapshot));
    finish(site, operation);
  });
  return operation;
}
