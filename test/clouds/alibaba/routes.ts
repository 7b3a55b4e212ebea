import { deleteInstance, deleteInstances, startInstance, startInstances, stopInstance, stopInstances } from "./batches.ts";
import { imagesFound, instanceTypes, regions, zones } from "./catalogue-answers.ts";
import { attachDisk, checkedDisk, detachDisk, diskNamed, eraseDisk, makeDisk } from "./disks.ts";
import { historyAnswer, instancesAnswer, statusAnswer } from "./instance-lists.ts";
import { instanceNamed, launch, refuseLocked, setReleaseTime } from "./instances.ts";
import { availableResource, price, spotAdvice, spotPriceHistory } from "./market-answers.ts";
import {
  authorizeSecurityGroup,
  createSecurityGroup,
  deleteKeyPairs,
  deleteSecurityGroup,
  importKeyPair,
  keyPairJson,
  securityGroupJson,
  vpcJson,
  vSwitchJson,
} from "./network.ts";
import { checkedRelease, orderOf } from "./order.ts";
import { pageOf } from "./paging.ts";
import { jsonList, type Parameters } from "./parameters.ts";
import { regionNamed, zoneNamed } from "./places.ts";
import { missing, notFound, Refusal, wrongDiskStatus } from "./refusal.ts";
import { listTagResources, tagResources, untagResources } from "./resource-tags.ts";
import type { Site } from "./site.ts";
import { createSnapshot, createSnapshotGroup, deleteSnapshot, deleteSnapshotGroup, snapshotGroupJson, snapshotJson } from "./snapshots.ts";
import { checkedTags, hasTags } from "./tags.ts";
import { diskJson } from "./views.ts";

export type Handler = (site: Site, found: Parameters) => unknown;

const numbered = <Row>(rows: readonly Row[]) => rows.map((row, index) => ({ row, number: index + 1 }));

const is = (asked: string | undefined, value: string) => asked === undefined || asked === value;

