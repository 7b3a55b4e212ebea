import { regionOf } from "./catalogue.ts";
import {
  type Attachment,
  type Disk,
  diskPath,
  fingerprint,
  type Operation,
  PROJECT,
  type Site,
  type Snapshot,
  snapshotPath,
  usersOf,
  type Vm,
  vmKey,
  vmPath,
} from "./site.ts";

type Json = Readonly<Record<string, unknown>>;

/** With an offset, not Z, as the real ones are. */
export function stamp(site: Site, at: number): string {
  const shifted = new Date(at + site.switches.skewMs - 7 * 3_600_000).toISOString();
  return shifted.replace("Z", "-07:00");
}

const maybe = (site: Site, name: string, at: number | null): Json => (at === null ? {} : { [name]: stamp(site, at) });

/** The URL of what lies below `projects/{p}/`. */
export const link = (site: Site, path: string, project = PROJECT): string => `${site.url()}/compute/v1/projects/${project}/${path}`;

export function operationJson(site: Site, operation: Operation): Json {
  const { scope, errors, httpError } = operation;
  const [kind, place] = scope.split("/");
  const where = kind === "zones" ? { zone: link(site, scope) } : kind === "regions" ? { region: link(site, scope) } : {};
  return {
    kind: "compute#operation",
    id: operation.id,
    name: operation.name,
    ...(place === undefined ? {} : where),
    operationType: operation.operationType,
    targetLink: link(site, operation.target),
    targetId: operation.targetId,
    status: operation.status,
    user: operation.user,
    progress: operation.status === "DONE" ? 100 : 0,
    insertTime: stamp(site, operation.insertTime),
    ...maybe(site, "startTime", operation.startTime),
    ...maybe(site, "endTime", operation.endTime),
    selfLink: link(site, `${scope}/operations/${operation.name}`),
    ...(operation.clientOperationId === null ? {} : { clientOperationId: operation.clientOperationId }),
    ...(operation.statusMessage === null ? {} : { statusMessage: operation.statusMessage }),
    ...(errors.length === 0 ? {} : { error: { errors } }),
    ...(httpError === null ? {} : { httpErrorStatusCode: httpError.status, httpErrorMessage: httpError.message }),
  };
}

function schedulingJson(vm: Vm, isBeta: boolean): Json {
  const { scheduling } = vm;
  return {
    onHostMaintenance: scheduling.onHostMaintenance,
    automaticRestart: scheduling.automaticRestart,
    preemptible: scheduling.preemptible,
    provisioningModel: scheduling.provisioningModel,
    ...(scheduling.terminationAction === null ? {} : { instanceTerminationAction: scheduling.terminationAction }),
    ...(scheduling.maxRunSeconds === null ? {} : { maxRunDuration: { seconds: String(scheduling.maxRunSeconds) } }),
    ...(scheduling.terminationTime === null ? {} : { terminationTime: new Date(scheduling.terminationTime).toISOString() }),
    ...(isBeta && scheduling.noticeSeconds > 0 ? { preemptionNoticeDuration: { seconds: String(scheduling.noticeSeconds) } } : {}),
  };
}

function attachmentJson(site: Site, vm: Vm, attachment: Attachment): Json {
  const disk = site.disks.get(vmKey(vm.zone, attachment.diskName));
  return {
    kind: "compute#attachedDisk",
    type: "PERSISTENT",
    mode: attachment.mode,
    source: link(site, diskPath({ zone: vm.zone, name: attachment.diskName })),
    deviceName: attachment.deviceName,
    index: attachment.index,
    boot: attachment.boot,
    autoDelete: attachment.autoDelete,
    interface: "SCSI",
    diskSizeGb: String(disk?.sizeGb ?? 0),
  };
}

function networkJson(site: Site, vm: Vm): Json {
  const number = Number(BigInt(vm.id) % 60_000n);
  const access = {
    kind: "compute#accessConfig",
    type: "ONE_TO_ONE_NAT",
    name: "external-nat",
    ...(vm.natIp === null ? {} : { natIP: vm.natIp }),
    networkTier: "PREMIUM",
  };
  return {
    kind: "compute#networkInterface",
    network: link(site, "global/networks/default"),
    subnetwork: link(site, `regions/${regionOf(vm.zone)}/subnetworks/default`),
    networkIP: `10.128.${number >> 8}.${number % 256}`,
    name: "nic0",
    fingerprint: fingerprint(vm.id),
    stackType: "IPV4_ONLY",
    ...(vm.hasExternalAddress ? { accessConfigs: [access] } : {}),
  };
}

export const metadataFingerprint = (vm: Vm): string => fingerprint(["metadata", vm.metadata]);
export const labelFingerprint = (labels: Readonly<Record<string, string>>): string => fingerprint(["labels", labels]);
export const tagFingerprint = (tags: readonly string[]): string => fingerprint(["tags", tags]);

