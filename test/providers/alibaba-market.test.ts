import { describe, expect, test } from "vitest";
import { MOST_PRICES, worthAsking } from "../../src/providers/alibaba/offers.ts";
import { shareOf } from "../../src/providers/alibaba/spot-advice.ts";
import { newest } from "../../src/providers/alibaba/spot-prices.ts";
import { isInStock } from "../../src/providers/alibaba/stock.ts";
import { typeNamed } from "../clouds/alibaba/catalogue.ts";
import { interruptions } from "../clouds/alibaba/market.ts";
import { A10, actionOf, alibabaBench, context, refusal, ZONE } from "./alibaba-bench.ts";

const A_MINUTE_MS = 60_000;

describe("an offer", () => {
  test("is a type in a zone, with the market's price, the price without spot and what was taken back there", async () => {
    const { offer, fake, clock } = await alibabaBench();
    const found = await offer();
    const type = typeNamed(A10);
    if (type === undefined) throw new Error("no such type");
    const price = fake.site.market.spotPrice(type, ZONE, 1, clock.now());
    expect(found).toMatchObject({
      provider: "alibaba",
      region: "cn-hangzhou",
      zone: ZONE,
      type: A10,
      gpu: { model: "A10", count: 1, vramGb: 24 },
      vcpus: 8,
      memoryGb: 30,
      billing: "spot",
      price: { micros: BigInt(Math.round(price * 1e6)), currency: "CNY" },
      onDemandPrice: { micros: 12_400_000n, currency: "CNY" },
      stock: "unknown",
      noticeSeconds: 300,
      protectionSeconds: 3_600,
      interruptionsPerHour: null,
      reclaimed: { label: interruptions(type, ZONE).bucket, source: expect.stringContaining("30 days") },
    });
  });

  test("the international site counts in dollars", async () => {
    const { offer } = await alibabaBench({ switches: { currency: "USD" } });
    expect(await offer()).toMatchObject({ price: { currency: "USD" }, onDemandPrice: { currency: "USD" } });
  });

  test("parts of a GPU and machines without one are none", async () => {
    const { provider } = await alibabaBench();
    const types = new Set((await provider.offers({}, context)).map(({ type }) => type));
    expect([...types].filter((type) => /vgn|\.g7|\.g8y/.test(type))).toEqual([]);
    expect(types.size).toBeGreaterThan(8);
  });

  test("a part of a GPU is none, whatever its count says", async () => {
    const { provider, instead } = await alibabaBench();
    const row = { CpuCoreCount: 4, MemorySize: 23, GPUAmount: 1, GPUSpec: "NVIDIA T4", GPUMemorySize: 4 };
    const InstanceType = [
      { ...row, InstanceTypeId: "ecs.vgn6i-m4-vws.xlarge" },
      { ...row, InstanceTypeId: "ecs.sgn7i-vws-m2.xlarge" },
      { ...row, InstanceTypeId: "ecs.gn6i-c24g1.12xlarge", GPUSpec: "NVIDIA T4/2" },
      { ...row, InstanceTypeId: "ecs.gn6i-c4g1.xlarge", GPUMemorySize: 16 },
    ];
    const body = { RequestId: "R", NextToken: "", InstanceTypes: { InstanceType } };
    instead("DescribeInstanceTypes", { do: "answer", answer: { status: 200, body } });
    expect([...new Set((await provider.offers({}, context)).map(({ type }) => type))]).toEqual(["ecs.gn6i-c4g1.xlarge"]);
  });

  test("a price of nothing, and a zone without a price, are none", async () => {
    const { provider } = await alibabaBench({ switches: { freePrices: true } });
    expect((await provider.offers({ gpuModel: "A10" }, context)).filter(({ billing }) => billing === "spot")).toEqual([]);
    const { provider: other, instead } = await alibabaBench();
    const body = { RequestId: "R", Currency: "USD", NextOffset: 0, SpotPrices: { SpotPriceType: [] } };
    instead("DescribeSpotPriceHistory", { do: "answer", answer: { status: 200, body } }, 99);
    expect(await other.offers({ gpuModel: "A10" }, context)).toEqual([]);
  });

  test.each([
    [{ Status: "Available", StatusCategory: "WithStock" }, true],
    [{ Status: "Available", StatusCategory: "ClosedWithStock" }, true],
    [{ Status: "SoldOut", StatusCategory: "WithoutStock" }, false],
    [{ Status: "SoldOut", StatusCategory: "ClosedWithoutStock" }, false],
    [{ Status: "Available", StatusCategory: "WithoutStock" }, false],
    [{ Status: "Available", StatusCategory: "ClosedWithoutStock" }, false],
    [{ Status: "SoldOut", StatusCategory: "" }, false],
    [{ Status: "Available", StatusCategory: "Levitating" }, true],
  ])("stock: %j", (said, isThere) => expect(isInStock(said)).toBe(isThere));

  test("sold out is stock 0, and there again when it is", async () => {
    const { provider, fake } = await alibabaBench();
    const stock = async () =>
      (await provider.offers({ gpuModel: "A10", gpuCount: 1 }, context)).find((one) => one.zone === ZONE && one.billing === "spot")?.stock;
    fake.setStock(A10, 0, { zone: ZONE });
    expect(await stock()).toBe(0);
    fake.setStock(A10, 3, { zone: ZONE });
    expect(await stock()).toBe("unknown");
    fake.closeStock(A10, ZONE);
    expect(await stock()).toBe(0);
  });
});

