import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { alibabaBench, type Bench, REGION, TYPE, ZONE } from "./bench.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let bench: Bench;
beforeEach(async () => {
  bench = await alibabaBench();
});
afterEach(() => bench.cloud.close());

const ids = (fields: readonly string[]) => ({
  RegionId: REGION,
  ...Object.fromEntries(fields.map((id, n) => [`InstanceId.${n + 1}`, id])),
});
const at = (ms: number) => new Date(bench.clock.now() + ms).toISOString().replace(/\.\d{3}/, "");
/** A machine without the protected hour. */
const exposed = { SpotDuration: 0 };

describe("who may ask", () => {
  const fields = { RegionId: REGION };
  const refusal = async (response: Response) => ((await response.json()) as { Code: string }).Code;

  test("a signed request passes, in the query, in a form, and in both", async () => {
    expect((await bench.raw("DescribeZones", fields)).status).toBe(200);
    expect((await bench.raw("DescribeZones", fields, { method: "GET" })).status).toBe(200);
    expect((await bench.raw("DescribeZones", {}, { form: fields })).status).toBe(200);
    expect((await bench.raw("DescribeZones", fields, { form: { AcceptLanguage: "en-US * ~ +ü" } })).status).toBe(200);
  });

  test("what was changed on its way does not", async () => {
    for (const spoil of [
      { "x-acs-action": "DescribeVpcs" },
      { "x-acs-signature-nonce": "other" },
      { "x-acs-content-sha256": "0".repeat(64) },
    ])
      expect(await refusal(await bench.raw("DescribeZones", fields, { spoil }))).toBe("SignatureDoesNotMatch");
    const spoil = { "x-acs-extra": "1" };
    expect(await refusal(await bench.raw("DescribeZones", fields, { spoil }))).toBe("IncompleteSignature");
    for (const unsigned of [["host"], ["x-acs-version"]])
      expect(await refusal(await bench.raw("DescribeZones", fields, { unsigned }))).toBe("IncompleteSignature");
    const headers = { "x-acs-credentials-provider": "static_ak" };
    expect((await bench.raw("DescribeZones", fields, { headers })).status).toBe(200);
  });

  test("an old date, a nonce that was used, and a stranger are refused by code", async () => {
    const dated = (ms: number) => bench.raw("DescribeZones", fields, { headers: { "x-acs-date": at(ms) } });
    expect((await dated(-14 * MINUTE_MS)).status).toBe(200);
    expect(await refusal(await dated(-16 * MINUTE_MS))).toBe("InvalidTimeStamp.Expired");
    expect(await refusal(await dated(16 * MINUTE_MS))).toBe("InvalidTimeStamp.Expired");
    bench.cloud.switches.clockAheadMs = HOUR_MS;
    expect(await refusal(await dated(0))).toBe("InvalidTimeStamp.Expired");
    bench.cloud.switches.clockAheadMs = 0;
    const headers = { "x-acs-signature-nonce": "once" };
    expect((await bench.raw("DescribeZones", fields, { headers })).status).toBe(200);
    expect(await refusal(await bench.raw("DescribeZones", fields, { headers }))).toBe("SignatureNonceUsed");
    const stranger = await bench.raw("DescribeZones", fields, {
      spoil: { authorization: `ACS3-HMAC-SHA256 Credential=who,SignedHeaders=host,Signature=${"0".repeat(64)}` },
    });
    expect(await refusal(stranger)).toBe("IncompleteSignature");
    bench.cloud.keys.length = 0;
    expect(await refusal(await bench.raw("DescribeZones", fields))).toBe("InvalidAccessKeyId.NotFound");
  });
});