/** `*` stands for any text. */
export function matches(pattern: string | undefined, name: string): boolean {
  if (pattern === undefined) return true;
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

function runInstances(site: Site, found: Parameters): unknown {
  const order = orderOf(site, found);
  if (found.flag("DryRun") === true) throw new Refusal(400, "DryRunOperation", "Request validation has been passed with DryRun flag set.");
  return { InstanceIdSets: { InstanceIdSet: launch(site, order).map(({ id }) => id) } };
}

function createDisk(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  if (found.text("InstanceId") !== undefined)
    throw new Refusal(400, "InvalidParameter.InstanceId", "Only a subscription disk is created for an instance.");
  const zone = zoneNamed(found, region);
  if (zone === undefined) throw missing("ZoneId");
  if (site.switches.account === "low-balance") throw new Refusal(403, "InsufficientBalance", "Your account does not have enough balance.");
  const order = checkedDisk(site, region, {
    category: found.text("DiskCategory") ?? "cloud",
    performanceLevel: found.text("PerformanceLevel"),
    size: found.number("Size"),
    snapshotId: found.text("SnapshotId"),
    name: found.text("DiskName") ?? "",
    isEncrypted: found.flag("Encrypted") ?? false,
    deleteWithInstance: false,
  });
  const disk = makeDisk(site, region, zone, order, "data", checkedTags(found.structures("Tag")));
  disk.description = found.text("Description") ?? "";
  site.schedule.later(disk, site.delays.diskMs, () => {
    disk.status = "Available";
  });
  return { DiskId: disk.id };
}

function describeDisks(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const ids = jsonList(found, "DiskIds");
  const all = [...site.disks.values()].filter(
    (disk) =>
      disk.region === region &&
      (ids === undefined || ids.includes(disk.id)) &&
      is(found.text("ZoneId"), disk.zone) &&
      is(found.text("InstanceId"), disk.instanceId ?? "") &&
      is(found.text("DiskType")?.replace(/^all$/, disk.kind), disk.kind) &&
      is(found.text("Category")?.replace(/^all$/, disk.category), disk.category) &&
      is(found.text("Status")?.replace(/^All$/i, disk.status), disk.status) &&
      is(found.text("SnapshotId"), disk.sourceSnapshotId) &&
      matches(found.text("DiskName"), disk.name) &&
      hasTags(disk.tags, found.structures("Tag")),
  );
  const { rows, about } = pageOf(found, all, { most: 500, by: "both" });
  return { ...about, Disks: { Disk: rows.map((disk) => diskJson(site, disk)) } };
}

function attach(site: Site, found: Parameters): unknown {
  const disk = diskNamed(site, found.text("DiskId"));
  const instance = instanceNamed(site, found.text("InstanceId"));
  if (disk.region !== instance.region) throw notFound("DiskId", "DiskId");
  attachDisk(site, disk, instance, found.flag("DeleteWithInstance") ?? false);
  return {};
}

function detach(site: Site, found: Parameters): unknown {
  const disk = diskNamed(site, found.text("DiskId"));
  detachDisk(site, disk, instanceNamed(site, found.text("InstanceId")));
  disk.deleteWithInstance = found.flag("DeleteWithInstance") ?? false;
  return {};
}

function deleteDisk(site: Site, found: Parameters): unknown {
  if (!site.disks.has(found.text("DiskId") ?? "") && site.switches.deletesUnknown === "ignore") return {};
  const disk = diskNamed(site, found.text("DiskId"));
  if (disk.status !== "Available") throw wrongDiskStatus();
  eraseDisk(site, disk);
  return {};
}

function modifyDisk(site: Site, found: Parameters): unknown {
  const single = found.text("DiskId");
  const ids = single === undefined ? found.list("DiskIds") : [single];
  if (ids.length === 0) throw missing("DiskId");
  for (const disk of ids.map((id) => diskNamed(site, id))) {
    disk.name = found.text("DiskName") ?? disk.name;
    disk.description = found.text("Description") ?? disk.description;
    disk.deleteWithInstance = found.flag("DeleteWithInstance") ?? disk.deleteWithInstance;
  }
  return {};
}

function describeSnapshots(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const ids = jsonList(found, "SnapshotIds");
  const all = [...site.snapshots.values()].filter(
    (one) =>
      one.region === region &&
      (ids === undefined || ids.includes(one.id)) &&
      is(found.text("DiskId"), one.disk.id) &&
      is(found.text("InstanceId"), one.disk.instanceId ?? "") &&
      is(found.text("Status")?.replace(/^all$/, one.status), one.status) &&
      matches(found.text("SnapshotName"), one.name) &&
      hasTags(one.tags, found.structures("Tag")),
  );
  const { rows, about } = pageOf(found, all, { most: 100, by: "both" });
  return { ...about, Snapshots: { Snapshot: rows.map((one) => snapshotJson(site, one)) } };
}

function describeSnapshotGroups(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const ids = found.list("SnapshotGroupId");
  const all = [...site.snapshotGroups.values()].filter(
    (one) =>
      one.region === region &&
      (ids.length === 0 || ids.includes(one.id)) &&
      is(found.text("InstanceId"), one.instanceId) &&
      is(found.text("Name"), one.name) &&
      hasTags(one.tags, found.structures("Tag")),
  );
  const { rows, about } = pageOf(found, all, { most: 100, by: "token" });
  return { ...about, SnapshotGroups: { SnapshotGroup: rows.map((one) => snapshotGroupJson(site, one)) } };
}

function describeVpcs(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const all = site.vpcs.filter(
    (one) => one.region === region && is(found.text("VpcId"), one.id) && (found.flag("IsDefault") ?? one.isDefault) === one.isDefault,
  );
  const { rows, about } = pageOf(found, numbered(all), { most: 50, by: "number" });
  return { ...about, Vpcs: { Vpc: rows.map(({ row }) => vpcJson(site, row)) } };
}

function describeVSwitches(site: Site, found: Parameters): unknown {
  if (found.text("RegionId") === undefined && found.text("VpcId") === undefined) throw missing("RegionId");
  const region = found.text("RegionId") === undefined ? null : regionNamed(found);
  const all = site.vSwitches.filter(
    (one) =>
      (region ?? one.vpc.region) === one.vpc.region &&
      is(found.text("VpcId"), one.vpc.id) &&
      is(found.text("VSwitchId"), one.id) &&
      is(found.text("ZoneId"), one.zone) &&
      (found.flag("IsDefault") ?? one.isDefault) === one.isDefault,
  );
  const { rows, about } = pageOf(found, numbered(all), { most: 50, by: "number" });
  return { ...about, VSwitches: { VSwitch: rows.map(({ row }) => vSwitchJson(site, row)) } };
}

function describeSecurityGroups(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const ids = jsonList(found, "SecurityGroupIds");
  const isFuzzy = found.flag("FuzzyQuery") === true;
  const all = [...site.securityGroups.values()].filter(
    (one) =>
      one.region === region &&
      (ids === undefined || ids.includes(one.id)) &&
      is(found.text("SecurityGroupId"), one.id) &&
      is(found.text("VpcId"), one.vpc.id) &&
      (isFuzzy ? matches(found.text("SecurityGroupName"), one.name) : is(found.text("SecurityGroupName"), one.name)) &&
      hasTags(one.tags, found.structures("Tag")),
  );
  const { rows, about } = pageOf(found, all, { most: 100, by: "both" });
  return { ...about, RegionId: region.id, SecurityGroups: { SecurityGroup: rows.map((one) => securityGroupJson(site, one)) } };
}

function describeKeyPairs(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const all = site.keyPairs.filter(
    (one) =>
      one.region === region &&
      matches(found.text("KeyPairName"), one.name) &&
      is(found.text("KeyPairFingerPrint"), one.fingerprint) &&
      hasTags(one.tags, found.structures("Tag")),
  );
  const { rows, about } = pageOf(found, all, { most: 50, by: "number" });
  return { ...about, KeyPairs: { KeyPair: rows.map((one) => keyPairJson(site, one, found.flag("IncludePublicKey") === true)) } };
}

function describeImages(_site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const { rows, about } = pageOf(found, imagesFound(found), { most: 100, by: "number" });
  return { ...about, RegionId: region.id, Images: { Image: rows.map(({ json }) => json) } };
}

function modifyReleaseTime(site: Site, found: Parameters): unknown {
  const instance = instanceNamed(site, found.text("InstanceId"));
  refuseLocked(instance);
  setReleaseTime(site, instance, checkedRelease(site, found.text("AutoReleaseTime")));
  return {};
}

/** The calls that take a ClientToken. */
export const WITH_TOKEN: ReadonlySet<string> = new Set([
  "RunInstances",
  "DeleteInstances",
  "CreateDisk",
  "CreateSnapshot",
  "CreateSnapshotGroup",
  "CreateSecurityGroup",
  "AuthorizeSecurityGroup",
]);

export const HANDLERS: Readonly<Record<string, Handler>> = {
  RunInstances: runInstances,
  DescribeInstances: instancesAnswer,
  DescribeInstanceStatus: statusAnswer,
  DescribeInstanceHistoryEvents: historyAnswer,
  StartInstance: startInstance,
  StartInstances: startInstances,
  StopInstance: stopInstance,
  StopInstances: stopInstances,
  DeleteInstance: deleteInstance,
  DeleteInstances: deleteInstances,
  ModifyInstanceAutoReleaseTime: modifyReleaseTime,
  CreateDisk: createDisk,
  DescribeDisks: describeDisks,
  AttachDisk: attach,
  DetachDisk: detach,
  DeleteDisk: deleteDisk,
  ModifyDiskAttribute: modifyDisk,
  CreateSnapshot: createSnapshot,
  DescribeSnapshots: describeSnapshots,
  DeleteSnapshot: deleteSnapshot,
  CreateSnapshotGroup: createSnapshotGroup,
  DescribeSnapshotGroups: describeSnapshotGroups,
  DeleteSnapshotGroup: deleteSnapshotGroup,
  TagResources: tagResources,
  UntagResources: untagResources,
  ListTagResources: listTagResources,
  DescribeRegions: (_site, found) => regions(found),
  DescribeZones: (_site, found) => zones(found),
  DescribeVpcs: describeVpcs,
  DescribeVSwitches: describeVSwitches,
  DescribeSecurityGroups: describeSecurityGroups,
  CreateSecurityGroup: createSecurityGroup,
  AuthorizeSecurityGroup: authorizeSecurityGroup,
  DeleteSecurityGroup: deleteSecurityGroup,
  ImportKeyPair: importKeyPair,
  DeleteKeyPairs: deleteKeyPairs,
  DescribeKeyPairs: describeKeyPairs,
  DescribeImages: describeImages,
  DescribeInstanceTypes: (_site, found) => instanceTypes(found),
  DescribeAvailableResource: availableResource,
  DescribeSpotPriceHistory: spotPriceHistory,
  DescribeSpotAdvice: spotAdvice,
  DescribePrice: price,
};
