import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { bandOf } from "../../src/providers/aws/advisor.ts";
import type { Api } from "../../src/providers/aws/api.ts";
import { briefly } from "../../src/providers/aws/briefly.ts";
import { onDemandPrices } from "../../src/providers/aws/on-demand.ts";
import { newest, priceOf } from "../../src/providers/aws/spot-prices.ts";
import type { KeptAnswers } from "../../src/providers/kept-answers.ts";
import { type FakeRequest, fakeServer } from "../clouds/fake-server.ts";
import { awsOn, onMoto, sentOf } from "./aws-bench.ts";

const item = (zone: string, price: string, at: string, product = "Linux/UNIX") => ({
  InstanceType: "g5.xlarge" as const,
  AvailabilityZone: zone,
  SpotPrice: price,
  Timestamp: new Date(at),
  ProductDescription: product as "Linux/UNIX",
});

describe("the price in force", () => {
  test("is the newest item of each zone and type, whatever the order", () => {
    const found = newest([
      item("us-east-1a", "0.5", "2026-11-20T00:00:00Z"),
      item("us-east-1a", "0.4", "2026-11-21T00:00:00Z"),
      item("us-east-1b", "0.6", "2026-08-30T00:00:00Z"),
      item("us-east-1a", "0.3", "2026-11-19T00:00:00Z"),
      item("us-east-1a", "9.9", "2026-11-22T00:00:00Z", "Windows"),
    ]);
    expect(found.map(({ AvailabilityZone, SpotPrice }) => [AvailabilityZone, SpotPrice])).toEqual([
      ["us-east-1a", "0.4"],
      ["us-east-1b", "0.6"],
    ]);
  });

  onMoto("is remembered for a minute, and a machine says of when its price is", async () => {
    const { running, provider, again, context, cloud } = await awsOn();
    const { providerId, type, zone, price, pricedAt } = await running();
    const at = systemClock.now();
    expect(price).toEqual(priceOf(cloud.price(type, zone), "us-east-1"));
    expect(pricedAt).toBeLessThanOrEqual(at);
    expect((await provider.get(providerId, context))?.pricedAt).toBe(pricedAt);
    expect((await (await again()).get(providerId, context))?.pricedAt).toBeGreaterThanOrEqual(at);
  });

  test("is text with up to six decimals, and exact; nothing is no price", () => {
    expect(priceOf("0.193417", "us-east-1")).toEqual({ micros: 193_417n, currency: "USD" });
    expect(priceOf("12.5", "cn-north-1")).toEqual({ micros: 12_500_000n, currency: "CNY" });
    for (const text of ["0", "0.000000", "", "-1", "1e-3", "NaN", undefined]) expect(priceOf(text, "us-east-1"), String(text)).toBeNull();
  });

  onMoto("is asked for from now on: the answer has the last change before", async () => {
    const { provider, context, sent } = await awsOn();
    await provider.offers({ gpuModel: "T4", regions: ["us-east-1"] }, context);
    const [asked = {}, ...more] = sent("DescribeSpotPriceHistory");
    expect(more).toEqual([]);
    expect(asked).toMatchObject({
      "ProductDescription.1": "Linux/UNIX",
      "InstanceType.1": "g4dn.12xlarge",
      "InstanceType.3": "g4dn.xlarge",
    });
    expect(Math.abs(Date.parse(asked["StartTime"] ?? "") - Date.now())).toBeLessThan(300_000);
    expect(Object.keys(asked).filter((key) => key.startsWith("InstanceType."))).toHaveLength(3);
  });
});

