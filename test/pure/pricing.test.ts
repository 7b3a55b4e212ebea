import fc from "fast-check";
import { expect, test } from "vitest";
import { type Money, moneyFromDecimal, moneyToDecimal } from "../../src/model/money.ts";
import type { Offer } from "../../src/model/offer.ts";
import { BUNDLED_RATE, exchangeRateFrom } from "../../src/pricing/currency.ts";
import { effectivePrice, USUAL_WORK } from "../../src/pricing/effective.ts";
import { costByInstance } from "../../src/pricing/instance-cost.ts";
import { bestOfEach, OFFER_SORTS, perGpu, rankOffers } from "../../src/pricing/rank.ts";
import { SUMMARY_KEYS, summarize } from "../../src/pricing/summary.ts";
import type { LedgerRecord } from "../../src/state/records.ts";
import { offer as offerOf, usd } from "../pricing/ways.ts";

const HOUR = 3_600_000;

const offer = (set: Partial<Offer> = {}) => offerOf({ noticeSeconds: 120, ...set });

const anyOffer = fc
  .record({
    provider: fc.constantFrom("a", "b"),
    zone: fc.constantFrom("z1", "z2"),
    type: fc.constantFrom("t1", "t2"),
    billing: fc.constantFrom("spot" as const, "on-demand" as const, "monthly" as const),
    price: fc
      .tuple(fc.bigInt({ min: 1n, max: 50_000_000n }), fc.constantFrom("USD", "EUR"))
      .map(([micros, currency]) => ({ micros, currency })),
    onDemandPrice: fc.option(fc.bigInt({ min: 1n, max: 90_000_000n }).map((micros) => ({ micros, currency: "USD" }))),
    stock: fc.constantFrom(0, 3, "unknown" as const),
    gpu: fc.constantFrom(
      { model: "H100", count: 1, vramGb: 80 },
      { model: "H100", count: 8, vramGb: 80 },
      { model: "A100", count: 1, vramGb: 40 },
    ),
    interruptionsPerHour: fc.option(fc.double({ min: 0, max: 2, noNaN: true })),
    observedAt: fc.nat({ max: 3 }),
  })
  .map((set) => offer(set));

test("the effective price is never below the price, and says where its risk comes from", () => {
  // Without a notice: e^(0.1 × 300 / 3600) × (e^(0.1 × 605 / 3600) − 1) / (0.1 × 600 / 3600).
  expect(moneyToDecimal(effectivePrice(offer({ noticeSeconds: 0 }), USUAL_WORK).price)).toBe("1.025363");
  expect(effectivePrice(offer(), USUAL_WORK).basis).toBe("provider");
  expect(effectivePrice(offer({ interruptionsPerHour: null }), USUAL_WORK)).toMatchObject({ basis: "assumed", interruptionsPerHour: 0.05 });
  expect(effectivePrice(offer({ billing: "on-demand" }), USUAL_WORK)).toMatchObject({ basis: "uninterrupted", price: usd("1") });
  fc.assert(
    fc.property(anyOffer, (one) => {
      expect(effectivePrice(one, USUAL_WORK).price.micros).toBeGreaterThanOrEqual(one.price.micros);
    }),
  );
});

test("ranking is the same for the same offers in whatever order they come, and loses none", () => {
  fc.assert(
    fc.property(fc.array(anyOffer, { maxLength: 12 }), fc.constantFrom(...OFFER_SORTS), fc.nat(), (offers, sort, turn) => {
      const once = rankOffers(offers, {}, sort, USUAL_WORK, BUNDLED_RATE);
      const cut = offers.length === 0 ? 0 : turn % offers.length;
      const turned = [...offers.slice(cut), ...offers.slice(0, cut)].reverse();
      const again = rankOffers(turned, {}, sort, USUAL_WORK, BUNDLED_RATE);
      expect(again).toEqual(once);
      expect(once.length).toBe(offers.length);
    }),
  );
});

test("what can be had stands before what is sold out; a cheaper GPU before a dearer one", () => {
  fc.assert(
    fc.property(fc.array(anyOffer, { maxLength: 12 }), (offers) => {
      const ranked = rankOffers(offers, {}, "price", USUAL_WORK, BUNDLED_RATE);
      for (const [index, one] of ranked.entries()) {
        const next = ranked[index + 1];
        if (next === undefined) continue;
        expect(one.offer.stock === 0 && next.offer.stock !== 0).toBe(false);
        if ((one.offer.stock === 0) !== (next.offer.stock === 0) || one.offer.price.currency !== next.offer.price.currency) continue;
        const left = one.offer.price.micros * BigInt(next.offer.gpu.count);
        expect(left).toBeLessThanOrEqual(next.offer.price.micros * BigInt(one.offer.gpu.count));
      }
    }),
  );
});