describe("what is asked", () => {
  test("unknown parameters, wrong types and missing ones are refused", async () => {
    expect(await bench.code("DescribeInstances", { RegionId: REGION, Region: "x" })).toBe("InvalidParameter.Unknown");
    expect(await bench.code("DescribeInstances", { RegionId: REGION, "InstanceIds.1": "i-1" })).toBe("InvalidParameter.Unknown");
    expect(await bench.code("DescribeInstances", { RegionId: REGION, Tag: "x" })).toBe("InvalidParameter.Unknown");
    expect(await bench.code("DescribeInstances", { RegionId: REGION, "Tag.1": "x" })).toBe("InvalidParameter.Unknown");
    expect(await bench.code("DescribeInstances", { RegionId: REGION, "Tag.1.Name": "x" })).toBe("InvalidParameter.Unknown");
    expect(await bench.code("DescribeInstances", { RegionId: REGION, MaxResults: "many" })).toBe("InvalidParameter.MaxResults");
    expect(await bench.code("DescribeInstances", { RegionId: REGION, MaxResults: 101 })).toBe("InvalidParameter.MaxResults");
    expect(await bench.code("DescribeInstances", { RegionId: REGION, InstanceIds: "i-1" })).toBe("InvalidParameter.InstanceIds");
    expect(await bench.code("DeleteInstance", { InstanceId: "i-1", Force: "yes" })).toBe("InvalidParameter.Force");
    expect(await bench.code("DescribeInstances")).toBe("MissingParameter");
    expect(await bench.code("TagResources", { RegionId: REGION, ResourceType: "disk", "ResourceId.1": "d-1", "Tag.1.Key": "a" })).toBe(
      "MissingParameter",
    );
    expect(await bench.code("RebootInstances")).toBe("InvalidAction.NotFound");
  });

  test("a refusal has the five fields, and XML is what comes unless JSON is asked for", async () => {
    const { status, body } = await bench.say("DescribeInstances", { RegionId: "mars" });
    expect([status, Object.keys(body).sort()]).toEqual([404, ["Code", "HostId", "Message", "Recommend", "RequestId"]]);
    const response = await bench.raw("DescribeRegions", {}, { spoil: { accept: "*/*" } });
    expect(response.headers.get("content-type")).toContain("text/xml");
    expect(await response.text()).toMatch(
      /<DescribeRegionsResponse>.*<Regions><Region><RegionId>cn-hangzhou<\/RegionId>.*<\/Region><Region>/,
    );
  });

  test("too many requests, and an account in debt, are told by code", async () => {
    bench.cloud.switches.account = "arrears";
    expect(await bench.code("DescribeRegions")).toBe("Account.Arrearage");
    bench.cloud.switches.requestsPerMinute = 1;
    expect(await bench.code("DescribeRegions")).toBe("Throttling.User");
  });
});