test("the newest price of a zone counts, in whatever order they come", async () => {
  const row = (ZoneId: string, Timestamp: number, SpotPrice: string) => ({ ZoneId, Timestamp, SpotPrice, OriginPrice: "9" });
  const rows = [row("a", 2, "1.5"), row("a", 3, "1.25"), row("b", 9, "2"), row("a", 1, "7")];
  for (const order of [rows, rows.toReversed()])
    expect(newest(order, "usd").get("a")?.spot).toEqual({ micros: 1_250_000n, currency: "USD" });
  for (const historyNewestFirst of [false, true]) {
    const { offer, fake, clock } = await alibabaBench({ switches: { historyPage: 10, historyNewestFirst } });
    fake.movePrice(A10, 0.123);
    clock.advance(A_MINUTE_MS);
    expect((await offer()).price.micros).toBe(1_525_000n);
  }
});

test("bands of what was taken back, as the cloud writes them", () => {
  expect(shareOf("5-10%", 7)).toMatchObject({ atLeast: 0.05, atMost: 0.1, label: "5-10%", observedAt: 7 });
  expect(shareOf("0-3%", 7)).toMatchObject({ atLeast: 0, atMost: 0.03 });
  expect(shareOf("10-100%", 7)).toMatchObject({ atLeast: 0.1, atMost: null });
  for (const odd of ["", "often", "-3%", "3%"]) expect(shareOf(odd, 7)).toBeUndefined();
});