test("a query leaves out what was not asked for, and a price of zero is no price", () => {
  const offers = [
    offer({ type: "dear", price: usd("9") }),
    offer({ type: "free", price: usd("0") }),
    offer({ type: "eight", gpu: { model: "H100", count: 8, vramGb: 80 }, price: usd("4") }),
    offer({ type: "other", gpu: { model: "A100", count: 1, vramGb: 40 } }),
    offer({ type: "right" }),
    offer({ type: "od", billing: "on-demand" }),
  ];
  const types = (query: Parameters<typeof rankOffers>[1]) =>
    rankOffers(offers, query, "price", USUAL_WORK, BUNDLED_RATE).map((one) => one.offer.type);
  expect(types({ gpuModel: "h100", gpuCount: 1, billing: "spot", maxPrice: usd("5") })).toEqual(["right"]);
  expect(types({ gpuModel: "H100", billing: "spot" })).toEqual(["eight", "right", "dear"]);
  expect(types({ providers: ["aws"] })).toEqual([]);
});

const cny = (text: string) => moneyFromDecimal(text, "CNY");

test("offers in USD and CNY stand in one order, by what they are worth; another currency stands behind", () => {
  const offers = [
    offer({ type: "seven-yuan", price: cny("7") }),
    offer({ type: "one-dollar", price: usd("1") }),
    offer({ type: "six-yuan", price: cny("6") }),
    offer({ type: "euro", price: moneyFromDecimal("0.01", "EUR") }),
    offer({ type: "two-of-them", price: cny("13"), gpu: { model: "H100", count: 2, vramGb: 80 } }),
  ];
  const order = (text: string) => rankOffers(offers, {}, "price", USUAL_WORK, exchangeRateFrom(text)).map((one) => one.offer.type);
  expect(order("6.77")).toEqual(["six-yuan", "two-of-them", "one-dollar", "seven-yuan", "euro"]);
  expect(order("5")).toEqual(["one-dollar", "six-yuan", "two-of-them", "seven-yuan", "euro"]);
  const ranked = rankOffers(offers, {}, "effective", USUAL_WORK, BUNDLED_RATE);
  for (const one of ranked) expect([one.effective.price.currency, one.gpuPrice.currency]).toEqual(Array(2).fill(one.offer.price.currency));
});

test("a cap in one currency holds for offers in the other, and shuts out what nobody can compare", () => {
  const offers = [
    offer({ type: "dear-yuan", price: cny("13.540001") }),
    offer({ type: "yuan", price: cny("13.54") }),
    offer({ type: "dollars", price: usd("2") }),
    offer({ type: "dear-dollars", price: usd("2.000001") }),
    offer({ type: "euro", price: moneyFromDecimal("0.01", "EUR") }),
  ];
  const types = (maxPrice: Money) =>
    new Set(rankOffers(offers, { maxPrice }, "price", USUAL_WORK, exchangeRateFrom("6.77")).map((one) => one.offer.type));
  expect(types(usd("2"))).toEqual(new Set(["yuan", "dollars"]));
  expect(types(cny("13.54"))).toEqual(new Set(["yuan", "dollars"]));
  expect(types(cny("13.539999"))).toEqual(new Set());
});

test("savings are reckoned within one currency or not at all", () => {
  const [one] = rankOffers([offer({ price: cny("3.5"), onDemandPrice: cny("7") })], {}, "price", USUAL_WORK, BUNDLED_RATE);
  expect(one?.savings).toBe(0.5);
  const [mixed] = rankOffers([offer({ price: cny("3.5"), onDemandPrice: usd("3") })], {}, "price", USUAL_WORK, BUNDLED_RATE);
  expect(mixed?.savings).toBeNull();
});

test("a group has one best offer, whatever the currencies", () => {
  const offers = [offer({ price: cny("7") }), offer({ price: usd("1") }), offer({ price: cny("6") })];
  const groups = bestOfEach(rankOffers(offers, {}, "price", USUAL_WORK, exchangeRateFrom("6.77")), "gpu");
  expect(groups.map(({ best, count }) => [best.offer.price, count])).toEqual([[cny("6"), 3]]);
});

test("by savings: the unknown ranks last", () => {
  const offers = [
    offer({ type: "unknown", onDemandPrice: null }),
    offer({ type: "loss", onDemandPrice: usd("0.5") }),
    offer({ type: "gain" }),
  ];
  expect(rankOffers(offers, {}, "savings", USUAL_WORK, BUNDLED_RATE).map((one) => one.offer.type)).toEqual(["gain", "loss", "unknown"]);
});

test("groups show their best and count the rest", () => {
  const offers = [
    offer({ type: "a", price: usd("2") }),
    offer({ type: "b" }),
    offer({ type: "c", gpu: { model: "A100", count: 1, vramGb: 40 } }),
  ];
  const groups = bestOfEach(rankOffers(offers, {}, "price", USUAL_WORK, BUNDLED_RATE), "gpu");
  expect(groups.map(({ best, count }) => [best.offer.type, count])).toEqual([
    ["b", 2],
    ["c", 1],
  ]);
  expect(moneyToDecimal(perGpu(usd("1"), 3))).toBe("0.333333");
});

