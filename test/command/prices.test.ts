import { expect, test } from "vitest";
import { spot, type TestWorld, testWorld } from "../world.ts";
import { cloudWorld } from "./cloud.ts";

async function json(world: TestWorld, ...argv: readonly string[]) {
  const { code, stdout, stderr } = await spot(world, ...argv, "--json");
  expect([argv, code, stderr]).toEqual([argv, 0, ""]);
  return JSON.parse(stdout);
}

test("offers are ranked, filtered, grouped, and say what they are worth", async () => {
  const world = await cloudWorld({ env: { SPOT_PROVIDER: "local" } });
  const all = await json(world, "offers", "--billing", "any");
  expect(all.schema).toBe("spot.offers/1");
  expect(new Set(all.data.map((offer: { billing: string }) => offer.billing))).toEqual(new Set(["spot", "on-demand", "monthly"]));
  for (const offer of all.data) {
    expect(offer.price).toMatchObject({ amount: expect.stringMatching(/^\d+\.\d{6}$/), currency: "USD", per: "hour", of: "instance" });
    expect(Number(offer.effectivePrice.amount)).toBeGreaterThanOrEqual(Number(offer.price.amount));
    expect(Number(offer.gpuPrice.amount) * offer.gpu.count).toBeCloseTo(Number(offer.price.amount), 4);
    expect(new Date(offer.observedAt).toISOString()).toBe(offer.observedAt);
  }
  const one = await json(world, "offers", "--gpu", "h100:8", "--sort", "price");
  expect(one.data.length).toBeGreaterThan(0);
  for (const offer of one.data) expect([offer.gpu.model, offer.gpu.count, offer.billing]).toEqual(["H100", 8, "spot"]);
  const groups = await json(world, "offers", "--group-by", "gpu");
  const kinds = groups.data.map((offer: { gpu: { model: string; count: number } }) => `${offer.gpu.model}:${offer.gpu.count}`);
  expect(new Set(kinds).size).toBe(kinds.length);
  const spots = all.data.filter((offer: { billing: string }) => offer.billing === "spot").length;
  expect(groups.data.reduce((sum: number, offer: { offersInGroup: number }) => sum + offer.offersInGroup, 0)).toBe(spots);
  expect((await json(world, "offers", "--max-price", "0.000001")).data).toEqual([]);
});

test("a GPU may be spelt as people spell it, in offers and in up", async () => {
  const world = await cloudWorld();
  for (const asked of ["rtx4090", "RTX 4090", "4090", "nvidia-rtx-4090:1"]) {
    const { data } = await json(world, "offers", "--gpu", asked);
    expect(new Set(data.map((offer: { gpu: { model: string } }) => offer.gpu.model))).toEqual(new Set(["RTX4090"]));
    const plan = await json(world, "up", "--name", "a", "--gpu", asked, "--dry-run");
    expect(plan.data[0].gpu).toMatchObject({ model: "RTX4090", count: 1 });
  }
  const { code, stderr } = await spot(world, "offers", "--provider", "local", "--gpu", "H100 SXM", "--quiet");
  expect(code).toBe(2);
  expect(stderr).toContain('did you mean "H100"?');
});

test("offers fit terminals of 80 and of 160 columns", async () => {
  const market = await cloudWorld();
  for (const columns of [80, 160]) {
    const world = testWorld({ home: market.home, columns, isTTY: true });
    const { code, stdout } = await spot(world, "offers", "--provider", "local", "--quiet");
    expect(code).toBe(0);
    const [header = "", ...rest] = stdout.trimEnd().split("\n");
    for (const line of [header, ...rest]) expect(line.length).toBeLessThanOrEqual(columns);
    for (const word of ["GPU", "$/HOUR", "EFFECTIVE", "SAVES", "STOCK"]) expect(header).toContain(word);
    expect(header.includes("NOTICE")).toBe(columns === 160);
  }
});

test("compare sets on-demand, spot and monthly side by side", async () => {
  const world = await cloudWorld({ env: { SPOT_PROVIDER: "local" } });
  const job = await json(world, "compare", "--gpu", "H100:1", "--hours", "200");
  expect(job.schema).toBe("spot.comparison/1");
  expect(job.data.workload).toEqual({ hours: 200, months: 1 });
  const [h100] = job.data.comparisons;
  expect(new Set(h100.options.map((option: { billing: string }) => option.billing))).toEqual(new Set(["on-demand", "spot", "monthly"]));
  const totals = h100.options.map((option: { total: { amount: string } }) => Number(option.total.amount));
  expect(totals).toEqual(totals.toSorted((a: number, b: number) => a - b));
  for (const option of h100.options)
    if (option.billing === "on-demand") expect(option.total.amount).toBe((Number(option.price.amount) * 200).toFixed(6));
  const { stdout } = await spot(world, "compare", "--gpu", "H100:1", "--hours-per-day", "8");
  expect(stdout).toMatch(/^For 30 days with 8 useful hours a day:\n\nGPU +BILLING/);
  expect(stdout).toMatch(/monthly (beats|never beats) local on-demand/);
});

test.each([
  [["offers", "--gpu", "H10"], 'no provider offers a GPU "H10"', 'did you mean "H100"?'],
  [["compare", "--gpu", "rtx4900"], 'no provider offers a GPU "RTX4900"', 'did you mean "RTX4090"?'],
  [["offers", "--provider", "locla"], 'there is no provider "locla"', 'did you mean "local"?'],
  [["offers", "--sort", "prise"], '--sort: "prise" is not a choice', 'did you mean "price"?'],
  [["offers", "--billing", "spots"], '--billing: "spots" is not a choice', 'did you mean "spot"?'],
  [["offers", "--group-by", "zones"], '--group-by: "zones" is not a choice', 'did you mean "zone"?'],
  [["offers", "--max-price", "-1"], "--max-price: -1 is not more than zero", ""],
  [["offers", "--max-price", "two"], "--max-price: not an amount of money", ""],
  [["offers", "--checkpoint-every", "0s"], "--checkpoint-every: a duration must be more than zero", ""],
  [["offers", "--gpu", "H100:99"], "--gpu: not a GPU", ""],
  [["compare", "--hours", "0"], '--hours: "0" is not a number above 0', ""],
  [["compare", "--hours-per-day", "25"], '--hours-per-day: "25" is not a number above 0 and up to 24', ""],
  [["compare", "--hours", "1e9"], '--hours: "1e9" is not a number', ""],
  [["compare", "--hours", "1", "--hours-per-day", "2"], "exclude each other", ""],
])("%j is refused with exit 2", async (argv, message, hint) => {
  const world = argv.includes("H10") || argv.includes("rtx4900") ? await cloudWorld({ env: { SPOT_PROVIDER: "local" } }) : testWorld();
  const { code, stdout, stderr } = await spot(world, ...argv, "--quiet");
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(message);
  expect(stderr).toContain(hint);
});