describe("a launch", () => {
  test("answers with ids that are Pending, then Starting, then Running", async () => {
    const { InstanceIdSets } = await bench.ok("RunInstances", await bench.order());
    const [id] = InstanceIdSets.InstanceIdSet;
    expect(await bench.show(id)).toMatchObject({ Status: "Pending", StartTime: "", ZoneId: ZONE, Cpu: 8, Memory: 30 * 1024 });
    await bench.pass(25);
    expect((await bench.show(id)).Status).toBe("Starting");
    await bench.pass();
    expect(await bench.show(id)).toMatchObject({ Status: "Running", StoppedMode: "Not-applicable", CreationTime: "2026-11-21T03:38Z" });
  });

  test("is refused for what this cloud does not take", async () => {
    const refused: readonly (readonly [Record<string, string | number | boolean>, string])[] = [
      [{ InstanceType: "ecs.none" }, "InvalidInstanceType.NotFound"],
      [{ VSwitchId: "" }, "MissingParameter"],
      [{ ZoneId: "cn-hangzhou-i" }, "InvalidParameter.ZoneId"],
      [{ SecurityGroupId: "" }, "MissingParameter"],
      [{ "SecurityGroupIds.1": "sg-1" }, "InvalidParameter.Conflict"],
      [{ ImageId: "ubuntu_22_04_arm64_20G_alibase_20261012.vhd" }, "ImageNotSupportInstanceType"],
      [{ InstanceChargeType: "PrePaid" }, "InvalidPayMethod"],
      [{ SpotPriceLimit: 3 }, "InvalidParameter.SpotPriceLimit"],
      [{ SpotStrategy: "SpotWithPriceLimit" }, "InvalidParameter.SpotPriceLimit"],
      [{ SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: 3.1234 }, "InvalidSpotPriceLimit.LowerThanPublicPrice"],
      [{ SpotDuration: 2 }, "InvalidParameter.SpotDuration"],
      [{ SpotInterruptionBehavior: "Hibernate" }, "InvalidParameter.SpotInterruptionBehavior"],
      [{ "PrivatePoolOptions.MatchCriteria": "Open" }, "InvalidParameter.PrivatePoolOptions.MatchCriteria"],
      [{ ClientToken: "x".repeat(65) }, "InvalidClientToken.Malformed"],
      [{ Amount: 101 }, "InvalidParameter.Amount"],
      [{ UserData: "#!/bin/sh" }, "InvalidUserData.Base64FormatInvalid"],
      [{ UserData: Buffer.alloc(32 * 1024 + 1).toString("base64") }, "InvalidUserData.SizeExceeded"],
      [{ InternetMaxBandwidthOut: 200 }, "InvalidParameter.InternetMaxBandwidthOut"],
      [{ KeyPairName: "nobody" }, "InvalidKeyPairName.NotFound"],
      [{ "Tag.1.Key": "acs:x" }, "InvalidTagKey.Malformed"],
      [Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`Tag.${n + 1}.Key`, `k${n}`])), "InvalidTagCount.Exceed"],
      [
        { "DataDisk.1.Category": "cloud_essd", "DataDisk.1.PerformanceLevel": "PL2", "DataDisk.1.Size": 100 },
        "InvalidDiskSize.NotSupported",
      ],
      [{ AutoReleaseTime: at(30 * MINUTE_MS - 1_000) }, "InvalidAutoReleaseTime.Malformed"],
      [{ DryRun: true }, "DryRunOperation"],
    ];
    for (const [change, code] of refused)
      expect([change, await bench.code("RunInstances", await bench.order(change))]).toEqual([change, code]);
    expect(bench.cloud.living()).toEqual([]);
    const most = { UserData: Buffer.alloc(32 * 1024, "#").toString("base64") };
    expect(await bench.code("RunInstances", await bench.order(most))).toBe("200");
  });

  test("with a token is done once: the same again for the same order, a refusal for another", async () => {
    const order = await bench.order({ ClientToken: "t-1" });
    const first = await bench.ok("RunInstances", order);
    expect((await bench.ok("RunInstances", order)).InstanceIdSets).toEqual(first.InstanceIdSets);
    expect(await bench.code("RunInstances", { ...order, InstanceName: "other" })).toBe("IdempotentParameterMismatch");
    expect(bench.cloud.living()).toHaveLength(1);
    bench.cloud.switches.tokenIsProcessing = true;
    expect(await bench.code("RunInstances", order)).toBe("IdempotentProcessing");
    bench.cloud.switches.tokenIsProcessing = false;
    bench.cloud.setStock(TYPE, 0);
    // Nothing came of it, so nothing is remembered.
    expect(await bench.code("RunInstances", await bench.order({ ClientToken: "t-2" }))).toBe("OperationDenied.NoStock");
    bench.cloud.setStock(TYPE, 1);
    expect(await bench.code("RunInstances", await bench.order({ ClientToken: "t-2" }))).toBe("200");
    bench.cloud.switches.tokenLastsMs = HOUR_MS;
    bench.cloud.setStock(TYPE, 1);
    bench.clock.pass(HOUR_MS + 1);
    expect((await bench.ok("RunInstances", order)).InstanceIdSets).not.toEqual(first.InstanceIdSets);
  });

  test("whose answer is lost was done, or was not", async () => {
    const order = await bench.order({ ClientToken: "t-1" });
    const isLaunch = ({ headers }: { headers: Readonly<Record<string, string>> }) => headers["x-acs-action"] === "RunInstances";
    bench.cloud.server.disturb({ what: { do: "reset-before" }, match: isLaunch });
    await expect(bench.say("RunInstances", order)).rejects.toThrow();
    expect(bench.cloud.living()).toHaveLength(0);
    bench.cloud.server.disturb({ what: { do: "lose-answer" }, match: isLaunch });
    await expect(bench.say("RunInstances", order)).rejects.toThrow();
    const [one] = bench.cloud.living();
    expect((await bench.ok("RunInstances", order)).InstanceIdSets.InstanceIdSet).toEqual([one?.id]);
  });

  test("finds stock by type, zone and SpotDuration; some are enough with MinAmount", async () => {
    bench.cloud.setStock(TYPE, 2, { zone: ZONE, duration: 1 });
    bench.cloud.setStock(TYPE, 0, { zone: ZONE, duration: 0 });
    expect(await bench.code("RunInstances", await bench.order({ SpotDuration: 0 }))).toBe("OperationDenied.NoStock");
    expect(await bench.code("RunInstances", await bench.order({ Amount: 3 }))).toBe("OperationDenied.NoStock");
    expect(await bench.code("RunInstances", await bench.order({ Amount: 5, MinAmount: 3 }))).toBe("OperationDenied.NoStock");
    const { InstanceIdSets } = await bench.ok("RunInstances", await bench.order({ Amount: 5, MinAmount: 2 }));
    expect(InstanceIdSets.InstanceIdSet).toHaveLength(2);
    expect(await bench.code("RunInstances", await bench.order())).toBe("OperationDenied.NoStock");
    expect(await bench.code("RunInstances", await bench.order({ SpotStrategy: "NoSpot" }))).toBe("200");
    expect((await bench.say("RunInstances", await bench.order())).status).toBe(403);
  });

  test("is refused for the price, the quota and the balance", async () => {
    bench.cloud.movePrice(TYPE, 0.5);
    const bid = (SpotPriceLimit: number, change = {}) => bench.order({ SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit, ...change });
    expect(await bench.code("RunInstances", await bid(6.199))).toBe("OperationDenied.SpotPriceLowerThanPublicPrice");
    expect(await bench.code("RunInstances", await bid(6.2))).toBe("200");
    // Without the protected hour it is cheaper.
    expect(await bench.code("RunInstances", await bid(5.6, exposed))).toBe("200");
    bench.cloud.switches.currency = "USD";
    expect(await bench.code("RunInstances", await bid(0.87))).toBe("200");
    bench.cloud.switches.vcpuQuota = 31;
    expect(await bench.code("RunInstances", await bench.order())).toBe("QuotaExceed.ElasticQuota");
    bench.cloud.switches.account = "low-balance";
    expect(await bench.code("RunInstances", await bench.order())).toBe("InsufficientBalance");
  });

  test("is held in Pending until it is let go", async () => {
    bench.cloud.switches.holdProvisioning = true;
    const id = await bench.running();
    await bench.pass(HOUR_MS);
    expect((await bench.show(id)).Status).toBe("Pending");
    bench.cloud.letGo();
    await bench.pass();
    expect((await bench.show(id)).Status).toBe("Running");
  });

  test("may fail after its answer: the id is gone and only the history says why", async () => {
    bench.cloud.switches.failCreations = 1;
    const { InstanceIdSets } = await bench.ok("RunInstances", await bench.order());
    const [id] = InstanceIdSets.InstanceIdSet;
    expect((await bench.show(id)).Status).toBe("Pending");
    await bench.pass();
    expect(await bench.show(id)).toBeUndefined();
    const { InstanceSystemEventSet } = await bench.ok("DescribeInstanceHistoryEvents", { RegionId: REGION, InstanceId: id });
    expect(InstanceSystemEventSet.InstanceSystemEventType).toMatchObject([
      { InstanceId: id, EventType: { Name: "SystemFailure.Delete" }, EventCycleStatus: { Name: "Executed" } },
    ]);
    expect(bench.cloud.volumes()).toEqual([]);
  });
});

