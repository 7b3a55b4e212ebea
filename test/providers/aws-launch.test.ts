import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { userData } from "../../src/providers/aws/boot.ts";
import { maxPriceOf } from "../../src/providers/aws/launch.ts";
import { keyPairName } from "../../src/providers/aws/preparation.ts";
import { imagesOf } from "../clouds/aws/catalogue.ts";
import { agentSource } from "../guest/machine.ts";
import { awsOn, onMoto, SSH_KEY } from "./aws-bench.ts";

const usd = (micros: bigint) => ({ micros, currency: "USD" });

describe("what a launch sends", () => {
  onMoto("one spot machine: once, with its token, its tags at creation, and an end that ends billing", async () => {
    const { provider, context, spec, sent } = await awsOn();
    const launched = await provider.launch(await spec(), context);
    const [order, ...more] = sent("RunInstances");
    expect(more).toEqual([]);
    const { UserData = "", "SecurityGroupId.1": group, ...rest } = order ?? {};
    expect(gunzipSync(Buffer.from(UserData, "base64")).toString()).toBe("#!/bin/sh\nexport GREETING='it'\\''s'\n#!/bin/sh\necho up\n");
    expect(group).toMatch(/^sg-/);
    const tags = (index: number, resource: string, pairs: readonly (readonly [string, string])[]) =>
      Object.fromEntries([
        [`TagSpecification.${index}.ResourceType`, resource],
        ...pairs.flatMap(([key, value], at) => [
          [`TagSpecification.${index}.Tag.${at + 1}.Key`, key],
          [`TagSpecification.${index}.Tag.${at + 1}.Value`, value],
        ]),
      ]);
    const ours = [
      ["Name", "job"],
      ["spot-fleet-token", "t-1"],
      ["spot-fleet-name", "job"],
      ["team", "vision"],
    ] as const;
    // What goes with the machine carries no token of its own: it would look like something that was left behind.
    const part = [
      ["Name", "job"],
      ["spot-fleet-machine", "t-1"],
      ["team", "vision"],
    ] as const;
    expect(rest).toEqual({
      Action: "RunInstances",
      Version: "2016-11-15",
      ImageId: imagesOf("us-east-1")[1]?.id,
      InstanceType: "g4dn.xlarge",
      MinCount: "1",
      MaxCount: "1",
      ClientToken: "t-1",
      "Placement.AvailabilityZone": "us-east-1a",
      KeyName: keyPairName(SSH_KEY),
      InstanceInitiatedShutdownBehavior: "terminate",
      "MetadataOptions.HttpTokens": "required",
      "MetadataOptions.HttpEndpoint": "enabled",
      "MetadataOptions.HttpPutResponseHopLimit": "2",
      "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
      "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
      "BlockDeviceMapping.1.Ebs.VolumeSize": expect.stringMatching(/^\d+$/),
      "BlockDeviceMapping.1.Ebs.VolumeType": "gp3",
      "InstanceMarketOptions.MarketType": "spot",
      "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
      ...tags(1, "instance", ours),
      ...tags(2, "volume", part),
      ...tags(3, "network-interface", part),
      ...tags(4, "spot-instances-request", ours),
    });
    expect(launched).toMatchObject({ name: "job", token: "t-1", state: "provisioning", zone: "us-east-1a", billing: "spot" });
    expect(launched.providerId).toMatch(/^us-east-1\/i-[0-9a-f]+$/);
  });

  onMoto(
    "a machine that waits for capacity: persistent and stop; a shutdown inside must not end it, or another one would come",
    async () => {
      const { provider, context, spec, sent } = await awsOn();
      await provider.launch(await spec({ waitsForCapacity: true, ttlSeconds: 3600 }), context);
      const [order = {}] = sent("RunInstances");
      expect(order).toMatchObject({
        InstanceInitiatedShutdownBehavior: "stop",
        "InstanceMarketOptions.SpotOptions.SpotInstanceType": "persistent",
        "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior": "stop",
        "TagSpecification.1.Tag.4.Key": "spot-fleet-request",
        "TagSpecification.1.Tag.4.Value": "persistent",
      });
      const until = Date.parse(order["InstanceMarketOptions.SpotOptions.ValidUntil"] ?? "");
      expect(Math.abs(until - Date.now() - 3_600_000)).toBeLessThan(300_000);
    },
  );

  onMoto("on demand: no market options, and no tags for a request that there is not", async () => {
    const { provider, context, spec, offer, sent } = await awsOn();
    await provider.launch(await spec({ offer: await offer({ billing: "on-demand" }), sshKey: null, waitsForCapacity: true }), context);
    const [order = {}] = sent("RunInstances");
    expect(Object.keys(order).filter((key) => key.startsWith("InstanceMarketOptions"))).toEqual([]);
    expect(Object.values(order)).not.toContain("spot-instances-request");
    expect(order).toMatchObject({ InstanceInitiatedShutdownBehavior: "terminate" });
    expect(order["KeyName"]).toBeUndefined();
    expect(Object.values(order)).not.toContain("persistent");
  });

  onMoto("arm64 types get an image for arm64", async () => {
    const { provider, context, spec, offer, sent } = await awsOn();
    await provider.launch(await spec({ offer: await offer({ type: "g5g.xlarge" }) }), context);
    expect(sent("RunInstances")[0]?.["ImageId"]).toBe(imagesOf("us-east-1").find(({ architecture }) => architecture === "arm64")?.id);
  });

  onMoto("the newest image of Amazon's own that is there, not somebody else's of the same name", async () => {
    const { provider, context, spec, sent } = await awsOn();
    await provider.launch(await spec(), context);
    const [asked] = sent("DescribeImages");
    expect(asked).toMatchObject({
      "Owner.1": "amazon",
      "Filter.1.Name": "name",
      "Filter.1.Value.1": "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) *",
      "Filter.3.Value.1": "available",
    });
  });

  onMoto("labels cannot take the place of our own tags", async () => {
    const { provider, context, spec } = await awsOn();
    const labels = { "spot-fleet-token": "t-evil", Name: "evil", "aws:evil": "1", "odd{}key": "a<b" };
    const launched = await provider.launch(await spec({ labels }), context);
    expect(await provider.get(launched.providerId, context)).toMatchObject({ name: "job", token: "t-1" });
  });

  onMoto("a cap is told only where it lies below the price on demand: AWS advises against it", async () => {
    const { offer } = await awsOn();
    const spot = await offer();
    expect(spot.onDemandPrice).toEqual(usd(526_000n));
    expect(maxPriceOf({ maxPrice: null, offer: spot })).toBeUndefined();
    expect(maxPriceOf({ maxPrice: usd(526_000n), offer: spot })).toBeUndefined();
    expect(maxPriceOf({ maxPrice: usd(900_000n), offer: spot })).toBeUndefined();
    expect(maxPriceOf({ maxPrice: usd(300_000n), offer: spot })).toBe("0.300000");
    expect(maxPriceOf({ maxPrice: usd(900_000n), offer: { ...spot, onDemandPrice: null } })).toBe("0.900000");
    expect(maxPriceOf({ maxPrice: usd(300_000n), offer: { ...spot, billing: "on-demand" } })).toBeUndefined();
  });

  onMoto("what is prepared is made once, and found by the next process", async () => {
    const { provider, context, spec, again, changes, sent } = await awsOn();
    await provider.launch(await spec(), context);
    expect(changes()).toEqual(["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "ImportKeyPair", "RunInstances"]);
    const before = changes().length;
    await (await again()).launch(await spec({ token: "t-2" }), context);
    expect(changes().slice(before)).toEqual(["RunInstances"]);
    expect(sent("AuthorizeSecurityGroupIngress")[0]).toMatchObject({
      "IpPermissions.1.IpProtocol": "tcp",
      "IpPermissions.1.FromPort": "22",
      "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0",
    });
  });

  onMoto("ports beyond SSH are a group of their own, so that no other machine is opened; they are shown as endpoints", async () => {
    const { running, sent } = await awsOn();
    const found = await running({
      ports: [
        { port: 8080, protocol: "http" },
        { port: 8000, protocol: "tcp" },
      ],
    });
    expect(sent("CreateSecurityGroup")[0]).toMatchObject({ GroupName: "spot-fleet-8000-8080" });
    expect(found.endpoints.map(({ port }) => port)).toEqual([8000, 8080]);
  });
});

describe("user data", () => {
  test("is the same bytes for the same script: a client token wants it", () => {
    expect(userData("echo up", { A: "1" })).toBe(userData("echo up", { A: "1" }));
  });

  test("begins like a script, whatever the script begins with", () => {
    expect(gunzipSync(Buffer.from(userData("echo up", {}), "base64")).toString()).toBe("#!/bin/sh\necho up");
  });

  test("is packed tighter where that makes it fit", () => {
    const source = agentSource;
    let length = 40_000;
    while (gzipSync(source.slice(0, length), { level: 9 }).length <= 16_400) length += 500;
    const packed = Buffer.from(userData(source.slice(0, length), {}), "base64");
    expect(packed.length).toBeLessThanOrEqual(16_384);
    expect(gunzipSync(packed).toString()).toBe(source.slice(0, length));
  });

  onMoto("what is too long is refused with its size, before anything is sent", async () => {
    const { provider, context, spec, changes } = await awsOn();
    const noise = Array.from({ length: 40_000 }, (_, at) => String.fromCharCode(33 + (((at * 7919) ^ (at >> 3)) % 90))).join("");
    const launching = provider.launch(await spec({ env: { NOISE: noise + noise.split("").reverse().join("") } }), context);
    await expect(launching).rejects.toMatchObject({
      fault: { kind: "invalid-request" },
      message: expect.stringMatching(/\d{5} bytes .* 16384.*shrink/),
    });
    expect(changes()).toEqual([]);
  });
});

describe("what a launch is answered", () => {
  onMoto("no capacity comes with status 500, and is passed up at once", async () => {
    const { provider, cloud, context, spec, sent } = await awsOn();
    const order = await spec();
    cloud.setStock("g4dn.xlarge", 0);
    await expect(provider.launch(order, context)).rejects.toMatchObject({
      fault: { kind: "no-capacity", scope: "offer" },
      rawCode: "InsufficientInstanceCapacity",
      message: expect.stringContaining("There is no Spot capacity available that matches your request."),
    });
    expect(sent("RunInstances")).toHaveLength(1);
  });

  onMoto("a launch that is accepted and finds no room is over, and by the cloud's doing", async () => {
    const { provider, context, spec, until } = await awsOn({ switches: { capacityRunsOutLater: true } });
    const { providerId, state } = await provider.launch(await spec(), context);
    expect(state).toBe("provisioning");
    expect(await until(providerId, (one) => one?.state === "gone")).toMatchObject({
      endedBy: "provider",
      reason: expect.stringContaining("Server.InsufficientInstanceCapacity"),
    });
  });

  onMoto.each([
    ["MaxSpotInstanceCountExceeded", 400, "quota"],
    ["VcpuLimitExceeded", 400, "quota"],
    ["InsufficientFreeAddressesInSubnet", 400, "no-capacity"],
    ["Unsupported", 400, "no-capacity"],
    ["SpotMaxPriceTooLow", 400, "price-too-low"],
    ["RequestLimitExceeded", 503, "rate-limited"],
    ["UnauthorizedOperation", 403, "auth"],
    ["AuthFailure.ServiceLinkedRoleCreationNotPermitted", 403, "auth"],
    ["InvalidAMIID.NotFound", 400, "invalid-request"],
    ["InvalidGroup.NotFound", 400, "unavailable"],
    ["InternalError", 500, "ambiguous"],
    ["ServiceUnavailable", 503, "ambiguous"],
  ])("%s (%i) is %s, and is sent once", async (code, status, kind) => {
    const { provider, cloud, context, spec, sent } = await awsOn();
    const order = await spec();
    cloud.switches.refuseLaunch = { status, code, message: "no" };
    await expect(provider.launch(order, context)).rejects.toMatchObject({ fault: { kind }, rawCode: code });
    expect(sent("RunInstances")).toHaveLength(1);
    expect(cloud.living()).toEqual([]);
  });

  onMoto("a zone without a default subnet is passed over", async () => {
    const { provider, cloud, context, spec } = await awsOn();
    const order = await spec();
    const message = "No default subnet for availability zone: 'us-east-1a'.";
    cloud.switches.refuseLaunch = { status: 400, code: "MissingInput", message };
    await expect(provider.launch(order, context)).rejects.toMatchObject({ fault: { kind: "no-capacity", scope: "zone" } });
  });

  onMoto("the same token and order is the same machine; with another order it is still found", async () => {
    const { provider, cloud, context, spec } = await awsOn();
    const first = await provider.launch(await spec(), context);
    expect((await provider.launch(await spec(), context)).providerId).toBe(first.providerId);
    // As after a newer image has come out: other parameters for a token that was used.
    const other = await provider.launch(await spec({ env: { GREETING: "other" } }), context);
    expect(other.providerId).toBe(first.providerId);
    expect(cloud.living()).toHaveLength(1);
  });

  onMoto("the machine's request may come later, and costs nothing", async () => {
    const { provider, context, spec, running } = await awsOn({ switches: { requestIdLater: true, notFoundFirst: 2, listedAfterMs: 200 } });
    const found = await running();
    expect(found).toMatchObject({ token: "t-1", state: "running" });
    expect(await provider.destroy(found.providerId, context)).toBe("accepted");
    await spec();
  });

  onMoto("a cap below the price sends nothing", async () => {
    const { provider, context, spec, changes } = await awsOn();
    await expect(provider.launch(await spec({ maxPrice: usd(1n) }), context)).rejects.toMatchObject({ fault: { kind: "price-too-low" } });
    expect(changes()).toEqual([]);
  });
});
