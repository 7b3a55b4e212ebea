import { ACCELERATORS, DISK_TYPES, IMAGES, type Image, machineType, regionOf } from "./catalogue.ts";
import { checkedLabels, checkedMetadata, checkedName, int64, missing, referenceTo } from "./checks.ts";
import type { Failure } from "./operations.ts";
import { alreadyExists, invalid, notFound } from "./refusal.ts";
import { checkedScheduling } from "./scheduling.ts";
import { BETA_INSTANCE, checkedBody, INSTANCE } from "./shapes.ts";
import {
  type Attachment,
  type Disk,
  diskPath,
  fullName,
  liveVm,
  PROJECT,
  type Site,
  type Snapshot,
  usersOf,
  type Vm,
  vmKey,
} from "./site.ts";

type Body = Readonly<Record<string, unknown>>;

export function imageOf(text: unknown, field: string): Image {
  const given = String(text);
  const match = /(?:^|\/)projects\/([^/]+)\/global\/images\/(family\/)?([^/]+)$/.exec(given);
  const view = /(?:^|\/)projects\/([^/]+)\/zones\/[^/]+\/imageFamilyViews\/([^/]+)$/.exec(given);
  const [project, isFamily, name] = match === null ? [view?.[1], true, view?.[2]] : [match[1], match[2] !== undefined, match[3]];
  if (project === undefined) throw invalid(`Invalid value for field '${field}': '${given}'. The URL is malformed.`);
  const image = IMAGES.find((one) => one.project === project && (isFamily ? one.family === name : one.name === name));
  if (image === undefined) throw notFound(`projects/${project}/global/images/${isFamily ? "family/" : ""}${name}`);
  return image;
}

function typeOf(zone: string, body: Body) {
  const field = "resource.machineType";
  const { scope, name } = referenceTo("machineTypes", body["machineType"], field);
  if (scope !== `zones/${zone}`)
    throw invalid(
      `Invalid value for field '${field}': '${String(body["machineType"])}'. The zone of the machine type does not match '${zone}'.`,
    );
  const type = machineType(zone, name);
  if (type === undefined)
    throw invalid(
      `Invalid value for field '${field}': '${String(body["machineType"])}'. Machine type with name '${name}' does not exist in zone '${zone}'.`,
    );
  return type;
}

function acceleratorOf(zone: string, body: Body, type: ReturnType<typeof typeOf>): Vm["accelerator"] {
  const [wanted, more] = (body["guestAccelerators"] ?? []) as readonly Body[];
  if (wanted === undefined) return type.accelerator;
  const field = "resource.guestAccelerators[0].acceleratorType";
  const { name } = referenceTo("acceleratorTypes", wanted["acceleratorType"], field);
  const count = Number(wanted["acceleratorCount"] ?? 0);
  const kind = ACCELERATORS.find((one) => one.name === name && one.zones.includes(zone));
  if (kind === undefined) throw missing(field, wanted["acceleratorType"]);
  if (more !== undefined) throw invalid("Invalid value for field 'resource.guestAccelerators': ''. Only one accelerator type is allowed.");
  if (type.accelerator !== null && type.accelerator.type === name && type.accelerator.count === count) return type.accelerator;
  if (type.family !== "n1") throw invalid(`[${type.name}, ${name}] features are not compatible for creating instance.`);
  if (![1, 2, 4, 8].includes(count) || count > kind.mostPerMachine)
    throw invalid(`The number of GPU cards must be a power of two and at most ${kind.mostPerMachine} for ${name}.`);
  return { type: name, count };
}

/** A disk that a machine brings, before it is made. */
export interface NewDisk {
  readonly name: string;
  readonly type: string;
  readonly sizeGb: number;
  readonly image: Image | null;
  readonly snapshot: Snapshot | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string;
}

export interface InstanceOrder {
  readonly zone: string;
  readonly name: string;
  readonly type: ReturnType<typeof typeOf>;
  readonly vm: Pick<Vm, "accelerator" | "scheduling" | "labels" | "metadata" | "tags" | "description" | "serviceAccounts"> & {
    readonly hasExternalAddress: boolean;
    readonly deletionProtection: boolean;
  };
  readonly attachments: readonly Attachment[];
  readonly newDisks: readonly NewDisk[];
  /** Wrong with a disk that is attached: told in the operation, or at once. */
  readonly diskFailure: Failure | null;
}

