import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { alibabaBench, type Bench, REGION, TYPE, ZONE } from "./bench.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let bench: Bench;
beforeEach(async () => {
  bench = await alibabaBench();
});
afterEach(() => bench.cloud.close());

const at = (ms: number) => new Date(bench.clock.now() + ms).toISOString().replace(/\.\d{3}/, "");

async function disk(change: Readonly<Record<string, string | number>> = {}): Promise<string> {
  const { DiskId } = await bench.ok("CreateDisk", { RegionId: REGION, ZoneId: ZONE, DiskCategory: "cloud_essd", Size: 100, ...change });
  await bench.pass();
  return DiskId;
}

async function look(id: string) {
  return (await bench.ok("DescribeDisks", { RegionId: REGION, DiskIds: JSON.stringify([id]) })).Disks.Disk[0];
}

async function running(change: Readonly<Record<string, string | number | boolean>> = {}): Promise<string> {
  return bench.running(change);
}

describe("disks", () => {
  test("are the old kind unless told, have their least sizes, and lie in a zone", async () => {
    const plain = await bench.ok("CreateDisk", { RegionId: REGION, ZoneId: ZONE, Size: 40 });
    expect(await look(plain.DiskId)).toMatchObject({ Category: "cloud", Status: "Creating", ZoneId: ZONE, Size: 40 });
    const code = (change: Readonly<Record<string, string | number>>) =>
      bench.code("CreateDisk", { RegionId: REGION, ZoneId: ZONE, DiskCategory: "cloud_essd", Size: 100, ...change });
    expect(await code({ PerformanceLevel: "PL3" })).toBe("InvalidDiskSize.NotSupported");
    expect(await code({ PerformanceLevel: "PL0", Size: 1 })).toBe("200");
    expect(await code({ Size: 1 })).toBe("InvalidDiskSize.NotSupported");
    expect(await code({ DiskCategory: "cloud_fast" })).toBe("InvalidDiskCategory.ValueNotSupported");
    expect(await code({ ZoneId: "" })).toBe("MissingParameter");
    expect(await code({ ZoneId: "cn-shanghai-l" })).toBe("InvalidZoneId.NotFound");
    const once = { RegionId: REGION, ZoneId: ZONE, Size: 40, ClientToken: "t-d" };
    expect((await bench.ok("CreateDisk", once)).DiskId).toBe((await bench.ok("CreateDisk", once)).DiskId);
  });

  test("attach in their zone, when they and the machine are ready, and come out a while later", async () => {
    const id = await running();
    const [here, there] = [await disk(), await disk({ ZoneId: "cn-hangzhou-i" })];
    expect(await bench.code("AttachDisk", { InstanceId: id, DiskId: there })).toBe("ResourcesNotInSameZone");
    await bench.ok("AttachDisk", { InstanceId: id, DiskId: here });
    expect(await look(here)).toMatchObject({ Status: "Attaching", InstanceId: id, DeleteWithInstance: false });
    expect(await bench.code("DetachDisk", { InstanceId: id, DiskId: here })).toBe("IncorrectDiskStatus");
    await bench.pass();
    expect(await look(here)).toMatchObject({ Status: "In_use", Device: "/dev/xvdb", SerialNumber: here.slice(2) });
    expect(await bench.code("AttachDisk", { InstanceId: id, DiskId: here })).toBe("IncorrectDiskStatus");
    expect(await bench.code("DeleteDisk", { DiskId: here })).toBe("IncorrectDiskStatus");
    await bench.ok("DetachDisk", { InstanceId: id, DiskId: here });
    expect((await look(here)).Status).toBe("Detaching");
    await bench.pass();
    expect(await look(here)).toMatchObject({ Status: "Available", InstanceId: "", Attachments: { Attachment: [] } });
    await bench.ok("DeleteDisk", { DiskId: here });
    expect(await look(here)).toBeUndefined();
    expect(await bench.code("DeleteDisk", { DiskId: here })).toBe("200");
    bench.cloud.switches.deletesUnknown = "refuse";
    expect(await bench.code("DeleteDisk", { DiskId: here })).toBe("InvalidDiskId.NotFound");
    const { InstanceIdSets } = await bench.ok("RunInstances", await bench.order());
    const young = { InstanceId: InstanceIdSets.InstanceIdSet[0], DiskId: await disk() };
    bench.cloud.instance(young.InstanceId).status = "Pending";
    expect(await bench.code("AttachDisk", young)).toBe("IncorrectInstanceStatus");
  });

  test("go with the machine or stay and cost, as they were told; a security lock takes them all", async () => {
    const data = { "DataDisk.1.Category": "cloud_essd", "DataDisk.1.Size": 50, "DataDisk.2.Category": "cloud_essd", "DataDisk.2.Size": 60 };
    const order = { ...data, "DataDisk.1.DeleteWithInstance": false, "Tag.1.Key": "spot-fleet-token", "Tag.1.Value": "t-1" };
    const id = await running(order);
    const before = await bench.ok("DescribeDisks", { RegionId: REGION, InstanceId: id });
    expect(before.Disks.Disk.map((one: { Tags: unknown }) => one.Tags)).toEqual(
      Array.from({ length: 3 }, () => ({ Tag: [{ TagKey: "spot-fleet-token", TagValue: "t-1" }] })),
    );
    await bench.ok("DeleteInstance", { InstanceId: id, Force: true });
    await bench.pass();
    expect(bench.cloud.volumes()).toMatchObject([{ token: "t-1", attachedTo: null, status: "Available" }]);
    const [left] = bench.cloud.volumes();
    const cost = bench.cloud.cost(left?.id ?? "");
    bench.clock.pass(HOUR_MS);
    expect(bench.cloud.cost(left?.id ?? "")).toBeCloseTo(cost + 50 * 0.0014);

    const locked = await running({ ...order, SpotDuration: 0 });
    await bench.cloud.reclaim(locked, 60);
    bench.cloud.lock(locked, "security");
    expect(await bench.code("DeleteInstance", { InstanceId: locked, Force: true })).toBe("InstanceLockedForSecurity");
    expect(await bench.code("AttachDisk", { InstanceId: locked, DiskId: left?.id ?? "" })).toBe("InstanceLockedForSecurity");
    await bench.pass(61_000);
    await bench.pass();
    expect(bench.cloud.volumes()).toHaveLength(1);
  });
});

