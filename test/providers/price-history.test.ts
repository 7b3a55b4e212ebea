import { describe, expect, test } from "vitest";
import type { RememberedPrice } from "../../src/model/listed-price.ts";
import { A10, alibabaBench, context as alibabaContext, refusal, ZONE } from "./alibaba-bench.ts";
import { awsOn, onMoto } from "./aws-bench.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Each zone's prices follow one another without a hole. */
function withoutHoles(prices: readonly RememberedPrice[]): boolean {
  const zones = new Map<string, RememberedPrice[]>();
  for (const one of prices) zones.set(one.price.zone, [...(zones.get(one.price.zone) ?? []), one]);
  return [...zones.values()].every((all) => all.every(({ from }, index) => index === 0 || all[index - 1]?.to === from - 1));
}

describe("AWS remembers 90 days", () => {
  onMoto("of every change, with the price that was in force at the start, and the last one up to now", async () => {
    const { provider, cloud, context, sent } = await awsOn({ switches: { historyPageSize: 7 } });
    const now = Date.now();
    const since = now - 10 * DAY_MS;
    const found = (await provider.priceHistory?.read({ gpuModel: "A10G", gpuCount: 1, regions: ["us-east-1"], since }, context)) ?? [];
    expect(sent("DescribeSpotPriceHistory").length).toBeGreaterThan(10);
    expect(new Set(found.map(({ price }) => price.zone))).toEqual(new Set(["us-east-1a", "us-east-1b", "us-east-1c"]));
    const here = found.filter(({ price }) => price.zone === "us-east-1a");
    expect(here.length).toBeGreaterThan(20);
    expect(here[0]?.from).toBeLessThanOrEqual(since);
    expect(here[1]?.from).toBeGreaterThan(since);
    expect(here.at(-1)?.to).toBeGreaterThanOrEqual(now);
    expect(withoutHoles(found)).toBe(true);
    expect(here.at(-1)).toMatchObject({
      price: {
        provider: "aws",
        region: "us-east-1",
        type: "g5.xlarge",
        gpu: { model: "A10G", count: 1, vramGb: 24 },
        vcpus: 4,
        memoryGb: 16,
        billing: "spot",
        price: { micros: BigInt(cloud.price("g5.xlarge", "us-east-1a").replace(".", "")), currency: "USD" },
        onDemandPrice: { micros: 1_006_000n, currency: "USD" },
      },
    });
  });

  onMoto("a type by its name, in every region; nobody is asked beyond what is kept", async () => {
    const { provider, context, sent } = await awsOn();
    const found = (await provider.priceHistory?.read({ type: "g5.xlarge", since: 0 }, context)) ?? [];
    expect(new Set(found.map(({ price }) => `${price.region} ${price.type}`))).toEqual(
      new Set(["us-east-1 g5.xlarge", "eu-west-1 g5.xlarge"]),
    );
    for (const asked of sent("DescribeSpotPriceHistory"))
      expect(Date.now() - Date.parse(asked["StartTime"] ?? "")).toBeLessThan(90 * DAY_MS + 300_000);
    const before = sent("DescribeSpotPriceHistory").length;
    expect(await provider.priceHistory?.read({ type: "m5.large", since: 0 }, context)).toEqual([]);
    expect(sent("DescribeSpotPriceHistory").length).toBe(before);
  });
});

describe("Alibaba remembers 30 days", () => {
  test.each([false, true])("page by page, whichever row comes first (newest first: %s)", async (historyNewestFirst) => {
    const { provider, fake, clock } = await alibabaBench({ switches: { historyNewestFirst } });
    const since = clock.now() - 6 * DAY_MS;
    fake.movePrice(A10, 0.5, ZONE);
    clock.advance(2 * HOUR_MS);
    const found = (await provider.priceHistory?.read({ gpuModel: "A10", gpuCount: 1, since }, alibabaContext)) ?? [];
    const here = found.filter(({ price }) => price.zone === ZONE && price.type === A10);
    expect(here.length).toBeGreaterThan(6 * 24);
    expect(withoutHoles(here)).toBe(true);
    expect(here[0]?.from).toBeLessThan(since + HOUR_MS);
    expect(here.at(-1)).toMatchObject({
      price: {
        price: { micros: 6_200_000n, currency: "CNY" },
        onDemandPrice: { micros: 12_400_000n, currency: "CNY" },
        region: "cn-hangzhou",
      },
      to: clock.now(),
    });
  });

  test("whoever asks for more gets what there is, within the longest window that is allowed", async () => {
    const { provider, clock, sent } = await alibabaBench();
    const found = (await provider.priceHistory?.read({ type: A10, since: 0 }, alibabaContext)) ?? [];
    const first = Math.min(...found.map(({ from }) => from));
    expect(clock.now() - first).toBeGreaterThan(29 * DAY_MS);
    expect(found.filter(({ price }) => price.zone === ZONE).length).toBe(30 * 24);
    expect(new Set(sent("DescribeSpotPriceHistory").map(({ InstanceType }) => InstanceType))).toEqual(new Set([A10]));
  });

  test("a price of nothing is none, and a refusal is one", async () => {
    const { provider, instead } = await alibabaBench({ switches: { freePrices: true } });
    expect(await provider.priceHistory?.read({ type: A10, since: 0 }, alibabaContext)).toEqual([]);
    instead("DescribeSpotPriceHistory", refusal(403, "Forbidden.RAM"), 99);
    await expect(provider.priceHistory?.read({ type: A10, since: 0 }, alibabaContext)).rejects.toMatchObject({ fault: { kind: "auth" } });
  });
});