function entry(set: Partial<LedgerRecord> = {}): LedgerRecord {
  return {
    id: "l-1",
    instanceId: "i-1",
    instance: "trainer",
    fleet: null,
    provider: "local",
    providerId: "x",
    kind: "gpu",
    billing: "spot",
    from: 0,
    to: HOUR,
    rate: usd("1"),
    onDemandRate: usd("3"),
    billed: null,
    ...set,
  };
}

test("estimated and billed are kept apart; a disk is its own counterfactual", () => {
  const ledger = [
    entry(),
    entry({ id: "l-2", from: HOUR, to: 2 * HOUR, billed: usd("0.8") }),
    entry({ id: "l-3", kind: "disk", rate: usd("0.01"), onDemandRate: null, to: null }),
  ];
  const { rows, totals } = summarize(ledger, "instance", { since: 0, now: 4 * HOUR });
  expect(rows).toMatchObject([
    {
      key: "trainer",
      currency: "USD",
      gpuMs: 2 * HOUR,
      billed: usd("0.8"),
      estimated: usd("1.04"),
      paid: usd("1.84"),
      onDemand: usd("6.04"),
      savings: 0.6953,
      open: true,
    },
  ]);
  expect(totals).toEqual([{ ...rows[0], key: "", of: null }]);
});

test("an unknown on-demand price is unknown, not zero", () => {
  const { rows } = summarize([entry({ onDemandRate: null })], "provider", { since: 0, now: HOUR });
  expect(rows[0]).toMatchObject({ key: "local", onDemand: null, savings: null });
});

test("nothing outside the period counts, and currencies are summed apart", () => {
  const ledger = [entry(), entry({ id: "l-2", rate: moneyFromDecimal("2", "EUR"), onDemandRate: null })];
  const { rows, totals } = summarize(ledger, "instance", { since: HOUR / 2, now: 10 * HOUR });
  expect(rows.map((row) => [row.currency, moneyToDecimal(row.paid)])).toEqual([
    ["EUR", "1.000000"],
    ["USD", "0.500000"],
  ]);
  expect(totals.length).toBe(2);
  expect(summarize(ledger, "instance", { since: 2 * HOUR, now: 3 * HOUR }).rows).toEqual([]);
});

test("however the ledger is grouped, to the millionth the same is paid", () => {
  const anyEntry = fc
    .record({
      instance: fc.constantFrom("a", "b"),
      fleet: fc.constantFrom(null, "f"),
      provider: fc.constantFrom("p", "q"),
      kind: fc.constantFrom("gpu" as const, "disk" as const),
      from: fc.nat({ max: 200 * HOUR }),
      length: fc.option(fc.nat({ max: 100 * HOUR })),
      rate: fc.bigInt({ min: 1n, max: 9_999_999n }).map((micros) => ({ micros, currency: "USD" })),
      billed: fc.option(fc.bigInt({ min: 0n, max: 99_999_999n }).map((micros) => ({ micros, currency: "USD" }))),
    })
    .map(({ length, ...set }) => entry({ ...set, to: length === null ? null : set.from + length, onDemandRate: set.rate }));
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 8 }), fc.nat({ max: 100 * HOUR }), (ledger, since) => {
      const period = { since, now: 400 * HOUR };
      const sums = SUMMARY_KEYS.map((by) => {
        const { rows, totals } = summarize(ledger, by, period);
        expect(rows.reduce((sum, row) => sum + row.gpuMs, 0)).toBe(totals[0]?.gpuMs ?? 0);
        return rows.reduce((sum, row) => sum + row.paid.micros, 0n);
      });
      expect(new Set(sums).size).toBe(1);
    }),
  );
});

test("an instance that was paid for in two currencies costs both, never their sum", () => {
  const interval = (rate: Money, billed: Money | null = null) => ({ instanceId: "i-1", from: 0, to: HOUR, rate, billed });
  expect(costByInstance([interval(usd("1")), interval(usd("2"))], HOUR).get("i-1")).toEqual({ amount: usd("3"), basis: "estimated" });
  const ledger = [interval(cny("7"), cny("6.5")), interval(usd("1"), usd("1")), interval(cny("1"), cny("1")), interval(usd("2"))];
  expect(costByInstance(ledger, HOUR).get("i-1")).toEqual({ amount: cny("7.5"), also: [usd("3")], basis: "estimated" });
  expect(costByInstance(ledger.slice(0, 3), HOUR).get("i-1")).toEqual({ amount: cny("7.5"), also: [usd("1")], basis: "billed" });
});