describe("lists", () => {
  test("have pages of ten, by number or by token, and no count with tokens", async () => {
    const tags = { "Tag.1.Key": "fleet", "Tag.1.Value": "a" };
    bench.cloud.setStock(TYPE, 30);
    await bench.ok("RunInstances", await bench.order({ Amount: 12, ...tags }));
    await bench.ok("RunInstances", await bench.order({ Amount: 11 }));
    const plain = await bench.ok("DescribeInstances", { RegionId: REGION });
    expect([plain.Instances.Instance.length, plain.TotalCount, plain.NextToken]).toEqual([10, 23, undefined]);
    const first = await bench.ok("DescribeInstances", { RegionId: REGION, MaxResults: 3 });
    expect([first.Instances.Instance.length, first.TotalCount]).toEqual([10, 0]);
    // What is deleted meanwhile moves nothing.
    bench.cloud.switches.deletesPending = true;
    await bench.ok("DeleteInstances", { ...ids([first.Instances.Instance[0].InstanceId]), Force: true });
    await bench.pass();
    const rest = await bench.ok("DescribeInstances", { RegionId: REGION, MaxResults: 100, NextToken: first.NextToken });
    expect([rest.Instances.Instance.length, rest.NextToken]).toEqual([13, ""]);
    const tagged = await bench.ok("DescribeInstances", { RegionId: REGION, MaxResults: 100, ...tags });
    expect(tagged.Instances.Instance).toHaveLength(11);
    expect((await bench.ok("DescribeInstances", { RegionId: "cn-shanghai" })).Instances.Instance).toEqual([]);
    expect(await bench.code("DescribeInstances", { RegionId: REGION, NextToken: "x" })).toBe("InvalidParameter.NextToken");
  });

  test("find a lock by its small letters", async () => {
    const id = await bench.running();
    bench.cloud.lock(id, "security");
    const found = async (LockReason: string) =>
      (await bench.ok("DescribeInstances", { RegionId: REGION, LockReason })).Instances.Instance.length;
    expect([await found("security"), await found("recycling")]).toEqual([1, 0]);
    expect(await bench.code("DescribeInstances", { RegionId: REGION, LockReason: "Recycling" })).toBe("InvalidParameter.LockReason");
  });
});