describe("snapshots", () => {
  async function used(): Promise<string> {
    const id = await running();
    const made = await disk();
    await bench.ok("AttachDisk", { InstanceId: id, DiskId: made });
    await bench.pass();
    return made;
  }
  const show = async (id: string) =>
    (await bench.ok("DescribeSnapshots", { RegionId: REGION, SnapshotIds: JSON.stringify([id]) })).Snapshots.Snapshot[0];

  test("take their time, of a disk that was attached once, and a new disk is no smaller", async () => {
    const fresh = await disk();
    expect(await bench.code("CreateSnapshot", { DiskId: fresh })).toBe("IncorrectDiskStatus");
    const DiskId = await used();
    expect(await bench.code("CreateSnapshot", { DiskId, SnapshotName: "autumn" })).toBe("200");
    expect(await bench.code("CreateSnapshot", { DiskId, SnapshotName: "auto-1" })).toBe("InvalidSnapshotName.Malformed");
    expect(await bench.code("CreateSnapshot", { DiskId, RetentionDays: 0 })).toBe("InvalidParameter.RetentionDays");
    const { SnapshotId } = await bench.ok("CreateSnapshot", { DiskId, "Tag.1.Key": "spot-fleet-token", "Tag.1.Value": "t-s" });
    bench.clock.pass(15);
    expect(await show(SnapshotId)).toMatchObject({ Status: "progressing", Progress: "50%", Available: true, SourceDiskSize: "100" });
    await bench.pass();
    expect(await show(SnapshotId)).toMatchObject({ Status: "accomplished", Progress: "100%", SourceDiskId: DiskId });
    const from = { RegionId: REGION, ZoneId: "cn-hangzhou-i", DiskCategory: "cloud_essd", SnapshotId };
    expect(await bench.code("CreateDisk", { ...from, Size: 99 })).toBe("InvalidDiskSize.NotSupported");
    const child = await bench.ok("CreateDisk", from);
    expect(await look(child.DiskId)).toMatchObject({ Size: 100, SourceSnapshotId: SnapshotId });
    expect(await bench.code("DeleteSnapshot", { SnapshotId })).toBe("SnapshotCreatedDisk");
    await bench.ok("DeleteSnapshot", { SnapshotId, Force: true });
    expect(await bench.code("DeleteSnapshot", { SnapshotId })).toBe("200");
    bench.cloud.switches.deletesUnknown = "refuse";
    expect(await bench.code("DeleteSnapshot", { SnapshotId })).toBe("InvalidSnapshotId.NotFound");
    expect(bench.cloud.snapshots().map(({ token }) => token)).toEqual([null]);
  });

  test("of an older disk cannot be used before they are done, and may fail", async () => {
    const id = await running();
    const old = await disk({ DiskCategory: "cloud_efficiency" });
    await bench.ok("AttachDisk", { InstanceId: id, DiskId: old });
    await bench.pass();
    bench.cloud.switches.failSnapshots = true;
    const { SnapshotId } = await bench.ok("CreateSnapshot", { DiskId: old });
    expect(await show(SnapshotId)).toMatchObject({ Available: false });
    expect(await bench.code("CreateDisk", { RegionId: REGION, ZoneId: ZONE, SnapshotId })).toBe("IncorrectSnapshotStatus");
    await bench.pass();
    expect(await show(SnapshotId)).toMatchObject({ Status: "failed", Available: false });
  });

  test("fail when their machine stops or goes meanwhile, and are not begun then or under a security lock", async () => {
    const DiskId = await used();
    const { InstanceId } = await look(DiskId);
    const { SnapshotId } = await bench.ok("CreateSnapshot", { DiskId });
    await bench.ok("StopInstance", { InstanceId, StoppedMode: "StopCharging" });
    expect(await bench.code("CreateSnapshot", { DiskId })).toBe("IncorrectInstanceStatus");
    await bench.pass();
    expect((await show(SnapshotId)).Status).toBe("failed");
    const second = await bench.ok("CreateSnapshot", { DiskId });
    await bench.ok("DeleteInstance", { InstanceId });
    await bench.pass();
    expect((await show(second.SnapshotId)).Status).toBe("failed");
    expect(await bench.code("CreateSnapshot", { DiskId })).toBe("200");
    const other = await used();
    bench.cloud.lock((await look(other)).InstanceId, "security");
    expect(await bench.code("CreateSnapshot", { DiskId: other })).toBe("InstanceLockedForSecurity");
  });

  test("of a group are for ESSD alone, with other words for tags", async () => {
    const DiskId = await used();
    const { InstanceId } = await look(DiskId);
    const group = (change: Readonly<Record<string, string>>) => ({
      RegionId: REGION,
      InstanceId,
      "Tag.1.Key": "a",
      "Tag.1.Value": "b",
      ...change,
    });
    expect(await bench.code("CreateSnapshotGroup", group({ "DiskId.1": DiskId, "ExcludeDiskId.1": DiskId }))).toBe(
      "InvalidParameter.Conflict",
    );
    await bench.ok("CreateSnapshotGroup", group({}));
    const { SnapshotGroups } = await bench.ok("DescribeSnapshotGroups", { RegionId: REGION });
    const [found] = SnapshotGroups.SnapshotGroup;
    expect(found).toMatchObject({ InstanceId, Status: "progressing", Tags: { Tag: [{ Key: "a", Value: "b" }] } });
    expect(found.Snapshots.Snapshot).toHaveLength(2);
    const old = await disk({ DiskCategory: "cloud_efficiency" });
    await bench.ok("AttachDisk", { InstanceId, DiskId: old });
    await bench.pass();
    expect(await bench.code("CreateSnapshotGroup", group({}))).toBe("InvalidDiskCategory.NotSupported");
    expect(await bench.code("CreateSnapshotGroup", group({ "ExcludeDiskId.1": old }))).toBe("200");
    await bench.ok("DeleteSnapshotGroup", { RegionId: REGION, SnapshotGroupId: found.SnapshotGroupId });
    expect(bench.cloud.snapshots()).toHaveLength(2);
  });
});