export function snapshotOf(site: Site, text: unknown, field: string): Snapshot {
  const { name } = referenceTo("snapshots", text, field);
  const snapshot = site.snapshots.get(name);
  if (snapshot === undefined) throw missing(field, text);
  if (snapshot.status !== "READY") throw invalid(`Invalid value for field '${field}': '${String(text)}'. The snapshot is not ready.`);
  return snapshot;
}

export function diskTypeOf(zone: string, text: unknown, field: string): string {
  if (text === undefined) return "pd-standard";
  const { scope, name } = referenceTo("diskTypes", text, field);
  if (scope !== `zones/${zone}` || DISK_TYPES[name] === undefined) throw missing(field, text);
  return name;
}

function newDisk(site: Site, zone: string, vmName: string, index: number, given: Body, isBoot: boolean): NewDisk {
  const field = `resource.disks[${index}].initializeParams`;
  const params = (given["initializeParams"] ?? {}) as Body;
  const name = checkedName(params["diskName"] ?? (index === 0 ? vmName : `${vmName}-${index}`), `${field}.diskName`);
  const image = params["sourceImage"] === undefined ? null : imageOf(params["sourceImage"], `${field}.sourceImage`);
  const snapshot = params["sourceSnapshot"] === undefined ? null : snapshotOf(site, params["sourceSnapshot"], `${field}.sourceSnapshot`);
  if (isBoot && image === null && snapshot === null)
    throw invalid(`Invalid value for field '${field}.sourceImage': ''. Boot disk must have a source specified`);
  const least = image?.diskGb ?? snapshot?.sizeGb ?? 0;
  const sizeGb = int64(params["diskSizeGb"] ?? given["diskSizeGb"]) ?? (least > 0 ? least : 500);
  if (sizeGb < Math.max(least, 1))
    throw invalid(
      `Invalid value for field '${field}.diskSizeGb': '${sizeGb}'. Requested disk size cannot be smaller than the ${image === null ? "snapshot" : "image"} size (${least} GB)`,
    );
  if (site.disks.has(vmKey(zone, name))) throw alreadyExists(fullName(diskPath({ zone, name })));
  const type = diskTypeOf(zone, params["diskType"], `${field}.diskType`);
  return { name, type, sizeGb, image, snapshot, labels: checkedLabels(params["labels"]), description: String(params["description"] ?? "") };
}

/** What keeps a disk from being attached; null when nothing does. */
export function inUse(site: Site, disk: Disk): Failure | null {
  const path = fullName(diskPath(disk));
  if (disk.status !== "READY") return { code: "RESOURCE_NOT_READY", httpStatus: 400, message: `The resource '${path}' is not ready` };
  const [user] = usersOf(site, disk);
  if (user === undefined) return null;
  const message = `The disk resource '${path}' is already being used by '${fullName(`zones/${user.zone}/instances/${user.name}`)}'`;
  return { code: "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", httpStatus: 400, message };
}

export function sourceDisk(site: Site, zone: string, text: unknown, field: string): Disk {
  const { scope, name } = referenceTo("disks", text, field);
  const disk = site.disks.get(vmKey(scope.replace("zones/", ""), name));
  if (disk === undefined) throw notFound(fullName(`${scope}/disks/${name}`));
  if (disk.zone !== zone)
    throw invalid(`Invalid value for field '${field}': '${String(text)}'. Disk must be in the same zone as the instance.`);
  return disk;
}

