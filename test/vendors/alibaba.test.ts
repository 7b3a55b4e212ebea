import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { authorization } from "../../src/providers/alibaba/signature.ts";
import { canonicalRequest, signatureOf } from "../clouds/alibaba/acs3.ts";
import { type FakeAlibaba, fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import { KNOWN_CALLS, type Parameter } from "../clouds/alibaba/parameters.ts";

// Both are CommonJS whose default export is seen differently by Node, by the compiler and by the runner of tests.
const load = createRequire(import.meta.url);
const ecs = load("@alicloud/ecs20140526") as typeof import("@alicloud/ecs20140526");
const { $OpenApiUtil } = load("@alicloud/openapi-core") as typeof import("@alicloud/openapi-core");

interface VendorParameter {
  readonly name: string;
  readonly type: string;
  readonly required?: boolean;
  readonly sub_parameters?: readonly VendorParameter[];
}

const KINDS: Readonly<Record<string, string>> = {
  String: "string",
  Integer: "integer",
  Long: "integer",
  Float: "decimal",
  Boolean: "boolean",
  RepeatList: "list",
  Array: "list",
};

/** What of our own table the vendor's description contradicts. */
function contradictions(known: ReadonlyMap<string, Parameter>, vendor: readonly VendorParameter[], path: string): readonly string[] {
  const wrong = vendor.flatMap(({ name, required }) => (required === true && !known.has(name) ? [`${path}${name} is required`] : []));
  for (const [name, { kind, isList, isRequired, members }] of known) {
    const theirs = vendor.find((one) => one.name === name);
    if (theirs === undefined) wrong.push(`${path}${name} is not there`);
    else if (KINDS[theirs.type] !== (isList ? "list" : kind)) wrong.push(`${path}${name} is ${theirs.type}`);
    else if ((theirs.required ?? false) !== isRequired) wrong.push(`${path}${name}: required is ${theirs.required ?? false}`);
    // The description of a plain Array does not say what is in it.
    else if (theirs.type === "RepeatList") wrong.push(...contradictions(members, theirs.sub_parameters ?? [], `${path}${name}.`));
  }
  return wrong;
}

const METADATA = process.env["SPOT_TEST_ALIYUN_META"] ?? fileURLToPath(new URL("../../../shared/data/aliyun-ecs", import.meta.url));

/** Not in the collection of descriptions that is at hand; as help.aliyun.com/document_detail/51772.html has it. */
const ONLY_IN_PAGES = ["DeleteKeyPairs"];

test.skipIf(!existsSync(METADATA))("the table of calls agrees with the vendor's own description of them", () => {
  const described = readdirSync(METADATA).flatMap((name) => /^(.*)\.json$/.exec(name)?.[1] ?? []);
  expect([...new Set([...described, ...ONLY_IN_PAGES])].sort()).toEqual([...KNOWN_CALLS.keys()].sort());
  const wrong = [...KNOWN_CALLS].flatMap(([action, known]) => {
    if (!described.includes(action)) return [];
    const { parameters } = JSON.parse(readFileSync(join(METADATA, `${action}.json`), "utf8"));
    return contradictions(known, parameters, `${action}.`);
  });
  expect(wrong).toEqual([]);
});

/** The example that the vendor publishes with the description of its signature. */
test("the published example of a signature comes out, here and in our own signer", () => {
  const request = {
    method: "POST",
    path: "/",
    query: new URLSearchParams({ RegionId: "cn-shanghai", ImageId: "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd" }),
    headers: {
      host: "ecs.cn-shanghai.aliyuncs.com",
      "x-acs-action": "RunInstances",
      "x-acs-version": "2014-05-26",
      "x-acs-date": "2023-10-26T10:22:32Z",
      "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
      "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    },
    body: "",
    json: () => undefined,
  };
  const expected = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
  const canonical = canonicalRequest(request, Object.keys(request.headers));
  expect(signatureOf(canonical, "YourAccessKeySecret")).toBe(expected);
  const key = { id: "YourAccessKeyId", secret: "YourAccessKeySecret" };
  const ours = authorization({ ...request, query: Object.fromEntries(request.query) }, key);
  expect(ours).toBe(
    "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version," +
      `Signature=${expected}`,
  );
});

const RegionId = "cn-hangzhou";

describe("the vendor's own client", () => {
  let cloud: FakeAlibaba;
  let client: InstanceType<typeof ecs.default>;
  beforeEach(async () => {
    cloud = await fakeAlibaba({ clock: systemClock });
    client = clientOf(cloud.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] ?? "");
  });
  afterEach(() => cloud.close());

  function clientOf(accessKeySecret: string, securityToken?: string) {
    const endpoint = new URL(cloud.url).host;
    const accessKeyId = cloud.env["ALIBABA_CLOUD_ACCESS_KEY_ID"] ?? "";
    const given = { accessKeyId, accessKeySecret, endpoint, protocol: "HTTP", regionId: RegionId };
    return new ecs.default(new $OpenApiUtil.Config({ ...given, ...(securityToken === undefined ? {} : { securityToken }) }));
  }

  async function prepared(zoneId = "cn-hangzhou-h") {
    const vSwitches = await client.describeVSwitches(new ecs.DescribeVSwitchesRequest({ regionId: RegionId, zoneId, isDefault: true }));
    const vSwitch = vSwitches.body?.vSwitches?.vSwitch?.[0];
    const vpcId = vSwitch?.vpcId ?? "";
    const tag = [new ecs.CreateSecurityGroupRequestTag({ key: "spot-fleet-name", value: "it's * ~ ü" })];
    const made = await client.createSecurityGroup(
      new ecs.CreateSecurityGroupRequest({ regionId: RegionId, vpcId, securityGroupName: "spot-fleet", tag, clientToken: "sg-1" }),
    );
    const securityGroupId = made.body?.securityGroupId ?? "";
    const permissions = [
      new ecs.AuthorizeSecurityGroupRequestPermissions({ ipProtocol: "tcp", portRange: "22/22", sourceCidrIp: "0.0.0.0/0" }),
    ];
    await client.authorizeSecurityGroup(new ecs.AuthorizeSecurityGroupRequest({ regionId: RegionId, securityGroupId, permissions }));
    const publicKeyBody = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
    await client.importKeyPair(new ecs.ImportKeyPairRequest({ regionId: RegionId, keyPairName: "spot-1", publicKeyBody }));
    return { vSwitchId: vSwitch?.vSwitchId ?? "", securityGroupId };
  }

  async function launched() {
    const place = await prepared();
    const request = new ecs.RunInstancesRequest({
      ...place,
      regionId: RegionId,
      instanceType: "ecs.gn7i-c8g1.2xlarge",
      imageId: "ubuntu_22_04_x64_20G_alibase_20261015.vhd",
      spotStrategy: "SpotWithPriceLimit",
      spotPriceLimit: 12.345,
      spotDuration: 0,
      spotInterruptionBehavior: "Terminate",
      internetMaxBandwidthOut: 100,
      keyPairName: "spot-1",
      clientToken: "t-run",
      userData: Buffer.from("#!/bin/sh\necho 'up & running' *~\n").toString("base64"),
      systemDisk: new ecs.RunInstancesRequestSystemDisk({ category: "cloud_essd", size: "40" }),
      dataDisk: [new ecs.RunInstancesRequestDataDisk({ size: 100, category: "cloud_essd", deleteWithInstance: "false", diskName: "kept" })],
      tag: [new ecs.RunInstancesRequestTag({ key: "spot-fleet-token", value: "t-run" })],
      instanceName: "trainer",
    });
    const [id = ""] = (await client.runInstances(request)).body?.instanceIdSets?.instanceIdSet ?? [];
    return { id, request };
  }

  async function seen(id: string) {
    const found = await client.describeInstances(
      new ecs.DescribeInstancesRequest({ regionId: RegionId, instanceIds: JSON.stringify([id]), maxResults: 100 }),
    );
    return found.body?.instances?.instance?.[0];
  }

  async function until(id: string, status: string) {
    await expect.poll(async () => (await seen(id))?.status, { interval: 10 }).toBe(status);
    return seen(id);
  }

  test("launches one, sees it, stops it without a charge, starts it again, and releases it", async () => {
    const { id, request } = await launched();
    expect((await client.runInstances(request)).body?.instanceIdSets?.instanceIdSet).toEqual([id]);
    const running = await until(id, "Running");
    expect(running).toMatchObject({
      instanceName: "trainer",
      spotStrategy: "SpotWithPriceLimit",
      spotPriceLimit: 12.345,
      spotDuration: 0,
      GPUAmount: 1,
      memory: 30 * 1024,
      tags: { tag: [{ tagKey: "spot-fleet-token", tagValue: "t-run" }] },
      operationLocks: { lockReason: [] },
    });
    expect(running?.publicIpAddress?.ipAddress).toHaveLength(1);
    expect(cloud.instance(id).userData).toBe("#!/bin/sh\necho 'up & running' *~\n");

    const batch = { regionId: RegionId, instanceId: [id] };
    const stopped = await client.stopInstances(new ecs.StopInstancesRequest({ ...batch, stoppedMode: "StopCharging" }));
    expect(stopped.body?.instanceResponses?.instanceResponse?.[0]).toMatchObject({ code: "200", previousStatus: "Running" });
    expect(await until(id, "Stopped")).toMatchObject({ stoppedMode: "StopCharging", publicIpAddress: { ipAddress: [] } });
    await client.startInstances(new ecs.StartInstancesRequest(batch));
    await until(id, "Running");
    await expect(client.deleteInstances(new ecs.DeleteInstancesRequest({ ...batch, force: false }))).rejects.toMatchObject({
      code: "IncorrectInstanceStatus",
    });
    await client.deleteInstances(new ecs.DeleteInstancesRequest({ ...batch, force: true, clientToken: "t-end" }));
    await expect.poll(() => seen(id), { interval: 10 }).toBeUndefined();
    expect(cloud.volumes()).toMatchObject([{ name: "kept", attachedTo: null, status: "Available" }]);
  });

  test("sends the largest user data there is in its URL", async () => {
    const { id, request } = await launched();
    const largest = `#!/bin/sh\n${"#".repeat(32 * 1024 - 10)}`;
    request.userData = Buffer.from(largest).toString("base64");
    request.clientToken = "t-large";
    const [large = ""] = (await client.runInstances(request)).body?.instanceIdSets?.instanceIdSet ?? [];
    expect([large === id, cloud.instance(large).userData]).toEqual([false, largest]);
  });

  test("makes a disk, attaches it, takes it out and deletes it", async () => {
    const { id } = await launched();
    await until(id, "Running");
    const made = await client.createDisk(
      new ecs.CreateDiskRequest({ regionId: RegionId, zoneId: "cn-hangzhou-h", diskCategory: "cloud_essd", size: 200, diskName: "data" }),
    );
    const diskId = made.body?.diskId ?? "";
    const look = async () => {
      const ids = JSON.stringify([diskId]);
      return (await client.describeDisks(new ecs.DescribeDisksRequest({ regionId: RegionId, diskIds: ids }))).body?.disks?.disk?.[0];
    };
    const becomes = (status: string) => expect.poll(async () => (await look())?.status, { interval: 10 }).toBe(status);
    await becomes("Available");
    await client.attachDisk(new ecs.AttachDiskRequest({ instanceId: id, diskId }));
    await becomes("In_use");
    expect(await look()).toMatchObject({ instanceId: id, deleteWithInstance: false, serialNumber: diskId.slice(2) });
    await client.detachDisk(new ecs.DetachDiskRequest({ instanceId: id, diskId }));
    await becomes("Available");
    await client.deleteDisk(new ecs.DeleteDiskRequest({ diskId }));
    expect(await look()).toBeUndefined();
  });

  test("makes snapshots, of one disk and of a machine's, and a disk from one", async () => {
    const { id } = await launched();
    await until(id, "Running");
    const disks = await client.describeDisks(new ecs.DescribeDisksRequest({ regionId: RegionId, instanceId: id, diskType: "data" }));
    const diskId = disks.body?.disks?.disk?.[0]?.diskId ?? "";
    const tag = [new ecs.CreateSnapshotRequestTag({ key: "spot-fleet-token", value: "t-snap" })];
    const made = await client.createSnapshot(new ecs.CreateSnapshotRequest({ diskId, snapshotName: "one", tag, clientToken: "t-snap" }));
    const snapshotId = made.body?.snapshotId ?? "";
    const look = async () =>
      (await client.describeSnapshots(new ecs.DescribeSnapshotsRequest({ regionId: RegionId, snapshotIds: JSON.stringify([snapshotId]) })))
        .body?.snapshots?.snapshot?.[0];
    // How far it is by now is a matter of how busy this machine is.
    expect(await look()).toMatchObject({ available: true, sourceDiskId: diskId, sourceDiskSize: "100" });
    await expect.poll(async () => (await look())?.progress, { interval: 10 }).toBe("100%");
    const group = await client.createSnapshotGroup(
      new ecs.CreateSnapshotGroupRequest({ regionId: RegionId, instanceId: id, name: "both" }),
    );
    const groups = await client.describeSnapshotGroups(new ecs.DescribeSnapshotGroupsRequest({ regionId: RegionId }));
    expect(groups.body?.snapshotGroups?.snapshotGroup?.[0]).toMatchObject({ snapshotGroupId: group.body?.snapshotGroupId });
    expect(groups.body?.snapshotGroups?.snapshotGroup?.[0]?.snapshots?.snapshot).toHaveLength(2);
    await client.createDisk(
      new ecs.CreateDiskRequest({ regionId: RegionId, zoneId: "cn-hangzhou-i", diskCategory: "cloud_essd", snapshotId, size: 100 }),
    );
    await expect(client.deleteSnapshot(new ecs.DeleteSnapshotRequest({ snapshotId }))).rejects.toMatchObject({
      code: "SnapshotCreatedDisk",
    });
    await client.deleteSnapshot(new ecs.DeleteSnapshotRequest({ snapshotId, force: true }));
    expect(await look()).toBeUndefined();
  });

  test("reads prices, advice and stock", async () => {
    const type = "ecs.gn7i-c8g1.2xlarge";
    const history = await client.describeSpotPriceHistory(
      new ecs.DescribeSpotPriceHistoryRequest({
        regionId: RegionId,
        networkType: "vpc",
        instanceType: type,
        OSType: "linux",
        spotDuration: 1,
      }),
    );
    const rows = history.body?.spotPrices?.spotPriceType ?? [];
    expect(history.body?.currency).toBe("CNY");
    expect(new Set(rows.map(({ zoneId }) => zoneId)).size).toBe(3);
    expect(rows.every(({ spotPrice = 0, originPrice = 0 }) => spotPrice > 0 && spotPrice < originPrice)).toBe(true);
    const price = await client.describePrice(
      new ecs.DescribePriceRequest({
        ...{ regionId: RegionId, resourceType: "instance", instanceType: type, spotStrategy: "SpotAsPriceGo", zoneId: "cn-hangzhou-h" },
        priceUnit: "Hour",
        systemDisk: new ecs.DescribePriceRequestSystemDisk({ category: "cloud_essd", size: 40 }),
      }),
    );
    const line = price.body?.priceInfo?.price?.detailInfos?.detailInfo?.find(({ resource }) => resource === "instanceType");
    expect(line?.tradePrice).toBe(rows.findLast(({ zoneId }) => zoneId === "cn-hangzhou-h")?.spotPrice);
    const advice = await client.describeSpotAdvice(new ecs.DescribeSpotAdviceRequest({ regionId: RegionId, instanceTypes: [type] }));
    expect(advice.body?.availableSpotZones?.availableSpotZone?.[0]?.availableSpotResources?.availableSpotResource?.[0]).toMatchObject({
      instanceType: type,
      interruptRateDesc: expect.stringMatching(/^(0-3|3-5|5-10|10-100)%$/),
    });
    cloud.setStock(type, 0, { zone: "cn-hangzhou-h" });
    const stock = await client.describeAvailableResource(
      new ecs.DescribeAvailableResourceRequest({
        ...{ regionId: RegionId, destinationResource: "InstanceType", instanceType: type, instanceChargeType: "PostPaid" },
        spotStrategy: "SpotAsPriceGo",
      }),
    );
    const zone = stock.body?.availableZones?.availableZone?.find(({ zoneId }) => zoneId === "cn-hangzhou-h");
    const resource = zone?.availableResources?.availableResource?.[0]?.supportedResources?.supportedResource?.[0];
    expect(resource).toMatchObject({ value: type, status: "SoldOut", statusCategory: "WithoutStock" });
  });

  test("reads what a region has", async () => {
    const regions = await client.describeRegions(new ecs.DescribeRegionsRequest({ acceptLanguage: "en-US" }));
    expect(regions.body?.regions?.region?.[0]).toMatchObject({ regionId: RegionId, regionEndpoint: "ecs.cn-hangzhou.aliyuncs.com" });
    const zones = await client.describeZones(new ecs.DescribeZonesRequest({ regionId: RegionId }));
    expect(zones.body?.zones?.zone?.[0]?.availableInstanceTypes?.instanceTypes).toContain("ecs.gn5-c4g1.xlarge");
    const images = await client.describeImages(
      new ecs.DescribeImagesRequest({ regionId: RegionId, imageOwnerAlias: "system", pageSize: 50 }),
    );
    expect(images.body?.images?.image?.some(({ OSNameEn }) => OSNameEn?.includes("22.04"))).toBe(true);
    const types = await client.describeInstanceTypes(new ecs.DescribeInstanceTypesRequest({ GPUSpec: "a10", minimumGPUAmount: 2 }));
    expect(types.body?.instanceTypes?.instanceType?.map(({ instanceTypeId }) => instanceTypeId)).toContain("ecs.gn7i-c32g1.16xlarge");
    const vpcs = await client.describeVpcs(new ecs.DescribeVpcsRequest({ regionId: RegionId, isDefault: true }));
    expect(vpcs.body?.vpcs?.vpc).toHaveLength(1);
  });

  test("tags, and reads them back", async () => {
    const { id } = await launched();
    const about = { regionId: RegionId, resourceType: "instance", resourceId: [id] };
    await client.tagResources(new ecs.TagResourcesRequest({ ...about, tag: [new ecs.TagResourcesRequestTag({ key: "a", value: "1" })] }));
    await client.untagResources(new ecs.UntagResourcesRequest({ ...about, tagKey: ["spot-fleet-token"] }));
    const found = await client.listTagResources(new ecs.ListTagResourcesRequest(about));
    expect(found.body?.tagResources?.tagResource).toMatchObject([{ resourceId: id, tagKey: "a", tagValue: "1" }]);
  });

  test("is told by code and status what is wrong", async () => {
    const request = new ecs.DescribeInstancesRequest({ regionId: RegionId });
    await expect(clientOf("wrong").describeInstances(request)).rejects.toMatchObject({ code: "SignatureDoesNotMatch", statusCode: 400 });
    await expect(client.describeInstances(new ecs.DescribeInstancesRequest({ regionId: "mars-1" }))).rejects.toMatchObject({
      code: "InvalidRegionId.NotFound",
      statusCode: 404,
    });
    const attach = new ecs.AttachDiskRequest({ instanceId: "i-none", diskId: "d-none" });
    await expect(client.attachDisk(attach)).rejects.toMatchObject({ code: "InvalidDiskId.NotFound", statusCode: 404 });
  });

  test("comes in with temporary credentials too", async () => {
    const [key] = cloud.keys.splice(0);
    cloud.keys.push({ id: key?.id ?? "", secret: "canary-sts-secret", securityToken: "canary-sts-token" });
    const request = new ecs.DescribeRegionsRequest({});
    expect((await clientOf("canary-sts-secret", "canary-sts-token").describeRegions(request)).statusCode).toBe(200);
    await expect(clientOf("canary-sts-secret").describeRegions(request)).rejects.toMatchObject({ code: "InvalidSecurityToken.Malformed" });
  });
});