describe("stop, start and release", () => {
  const stop = (id: string, mode?: string) =>
    bench.ok("StopInstances", { ...ids([id]), ...(mode === undefined ? {} : { StoppedMode: mode }) });

  test("an economical stop gives the address and the stock back, and keeps the disks and the private address", async () => {
    bench.cloud.setStock(TYPE, 1);
    const id = await bench.running();
    const before = await bench.show(id);
    await stop(id, "StopCharging");
    await bench.pass();
    const after = await bench.show(id);
    expect(after).toMatchObject({ Status: "Stopped", StoppedMode: "StopCharging", PublicIpAddress: { IpAddress: [] } });
    expect(after.VpcAttributes).toEqual(before.VpcAttributes);
    expect((await bench.ok("DescribeDisks", { RegionId: REGION, InstanceId: id })).Disks.Disk).toHaveLength(1);
    bench.cloud.setStock(TYPE, 0);
    expect(await bench.code("StartInstance", { InstanceId: id })).toBe("OperationDenied.NoStock");
    bench.cloud.setStock(TYPE, 1);
    await bench.ok("StartInstance", { InstanceId: id });
    await bench.pass();
    expect(await bench.show(id)).toMatchObject({ Status: "Running", StoppedMode: "Not-applicable" });
    expect((await bench.show(id)).PublicIpAddress.IpAddress).not.toEqual(before.PublicIpAddress.IpAddress);
  });

  test("falls back to a stop that is charged, without a word", async () => {
    const local = await bench.running({ InstanceType: "ecs.gn5-c4g1.xlarge" });
    await stop(local, "StopCharging");
    const other = await bench.running();
    await stop(other);
    const third = await bench.running();
    bench.cloud.switches.keepsCharging = /gn7i/;
    await stop(third, "StopCharging");
    await bench.pass();
    for (const id of [local, other, third]) {
      expect(await bench.show(id)).toMatchObject({ Status: "Stopped", StoppedMode: "KeepCharging" });
      const before = bench.cloud.cost(id);
      bench.clock.pass(HOUR_MS);
      expect(bench.cloud.cost(id)).toBeGreaterThan(before);
    }
  });

  test("a batch is all or nothing, or each by itself with a code in a 200", async () => {
    const [running, stopped] = [await bench.running(), await bench.running()];
    await stop(stopped);
    await bench.pass();
    expect(await bench.code("StopInstances", ids([running, stopped]))).toBe("IncorrectInstanceStatus");
    expect((await bench.show(running)).Status).toBe("Running");
    const { InstanceResponses } = await bench.ok("StopInstances", { ...ids([running, stopped]), BatchOptimization: "SuccessFirst" });
    expect(InstanceResponses.InstanceResponse).toMatchObject([
      { InstanceId: running, Code: "200", PreviousStatus: "Running", CurrentStatus: "Stopping" },
      { InstanceId: stopped, Code: "IncorrectInstanceStatus" },
    ]);
    expect(await bench.code("StartInstances", { ...ids([stopped]), DryRun: true })).toBe("DRYRUN.SUCCESS");
    expect(await bench.code("StartInstances", { ...ids([running]), DryRun: true, BatchOptimization: "SuccessFirst" })).toBe(
      "DRYRUN.SUCCESS",
    );
  });

  test("a bid below the market forbids a start, but not within the protected hour", async () => {
    bench.cloud.movePrice(TYPE, 0.3);
    const id = await bench.running({ SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: 4 });
    await stop(id, "StopCharging");
    await bench.pass();
    bench.cloud.movePrice(TYPE, 0.5);
    expect(await bench.code("StartInstances", { ...ids([id]), DryRun: true })).toBe("DRYRUN.SUCCESS");
    bench.clock.pass(HOUR_MS);
    expect(await bench.code("StartInstance", { InstanceId: id })).toBe("OperationDenied.SpotPriceLowerThanPublicPrice");
  });

  test("a release wants Force while it runs, and cannot be asked for before it is up", async () => {
    const id = await bench.running();
    expect(await bench.code("DeleteInstances", ids([id]))).toBe("IncorrectInstanceStatus");
    expect(await bench.code("DeleteInstance", { InstanceId: id, Force: true, DryRun: true })).toBe("DRYRUN.SUCCESS");
    const { InstanceIdSets } = await bench.ok("RunInstances", await bench.order());
    const [young] = InstanceIdSets.InstanceIdSet;
    expect(await bench.code("DeleteInstance", { InstanceId: young, Force: true })).toBe("IncorrectInstanceStatus.Initializing");
    bench.cloud.switches.deletesPending = true;
    expect(await bench.code("DeleteInstances", { ...ids([young, "i-none"]), Force: true })).toBe("InvalidInstanceId.NotFound");
    const end = { ...ids([young, id]), Force: true, ClientToken: "t-end" };
    await bench.ok("DeleteInstances", end);
    expect(await bench.show(id)).toMatchObject({ Status: "Stopping" });
    expect(bench.cloud.living()).toEqual([]);
    await bench.pass();
    expect(await bench.show(id)).toBeUndefined();
    expect(await bench.code("DeleteInstance", { InstanceId: id, Force: true })).toBe("InvalidInstanceId.NotFound");
    expect(await bench.code("DeleteInstances", end)).toBe("200");
  });

  test("a release of what is being stopped waits until it is", async () => {
    const id = await bench.running();
    await stop(id, "StopCharging");
    expect(await bench.code("DeleteInstance", { InstanceId: id, Force: true })).toBe("IncorrectInstanceStatus");
    await bench.pass();
    expect(await bench.code("DeleteInstance", { InstanceId: id })).toBe("200");
    expect(await bench.code("DeleteInstance", { InstanceId: id })).toBe("200");
    bench.cloud.switches.deletesTwice = "refuse";
    expect(await bench.code("DeleteInstance", { InstanceId: id })).toBe("IncorrectInstanceStatus");
  });

  test("protection holds a hand back, and not the automatic release", async () => {
    const id = await bench.running({ DeletionProtection: true, AutoReleaseTime: at(31 * MINUTE_MS) });
    expect(await bench.code("DeleteInstance", { InstanceId: id, Force: true })).toBe("InvalidOperation.DeletionProtection");
    await bench.pass(32 * MINUTE_MS);
    await bench.pass();
    expect(await bench.show(id)).toBeUndefined();
    expect(bench.cloud.instance(id).endedBy).toBe("time");
  });

  test("the automatic release is on the minute, and can be moved and called off", async () => {
    const id = await bench.running({ AutoReleaseTime: at(40 * MINUTE_MS) });
    expect((await bench.show(id)).AutoReleaseTime).toBe("2026-11-21T04:18Z");
    expect(await bench.code("ModifyInstanceAutoReleaseTime", { InstanceId: id, AutoReleaseTime: at(10 * MINUTE_MS) })).toBe(
      "InvalidAutoReleaseTime.Malformed",
    );
    await bench.ok("ModifyInstanceAutoReleaseTime", { InstanceId: id, AutoReleaseTime: at(2 * HOUR_MS) });
    await bench.pass(HOUR_MS);
    expect((await bench.show(id)).Status).toBe("Running");
    await bench.ok("ModifyInstanceAutoReleaseTime", { InstanceId: id });
    await bench.pass(3 * HOUR_MS);
    expect(await bench.show(id)).toMatchObject({ Status: "Running", AutoReleaseTime: "" });
  });
});