function disksOf(site: Site, zone: string, vmName: string, body: Body): Pick<InstanceOrder, "attachments" | "newDisks" | "diskFailure"> {
  const given = (body["disks"] ?? []) as readonly Body[];
  if (given.length === 0) throw invalid("Invalid value for field 'resource.disks': ''. At least one boot disk must be specified.");
  const newDisks: NewDisk[] = [];
  const attachments: Attachment[] = [];
  let diskFailure: Failure | null = null;
  given.forEach((one, index) => {
    const isBoot = one["boot"] === true;
    if (isBoot !== (index === 0))
      throw invalid("Invalid value for field 'resource.disks[0]': ''. The first disk must be the boot disk, and the only one.");
    if (one["type"] === "SCRATCH") throw invalid("the fake has no local SSD");
    let diskName: string;
    if (one["source"] === undefined) {
      const disk = newDisk(site, zone, vmName, index, one, isBoot);
      newDisks.push(disk);
      diskName = disk.name;
    } else {
      if (one["initializeParams"] !== undefined)
        throw invalid(`Invalid value for field 'resource.disks[${index}]': ''. Only one of source and initializeParams may be specified.`);
      const disk = sourceDisk(site, zone, one["source"], `resource.disks[${index}].source`);
      diskFailure ??= inUse(site, disk);
      diskName = disk.name;
    }
    const deviceName = String(one["deviceName"] ?? `persistent-disk-${index}`);
    if (attachments.some((other) => other.deviceName === deviceName))
      throw invalid(`Invalid value for field 'resource.disks[${index}].deviceName': '${deviceName}'. The device name is used already.`);
    const mode = one["mode"] === "READ_ONLY" ? "READ_ONLY" : "READ_WRITE";
    attachments.push({ diskName, deviceName, boot: isBoot, mode, index, autoDelete: one["autoDelete"] === true });
  });
  return { attachments, newDisks, diskFailure };
}

/** True with an external address. @throws Refusal for a network that is not there */
function networkOf(zone: string, body: Body): boolean {
  const [first, second] = (body["networkInterfaces"] ?? []) as readonly Body[];
  if (first === undefined)
    throw invalid("Invalid value for field 'resource.networkInterfaces': ''. At least one network interface is required.");
  if (second !== undefined) throw invalid("the fake has one network interface a machine");
  if (first["network"] !== undefined) {
    const { name } = referenceTo("networks", first["network"], "resource.networkInterfaces[0].network");
    if (name !== "default") throw missing("resource.networkInterfaces[0].network", first["network"]);
  }
  if (first["subnetwork"] !== undefined) {
    const { scope, name } = referenceTo("subnetworks", first["subnetwork"], "resource.networkInterfaces[0].subnetwork");
    if (name !== "default" || scope !== `regions/${regionOf(zone)}`)
      throw missing("resource.networkInterfaces[0].subnetwork", first["subnetwork"]);
  }
  const [access] = (first["accessConfigs"] ?? []) as readonly Body[];
  return access !== undefined;
}

function tagsOf(body: Body): readonly string[] {
  const { items = [] } = (body["tags"] ?? {}) as { readonly items?: readonly string[] };
  return items.map((tag) => checkedName(tag, "resource.tags.items[0]"));
}

/**
 * What an insert asks for, by all the rules of the cloud.
 * @throws Refusal where one is broken
 */
export function instanceOrder(site: Site, zone: string, input: unknown, isBeta: boolean): InstanceOrder {
  const body = checkedBody(input, isBeta && site.switches.noticePreview ? BETA_INSTANCE : INSTANCE);
  const name = checkedName(body["name"]);
  const type = typeOf(zone, body);
  const accelerator = acceleratorOf(zone, body, type);
  const scheduling = checkedScheduling(body["scheduling"], accelerator !== null, site.time());
  const disks = disksOf(site, zone, name, body);
  const vm = {
    accelerator,
    scheduling,
    labels: checkedLabels(body["labels"]),
    metadata: checkedMetadata(body["metadata"]),
    tags: tagsOf(body),
    description: String(body["description"] ?? ""),
    serviceAccounts: (body["serviceAccounts"] ?? []) as readonly unknown[],
    hasExternalAddress: networkOf(zone, body),
    deletionProtection: body["deletionProtection"] === true,
  };
  if (liveVm(site, zone, name) !== undefined) throw alreadyExists(`projects/${PROJECT}/zones/${zone}/instances/${name}`);
  return { zone, name, type, vm, ...disks };
}
