import { isFault, ProviderError } from "../errors.ts";
import type { ProviderSnapshot, SnapshotOperations } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import type { Disks } from "./disks.ts";
import { wholeList } from "./pages.ts";
import { jsonList } from "./parameters.ts";
import { placedId, placeOf } from "./place.ts";
import type { Regions } from "./regions.ts";
import { NAME_TAG, ownTags, TOKEN_TAG, tagIn, visibleName } from "./tags.ts";
import { doneSchema, madeSnapshot, snapshotList, type WireSnapshot } from "./wire.ts";

const MOST_PER_PAGE = 100;

/**
 * A snapshot of an ESSD can be used at once (`Available`), long before it is `accomplished`; but until then it fails when its
 * machine stops or goes, and whoever is told `ready` may end the machine.
 */
function stateOf({ Status }: WireSnapshot): ProviderSnapshot["state"] {
  if (Status === "accomplished") return "ready";
  return Status === "failed" ? "failed" : "pending";
}

function toSnapshot(wire: WireSnapshot, region: string, clockOffsetMs: number): ProviderSnapshot {
  const { SourceDiskId: source } = wire;
  return {
    providerId: placedId(region, wire.SnapshotId),
    name: tagIn(wire.Tags.Tag, NAME_TAG) ?? wire.SnapshotName,
    token: tagIn(wire.Tags.Tag, TOKEN_TAG),
    volumeId: source === null || source === "" ? null : placedId(region, source),
    sizeGb: wire.SourceDiskSize,
    region,
    state: stateOf(wire),
    rawState: wire.Status,
    createdAt: wire.CreationTime === null ? null : wire.CreationTime - clockOffsetMs,
  };
}

/**
 * A snapshot is of one disk here, as at the port: a group (CreateSnapshotGroup) keeps several disks of one moment, and there is
 * never more than one of ours on a machine.
 */
export function snapshotOperations(ecs: Ecs, regions: Regions, disks: Disks): SnapshotOperations {
  const ask = (region: string, filter: Readonly<Record<string, string>>, context: Parameters<SnapshotOperations["list"]>[0]) => {
    const parameters = { RegionId: region, MaxResults: MOST_PER_PAGE, ...filter };
    const call = { region, action: "DescribeSnapshots", parameters, answer: snapshotList };
    return wholeList(ecs, call, { rows: (page) => page.Snapshots.Snapshot, idOf: (row) => row.SnapshotId }, context);
  };
  return {
    async create(volumeId, { name, token }, context) {
      const place = placeOf(volumeId, "d");
      const disk = place === undefined ? undefined : await disks.findMade(place, context);
      if (place === undefined || disk === undefined)
        throw new ProviderError(PROVIDER, { kind: "not-found" }, `there is no disk ${volumeId}`);
      const { region } = place;
      const parameters = { DiskId: place.id, SnapshotName: visibleName(name), Tag: ownTags(name, token), ClientToken: token };
      const { SnapshotId } = await ecs.change({ region, action: "CreateSnapshot", parameters, answer: madeSnapshot }, context);
      return {
        providerId: placedId(region, SnapshotId),
        name,
        token,
        volumeId,
        sizeGb: disk.Size,
        region,
        state: "pending",
        rawState: "progressing",
        createdAt: ecs.now(),
      };
    },
    list: (context) =>
      regions.everywhere(context, async (region, own) => {
        const rows = await ask(region, {}, own);
        return rows.map((row) => toSnapshot(row, region, ecs.clockOffsetMs()));
      }),
    async remove(snapshotId, context) {
      const place = placeOf(snapshotId, "s");
      if (place === undefined) return;
      const { region, id } = place;
      const find = async () => (await ask(region, { SnapshotIds: jsonList([id]) }, context)).some(({ SnapshotId }) => SnapshotId === id);
      if (!(await find())) return;
      // Needed where a disk was made of it; that disk stays as it is.
      const parameters = { SnapshotId: id, Force: true };
      try {
        await ecs.change({ region, action: "DeleteSnapshot", parameters, answer: doneSchema }, context);
      } catch (error) {
        if (!isFault(error, "not-found")) throw error;
        if (await find())
          throw new ProviderError(PROVIDER, { kind: "unavailable" }, `snapshot ${id} was denied and is there`, error.rawCode);
      }
    },
  };
}
