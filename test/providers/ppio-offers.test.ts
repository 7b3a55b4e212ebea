import { expect, test } from "vitest";
import { ppioBench } from "../clouds/ppio/bench.ts";

test.each([
  { vendor: "ppio" },
  { vendor: "novita" },
  { vendor: "novita", regionsAs: "codes" },
  { vendor: "novita", regionsAs: "ids" },
  // Nobody knows them: what the cloud answered for a cluster is believed.
  { vendor: "ppio", regionsAs: "words" },
] as const)("a product without regions is offered everywhere, one with regions only there: %j", async (settings) => {
  const { provider, context, cloud } = await ppioBench(settings);
  const clusters = cloud.market.clusters.map(({ id }) => id);
  const offers = await provider.offers({ gpuCount: 1 }, context);
  const where = (model: string) => [...new Set(offers.filter(({ gpu }) => gpu.model === model).map(({ region }) => region))];
  expect(where("RTX4090")).toEqual(clusters);
  expect(where("H100")).toEqual(clusters.slice(0, 2));
  expect(where("L40S")).toEqual(clusters.slice(0, 1));
});

test("a product of another cluster is left out, should the cloud answer with it all the same", async () => {
  const { provider, context, cloud } = await ppioBench({ vendor: "novita" });
  const { url, credential } = cloud;
  const answer = await fetch(`${url}/gpu-instance/openapi/v1/products`, {
    headers: { authorization: `Bearer ${credential}`, "content-type": "application/json" },
  });
  const body = await answer.json();
  cloud.server.disturb({
    what: { do: "answer", answer: { status: 200, body } },
    match: ({ path }) => path.endsWith("/products"),
    times: 6,
  });
  const offers = await provider.offers({ gpuCount: 1 }, context);
  expect(new Set(offers.filter(({ gpu }) => gpu.model === "L40S").map(({ region }) => region))).toEqual(new Set(["us-ca-06"]));
});

test("spot, on demand and by the month, each at its own price; a spot price of 0 is no offer", async () => {
  const { provider, context } = await ppioBench({ vendor: "novita" });
  const offers = await provider.offers({ gpuCount: 1 }, context);
  const here = offers.filter(({ gpu, region }) => gpu.model === "RTX4090" && region === "us-ca-06");
  expect(here.map(({ billing, price }) => [billing, price])).toEqual([
    ["spot", { micros: 990_000n, currency: "USD" }],
    ["on-demand", { micros: 1_980_000n, currency: "USD" }],
    ["monthly", { micros: 1_438_350n, currency: "USD" }],
  ]);
  expect(
    here.map(({ onDemandPrice, noticeSeconds, protectionSeconds }) => [onDemandPrice?.micros, noticeSeconds, protectionSeconds]),
  ).toEqual([
    [1_980_000n, 3600, 3600],
    [1_980_000n, 0, 0],
    [1_980_000n, 0, 0],
  ]);
  expect(offers.filter(({ gpu }) => gpu.model === "RTXA6000").map(({ billing }) => billing)).toEqual(["on-demand"]);
});

test("a price by the month that cannot be one by the hour is left out", async () => {
  const { provider, context, cloud } = await ppioBench();
  // As if it were told in another unit: a month for less than a tenth of itself.
  cloud.market.setPrice("4090.16c62g", { price: 198_000_000 });
  const offers = await provider.offers({ gpuModel: "RTX4090", gpuCount: 1 }, context);
  expect(offers.some(({ billing }) => billing === "monthly")).toBe(false);
});

test("one to eight GPUs, each with a type of its own; sold out is stock 0, in its own cluster", async () => {
  const { provider, context, cloud } = await ppioBench();
  cloud.setStock("4090.16c62g:1", 0, "27");
  const offers = (await provider.offers({ gpuModel: "RTX4090" }, context)).filter(({ billing }) => billing === "spot");
  expect(new Set(offers.map(({ type }) => type))).toEqual(new Set([1, 2, 4, 8].map((count) => `4090.16c62g:${count}`)));
  expect(new Set(offers.filter(({ region }) => region === "27").map(({ stock }) => stock))).toEqual(new Set([0]));
  expect(new Set(offers.filter(({ region }) => region !== "27").map(({ stock }) => stock))).toEqual(new Set(["unknown"]));
  expect(offers.map(({ price, gpu }) => price.micros / BigInt(gpu.count))).toEqual(offers.map(() => 990_000n));
  expect((await provider.offers({ gpuCount: 3 }, context)).every(({ gpu, type }) => gpu.count === 3 && type.endsWith(":3"))).toBe(true);
  expect(await provider.offers({ gpuCount: 9 }, context)).toEqual([]);
});

test("when one number of GPUs is asked for, so is the cloud: what is left may do for one and not for four", async () => {
  const { provider, context, cloud } = await ppioBench();
  cloud.setStock("4090.16c62g:1", 2);
  const stock = async (gpuCount: number) =>
    new Set((await provider.offers({ gpuModel: "RTX4090", gpuCount }, context)).map((one) => one.stock));
  expect(await stock(1)).toEqual(new Set(["unknown"]));
  expect(await stock(4)).toEqual(new Set([0]));
});

test("two questions for each cluster that is asked for, and one for the clusters", async () => {
  const { provider, context, cloud, sent } = await ppioBench();
  await provider.offers({}, context);
  expect(cloud.server.requests).toHaveLength(1 + 2 * 3);
  await provider.offers({ regions: ["27"] }, context);
  expect(sent("/products").slice(6)).toEqual([
    { clusterId: "27", billingMethod: "spot" },
    { clusterId: "27", billingMethod: "onDemand" },
  ]);
});