describe("the market", () => {
  const history = (change: Readonly<Record<string, string | number>> = {}) =>
    bench.ok("DescribeSpotPriceHistory", { RegionId: REGION, NetworkType: "vpc", InstanceType: TYPE, ...change });

  test("tells three hours of prices, both levels, and the price without spot", async () => {
    const rows = (await history({ ZoneId: ZONE })).SpotPrices.SpotPriceType;
    expect(rows).toHaveLength(3);
    expect(rows[2]).toMatchObject({ OriginPrice: 12.4, NetworkType: "vpc", ZoneId: ZONE, Timestamp: "2026-11-21T03:00:00Z" });
    const cheap = (await history({ ZoneId: ZONE, SpotDuration: 0 })).SpotPrices.SpotPriceType;
    expect(cheap[2].SpotPrice).toBeCloseTo(rows[2].SpotPrice * 0.9, 2);
    bench.cloud.movePrice(TYPE, 0.5, ZONE);
    const moved = (await history({ ZoneId: ZONE })).SpotPrices.SpotPriceType;
    expect(moved.at(-1)).toMatchObject({ SpotPrice: 6.2, Timestamp: at(0) });
    bench.cloud.switches.currency = "USD";
    expect(await history({ ZoneId: ZONE })).toMatchObject({ Currency: "USD" });
    expect((await history({ ZoneId: ZONE })).SpotPrices.SpotPriceType.at(-1)).toMatchObject({ SpotPrice: 0.868, OriginPrice: 1.736 });
  });

  test("has pages by offset, at most thirty days", async () => {
    const window = { ZoneId: ZONE, StartTime: at(-5 * 24 * HOUR_MS) };
    const first = await history(window);
    expect([first.SpotPrices.SpotPriceType.length, first.NextOffset]).toEqual([100, 100]);
    const second = await history({ ...window, Offset: 100 });
    expect(second.SpotPrices.SpotPriceType).toHaveLength(20);
    expect(second.NextOffset).toBeUndefined();
    bench.cloud.switches.historyEnd = "rows";
    expect((await history({ ...window, Offset: 100 })).NextOffset).toBe(120);
    expect((await history({ ...window, Offset: 120 })).SpotPrices.SpotPriceType).toEqual([]);
    bench.cloud.switches.historyEnd = "zero";
    expect([(await history(window)).NextOffset, (await history({ ...window, Offset: 100 })).NextOffset]).toEqual([100, 0]);
    const code = (StartTime: string) =>
      bench.code("DescribeSpotPriceHistory", { RegionId: REGION, NetworkType: "vpc", InstanceType: TYPE, StartTime });
    expect(await code(at(-31 * 24 * HOUR_MS))).toBe("InvalidParameter.StartTime");
    bench.cloud.switches.historyNewestFirst = true;
    const rows = (await history({ ZoneId: ZONE })).SpotPrices.SpotPriceType;
    expect(rows[0].Timestamp > rows[1].Timestamp).toBe(true);
  });

  test("has four words for the stock", async () => {
    const zones = ["cn-hangzhou-h", "cn-hangzhou-i", "cn-hangzhou-k"];
    bench.cloud.setStock(TYPE, 2, { zone: "cn-hangzhou-i" });
    bench.cloud.setStock(TYPE, 0, { zone: "cn-hangzhou-k", duration: 0 });
    const standing = async (SpotDuration: number) => {
      const asked = {
        RegionId: REGION,
        DestinationResource: "InstanceType",
        InstanceType: TYPE,
        SpotStrategy: "SpotAsPriceGo",
        SpotDuration,
      };
      const { AvailableZones } = await bench.ok("DescribeAvailableResource", asked);
      return zones.map((zone) => {
        const found = AvailableZones.AvailableZone.find(({ ZoneId }: { ZoneId: string }) => ZoneId === zone);
        const { Status, StatusCategory } = found.AvailableResources.AvailableResource[0].SupportedResources.SupportedResource[0];
        return `${Status} ${StatusCategory}`;
      });
    };
    expect(await standing(0)).toEqual(["Available WithStock", "Available ClosedWithStock", "SoldOut WithoutStock"]);
    bench.cloud.closeStock(TYPE, "cn-hangzhou-h");
    expect(await standing(1)).toEqual(["SoldOut ClosedWithoutStock", "Available ClosedWithStock", "Available WithStock"]);
  });

  test("gives advice in buckets, with what is paid and not what is saved", async () => {
    expect(await bench.code("DescribeSpotAdvice", { RegionId: REGION, MinCores: 1 })).toBe("MissingParameter");
    const { AvailableSpotZones } = await bench.ok("DescribeSpotAdvice", { RegionId: REGION, MinCores: 1, MinMemory: 1 });
    const all = AvailableSpotZones.AvailableSpotZone.flatMap(
      (zone: { ZoneId: string; AvailableSpotResources: { AvailableSpotResource: object[] } }) =>
        zone.AvailableSpotResources.AvailableSpotResource.map((one) => ({ ZoneId: zone.ZoneId, ...one })),
    );
    expect(new Set(all.map(({ InterruptRateDesc }: { InterruptRateDesc: string }) => InterruptRateDesc)).size).toBe(4);
    bench.cloud.movePrice(TYPE, 0.2);
    const again = await bench.ok("DescribeSpotAdvice", { RegionId: REGION, ZoneId: ZONE, "InstanceTypes.1": TYPE });
    expect(again.AvailableSpotZones.AvailableSpotZone[0].AvailableSpotResources.AvailableSpotResource[0]).toMatchObject({
      AverageSpotDiscount: 20,
    });
  });

  test("has a price with a system disk in it, and one line for the machine", async () => {
    bench.cloud.movePrice(TYPE, 0.5);
    const asked = { RegionId: REGION, InstanceType: TYPE, SpotStrategy: "SpotAsPriceGo", ZoneId: ZONE, PriceUnit: "Hour" };
    const { PriceInfo } = await bench.ok("DescribePrice", asked);
    const [line] = PriceInfo.Price.DetailInfos.DetailInfo;
    expect(line).toMatchObject({ Resource: "instanceType", OriginalPrice: 12.4, TradePrice: 6.2 });
    expect(PriceInfo.Price.TradePrice).toBeGreaterThan(6.2);
  });
});

