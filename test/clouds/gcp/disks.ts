import { checkedLabels, checkedName, int64 } from "./checks.ts";
import { copyContent, roomSnapshot, roomVolume } from "./content.ts";
import { diskTypeOf, imageOf, inUse, type NewDisk, snapshotOf, sourceDisk } from "./instance-order.ts";
import { begin, type Failure, finish } from "./operations.ts";
import { alreadyExists, invalid, notFound, notReady, Refusal } from "./refusal.ts";
import { ATTACHED_DISK, checkedBody, DISK } from "./shapes.ts";
import { type Disk, diskPath, fullName, type Operation, type Site, usersOf, type Vm, vmKey, vmPath } from "./site.ts";
import { hourlyDiskPrice } from "./skus.ts";

/** A disk that begins to be; `ready` ends that. */
export function makeDisk(site: Site, zone: string, order: NewDisk): Disk {
  const disk: Disk = {
    id: site.nextId(),
    name: order.name,
    zone,
    type: order.type,
    sizeGb: order.sizeGb,
    description: order.description,
    createdAt: site.time(),
    sourceImage: order.image === null ? null : `projects/${order.image.project}/global/images/${order.image.name}`,
    sourceSnapshot: order.snapshot,
    labels: order.labels,
    status: order.snapshot === null ? "CREATING" : "RESTORING",
    lastAttach: null,
    lastDetach: null,
  };
  site.disks.set(vmKey(zone, disk.name), disk);
  if (order.snapshot !== null) copyContent(site, roomSnapshot(order.snapshot), roomVolume(disk));
  return disk;
}

export function ready(site: Site, disk: Disk): void {
  if (disk.status === "READY") return;
  disk.status = "READY";
  site.ledger.set(vmKey(disk.zone, disk.name), "disk", hourlyDiskPrice(disk.zone, disk.type, disk.sizeGb), site.time());
}

export function dropDisk(site: Site, disk: Disk): void {
  site.cancel(disk);
  site.ledger.set(vmKey(disk.zone, disk.name), "disk", 0, site.time());
  site.disks.delete(vmKey(disk.zone, disk.name));
  site.room?.eraseVolume(roomVolume(disk));
}

export function insertDisk(site: Site, zone: string, input: unknown, query: URLSearchParams): Operation {
  const body = checkedBody(input, DISK);
  const name = checkedName(body["name"]);
  const imageText = body["sourceImage"] ?? query.get("sourceImage") ?? undefined;
  const image = imageText === undefined ? null : imageOf(imageText, "resource.sourceImage");
  const snapshot = body["sourceSnapshot"] === undefined ? null : snapshotOf(site, body["sourceSnapshot"], "resource.sourceSnapshot");
  const least = image?.diskGb ?? snapshot?.sizeGb ?? 0;
  const type = diskTypeOf(zone, body["type"], "resource.type");
  const smallest = Math.max(least, type === "hyperdisk-balanced" ? 4 : 10);
  const sizeGb = int64(body["sizeGb"]) ?? (least > 0 ? least : 500);
  if (sizeGb < smallest || sizeGb > 65_536)
    throw invalid(`Invalid value for field 'resource.sizeGb': '${sizeGb}'. Disk size must be between ${smallest} GB and 65536 GB.`);
  if (site.disks.has(vmKey(zone, name))) throw alreadyExists(fullName(diskPath({ zone, name })));
  const labels = checkedLabels(body["labels"]);
  const disk = makeDisk(site, zone, { name, type, sizeGb, image, snapshot, labels, description: String(body["description"] ?? "") });
  const operation = begin(site, { ...about(disk), operationType: "insert" });
  site.later(disk, site.delays.pendingMs + site.delays.diskMs, () => {
    ready(site, disk);
    finish(site, operation);
  });
  return operation;
}

export const about = (disk: Disk) => ({ scope: `zones/${disk.zone}`, target: diskPath(disk), targetId: disk.id });

/** @throws Refusal for a disk that is not there. */
export function diskOf(site: Site, zone: string, name: string): Disk {
  const disk = site.disks.get(vmKey(zone, name));
  if (disk === undefined) throw notFound(fullName(diskPath({ zone, name })));
  return disk;
}

