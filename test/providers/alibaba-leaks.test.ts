import { describe, expect, onTestFinished, test } from "vitest";
import { alibabaProvider } from "../../src/providers/alibaba/provider.ts";
import { type FakeAlibaba, fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import { up } from "../simulation/scenarios.ts";
import { wireWorld } from "../wire-sweep/wire-world.ts";
import { actionOf, alibabaBench, context, refusal, ZONE } from "./alibaba-bench.ts";

const A_MINUTE_MS = 60_000;
const NOBODY = { do: "answer", answer: { status: 200, body: { Instances: { Instance: [] }, NextToken: "" } } } as const;
const DONE = { do: "answer", answer: { status: 200, body: { RequestId: "R" } } } as const;

describe("what costs money is not lost from sight", () => {
  test("before it is listed: a machine that was ordered a moment ago is not gone because it is denied", async () => {
    const { provider, spec, clock, instead, fake } = await alibabaBench();
    const { providerId } = await provider.launch(await spec("t-1"), context);
    instead("DescribeInstances", NOBODY, 2);
    instead("DeleteInstances", refusal(404, "InvalidInstanceId.NotFound"));
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(fake.living()).toHaveLength(1);
    // Nobody lists it for longer than an order takes: then it is gone.
    clock.advance(A_MINUTE_MS);
    instead("DescribeInstances", NOBODY);
    expect(await provider.destroy(providerId, context)).toBe("gone");
  });

  test("after a release that was accepted and never came", async () => {
    const { provider, running, clock, instead, fake } = await alibabaBench();
    const { providerId } = await running("t-1");
    instead("DeleteInstances", DONE);
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(await provider.get(providerId, context)).toMatchObject({ state: "terminating" });
    clock.advance(11 * A_MINUTE_MS);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running" });
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    clock.advance(A_MINUTE_MS);
    expect(fake.living()).toEqual([]);
  });

  test.each(["IdempotentProcessing", "IdempotentParameterMismatch"])(
    "when a disk or a snapshot is on its way already: %s",
    async (code) => {
      const { provider, instead } = await alibabaBench();
      const place = { region: "cn-hangzhou", zone: ZONE };
      const volumes = provider.volumes;
      instead("CreateDisk", refusal(409, code));
      await expect(volumes?.create({ name: "work", token: "t-v", sizeGb: 20, ...place }, context)).rejects.toMatchObject({
        fault: { kind: "ambiguous" },
      });
      const disk = await volumes?.create({ name: "work", token: "t-w", sizeGb: 20, ...place }, context);
      instead("CreateSnapshot", refusal(409, code));
      const copy = volumes?.snapshots?.create(disk?.providerId ?? "", { name: "copy", token: "t-s" }, context);
      await expect(copy).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
    },
  );
});

describe("the fleet at Alibaba Cloud", () => {
  /** What an `up` orders. */
  async function ordered(maxPrice: string | null): Promise<Readonly<Record<string, string>>> {
    let made: FakeAlibaba | undefined;
    const world = await wireWorld(async (clock) => {
      made = await fakeAlibaba({ clock });
      // No path: what is kept on a disk would be waited for by no virtual clock.
      const provider = await alibabaProvider({ env: made.env, home: "/nowhere\0", clock });
      const { server, living, volumes, close } = made;
      return { provider, server, living, volumes, giveNotice: async () => false, close };
    });
    onTestFinished(() => world.close());
    await world.clock.run(up(world.start(), { ...world.spec, maxPrice }));
    const [order] = made?.server.requests.filter((request) => actionOf(request) === "RunInstances") ?? [];
    return Object.fromEntries(new URLSearchParams(order?.body));
  }

  test("follows the market where nobody named a price: the price of the moment is no limit to be taken back at", async () => {
    const order = await ordered(null);
    expect(order).toMatchObject({ SpotStrategy: "SpotAsPriceGo" });
    expect(order).not.toHaveProperty("SpotPriceLimit");
  });

  test("and names the limit that somebody has", async () => {
    expect(await ordered("900CNY")).toMatchObject({ SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: "900.000" });
  });
});

test("a vSwitch without a free address is taken only when there is no other, be it the default one", async () => {
  const { provider, spec, instead, sent } = await alibabaBench();
  const row = (VSwitchId: string, IsDefault: boolean, AvailableIpAddressCount: number) => ({
    ...{ VSwitchId, IsDefault, AvailableIpAddressCount },
    ...{ VpcId: "vpc-1", ZoneId: ZONE, Status: "Available" },
  });
  const body = { VSwitches: { VSwitch: [row("vsw-full", true, 0), row("vsw-free", false, 9)] } };
  const wanted = await spec("t-1");
  instead("DescribeVSwitches", { do: "answer", answer: { status: 200, body } });
  instead("DescribeSecurityGroups", { do: "answer", answer: { status: 200, body: { SecurityGroups: { SecurityGroup: [] } } } });
  instead("CreateSecurityGroup", { do: "answer", answer: { status: 200, body: { SecurityGroupId: "sg-1" } } });
  instead("AuthorizeSecurityGroup", DONE);
  await provider.launch(wanted, context).catch(() => undefined);
  expect(sent("RunInstances")[0]).toMatchObject({ VSwitchId: "vsw-free" });
});