describe("the bill", () => {
  test("is the price of the purchase in the first hour, then the market's, by the second", async () => {
    bench.cloud.movePrice(TYPE, 0.5);
    const [kept, exposed] = [await running(), await running({ SpotDuration: 0 })];
    const start = bench.clock.now();
    bench.cloud.movePrice(TYPE, 1);
    bench.clock.pass(HOUR_MS - (bench.clock.now() - start) - 1_000);
    expect(bench.cloud.cost(kept)).toBeCloseTo(6.2, 1);
    expect(bench.cloud.cost(exposed)).toBeCloseTo(5.58, 1);
    bench.clock.pass(2 * HOUR_MS);
    expect(bench.cloud.cost(kept)).toBeCloseTo(6.2 + 2 * 12.4, 1);
    expect(bench.cloud.cost(exposed)).toBeCloseTo(5.58 + 2 * 11.16, 1);
  });

  test("stands still through an economical stop, but for the disks", async () => {
    const id = await running();
    const [system] = (await bench.ok("DescribeDisks", { RegionId: REGION, InstanceId: id })).Disks.Disk;
    await bench.ok("StopInstance", { InstanceId: id, StoppedMode: "StopCharging" });
    await bench.pass();
    const before = [bench.cloud.cost(id), bench.cloud.cost(system.DiskId)];
    bench.clock.pass(10 * HOUR_MS);
    expect(bench.cloud.cost(id)).toBe(before[0]);
    expect(bench.cloud.cost(system.DiskId)).toBeCloseTo((before[1] ?? 0) + 10 * 40 * 0.0014, 4);
    await bench.ok("StartInstance", { InstanceId: id });
    bench.clock.pass(HOUR_MS);
    expect(bench.cloud.cost(id)).toBeGreaterThan(before[0] ?? 0);
  });
});