export function deleteDisk(site: Site, disk: Disk): Operation {
  const [user] = usersOf(site, disk);
  if (user !== undefined)
    throw new Refusal(
      400,
      "resourceInUseByAnotherResource",
      `The disk resource '${fullName(diskPath(disk))}' is already being used by '${fullName(vmPath(user))}'`,
    );
  if (disk.status === "DELETING") throw notReady(fullName(diskPath(disk)));
  site.cancel(disk);
  disk.status = "DELETING";
  const operation = begin(site, { ...about(disk), operationType: "delete" });
  site.later(disk, site.delays.pendingMs + site.delays.diskMs, () => {
    dropDisk(site, disk);
    finish(site, operation);
  });
  return operation;
}

const aboutVm = (vm: Vm) => ({ scope: `zones/${vm.zone}`, target: vmPath(vm), targetId: vm.id });

export function attachDisk(site: Site, vm: Vm, input: unknown): Operation {
  const body = checkedBody(input, ATTACHED_DISK);
  const disk = sourceDisk(site, vm.zone, body["source"], "resource.source");
  const failure: Failure | null = inUse(site, disk);
  if (!["RUNNING", "TERMINATED"].includes(vm.status)) throw notReady(fullName(vmPath(vm)));
  const index = Math.max(...vm.attachments.map((one) => one.index)) + 1;
  const deviceName = String(body["deviceName"] ?? `persistent-disk-${index}`);
  if (vm.attachments.some((one) => one.deviceName === deviceName))
    throw invalid(`Invalid value for field 'resource.deviceName': '${deviceName}'. The device name is used already.`);
  const operation = begin(site, { ...aboutVm(vm), operationType: "attachDisk" });
  site.later(disk, site.delays.pendingMs + site.delays.diskMs, () => {
    const now = failure ?? inUse(site, disk);
    if (now === null && !vm.gone) {
      const mode = body["mode"] === "READ_ONLY" ? "READ_ONLY" : "READ_WRITE";
      vm.attachments.push({
        diskName: disk.name,
        deviceName,
        boot: body["boot"] === true,
        mode,
        index,
        autoDelete: body["autoDelete"] === true,
      });
      disk.lastAttach = site.time();
    }
    finish(site, operation, now ?? undefined);
  });
  return operation;
}

/** By the name of the device, which need not be that of the disk. */
export function detachDisk(site: Site, vm: Vm, deviceName: string): Operation {
  const attachment = vm.attachments.find((one) => one.deviceName === deviceName);
  if (attachment === undefined)
    throw invalid(`Invalid value for field 'disk': '${deviceName}'. No attached disk found with device name '${deviceName}'`);
  if (attachment.boot && vm.status !== "TERMINATED") throw invalid("The boot disk cannot be detached from a running instance.");
  const operation = begin(site, { ...aboutVm(vm), operationType: "detachDisk" });
  site.later(operation, site.delays.pendingMs + site.delays.diskMs, () => {
    letGo(site, vm, (one) => one === attachment);
    finish(site, operation);
  });
  return operation;
}

/** Takes disks from a machine, without another word. */
export function letGo(site: Site, vm: Vm, which: (attachment: Vm["attachments"][number]) => boolean): void {
  for (const { diskName } of vm.attachments.filter(which)) {
    const disk = site.disks.get(vmKey(vm.zone, diskName));
    if (disk !== undefined) disk.lastDetach = site.time();
  }
  vm.attachments = vm.attachments.filter((one) => !which(one));
}

export function setDiskAutoDelete(site: Site, vm: Vm, deviceName: string, autoDelete: string): Operation {
  const attachment = vm.attachments.find((one) => one.deviceName === deviceName);
  if (attachment === undefined)
    throw invalid(`Invalid value for field 'disk': '${deviceName}'. No attached disk found with device name '${deviceName}'`);
  if (!/^(?:true|false)$/i.test(autoDelete)) throw invalid(`Invalid value for field 'autoDelete': '${autoDelete}'.`);
  const operation = begin(site, { ...aboutVm(vm), operationType: "setDiskAutoDelete" });
  site.later(operation, site.delays.pendingMs + site.delays.changeMs, () => {
    attachment.autoDelete = autoDelete.toLowerCase() === "true";
    finish(site, operation);
  });
  return operation;
}
