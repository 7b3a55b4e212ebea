import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { releaseTime } from "../../src/providers/alibaba/release-time.ts";
import { authorizingLines } from "../../src/providers/alibaba/ssh-key.ts";
import { A10, alibabaBench, context, refusal, SSH_KEY, START, ZONE } from "./alibaba-bench.ts";

/** The script that a launch's user data becomes once it has unpacked itself. */
function scriptIn(userData: string | undefined): string {
  const outer = Buffer.from(userData ?? "", "base64").toString("utf8");
  const packed = /<<SPOT_END_OF_FILE[^\n]*\n([\s\S]*?)\nSPOT_END_OF_FILE/.exec(outer)?.[1] ?? "";
  return gunzipSync(Buffer.from(packed.replaceAll("\n", ""), "base64")).toString("utf8");
}

describe("what a launch sends", () => {
  test("all of it", async () => {
    const { provider, spec, sent, fake } = await alibabaBench();
    const launched = await provider.launch(
      await spec("t-1", { labels: { team: "blue", "aliyun-x": "no", "spot-fleet-token": "t-9" } }),
      context,
    );
    const [order] = sent("RunInstances");
    const [keyPair] = sent("ImportKeyPair");
    const { UserData, VSwitchId, SecurityGroupId, ...plain } = order ?? {};
    expect(plain).toEqual({
      RegionId: "cn-hangzhou",
      ZoneId: ZONE,
      InstanceType: A10,
      ImageId: "ubuntu_22_04_x64_20G_alibase_20261015.vhd",
      InstanceName: "train",
      InstanceChargeType: "PostPaid",
      SpotStrategy: "SpotAsPriceGo",
      SpotDuration: "1",
      SpotInterruptionBehavior: "Terminate",
      Amount: "1",
      InternetChargeType: "PayByTraffic",
      InternetMaxBandwidthOut: "100",
      KeyPairName: keyPair?.["KeyPairName"],
      "SystemDisk.Category": "cloud_essd",
      "SystemDisk.Size": "60",
      "Tag.1.Key": "spot-fleet-token",
      "Tag.1.Value": "t-1",
      "Tag.2.Key": "spot-fleet-name",
      "Tag.2.Value": "train",
      "Tag.3.Key": "team",
      "Tag.3.Value": "blue",
      ClientToken: "t-1",
    });
    const vSwitch = fake.site.vSwitches.find(({ id }) => id === VSwitchId);
    expect(vSwitch).toMatchObject({ zone: ZONE, isDefault: true });
    expect(fake.site.securityGroups.get(SecurityGroupId ?? "")?.vpc).toBe(vSwitch?.vpc);
    expect(scriptIn(UserData)).toBe("#!/bin/sh\nexport GREETING='it'\\''s'\necho up");
    expect(launched).toMatchObject({ state: "provisioning", token: "t-1", region: "cn-hangzhou", zone: ZONE, volumeIds: [] });
    expect(launched.providerId).toMatch(/^cn-hangzhou\/i-/);
  });

  test("a cap of one's own becomes the price limit, in thousandths and never above the cap", async () => {
    const { provider, spec, offer, sent } = await alibabaBench();
    const cheap = await offer();
    const maxPrice = { ...cheap.price, micros: 9_876_543n };
    await provider.launch(await spec("t-1", { maxPrice }), context);
    expect(sent("RunInstances")[0]).toMatchObject({ SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: "9.876", SpotDuration: "1" });
    // A cap between the price and the next thousandth cannot be told.
    const odd = { ...cheap, price: { ...cheap.price, micros: cheap.price.micros + 100n } };
    const tooFine = spec("t-2", { offer: odd, maxPrice: { ...odd.price } });
    await expect(provider.launch(await tooFine, context)).rejects.toMatchObject({ fault: { kind: "price-too-low" } });
    const dollars = spec("t-3", { maxPrice: { micros: 100_000_000n, currency: "USD" } });
    await expect(provider.launch(await dollars, context)).rejects.toMatchObject({ fault: { kind: "price-too-low" } });
    expect(sent("RunInstances")).toHaveLength(1);
  });

  test("an ordinary machine is no spot machine", async () => {
    const { provider, spec, offer, sent } = await alibabaBench();
    const ordinary = await offer(undefined, { zone: ZONE, billing: "on-demand" });
    const launched = await provider.launch(await spec("t-1", { offer: ordinary }), context);
    const [order] = sent("RunInstances");
    expect(order).toMatchObject({ SpotStrategy: "NoSpot" });
    expect(Object.keys(order ?? {}).filter((name) => /^Spot(Duration|Interruption|PriceLimit)/.test(name))).toEqual([]);
    expect(launched).toMatchObject({ billing: "on-demand", protectedUntil: null });
  });

  test("without protection: asked for without it everywhere, and told as none", async () => {
    const { another, offer, spec, sent } = await alibabaBench({ env: { SPOT_ALIBABA_PROTECTION: "none" } });
    const bare = await another();
    expect(bare.capabilities).toMatchObject({ noticeSeconds: 300, protectionSeconds: 0 });
    const cheaper = await offer();
    expect(cheaper).toMatchObject({ protectionSeconds: 0, noticeSeconds: 300 });
    const launched = await bare.launch(await spec("t-1", { offer: cheaper }), context);
    expect(launched.protectedUntil).toBeNull();
    expect(sent("RunInstances")[0]).toMatchObject({ SpotDuration: "0" });
    expect(sent("DescribeSpotPriceHistory").map(({ SpotDuration }) => SpotDuration)).not.toContain("1");
    expect(sent("DescribeAvailableResource").map(({ SpotDuration }) => SpotDuration)).not.toContain("1");
    const guarded = await another({ SPOT_ALIBABA_PROTECTION: "" });
    const [dearer] = (await guarded.offers({ gpuModel: "A10", gpuCount: 1 }, context)).filter(
      (one) => one.zone === ZONE && one.billing === "spot",
    );
    expect(dearer?.price.micros).toBeGreaterThan(cheaper.price.micros);
    const typo = await another({ SPOT_ALIBABA_PROTECTION: "nome" });
    await expect(typo.offers({}, context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
  });

  test("an image of one's own keeps its own size", async () => {
    const { provider, spec, sent } = await alibabaBench();
    await provider.launch(await spec("t-1", { image: "m-bp1ourownimage" }), context);
    expect(sent("DescribeImages")).toEqual([]);
    expect(sent("RunInstances")[0]).toMatchObject({ ImageId: "m-bp1ourownimage" });
    expect(sent("RunInstances")[0]).not.toHaveProperty("SystemDisk.Size");
  });
});

describe("the time to live", () => {
  test("is told in the cloud's time, on the full minute, never less than half an hour ahead", async () => {
    const { provider, spec, sent, fake } = await alibabaBench();
    await provider.launch(await spec("t-1", { ttlSeconds: 7_200 }), context);
    await provider.launch(await spec("t-2", { ttlSeconds: 60 }), context);
    fake.switches.clockAheadMs = 2 * 3_600_000;
    await provider.launch(await spec("t-3", { ttlSeconds: 7_200 }), context);
    const [hours, short, ahead] = sent("RunInstances").slice(0, 3);
    expect(hours?.["AutoReleaseTime"]).toBe("2026-05-01T14:01:00Z");
    expect(Date.parse(short?.["AutoReleaseTime"] ?? "") - START).toBeGreaterThanOrEqual(30 * 60_000);
    expect(Date.parse(short?.["AutoReleaseTime"] ?? "") - START).toBeLessThanOrEqual(33 * 60_000);
    const last = sent("RunInstances").at(-1) ?? ahead;
    expect(last?.["AutoReleaseTime"]?.slice(0, 15)).toBe("2026-05-01T16:0");
    expect(fake.living()).toHaveLength(3);
  });

  test("ends the machine without us; more than three years cannot be told", async () => {
    const { provider, running, clock } = await alibabaBench();
    const { providerId } = await running("t-1", { ttlSeconds: 3_600 });
    clock.advance(59 * 60_000);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running" });
    clock.advance(3 * 60_000);
    expect(await provider.get(providerId, context)).toBeUndefined();
    expect(releaseTime(START, 4 * 365 * 86_400)).toBeUndefined();
  });
});

describe("what is found before it is made", () => {
  test("one group, one key pair; a port is opened once, also by the next process", async () => {
    const { provider, spec, sent, another, fake } = await alibabaBench();
    await provider.launch(await spec("t-1"), context);
    await provider.launch(await spec("t-2", { ports: [{ port: 8888, protocol: "http" }] }), context);
    await provider.launch(await spec("t-3", { ports: [{ port: 8888, protocol: "http" }] }), context);
    await (await another()).launch(await spec("t-4"), context);
    expect([sent("CreateSecurityGroup"), sent("ImportKeyPair")].map((calls) => calls.length)).toEqual([1, 1]);
    expect(sent("AuthorizeSecurityGroup").map((call) => call["Permissions.1.PortRange"])).toEqual(["22/22", "8888/8888", "22/22"]);
    expect(sent("AuthorizeSecurityGroup")[0]).toMatchObject({
      "Permissions.1.IpProtocol": "TCP",
      "Permissions.1.SourceCidrIp": "0.0.0.0/0",
    });
    expect(sent("CreateSecurityGroup")[0]).toMatchObject({ SecurityGroupName: "spot-fleet", "Tag.1.Key": "spot-fleet-name" });
    expect(sent("ImportKeyPair")[0]).toMatchObject({ PublicKeyBody: SSH_KEY.replace(/ spot$/, "") });
    expect(sent("RunInstances")[1]).toMatchObject({ "Tag.3.Key": "spot-fleet-ports", "Tag.3.Value": "8888" });
    expect(fake.living()).toHaveLength(4);
  });

  test("a key that the cloud does not take comes with the user data", async () => {
    const { provider, spec, sent, instead } = await alibabaBench();
    instead("ImportKeyPair", refusal(400, "InvalidPublicKeyBody.Malformed"));
    await provider.launch(await spec("t-1"), context);
    await provider.launch(await spec("t-2"), context);
    expect(sent("ImportKeyPair")).toHaveLength(1);
    for (const { KeyPairName, UserData } of sent("RunInstances")) {
      expect(KeyPairName).toBeUndefined();
      const key = SSH_KEY.replace(/ spot$/, "");
      expect(scriptIn(UserData)).toContain(`echo '${key}' >>"$spot_ssh/authorized_keys"`);
      expect(scriptIn(UserData).endsWith("echo up")).toBe(true);
    }
  });

  test("its lines let the key in, once however often they run, and quote nothing into the shell", () => {
    const root = mkdtempSync(join(tmpdir(), "spot-alibaba-root-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    const lines = authorizingLines(`${SSH_KEY} it's me`, "root");
    for (let time = 0; time < 2; time++)
      execFileSync("sh", ["-eu", "-c", lines], { env: { PATH: process.env["PATH"] ?? "", SPOT_ROOT: root } });
    const file = join(root, "root/.ssh/authorized_keys");
    expect(readFileSync(file, "utf8")).toBe(`${SSH_KEY.replace(/ spot$/, "")}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(authorizingLines("ssh-rsa AAA'$(reboot)' x", "ecs'; reboot")).not.toMatch(/reboot\)|'; reboot|\$\(reboot/);
  });

  test("what a refused launch was built on is looked for again", async () => {
    const { provider, spec, sent, fake, instead } = await alibabaBench();
    await provider.launch(await spec("t-1"), context);
    const [first] = sent("RunInstances");
    const old = fake.site.vSwitches.findIndex(({ id }) => id === first?.["VSwitchId"]);
    fake.site.vSwitches.splice(old, 1);
    instead("RunInstances", refusal(400, "InvalidVSwitchId.NotFound"));
    await expect(provider.launch(await spec("t-2"), context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
    await provider.launch(await spec("t-3"), context);
    expect(sent("DescribeVSwitches")).toHaveLength(2);
    expect(sent("RunInstances").at(-1)?.["VSwitchId"]).not.toBe(first?.["VSwitchId"]);
  });

  test("a zone without a vSwitch has no room, and it says what is missing", async () => {
    const { provider, spec, offer } = await alibabaBench();
    const nowhere = await offer(undefined, { zone: "cn-shanghai-m", billing: "spot" });
    await expect(provider.launch(await spec("t-1", { offer: nowhere }), context)).rejects.toMatchObject({
      fault: { kind: "no-capacity", scope: "zone" },
      message: expect.stringMatching(/no vSwitch in cn-shanghai-m/),
    });
  });

  test("user data beyond 32 kB is refused before anything is ordered", async () => {
    const { provider, spec, sent } = await alibabaBench();
    const noise = Array.from({ length: 6_000 }, (_, index) => Math.sin(index).toString(36).slice(3)).join("");
    await expect(provider.launch(await spec("t-1", { env: { NOISE: noise } }), context)).rejects.toMatchObject({
      fault: { kind: "invalid-request" },
      message: expect.stringMatching(/takes 32768/),
    });
    expect(sent("RunInstances")).toEqual([]);
  });
});

describe("what a refusal of a launch means", () => {
  test.each([
    [403, "OperationDenied.NoStock", { kind: "no-capacity", scope: "offer" }],
    [500, "OperationDenied.NoStock", { kind: "no-capacity", scope: "offer" }],
    [403, "Zone.NotOnSale", { kind: "no-capacity", scope: "offer" }],
    [403, "OperationDenied.ZoneNotAllowed", { kind: "no-capacity", scope: "offer" }],
    [400, "InvalidResourceType.NotSupported", { kind: "no-capacity", scope: "offer" }],
    [400, "LackResource", { kind: "no-capacity", scope: "offer" }],
    [400, "Invalid.PrivatePoolOptions.NoStock", { kind: "no-capacity", scope: "offer" }],
    [400, "InvalidVSwitchId.IpNotEnough", { kind: "no-capacity", scope: "zone" }],
    [403, "OperationDenied.SpotPriceLowerThanPublicPrice", { kind: "price-too-low" }],
    [400, "InvalidSpotPriceLimit.LowerThanPublicPrice", { kind: "price-too-low" }],
    [403, "QuotaExceed.ElasticQuota", { kind: "quota" }],
    [403, "InstanceQuotaExceed", { kind: "quota" }],
    [400, "Account.Arrearage", { kind: "quota" }],
    [403, "InsufficientBalance", { kind: "quota" }],
    [400, "Throttling.User", { kind: "rate-limited", retryAfterMs: 40_000 }],
    [503, "Throttling", { kind: "rate-limited", retryAfterMs: 40_000 }],
    [403, "Forbidden.RAM", { kind: "auth" }],
    [404, "InvalidAccessKeyId.NotFound", { kind: "auth" }],
    [400, "SignatureDoesNotMatch", { kind: "auth" }],
    [403, "IncorrectInstanceStatus", { kind: "conflict" }],
    [400, "MissingParameter", { kind: "invalid-request" }],
    [403, "InvalidPayMethod", { kind: "invalid-request" }],
    [403, "SomethingNobodyKnows", { kind: "invalid-request" }],
    [409, "IdempotentParameterMismatch", { kind: "ambiguous" }],
    [409, "IdempotentProcessing", { kind: "ambiguous" }],
    [500, "InternalError", { kind: "ambiguous" }],
    [503, "ServiceUnavailable", { kind: "ambiguous" }],
  ])("%i %s", async (status, code, fault) => {
    const { provider, spec, instead } = await alibabaBench({ env: { SPOT_ALIBABA_REGIONS: "cn-hangzhou" } });
    const order = await spec("t-1");
    instead("RunInstances", refusal(status, code, "in its own words"));
    const failure = await provider.launch(order, context).catch((error: unknown) => error);
    expect(failure).toMatchObject({ fault, rawCode: code });
    if (/Arrearage|Balance/.test(code)) expect(String(failure)).toMatch(/top up the account/);
  });

  test("the market's own refusals", async () => {
    const { provider, spec, fake, offer } = await alibabaBench();
    const order = await spec("t-1", { maxPrice: (await offer()).price });
    fake.movePrice(A10, 0.9);
    await expect(provider.launch(order, context)).rejects.toMatchObject({ fault: { kind: "price-too-low" } });
    fake.setStock(A10, 0);
    await expect(provider.launch({ ...order, maxPrice: null }, context)).rejects.toMatchObject({ fault: { kind: "no-capacity" } });
    fake.setStock(A10, 1);
    fake.switches.account = "low-balance";
    await expect(provider.launch({ ...order, maxPrice: null }, context)).rejects.toMatchObject({ fault: { kind: "quota" } });
    expect(fake.living()).toEqual([]);
  });
});