describe("what a launch needs", () => {
  test("a vSwitch in (nearly) every zone, groups and keys by region, images that are not in order", async () => {
    const shanghai = await bench.ok("DescribeVSwitches", { RegionId: "cn-shanghai", IsDefault: true });
    expect(shanghai.VSwitches.VSwitch.map(({ ZoneId }: { ZoneId: string }) => ZoneId)).toEqual(["cn-shanghai-l"]);
    const key = {
      RegionId: REGION,
      KeyPairName: "spot-1",
      PublicKeyBody: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot",
    };
    bench.cloud.switches.refusesEd25519 = true;
    expect(await bench.code("ImportKeyPair", key)).toBe("InvalidPublicKeyBody.Malformed");
    bench.cloud.switches.refusesEd25519 = false;
    await bench.ok("ImportKeyPair", key);
    expect(await bench.code("ImportKeyPair", key)).toBe("KeyPair.AlreadyExist");
    expect((await bench.ok("DescribeKeyPairs", { RegionId: "cn-shanghai" })).KeyPairs.KeyPair).toEqual([]);
    expect((await bench.ok("DescribeKeyPairs", { RegionId: REGION, KeyPairName: "spot-*" })).KeyPairs.KeyPair).toHaveLength(1);
    const images = await bench.ok("DescribeImages", { RegionId: REGION, ImageOwnerAlias: "system", PageSize: 100 });
    const times = images.Images.Image.map(({ CreationTime }: { CreationTime: string }) => CreationTime);
    expect(times).not.toEqual([...times].sort().reverse());
  });

  test("a group of another VPC is refused, and one in use cannot be deleted", async () => {
    const vpcs = await bench.ok("DescribeVpcs", { RegionId: REGION, IsDefault: false });
    const other = await bench.ok("CreateSecurityGroup", { RegionId: REGION, VpcId: vpcs.Vpcs.Vpc[0].VpcId, SecurityGroupName: "other" });
    expect(await bench.code("RunInstances", await bench.order({ SecurityGroupId: other.SecurityGroupId }))).toBe(
      "InvalidParameter.VPCMismatch",
    );
    const rule = { RegionId: REGION, SecurityGroupId: other.SecurityGroupId, IpProtocol: "tcp", SourceCidrIp: "0.0.0.0/0" };
    expect(await bench.code("AuthorizeSecurityGroup", { ...rule, PortRange: "22" })).toBe("InvalidParameter.PortRange");
    await bench.ok("AuthorizeSecurityGroup", { ...rule, PortRange: "22/22" });
    expect(await bench.code("AuthorizeSecurityGroup", { ...rule, PortRange: "22/22" })).toBe("200");
    const id = await running();
    const group = (await bench.show(id)).SecurityGroupIds.SecurityGroupId[0];
    expect(await bench.code("DeleteSecurityGroup", { RegionId: REGION, SecurityGroupId: group })).toBe("DependencyViolation");
    await bench.ok("DeleteSecurityGroup", { RegionId: REGION, SecurityGroupId: other.SecurityGroupId });
  });

  test("tags: at most twenty, changed and taken off again", async () => {
    const id = await running({ "Tag.1.Key": "a", "Tag.1.Value": "1" });
    const about = { RegionId: REGION, ResourceType: "instance", "ResourceId.1": id };
    await bench.ok("TagResources", { ...about, "Tag.1.Key": "a", "Tag.1.Value": "2" });
    const many = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [
        [`Tag.${n + 1}.Key`, `k${n}`],
        [`Tag.${n + 1}.Value`, "v"],
      ]).flat(),
    );
    expect(await bench.code("TagResources", { ...about, ...many })).toBe("QuotaExceed.TagPerResource");
    expect((await bench.ok("ListTagResources", about)).TagResources.TagResource).toEqual([
      { ResourceId: id, ResourceType: "instance", TagKey: "a", TagValue: "2" },
    ]);
    await bench.ok("UntagResources", { ...about, All: true });
    expect((await bench.show(id)).Tags.Tag).toEqual([]);
  });
});