describe("how often the cloud is asked", () => {
  const counted = (requests: readonly Parameters<typeof actionOf>[0][]) => {
    const counts: Record<string, number> = {};
    for (const request of requests) counts[actionOf(request)] = (counts[actionOf(request)] ?? 0) + 1;
    return counts;
  };

  test("the first question to every region, the next only where the type is sold, prices once a minute", async () => {
    const { provider, requests, clock, another } = await alibabaBench();
    let seen = 0;
    const since = () => {
      const counts = counted(requests().slice(seen));
      seen = requests().length;
      return counts;
    };
    await provider.offers({ gpuModel: "L20" }, context);
    // One region of four sells it. Which sell what is found out by the stock of each, the first time.
    const usual = { DescribeAvailableResource: 4 + 1, DescribeSpotAdvice: 1, DescribeSpotPriceHistory: 1 };
    expect(since()).toEqual({ DescribeRegions: 1, DescribeInstanceTypes: 1, ...usual });
    await provider.offers({ gpuModel: "L20" }, context);
    expect(since()).toEqual({ DescribeAvailableResource: 2 });
    clock.advance(A_MINUTE_MS + 1);
    await provider.offers({ gpuModel: "L20" }, context);
    expect(since()).toEqual({ DescribeAvailableResource: 2, DescribeSpotPriceHistory: 1 });
    await (await another()).offers({ gpuModel: "L20" }, context);
    expect(since()).toEqual({ DescribeRegions: 1, DescribeAvailableResource: 2, DescribeSpotPriceHistory: 1 });
    await provider.offers({}, context);
    expect(since()).toMatchObject({ DescribeAvailableResource: 8, DescribeSpotAdvice: 3 });
  });

  test("whoever names no GPU gets a bounded number of new prices, small machines first, of what there is", () => {
    const machine = (gpus: number) => ({ id: `g${gpus}`, model: "A10", gpus, vramGb: 24, vcpus: 8, memoryGb: 30 });
    const stock = (isThere: boolean) => ({ spot: new Map([["z", isThere]]), "on-demand": new Map<string, boolean>() });
    const market = Array.from({ length: 400 }, (_, index) => ({
      region: `r-${index}`,
      type: machine(1 + (index % 8)),
      stock: stock(index % 5 !== 0),
    }));
    const chosen = worthAsking(market, {}, ({ region }) => region === "r-1");
    expect(chosen).toHaveLength(MOST_PRICES.ofAll);
    expect(chosen.some(({ stock: { spot } }) => spot.get("z") === false)).toBe(false);
    expect(chosen.map(({ region }) => region)).not.toContain("r-1");
    expect(Math.max(...chosen.map(({ type }) => type.gpus))).toBeLessThan(8);
    const named = worthAsking(market, { gpuModel: "A10" }, () => false);
    expect(named).toHaveLength(MOST_PRICES.ofOneModel);
    expect(
      worthAsking(market.slice(0, 5), { gpuModel: "A10" }, () => false)
        .at(-1)
        ?.stock.spot.get("z"),
    ).toBe(false);
    expect(worthAsking(market, { gpuModel: "A10" }, () => true)).toEqual([]);
  });

  test("regions that are named are the only ones, and nobody is asked which there are", async () => {
    const { provider, sent, another } = await alibabaBench({ env: { SPOT_ALIBABA_REGIONS: "eu-central-1, cn-shanghai" } });
    const offers = await provider.offers({ gpuModel: "A10" }, context);
    expect([...new Set(offers.map(({ region }) => region))].toSorted()).toEqual(["cn-shanghai", "eu-central-1"]);
    await provider.list(context);
    expect(sent("DescribeRegions")).toEqual([]);
    expect(
      sent("DescribeInstances")
        .map(({ RegionId }) => RegionId)
        .toSorted(),
    ).toEqual(["cn-shanghai", "eu-central-1"]);
    const wrong = await another({ SPOT_ALIBABA_REGIONS: "cn-hangzhou,evil.example/x" });
    await expect(wrong.list(context)).rejects.toMatchObject({
      fault: { kind: "invalid-request" },
      message: expect.stringContaining("evil"),
    });
  });
});

describe("a part of the market that does not answer", () => {
  test("a region: the others are shown", async () => {
    const { provider, fake } = await alibabaBench();
    fake.server.disturb({
      what: refusal(403, "Forbidden.RAM"),
      times: Number.POSITIVE_INFINITY,
      match: (request) => actionOf(request) === "DescribeAvailableResource" && request.body.includes("cn-shanghai"),
    });
    const regions = new Set((await provider.offers({ gpuModel: "A10" }, context)).map(({ region }) => region));
    expect([...regions].toSorted()).toEqual(["ap-southeast-1", "cn-hangzhou", "eu-central-1"]);
  });

  test("all of them: its fault", async () => {
    const { provider, instead } = await alibabaBench();
    instead("DescribeAvailableResource", refusal(403, "Forbidden.RAM"), 99);
    await expect(provider.offers({ gpuModel: "A10" }, context)).rejects.toMatchObject({ fault: { kind: "auth" } });
  });

  test("the advice: offers without it", async () => {
    const { offer, instead } = await alibabaBench();
    instead("DescribeSpotAdvice", refusal(403, "Forbidden.RAM"), 99);
    expect(await offer()).not.toHaveProperty("reclaimed");
  });
});