describe("offers", () => {
  onMoto("each type in each zone, spot and on demand, in exact money", async () => {
    const { provider, cloud, context } = await awsOn();
    const offers = await provider.offers({ gpuModel: "A10G", gpuCount: 1 }, context);
    const places = (billing: string) => offers.filter((one) => one.billing === billing).map(({ zone }) => zone);
    const zones = ["us-east-1a", "us-east-1b", "us-east-1c", "eu-west-1a", "eu-west-1b"];
    expect(places("spot").toSorted()).toEqual(zones.toSorted());
    expect(places("on-demand").toSorted()).toEqual(zones.toSorted());
    const [spot] = offers.filter((one) => one.billing === "spot" && one.zone === "us-east-1b");
    expect(spot).toMatchObject({
      type: "g5.xlarge",
      region: "us-east-1",
      gpu: { model: "A10G", count: 1, vramGb: 24 },
      vcpus: 4,
      memoryGb: 16,
      onDemandPrice: { micros: 1_006_000n, currency: "USD" },
      stock: "unknown",
      noticeSeconds: 120,
      protectionSeconds: 0,
      source: "live",
    });
    const told = cloud.price("g5.xlarge", "us-east-1b").replace(".", "");
    expect(spot?.price.micros).toBe(BigInt(told));
    expect(offers.find(({ billing }) => billing === "on-demand")).toMatchObject({ price: { micros: 1_006_000n }, noticeSeconds: 0 });
  });

  onMoto("a part of a GPU is no GPU: g6f says it has 0 of them", async () => {
    const { provider, context } = await awsOn();
    const types = new Set((await provider.offers({}, context)).map(({ type }) => type));
    expect(types).toContain("g6.xlarge");
    expect(types).not.toContain("g6f.large");
    expect(types).not.toContain("m5.large");
  });

  onMoto("without a spot market there is no spot offer", async () => {
    const { provider, context } = await awsOn();
    const offers = (await provider.offers({ gpuModel: "H200" }, context)).filter(({ type }) => type === "p5en.48xlarge");
    expect(new Set(offers.map(({ billing }) => billing))).toEqual(new Set(["on-demand"]));
  });

  onMoto("only the regions that were asked for are asked; SPOT_AWS_REGIONS narrows all of it", async () => {
    const { provider, cloud, context, again } = await awsOn();
    const regionsAsked = () =>
      new Set(cloud.server.requests.map(({ headers }) => headers["authorization"]?.split("/")[2]).filter((one) => one !== undefined));
    expect(new Set((await provider.offers({ regions: ["eu-west-1"] }, context)).map(({ region }) => region))).toEqual(
      new Set(["eu-west-1"]),
    );
    // The list of regions, and the price list of every region, are asked for at home.
    expect(regionsAsked()).toEqual(new Set(["us-east-1", "eu-west-1"]));
    const before = cloud.server.requests.length;
    const narrow = await again({ SPOT_AWS_REGIONS: " eu-west-1 ,eu-west-1" });
    await narrow.list(context);
    const asked = cloud.server.requests.slice(before);
    expect(asked.map(sentOf).map(({ Action }) => Action)).not.toContain("DescribeRegions");
    expect(new Set(asked.map(({ headers }) => headers["authorization"]?.split("/")[2]))).toEqual(new Set(["eu-west-1"]));
    await expect((await again({ SPOT_AWS_REGIONS: "mars" })).list(context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
  });

  onMoto("types, zones and the price list are kept: the next process asks for spot prices alone", async () => {
    const { provider, cloud, context, again, home } = await awsOn();
    const first = await provider.offers({}, context);
    const before = cloud.server.requests.length;
    const second = await (await again()).offers({}, context);
    expect(second.length).toBe(first.length);
    const actions = cloud.server.requests.slice(before).map((request) => sentOf(request)["Action"] ?? request.path);
    expect([...new Set(actions)].toSorted()).toEqual(["DescribeRegions", "DescribeSpotPriceHistory"]);
    const apart = /^aws-[0-9a-f]{8}-/;
    expect(
      readdirSync(join(home, "cache"))
        .map((name) => name.replace(apart, "aws-"))
        .toSorted(),
    ).toEqual(
      [
        "advisor",
        "on-demand-eu-west-1",
        "on-demand-us-east-1",
        "types-eu-west-1",
        "types-us-east-1",
        "zones-eu-west-1",
        "zones-us-east-1",
      ].map((name) => `aws-${name}.json`),
    );
  });

  onMoto("pages of one, and an empty page that carries a token, lose nothing", async () => {
    const whole = await awsOn();
    const all = await whole.provider.offers({ gpuModel: "T4" }, whole.context);
    const bits = await awsOn({ switches: { pageSize: 1, emptyFirstPage: true } });
    const found = await bits.provider.offers({ gpuModel: "T4" }, bits.context);
    const keys = (offers: typeof all) => offers.map(({ type, zone, billing }) => `${type} ${zone} ${billing}`).toSorted();
    expect(keys(found)).toEqual(keys(all));
  });

  onMoto("an account that may not see the price list has no price on demand, and is not asked again and again", async () => {
    const { provider, cloud, context } = await awsOn();
    const isPricing = ({ headers }: { readonly headers: Readonly<Record<string, string>> }) =>
      headers["x-amz-target"] === "AWSPriceListService.GetProducts";
    const denied = { status: 400, body: { __type: "AccessDeniedException", Message: "no" } };
    cloud.server.disturb({ what: { do: "answer", answer: denied }, match: isPricing, times: Number.POSITIVE_INFINITY });
    const offers = await provider.offers({ gpuModel: "T4" }, context);
    expect(new Set(offers.map(({ billing, onDemandPrice }) => `${billing} ${onDemandPrice}`))).toEqual(new Set(["spot null"]));
    const asked = () => cloud.server.requests.filter(isPricing).length;
    const before = asked();
    await provider.offers({ gpuModel: "T4" }, context);
    expect(asked()).toBe(before);
  });
});

describe("what AWS guesses of it", () => {
  test("bands go by their label; the last one has no upper bound", () => {
    expect(["<5%", "5-10%", "10-15%", "15-20%", ">20%", "soon"].map(bandOf)).toEqual([
      { atLeast: 0, atMost: 0.05 },
      { atLeast: 0.05, atMost: 0.1 },
      { atLeast: 0.1, atMost: 0.15 },
      { atLeast: 0.15, atMost: 0.2 },
      { atLeast: 0.2, atMost: null },
      null,
    ]);
    // No share of anything: a file that says so is wrong somewhere.
    expect(["90-5%", "100-999%", ">500%", "-5%", "5-10", "5–10%", ""].map(bandOf)).toEqual(Array.from({ length: 7 }, () => null));
  });

  onMoto("the advisor's band is with its offers, as old as the file says", async () => {
    const published = Date.UTC(2026, 9, 1);
    const body = {
      global_rate: "<10%",
      ranges: [
        { index: 0, label: "<5%", dots: 0, max: 5 },
        { index: 4, label: ">20%", dots: 4, max: 100 },
      ],
      instance_types: {},
      spot_advisor: { "us-east-1": { Linux: { "g4dn.xlarge": { s: 62, r: 4 }, "g5.xlarge": { s: -3, r: 0 } }, Windows: {} } },
    };
    const site = await fakeServer({
      handle: () => ({ status: 200, body, headers: { "last-modified": new Date(published).toUTCString() } }),
    });
    try {
      const { provider, context } = await awsOn({ env: { SPOT_AWS_ADVISOR_URL: `${site.url}/advisor.json` } });
      const offers = await provider.offers({ regions: ["us-east-1"] }, context);
      const share = (type: string) => offers.find((one) => one.type === type && one.billing === "spot")?.reclaimed;
      expect(share("g4dn.xlarge")).toEqual({
        atLeast: 0.2,
        atMost: null,
        label: ">20%",
        source: "AWS Spot Instance Advisor",
        observedAt: published,
      });
      expect(share("g5.xlarge")).toMatchObject({ atLeast: 0, atMost: 0.05 });
      expect(share("g6.xlarge")).toBeUndefined();
      expect(offers.find(({ billing }) => billing === "on-demand")?.reclaimed).toBeUndefined();
      await provider.offers({}, context);
      expect(site.requests).toHaveLength(1);
      expect(Object.keys(site.requests[0]?.headers ?? {})).not.toContain("authorization");
    } finally {
      await site.close();
    }
  });

  onMoto("where the endpoint is moved and nobody says where the advisor is, it is not asked", async () => {
    const { provider, context } = await awsOn({ env: { SPOT_AWS_ADVISOR_URL: undefined } });
    const offers = await provider.offers({ gpuModel: "T4" }, context);
    expect(offers.filter(({ reclaimed }) => reclaimed !== undefined)).toEqual([]);
  });

  onMoto("placement scores: only when a GPU is named and three types have it, once an hour", async () => {
    const { provider, context, sent, again, home } = await awsOn();
    await provider.offers({}, context);
    await provider.offers({ gpuModel: "A10G" }, context);
    expect(sent("GetSpotPlacementScores")).toEqual([]);
    const offers = await provider.offers({ gpuModel: "T4" }, context);
    expect(offers.filter(({ billing }) => billing === "spot").map(({ placementScore }) => placementScore)).toEqual(
      expect.arrayContaining([expect.any(Number)]),
    );
    expect(offers.find(({ billing }) => billing === "on-demand")?.placementScore).toBeUndefined();
    const [asked, ...more] = sent("GetSpotPlacementScores");
    expect(more).toEqual([]);
    expect(asked).toMatchObject({
      "InstanceType.1": "g4dn.12xlarge",
      "InstanceType.3": "g4dn.xlarge",
      TargetCapacity: "1",
      SingleAvailabilityZone: "true",
      "RegionName.1": "us-east-1",
      "RegionName.2": "eu-west-1",
    });
    await (await again()).offers({ gpuModel: "T4" }, context);
    expect(sent("GetSpotPlacementScores")).toHaveLength(1);
    rmSync(join(home, "cache"), { recursive: true });
  });

  onMoto("an account that may not ask for scores has none, and hears nothing of it", async () => {
    const { provider, context, sent } = await awsOn({ switches: { deniedActions: ["GetSpotPlacementScores"] } });
    for (let round = 0; round < 2; round++) {
      const offers = await provider.offers({ gpuModel: "T4" }, context);
      expect(offers.length).toBeGreaterThan(0);
      expect(offers.filter(({ placementScore }) => placementScore !== undefined)).toEqual([]);
    }
    expect(sent("GetSpotPlacementScores")).toHaveLength(1);
  });
});

test("where EC2 alone is moved, the price list of AWS's own is not asked", async () => {
  const asked: string[] = [];
  const apiWith = (moved: Readonly<Record<string, string>>) =>
    ({
      endpoint: (service: string) => moved[service],
      now: () => 0,
      wire: {
        send: async ({ origin }: { readonly origin: string }) => {
          asked.push(origin);
          return { text: '{"PriceList":[]}' };
        },
      },
    }) as unknown as Api;
  const kept: KeptAnswers = { recent: async (_, __, ___, ask) => ({ value: (await ask()) as never, observedAt: 0 }) };
  const context = { signal: new AbortController().signal };
  expect(await onDemandPrices(apiWith({ EC2: "http://127.0.0.1:1" }), kept).of("us-east-1", context)).toBeUndefined();
  expect(asked).toEqual([]);
  await onDemandPrices(apiWith({ EC2: "http://127.0.0.1:1", PRICING: "http://127.0.0.1:2" }), kept).of("us-east-1", context);
  await onDemandPrices(apiWith({}), kept).of("us-east-1", context);
  expect(asked).toEqual(["http://127.0.0.1:2", "https://api.pricing.us-east-1.amazonaws.com"]);
});

describe("what is good to know and does not answer", () => {
  test("is given up after its own time, and work that goes on has its signal", async () => {
    let given: AbortSignal | undefined;
    const hangs = ({ signal }: { readonly signal: AbortSignal }) => {
      given = signal;
      return new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const signal = new AbortController().signal;
    await expect(briefly({ signal }, hangs, 20)).rejects.toMatchObject({ name: "TimeoutError" });
    expect(given?.aborted).toBe(true);
    expect(signal.aborted).toBe(false);
  });

  onMoto("costs seconds and no offers", async () => {
    const { provider, cloud, context } = await awsOn();
    const isScore = ({ body }: FakeRequest) => body.includes("GetSpotPlacementScores");
    // Longer than this test may take.
    cloud.server.disturb({ what: { do: "stall", ms: 600_000 }, match: isScore, times: Number.POSITIVE_INFINITY });
    const offers = await provider.offers({ gpuModel: "T4" }, context);
    expect(offers.filter(({ billing }) => billing === "spot").length).toBeGreaterThan(0);
    expect(offers.filter(({ placementScore }) => placementScore !== undefined)).toEqual([]);
    cloud.server.calm();
  });
});
