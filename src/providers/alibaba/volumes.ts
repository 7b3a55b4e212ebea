import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, ProviderVolume, VolumeOperations, VolumeSpec } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import { type Disks, holderOf, type PlacedDisk } from "./disks.ts";
import { type Place, placedId, placeOf } from "./place.ts";
import type { Regions } from "./regions.ts";
import { snapshotOperations } from "./snapshots.ts";
import { NAME_TAG, ownTags, TOKEN_TAG, tagIn, visibleName } from "./tags.ts";
import { doneSchema, madeDisk } from "./wire.ts";

/** The default category is one that new types do not take. PL1 is the usual ESSD; smaller ones are PL0. GiB. */
const CATEGORY = "cloud_essd";
const LEAST_PL1 = 20;

const fault = (kind: "conflict" | "not-found" | "invalid-request" | "unavailable", why: string) =>
  new ProviderError(PROVIDER, { kind }, why);

/** A virtio disk says its serial number: the id without its first two characters, unless the cloud says another. */
function deviceOf({ DiskId, SerialNumber, Status }: PlacedDisk): string | null {
  if (Status !== "In_use") return null;
  const serial = SerialNumber === null || SerialNumber === "" ? DiskId.replace(/^d-/, "") : SerialNumber;
  return /^[A-Za-z0-9_-]{1,64}$/.test(serial) ? `serial:${serial}` : null;
}

export function toVolume(disk: PlacedDisk): ProviderVolume {
  const holder = holderOf(disk);
  const { region } = disk;
  return {
    providerId: placedId(region, disk.DiskId),
    name: tagIn(disk.Tags.Tag, NAME_TAG) ?? disk.DiskName,
    token: tagIn(disk.Tags.Tag, TOKEN_TAG),
    sizeGb: disk.Size,
    region,
    zone: disk.ZoneId,
    rawState: disk.Status,
    attachedTo: holder === null ? null : placedId(region, holder),
    pricePerHour: null,
    usedBytes: null,
    localPath: null,
    device: deviceOf(disk),
  };
}

async function create(ecs: Ecs, spec: VolumeSpec, context: CallContext): Promise<ProviderVolume> {
  const { region, zone, sizeGb } = spec;
  const snapshot = spec.fromSnapshotId === undefined ? undefined : placeOf(spec.fromSnapshotId, "s");
  if (spec.fromSnapshotId !== undefined && snapshot === undefined) throw fault("not-found", `there is no snapshot ${spec.fromSnapshotId}`);
  if (snapshot !== undefined && snapshot.region !== region)
    throw fault("invalid-request", `snapshot ${spec.fromSnapshotId} is not in ${region}: a disk is made where its snapshot is`);
  const parameters = {
    RegionId: region,
    ZoneId: zone,
    DiskName: visibleName(spec.name),
    Size: sizeGb,
    DiskCategory: CATEGORY,
    PerformanceLevel: sizeGb < LEAST_PL1 ? "PL0" : "PL1",
    SnapshotId: snapshot?.id,
    Tag: ownTags(spec.name, spec.token),
    ClientToken: spec.token,
  };
  const { DiskId } = await ecs.change({ region, action: "CreateDisk", parameters, answer: madeDisk }, context);
  return {
    providerId: placedId(region, DiskId),
    name: spec.name,
    token: spec.token,
    sizeGb,
    region,
    zone,
    rawState: "Creating",
    attachedTo: null,
    pricePerHour: null,
    usedBytes: null,
    localPath: null,
    device: null,
  };
}

async function remove(ecs: Ecs, disks: Disks, place: Place, context: CallContext): Promise<void> {
  const { region, id } = place;
  const disk = await disks.findMade(place, context);
  if (disk === undefined) return;
  const holder = holderOf(disk);
  if (holder !== null) throw fault("conflict", `disk ${id} is ${disk.Status} and belongs to ${holder}`);
  try {
    await ecs.change({ region, action: "DeleteDisk", parameters: { DiskId: id }, answer: doneSchema }, context);
  } catch (error) {
    if (!isFault(error, "not-found")) throw error;
    if ((await disks.find(place, context)) !== undefined) throw fault("unavailable", `disk ${id} was denied and is there`);
  }
}

async function attach(ecs: Ecs, disks: Disks, volumeId: string, instanceId: string, context: CallContext): Promise<void> {
  const place = placeOf(volumeId, "d");
  const machine = placeOf(instanceId, "i");
  if (machine === undefined) throw fault("not-found", `there is no machine ${instanceId}`);
  const disk = place === undefined ? undefined : await disks.find(place, context);
  if (place === undefined || disk === undefined) throw fault("not-found", `there is no disk ${volumeId}`);
  if (place.region !== machine.region) throw fault("invalid-request", `disk ${volumeId} is not in ${machine.region}`);
  const holder = holderOf(disk);
  if (holder === machine.id && disk.Status !== "Detaching") return;
  if (holder !== null) throw fault("conflict", `disk ${volumeId} is ${disk.Status} and belongs to ${holder}`);
  if (disk.Status !== "Available") throw fault("conflict", `disk ${volumeId} is ${disk.Status}`);
  // Whoever ends the machine, the disk stays.
  const parameters = { InstanceId: machine.id, DiskId: place.id, DeleteWithInstance: false };
  await ecs.change({ region: place.region, action: "AttachDisk", parameters, answer: doneSchema }, context);
}

export function volumeOperations(ecs: Ecs, regions: Regions, disks: Disks): VolumeOperations {
  return {
    create: (spec, context) => create(ecs, spec, context),
    async list(context) {
      const all = await regions.everywhere(context, (region, own) => disks.all(region, own));
      // The system disk of a machine is part of it; one that nobody holds costs money like any other.
      return all.filter((disk) => disk.Type !== "system" || holderOf(disk) === null).map(toVolume);
    },
    async remove(providerId, context) {
      const place = placeOf(providerId, "d");
      if (place !== undefined) await remove(ecs, disks, place, context);
    },
    attach: (volumeId, instanceId, context) => attach(ecs, disks, volumeId, instanceId, context),
    snapshots: snapshotOperations(ecs, regions, disks),
  };
}