describe("a reclaim", () => {
  const locks = async (id: string) =>
    (await bench.show(id))?.OperationLocks.LockReason.map((one: { LockReason: string }) => one.LockReason);

  test("locks the machine, tells the monitor, and releases it five minutes later", async () => {
    const id = await bench.running(exposed);
    expect(await locks(id)).toEqual([]);
    await bench.cloud.reclaim(id);
    expect(await locks(id)).toEqual(["Recycling"]);
    expect(bench.cloud.instance(id).terminationTime).toBe(bench.clock.now() + 5 * MINUTE_MS);
    expect(bench.cloud.monitored()).toMatchObject([{ name: "Instance:PreemptibleInstanceInterruption", instanceId: id }]);
    await bench.pass(4 * MINUTE_MS);
    expect((await bench.show(id)).Status).toBe("Running");
    await bench.pass(2 * MINUTE_MS);
    await bench.pass();
    expect(await bench.show(id)).toBeUndefined();
    expect((await bench.ok("DescribeInstanceHistoryEvents", { RegionId: REGION })).InstanceSystemEventSet.InstanceSystemEventType).toEqual(
      [],
    );
    expect(bench.cloud.instance(id).endedBy).toBe("reclaim");
  });

  test("waits for the end of the protected hour", async () => {
    const id = await bench.running();
    await bench.cloud.reclaim(id);
    await bench.pass(59 * MINUTE_MS);
    expect(await locks(id)).toEqual([]);
    await bench.pass(2 * MINUTE_MS);
    expect(await locks(id)).toEqual(["Recycling"]);
    bench.cloud.switches.breaksProtection = true;
    const other = await bench.running();
    await bench.cloud.reclaim(other, 60);
    expect(await locks(other)).toEqual(["Recycling"]);
  });

  test("stops it economically where that was asked for, and its disks stay", async () => {
    const id = await bench.running({ ...exposed, SpotInterruptionBehavior: "Stop" });
    await bench.cloud.reclaim(id, 60);
    await bench.pass(61_000);
    await bench.pass();
    expect(await bench.show(id)).toMatchObject({ Status: "Stopped", StoppedMode: "StopCharging" });
    expect((await bench.ok("DescribeDisks", { RegionId: REGION, InstanceId: id })).Disks.Disk).toHaveLength(1);
    bench.clock.pass(24 * HOUR_MS);
    expect((await bench.show(id)).Status).toBe("Stopped");
    expect(await locks(id)).toEqual(["Recycling"]);
    await bench.ok("StartInstance", { InstanceId: id });
    await bench.pass();
    expect([(await bench.show(id)).Status, await locks(id)]).toEqual(["Running", []]);
  });

  test("may leave a stopped machine without its lock", async () => {
    bench.cloud.switches.lockEndsWithStop = true;
    const id = await bench.running({ ...exposed, SpotInterruptionBehavior: "Stop" });
    await bench.cloud.reclaim(id, 0);
    await bench.pass();
    expect([(await bench.show(id)).Status, await locks(id)]).toEqual(["Stopped", []]);
  });

  test("comes when the market rises above the bid, and never to who follows the market", async () => {
    bench.cloud.movePrice(TYPE, 0.3);
    const bidder = await bench.running({ ...exposed, SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: 4 });
    const follower = await bench.running(exposed);
    bench.cloud.movePrice(TYPE, 0.9, "cn-hangzhou-i");
    expect(await locks(bidder)).toEqual([]);
    bench.cloud.movePrice(TYPE, 0.9, ZONE);
    expect([await locks(bidder), await locks(follower)]).toEqual([["Recycling"], []]);
  });

  test("may say nothing inside, nothing outside, or leave a line in the history", async () => {
    Object.assign(bench.cloud.switches, { silentMetadata: true, reclaimsInHistory: true });
    const silent = await bench.running(exposed);
    await bench.cloud.reclaim(silent, 60);
    expect([bench.cloud.instance(silent).terminationTime, await locks(silent)]).toEqual([null, ["Recycling"]]);
    const history = { RegionId: REGION, InstanceId: silent };
    // What is still to come is shown only to who asks for it.
    expect((await bench.ok("DescribeInstanceHistoryEvents", history)).InstanceSystemEventSet.InstanceSystemEventType).toEqual([]);
    const asked = { ...history, "InstanceEventCycleStatus.1": "Scheduled" };
    const { InstanceSystemEventSet } = await bench.ok("DescribeInstanceHistoryEvents", asked);
    expect(InstanceSystemEventSet.InstanceSystemEventType).toMatchObject([
      { EventCycleStatus: { Name: "Scheduled" }, NotBefore: at(60_000) },
    ]);
    bench.cloud.switches.reclaimsWithoutLock = true;
    const sudden = await bench.running(exposed);
    await bench.cloud.reclaim(sudden, 0);
    expect(await locks(sudden)).toEqual([]);
    await bench.pass();
    expect(await bench.show(sudden)).toBeUndefined();
  });

  test("of one that restarts by itself ends when there is stock", async () => {
    bench.cloud.switches.restartsStopped = true;
    const id = await bench.running({ ...exposed, SpotInterruptionBehavior: "Stop" });
    await bench.cloud.reclaim(id, 0);
    bench.cloud.setStock(TYPE, 0);
    await bench.pass(100);
    bench.cloud.setStock(TYPE, 0);
    await bench.pass(10 * MINUTE_MS);
    expect((await bench.show(id)).Status).toBe("Stopped");
    bench.cloud.setStock(TYPE, 1);
    await bench.pass(2 * MINUTE_MS);
    await bench.pass();
    expect((await bench.show(id)).Status).toBe("Running");
  });
});
