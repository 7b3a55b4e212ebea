import fc from "fast-check";
import { expect, test } from "vitest";
import { type Money, moneyFromDecimal } from "../../src/model/money.ts";
import { calendarOf } from "../../src/pricing/calendar.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import { currencyRange, type ForecastFacts, forecastOf } from "../../src/pricing/forecast.ts";
import type { BudgetRecord } from "../../src/state/records.ts";
import { sampleInstance, sampleLedger } from "../state/sample-records.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const usd = (text: string) => moneyFromDecimal(text, "USD");
/** Ten days before the end of November in Berlin. */
const END = Date.parse("2026-11-30T23:00:00Z");
const NOW = END - 10 * DAY;

const budget = (cap: Money, set: Partial<BudgetRecord> = {}): BudgetRecord => ({
  ...{ scope: "total", cap, atCap: "hibernate", createdAt: 0, said: { percent: 0, at: 0 } },
  ...set,
});
const gpu = (name: string, rate: string, set = {}) =>
  sampleLedger(`gpu-${name}`, {
    ...{ instanceId: `i-${name}`, instance: name, providerId: name, from: NOW - DAY, rate: usd(rate) },
    ...set,
  });
const disk = sampleLedger("disk", { kind: "disk", instanceId: null, instance: "data", from: NOW - 60 * DAY, rate: usd("0.01") });

function forecast(set: Partial<ForecastFacts>) {
  const calendar = calendarOf("Europe/Berlin");
  return forecastOf({ ledger: [], instances: [], budgets: [], calendar, exchange: BUNDLED_RATE, now: NOW, ...set });
}

test("what runs goes on until the month ends there, and what is stored as well", () => {
  const { currencies, ends, waiting } = forecast({ ledger: [gpu("a", "1"), disk], instances: [sampleInstance("a"), sampleInstance("b")] });
  expect(currencies).toEqual([
    {
      ...{ month: "2026-11", from: Date.parse("2026-10-31T23:00:00Z"), to: END, currency: "USD", range: null },
      // A day of the machine, and 20 days of the disk: it began before the month did.
      ...{ paid: usd("28.8"), gpu: usd("240"), storage: usd("2.4"), total: usd("271.2") },
    },
  ]);
  expect(ends).toEqual([]);
  expect(waiting).toEqual(["b"]);
});

test("a TTL ends a machine, also one that is over already", () => {
  const instances = [sampleInstance("a", { ttlEndsAt: NOW + 5 * HOUR }), sampleInstance("b", { ttlEndsAt: NOW - HOUR })];
  const { currencies, ends } = forecast({ ledger: [gpu("a", "1"), gpu("b", "7")], instances });
  expect(currencies[0]?.gpu).toEqual(usd("5"));
  expect(ends).toEqual([
    { instance: "b", at: NOW, why: "ttl" },
    { instance: "a", at: NOW + 5 * HOUR, why: "ttl" },
  ]);
});

test("a budget that hibernates puts its machines to sleep when it is reached, and their disks go on", () => {
  // 24 + 14.4 are spent; 1.01 an hour reaches 140.41 after 101 hours.
  const ledger = [gpu("a", "1"), disk];
  const at = NOW + 101 * HOUR;
  const capped = forecast({ ledger, budgets: [budget(usd("140.41"))] });
  expect(capped.currencies[0]).toMatchObject({ gpu: usd("101"), storage: usd("2.4") });
  expect(capped.ends).toEqual([{ instance: "a", at, why: { budget: "total" } }]);
  for (const atCap of ["refuse", "warn"] as const)
    expect(forecast({ ledger, budgets: [budget(usd("140.41"), { atCap })] }).ends).toEqual([]);
  expect(forecast({ ledger, budgets: [budget(usd("140.41"), { scope: "fleet:night" })] }).ends).toEqual([]);
});

test("a day's budget begins anew each day, and what it put to sleep is not woken", () => {
  // Midnight in UTC is an hour away: today 23 of 24.1 are spent, tomorrow 24 will be, with the second machine from tomorrow on 48.
  const late = gpu("a", "1");
  expect(forecast({ ledger: [late], budgets: [budget(usd("24.1"), { scope: "day" })] }).ends).toEqual([]);
  const capped = forecast({ ledger: [late], budgets: [budget(usd("23.5"), { scope: "day" })] });
  expect(capped.ends).toEqual([{ instance: "a", at: NOW + 0.5 * HOUR, why: { budget: "day" } }]);
  expect(capped.currencies[0]?.gpu).toEqual(usd("0.5"));
});

test("of two budgets the one that is reached first acts first, and the other then later", () => {
  const ledger = [gpu("a", "1", { fleet: "night" }), gpu("b", "1")];
  const budgets = [budget(usd("34"), { scope: "fleet:night" }), budget(usd("78"))];
  // 24 each are spent. The fleet's is reached after 10 hours, when 20 more are; the total's 30 are then 10 hours of one machine away.
  expect(forecast({ ledger, budgets }).ends).toEqual([
    { instance: "a", at: NOW + 10 * HOUR, why: { budget: "fleet:night" } },
    { instance: "b", at: NOW + 20 * HOUR, why: { budget: "total" } },
  ]);
});

test("a range is told where spot prices were seen, and holds the expected sum, budgets or none", () => {
  const seen = currencyRange(
    [{ currency: "USD", runs: [0, 1].map((from) => ({ from, to: from, micros: from === 0 ? 600_000n : 1_500_000n })) } as never],
    usd("1"),
  );
  expect(seen).toEqual({ low: usd("0.6"), high: usd("1.5") });
  expect(currencyRange([], usd("1"))).toBeNull();
  const ledger = [gpu("a", "1"), gpu("od", "1", { billing: "on-demand" })];
  const seenPrices: ForecastFacts["seenPrices"] = ({ id }) => (id === "gpu-a" ? seen : null);
  expect(forecast({ ledger, seenPrices }).currencies[0]?.range).toEqual({ low: usd("432"), high: usd("648") });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), (cap) => {
      const [one] = forecast({ ledger, seenPrices, budgets: [budget(usd(String(cap)))] }).currencies;
      if (one?.range == null) throw new Error("no range");
      expect(one.range.low.micros <= one.total.micros && one.total.micros <= one.range.high.micros).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("the disk of a hibernated machine goes on at what its bill has told", () => {
  const asleep = sampleLedger("m/disk/1", {
    kind: "disk",
    instanceId: "i-a",
    from: NOW - DAY,
    to: NOW - HOUR,
    rate: usd("0.1"),
    billed: usd("2.3"),
  });
  const facts = { ledger: [asleep], instances: [sampleInstance("a", { state: "hibernated", desired: "hibernated", parked: "native" })] };
  expect(forecast(facts).currencies[0]).toMatchObject({ paid: usd("2.3"), storage: usd("24"), gpu: usd("0") });
});

test("amounts of two currencies are never added", () => {
  const yuan = gpu("b", "1", { rate: { micros: 7_000_000n, currency: "CNY" } });
  expect(forecast({ ledger: [gpu("a", "1"), yuan] }).currencies.map(({ currency, gpu: more }) => [currency, more.micros])).toEqual([
    ["CNY", 1_680_000_000n],
    ["USD", 240_000_000n],
  ]);
});