export function vmJson(site: Site, vm: Vm, isBeta = false): Json {
  const { accelerator } = vm;
  return {
    kind: "compute#instance",
    id: vm.id,
    creationTimestamp: stamp(site, vm.createdAt),
    name: vm.name,
    ...(vm.description === "" ? {} : { description: vm.description }),
    status: site.switches.shownStatus ?? vm.status,
    zone: link(site, `zones/${vm.zone}`),
    machineType: link(site, `zones/${vm.zone}/machineTypes/${vm.type}`),
    cpuPlatform: "Intel Cascade Lake",
    canIpForward: false,
    deletionProtection: vm.deletionProtection,
    startRestricted: false,
    fingerprint: fingerprint([vm.id, vm.labels, vm.metadata, vm.tags, vm.attachments]),
    ...(Object.keys(vm.labels).length === 0 ? {} : { labels: vm.labels }),
    labelFingerprint: labelFingerprint(vm.labels),
    metadata: {
      kind: "compute#metadata",
      fingerprint: metadataFingerprint(vm),
      ...(vm.metadata.length === 0 ? {} : { items: vm.metadata }),
    },
    tags: { fingerprint: tagFingerprint(vm.tags), ...(vm.tags.length === 0 ? {} : { items: vm.tags }) },
    scheduling: schedulingJson(vm, isBeta),
    disks: vm.attachments.map((attachment) => attachmentJson(site, vm, attachment)),
    networkInterfaces: [networkJson(site, vm)],
    ...(accelerator === null
      ? {}
      : {
          guestAccelerators: [
            { acceleratorType: link(site, `zones/${vm.zone}/acceleratorTypes/${accelerator.type}`), acceleratorCount: accelerator.count },
          ],
        }),
    ...(vm.serviceAccounts.length === 0 ? {} : { serviceAccounts: vm.serviceAccounts }),
    ...maybe(site, "lastStartTimestamp", vm.lastStart),
    ...maybe(site, "lastStopTimestamp", vm.lastStop),
    ...maybe(site, "lastSuspendedTimestamp", vm.lastSuspended),
    selfLink: link(site, vmPath(vm)),
  };
}

export function diskJson(site: Site, disk: Disk, usedBy = usersOf(site, disk)): Json {
  const users = usedBy.map((vm) => link(site, vmPath(vm)));
  const { sourceImage, sourceSnapshot } = disk;
  return {
    kind: "compute#disk",
    id: disk.id,
    creationTimestamp: stamp(site, disk.createdAt),
    name: disk.name,
    ...(disk.description === "" ? {} : { description: disk.description }),
    zone: link(site, `zones/${disk.zone}`),
    status: disk.status,
    sizeGb: String(disk.sizeGb),
    type: link(site, `zones/${disk.zone}/diskTypes/${disk.type}`),
    ...(Object.keys(disk.labels).length === 0 ? {} : { labels: disk.labels }),
    labelFingerprint: labelFingerprint(disk.labels),
    physicalBlockSizeBytes: "4096",
    ...(users.length === 0 ? {} : { users }),
    ...(sourceImage === null ? {} : { sourceImage: `${site.url()}/compute/v1/${sourceImage}` }),
    ...(sourceSnapshot === null ? {} : { sourceSnapshot: link(site, snapshotPath(sourceSnapshot)), sourceSnapshotId: sourceSnapshot.id }),
    ...maybe(site, "lastAttachTimestamp", disk.lastAttach),
    ...maybe(site, "lastDetachTimestamp", disk.lastDetach),
    selfLink: link(site, diskPath(disk)),
  };
}

export function snapshotJson(site: Site, snapshot: Snapshot): Json {
  const isReady = snapshot.status === "READY";
  return {
    kind: "compute#snapshot",
    id: snapshot.id,
    creationTimestamp: stamp(site, snapshot.createdAt),
    name: snapshot.name,
    ...(snapshot.description === "" ? {} : { description: snapshot.description }),
    status: snapshot.status,
    sourceDisk: link(site, snapshot.sourceDisk),
    sourceDiskId: snapshot.sourceDiskId,
    diskSizeGb: String(snapshot.sizeGb),
    storageBytes: isReady ? "1048576" : "0",
    storageBytesStatus: isReady ? "UP_TO_DATE" : "UPDATING",
    ...(isReady ? { downloadBytes: "1048576" } : {}),
    storageLocations: ["us"],
    ...(Object.keys(snapshot.labels).length === 0 ? {} : { labels: snapshot.labels }),
    labelFingerprint: labelFingerprint(snapshot.labels),
    selfLink: link(site, snapshotPath(snapshot)),
  };
}
