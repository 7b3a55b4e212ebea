import { SSD_PER_GB_HOUR } from "./catalogue.ts";
import { alreadyExists, badRequest, checkedBody, checkedName, notFound } from "./refusal.ts";
import type { Attachment, Disk, Site, Vm } from "./site.ts";

const MOST_ATTACHED = 10;
const LETTERS = "cdefghijklmnopqrstuvwxyz";

export function attachmentsOf(site: Site, vm: Vm): readonly { readonly disk: Disk; readonly attachment: Attachment }[] {
  return [...site.disks.values()].flatMap((disk) => (disk.attachment?.vmId === vm.id ? [{ disk, attachment: disk.attachment }] : []));
}

/** A machine that hibernates or is deleted keeps its volumes from everybody else. */
export function reserve(site: Site, vm: Vm): void {
  for (const { disk, attachment } of attachmentsOf(site, vm)) {
    site.cancel(disk);
    attachment.status = "RESERVED";
    disk.status = "RESERVED";
  }
}

/** The volumes of a machine after its restore (attached again), or after its end (free). */
export function free(site: Site, vm: Vm, status: "ATTACHED" | null): void {
  for (const { disk, attachment } of attachmentsOf(site, vm)) {
    if (status === null) {
      disk.attachment = null;
      disk.status = "AVAILABLE";
    } else {
      attachment.status = status;
      disk.status = "ATTACHED";
    }
  }
}

export function createDisk(site: Site, input: unknown): Disk {
  const body = checkedBody(
    input,
    {
      name: "string",
      environment_name: "string",
      size: "number",
      volume_type: "string",
      image_id: "number",
      description: "string",
      callback_url: "string",
    },
    ["name", "environment_name", "size", "volume_type"],
  );
  const name = checkedName(body["name"]);
  const environment = site.environments.find((one) => one.name === body["environment_name"]);
  if (environment === undefined) throw notFound(`Environment ${body["environment_name"]} does not exist.`);
  if (body["volume_type"] !== "Cloud-SSD") throw badRequest("volume_type: Must be one of: Cloud-SSD.");
  const size = Number(body["size"]);
  if (size < 1 || size > 1_048_576) throw badRequest("size: Must be greater than or equal to 1 and less than or equal to 1048576.");
  if ([...site.disks.values()].some((disk) => disk.name === name)) throw alreadyExists(`Volume with name ${name} already exists.`);
  const disk: Disk = {
    id: site.nextId(),
    name,
    environment,
    size,
    type: "Cloud-SSD",
    bootable: body["image_id"] !== undefined,
    createdAt: site.time(),
    status: "CREATING",
    attachment: null,
  };
  site.disks.set(disk.id, disk);
  site.later(disk, site.delays.volumeMs, () => {
    disk.status = "AVAILABLE";
    site.ledger.set(String(disk.id), "volume", size * SSD_PER_GB_HOUR, site.time());
  });
  return disk;
}

export function deleteDisk(site: Site, disk: Disk): void {
  if (disk.status === "DELETING") return;
  if (disk.attachment !== null || disk.status === "RESERVED") throw badRequest(`Volume ${disk.id} is in use and cannot be deleted.`);
  site.cancel(disk);
  disk.status = "DELETING";
  site.ledger.set(String(disk.id), "volume", 0, site.time());
  site.later(disk, site.delays.volumeMs, () => {
    site.disks.delete(disk.id);
    site.room?.eraseVolume(String(disk.id));
  });
}

function idsOf(input: unknown, fields: Readonly<Record<string, "number[]" | "boolean">>): readonly number[] {
  const body = checkedBody(input, fields, ["volume_ids"]);
  return body["volume_ids"] as readonly number[];
}

function needsPower(vm: Vm): void {
  if (!["ACTIVE", "SHUTOFF"].includes(vm.status)) throw badRequest(`VM ${vm.id} must be in ACTIVE or SHUTOFF state.`);
}

export function attachDisks(site: Site, vm: Vm, input: unknown): readonly Attachment[] {
  const ids = idsOf(input, { volume_ids: "number[]", protected: "boolean" });
  needsPower(vm);
  const disks = ids.map((id) => {
    const disk = site.disks.get(id);
    if (disk === undefined || disk.environment !== vm.environment)
      throw notFound(`Volume ${id} does not exist in environment ${vm.environment.name}.`);
    return disk;
  });
  const already = attachmentsOf(site, vm);
  if (already.length + disks.length > MOST_ATTACHED) throw badRequest("A maximum of 10 volumes can be attached to a virtual machine.");
  if (disks.some(({ attachment }) => attachment !== null)) throw badRequest("There are already attached Volumes");
  for (const disk of disks)
    if (!["AVAILABLE", "DETACHED"].includes(disk.status))
      throw badRequest(`Volume ${disk.id} is in ${disk.status} state and cannot be attached.`);
  const taken = new Set(already.map(({ attachment }) => attachment.device));
  return disks.map((disk) => {
    // The scratch disk, where the flavor has one, comes before all volumes.
    const letters = vm.flavor.ephemeral > 0 ? LETTERS : `b${LETTERS}`;
    const next = [...letters].map((letter) => `/dev/vd${letter}`).find((name) => !taken.has(name)) ?? "/dev/vdz";
    const device = site.switches.deviceNames === "by-id" ? `/dev/disk/by-id/virtio-${String(disk.id).padStart(20, "0")}` : next;
    taken.add(device);
    const attachment: Attachment = {
      id: site.nextId(),
      volumeId: disk.id,
      vmId: vm.id,
      device,
      createdAt: site.time(),
      protected: false,
      status: "ATTACHING",
    };
    disk.attachment = attachment;
    disk.status = "ATTACHING";
    site.later(disk, site.delays.attachMs, () => {
      attachment.status = "ATTACHED";
      disk.status = "ATTACHED";
    });
    return attachment;
  });
}

export function detachDisks(site: Site, vm: Vm, input: unknown): readonly Attachment[] {
  const ids = idsOf(input, { volume_ids: "number[]" });
  needsPower(vm);
  const held = attachmentsOf(site, vm).filter(({ disk }) => ids.includes(disk.id));
  if (held.length !== ids.length || held.some(({ attachment }) => attachment.status !== "ATTACHED"))
    throw badRequest("Some volumes are not attached with the given VM.");
  return held.map(({ disk, attachment }) => {
    attachment.status = "DETACHING";
    disk.status = "DETACHING";
    site.later(disk, site.delays.detachMs, () => {
      disk.attachment = null;
      disk.status = "AVAILABLE";
    });
    return attachment;
  });
}
