import { diskJson, snapshotJson } from "./answers.ts";
import { setLabels } from "./changes.ts";
import { about, deleteDisk, diskOf, insertDisk } from "./disks.ts";
import { aggregated, list, type Placed } from "./lists.ts";
import { AGGREGATED, change, globally, inScope, LIST, type Route, read, route, zoneNamed } from "./route.ts";
import { SET_DISK_LABELS, SET_GLOBAL_LABELS } from "./shapes.ts";
import { type Site, usersByDisk, vmKey } from "./site.ts";
import { createSnapshot, deleteSnapshot, insertSnapshot, snapshotNamed } from "./snapshots.ts";

function listedDisks(site: Site): readonly Placed[] {
  const users = usersByDisk(site);
  return [...site.disks.values()].map((disk) => ({
    scope: `zones/${disk.zone}`,
    name: disk.name,
    row: () => diskJson(site, disk, users.get(vmKey(disk.zone, disk.name)) ?? []),
  }));
}

const DISK = "zones/{z}/disks/{d}";

export const STORAGE: readonly Route[] = [
  read(
    "aggregated/disks",
    ({ site, query }) => aggregated(site, query, { kind: "compute#diskAggregatedList", key: "disks", name: "disks" }, listedDisks(site)),
    AGGREGATED,
  ),
  read(
    "zones/{z}/disks",
    ({ site, query }, zone = "") =>
      list(site, query, "compute#diskList", `zones/${zoneNamed(zone)}/disks`, inScope(listedDisks(site), `zones/${zone}`)),
    LIST,
  ),
  read(DISK, ({ site }, zone = "", name = "") => diskJson(site, diskOf(site, zoneNamed(zone), name))),
  change("POST", "zones/{z}/disks", ({ site, body, query }, zone = "") => insertDisk(site, zoneNamed(zone), body, query), ["sourceImage"]),
  change("DELETE", DISK, ({ site }, zone = "", name = "") => deleteDisk(site, diskOf(site, zoneNamed(zone), name))),
  change(
    "POST",
    `${DISK}/createSnapshot`,
    ({ site, body }, zone = "", name = "") => createSnapshot(site, diskOf(site, zoneNamed(zone), name), body),
    ["guestFlush"],
  ),
  change("POST", `${DISK}/setLabels`, ({ site, body }, zone = "", name = "") => {
    const disk = diskOf(site, zoneNamed(zone), name);
    return setLabels(site, disk, about(disk), SET_DISK_LABELS, body);
  }),
  read(
    "global/snapshots",
    ({ site, query }) =>
      list(
        site,
        query,
        "compute#snapshotList",
        "global/snapshots",
        globally([...site.snapshots.values()].map((one) => snapshotJson(site, one))),
      ),
    LIST,
  ),
  read("global/snapshots/{s}", ({ site }, name = "") => snapshotJson(site, snapshotNamed(site, name))),
  change("POST", "global/snapshots", ({ site, body }) => insertSnapshot(site, body)),
  change("DELETE", "global/snapshots/{s}", ({ site }, name = "") => deleteSnapshot(site, snapshotNamed(site, name))),
  route("POST", "global/snapshots/{s}/setLabels", [], ({ site, body, parts: [name = ""] }) => {
    const snapshot = snapshotNamed(site, name);
    const target = { scope: "global", target: `global/snapshots/${name}`, targetId: snapshot.id };
    return { began: setLabels(site, snapshot, target, SET_GLOBAL_LABELS, body) };
  }),
];
