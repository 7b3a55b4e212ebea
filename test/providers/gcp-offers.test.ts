import { describe, expect, test } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import type { Offer } from "../../src/model/offer.ts";
import { context, gcpBench, MINUTE } from "./gcp-bench.ts";

const at = (offers: readonly Offer[], type: string, zone = "us-central1-a") =>
  offers.filter((offer) => offer.type === type && offer.zone === zone).toSorted((a, b) => (a.billing < b.billing ? 1 : -1));

describe("offers of Google Compute Engine", () => {
  test("every size with GPUs in every zone, as spot and on demand, with summed prices and an unknown stock", async () => {
    const { provider } = await gcpBench();
    const offers = await provider.offers({}, context);
    const [spot, onDemand] = at(offers, "g2-standard-4");
    expect(spot).toMatchObject({
      provider: "gcp",
      region: "us-central1",
      gpu: { model: "L4", count: 1, vramGb: 24 },
      vcpus: 4,
      memoryGb: 16,
      billing: "spot",
      stock: "unknown",
      noticeSeconds: 0,
      noticeUpToSeconds: 30,
      protectionSeconds: 0,
      interruptionsPerHour: null,
      source: "catalog",
    });
    // 4 × 0.0099954 + 16 × 0.00117094 + 0.2240016
    expect(moneyToDecimal(spot?.price ?? { micros: 0n, currency: "" })).toBe("0.282718");
    expect(moneyToDecimal(onDemand?.price ?? { micros: 0n, currency: "" })).toBe("0.706796");
    expect(spot?.onDemandPrice).toEqual(onDemand?.price);
    expect(onDemand).not.toHaveProperty("noticeUpToSeconds");
    expect(offers.every((offer) => offer.price.micros > 0n && offer.gpu.count > 0 && offer.gpu.vramGb > 0)).toBe(true);
    const keys = offers.map((offer) => [offer.zone, offer.type, offer.billing].join(" "));
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("the same GPU with more memory is told apart, and a network is no GPU", async () => {
    const { provider } = await gcpBench();
    const offers = await provider.offers({}, context);
    expect(at(offers, "a2-highgpu-1g")[0]?.gpu).toEqual({ model: "A100", form: "SXM", count: 1, vramGb: 40 });
    expect(at(offers, "a2-ultragpu-1g")[0]?.gpu).toEqual({ model: "A100", form: "SXM", count: 1, vramGb: 80 });
    expect(at(offers, "a3-highgpu-8g")[0]?.gpu).toEqual({ model: "H100", form: "SXM", count: 8, vramGb: 80 });
    const mega = offers.find(({ type }) => type.startsWith("a3-megagpu"));
    expect(mega?.gpu).toEqual({ model: "H100", form: "SXM", count: 8, vramGb: 80 });
  });

  test("GPUs beside N1 machines, where that zone has them, and no workstation's", async () => {
    const { provider } = await gcpBench();
    const offers = await provider.offers({}, context);
    expect(at(offers, "n1-standard-4+1xnvidia-tesla-t4")[0]).toMatchObject({ gpu: { model: "T4", count: 1 }, vcpus: 4, memoryGb: 15 });
    expect(at(offers, "n1-standard-4+1xnvidia-tesla-t4", "us-east1-b")).toEqual([]);
    expect(offers.filter(({ type }) => type.includes("vws"))).toEqual([]);
    expect(offers.filter(({ gpu }) => gpu.model.startsWith("CT"))).toEqual([]);
  });

  test("a zone that is down has nothing, one that the project does not know is no place", async () => {
    const { provider, fake } = await gcpBench();
    const zones = {
      kind: "compute#zoneList",
      items: [
        { name: "us-central1-a", status: "DOWN" },
        { name: "us-central1-b", status: "UP" },
      ],
    };
    fake.server.disturb({ what: { do: "answer", answer: { status: 200, body: zones } }, match: ({ path }) => path.endsWith("/zones") });
    const offers = await provider.offers({}, context);
    expect(new Set(offers.map(({ zone }) => zone))).toEqual(new Set(["us-central1-a", "us-central1-b"]));
    expect(at(offers, "g2-standard-4").map(({ stock }) => stock)).toEqual([0, 0]);
    expect(at(offers, "g2-standard-4", "us-central1-b").map(({ stock }) => stock)).toEqual(["unknown", "unknown"]);
  });

  test("only what was asked for, and only regions that SPOT_GCP_REGIONS names", async () => {
    const { provider } = await gcpBench({ env: { SPOT_GCP_REGIONS: "europe-west4, us-west1" } });
    const regions = async (query: Parameters<typeof provider.offers>[0]) =>
      new Set((await provider.offers(query, context)).map(({ region }) => region));
    expect(await regions({})).toEqual(new Set(["europe-west4", "us-west1"]));
    expect(await regions({ regions: ["us-west1", "us-central1"] })).toEqual(new Set(["us-west1"]));
    const two = await provider.offers({ gpuModel: "L4", gpuCount: 2 }, context);
    expect(new Set(two.map(({ type }) => type))).toEqual(new Set(["g2-standard-24"]));
  });

  test("sizes and prices are kept for a day; which zones are up is asked every time", async () => {
    const { provider, another, fake, clock, sent } = await gcpBench();
    await provider.offers({}, context);
    const asked = () => fake.server.requests.filter(({ path }) => /machineTypes|acceleratorTypes|skus/.test(path)).length;
    const before = asked();
    clock.advance(60 * MINUTE);
    await (await another()).offers({}, context);
    expect(asked()).toBe(before);
    expect(sent("GET", /^zones$/)).toHaveLength(2);
    clock.advance(24 * 60 * MINUTE);
    await (await another()).offers({}, context);
    expect(asked()).toBe(2 * before);
  });

  test("a server that selects no fields is asked for everything", async () => {
    const { provider, fake } = await gcpBench();
    fake.server.disturb({
      what: {
        do: "answer",
        answer: { status: 400, body: { error: { code: 400, message: "Invalid field selection", errors: [{ reason: "invalid" }] } } },
      },
      match: ({ path, query }) => path.startsWith("/compute/") && query.has("fields"),
      times: Number.POSITIVE_INFINITY,
    });
    expect(at(await provider.offers({}, context), "g2-standard-4")).toHaveLength(2);
  });

  test("credentials that are refused are told, although everything else is kept", async () => {
    const { provider, fake } = await gcpBench();
    await provider.offers({}, context);
    fake.server.disturb({
      what: { do: "answer", answer: { status: 401, body: { error: { code: 401, message: "no" } } } },
      times: Number.POSITIVE_INFINITY,
    });
    await expect(provider.offers({}, context)).rejects.toMatchObject({ fault: { kind: "auth" } });
  });
});
