import { describe, expect, test } from "vitest";
import { moneyText, moneyToDecimal } from "../../src/model/money.ts";
import { context, verdaBench } from "./verda-bench.ts";

describe("Verda's offers", () => {
  test("are of the whole machine: price, GPUs and their memory, whether numbers or strings were sent", async () => {
    const { provider } = await verdaBench();
    const offers = await provider.offers({ regions: ["FIN-01"] }, context);
    const shown = offers
      .filter(({ billing }) => billing === "spot")
      .map(({ type, gpu, vcpus, memoryGb, price, onDemandPrice }) => [
        type,
        `${gpu.model}:${gpu.count} ${gpu.vramGb}`,
        vcpus,
        memoryGb,
        moneyText(price),
        onDemandPrice === null ? null : moneyText(onDemandPrice),
      ]);
    expect(shown).toEqual([
      ["1V100.6V", "V100:1 16", 6, 23, "$0.041", "$0.14"],
      ["1A100.22V", "A100:1 80", 22, 120, "$0.64", "$1.29"],
      ["8A100.176V", "A100:8 80", 176, 960, "$5.16", "$10.31"],
      ["1H100.80S.30V", "H100:1 80", 30, 120, "$0.80", "$2.29"],
      ["8H100.80S.176V", "H100:8 80", 176, 1480, "$6.41", "$18.32"],
      ["1H200.141S.44V", "H200:1 141", 44, 185, "$1.05", "$2.99"],
      ["1L40S.20V", "L40S:1 48", 20, 60, "$0.32", "$0.91"],
      ["1RTXPRO6000.30V", "RTXPRO6000:1 96", 30, 90, "$0.49", "$1.39"],
    ]);
  });

  test("leave out machines without a GPU and types without a price, in every location", async () => {
    const { provider } = await verdaBench();
    const offers = await provider.offers({}, context);
    expect(offers.some(({ type }) => type.startsWith("CPU.") || type.startsWith("8B300"))).toBe(false);
    expect(new Set(offers.map(({ region }) => region))).toEqual(new Set(["FIN-01", "FIN-02", "FIN-03", "ICE-01"]));
    expect(offers.every(({ price }) => price.currency === "USD" && price.micros > 0n)).toBe(true);
  });

  test.each([
    ["is_spot", false],
    ["isSpot", false],
    ["is_spot", true],
    ["isSpot", true],
  ] as const)("tell spot from on demand whichever parameter the server honours: %s (strict: %s)", async (spotParameter, strictQuery) => {
    const { provider } = await verdaBench({ switches: { spotParameter, strictQuery } });
    const offers = (await provider.offers({ gpuModel: "H200", regions: ["FIN-01"] }, context)).map(({ billing, stock }) => [
      billing,
      stock,
    ]);
    expect(offers).toEqual([
      ["spot", 0],
      ["on-demand", "unknown"],
    ]);
  });

  test("a field of an unknown kind costs that row its price, not the list", async () => {
    const { provider, fake } = await verdaBench();
    const rows = [
      {
        instance_type: "1X.1V",
        price_per_hour: "free?",
        spot_price: "0.5",
        gpu: { description: "1x H100 80GB", number_of_gpus: "1" },
        currency: 7,
      },
      { instance_type: "1Y.1V", price_per_hour: { eur: 1 }, spot_price: null, gpu: null },
    ];
    fake.server.disturb({
      what: { do: "answer", answer: { status: 200, body: rows } },
      match: ({ path }) => path === "/v1/instance-types",
    });
    const offers = await provider.offers({ regions: ["FIN-01"] }, context);
    expect(offers.map(({ type, gpu, billing, onDemandPrice }) => [type, gpu, billing, onDemandPrice])).toEqual([
      ["1X.1V", { model: "H100", count: 1, vramGb: 80 }, "spot", null],
    ]);
  });

  test.each([
    [0.1 + 0.2, "0.300000"],
    ["0.30000000000000004", "0.300000"],
    [" 1.5 ", "1.500000"],
    [3, "3.000000"],
  ])("a price written as %j is exact", async (price, expected) => {
    const { provider, fake } = await verdaBench();
    const row = { instance_type: "1X.1V", spot_price: price, gpu: { description: "1x H100 80GB", number_of_gpus: 1 }, currency: "usd" };
    fake.server.disturb({
      what: { do: "answer", answer: { status: 200, body: [row] } },
      match: ({ path }) => path === "/v1/instance-types",
    });
    const [offer] = await provider.offers({ regions: ["FIN-01"] }, context);
    expect(offer === undefined ? null : moneyToDecimal(offer.price)).toBe(expected);
  });

  test("are asked for with few requests, so that prices can be looked at often", async () => {
    const { provider, fake } = await verdaBench();
    await provider.offers({}, context);
    const first = fake.server.requests.length;
    await provider.offers({}, context);
    expect(fake.server.requests.length - first).toBe(4);
  });
});
