import fc from "fast-check";
import { expect, test } from "vitest";
import { type Money, moneyFromDecimal } from "../../src/model/money.ts";
import { calendarOf } from "../../src/pricing/calendar.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import { currencyRange, type ForecastFacts, forecastOf } from "../../src/pricing/forecast.ts";
import { USUAL_MAX_GAP_MS } from "../../src/pricing/history.ts";
import type { BudgetRecord, LedgerRecord } from "../../src/state/records.ts";
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
      ...{ month: "2026-11", from: Date.parse("2026-10-31T23:00:00Z"), to: END, currency: "USD", range: null, isPaidBilled: false },
      // A day of the machine, and 20 days of the disk: it began before the month did.
      ...{ paid: usd("28.8"), gpu: usd("240"), storage: usd("2.4"), total: usd("271.2") },
      course: [{ at: END, amount: usd("242.4") }],
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

test("the course of what is to come bends where machines end, and ends at the sum", () => {
  const ends = [5, 20].map((hours, index) => sampleInstance(index === 0 ? "a" : "b", { ttlEndsAt: NOW + hours * HOUR }));
  const { currencies } = forecast({ ledger: [gpu("a", "1"), gpu("b", "7"), disk], instances: ends });
  expect(currencies[0]?.course).toEqual([
    { at: NOW + 5 * HOUR, amount: usd("40.05") },
    { at: NOW + 20 * HOUR, amount: usd("145.2") },
    { at: END, amount: usd("147.4") },
  ]);
  const many = Array.from({ length: 99 }, (_, index) => sampleInstance(`n${index}`, { ttlEndsAt: NOW + (index + 1) * HOUR }));
  const [one] = forecast({ ledger: many.map(({ name }) => gpu(name, "1")), instances: many }).currencies;
  expect(one?.course.length).toBeLessThan(30);
  expect(one?.course.at(-1)).toEqual({ at: END, amount: one?.gpu });
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

/** A series that was observed at these moments, in days before now. */
const observed = (...prices: readonly (readonly [daysAgo: number, price: string])[]) =>
  ({ currency: "USD", runs: prices.map(([days, price]) => ({ from: NOW - days * DAY, to: NOW - days * DAY, ...usd(price) })) }) as never;
const WINDOW = { since: NOW - 30 * DAY, until: NOW, maxGapMs: USUAL_MAX_GAP_MS };

test.each([
  ["nothing was seen", [], null],
  ["it was seen long ago only", [[200, "9"]], null],
  [
    "it was seen long ago and lately",
    [
      [200, "9"],
      [3, "1"],
    ],
    ["1", "1"],
  ],
  [
    "what held when the window began was seen shortly before",
    [
      [30.5, "9"],
      [29.8, "2"],
      [1, "3"],
    ],
    ["2", "9"],
  ],
  [
    "nobody looked for a day and a half when it began",
    [
      [31, "9"],
      [29.5, "2"],
      [1, "3"],
    ],
    ["2", "3"],
  ],
] as const)("the range of prices seen within 30 days: %s", (_, prices, expected) => {
  const range = expected === null ? null : { low: usd(expected[0]), high: usd(expected[1]) };
  expect(currencyRange([observed(...prices)], "USD", WINDOW)).toEqual(range);
  expect(currencyRange([observed(...prices)], "CNY", WINDOW)).toBeNull();
});

test("a range is told where spot prices were seen, and holds the expected sum, budgets or none", () => {
  const seen = { low: usd("0.6"), high: usd("1.5") };
  const ledger = [gpu("a", "1"), gpu("od", "1", { billing: "on-demand" })];
  const seenPrices: ForecastFacts["seenPrices"] = ({ id }) => (id === "gpu-a" ? seen : null);
  expect(forecast({ ledger, seenPrices }).currencies[0]?.range).toEqual({ low: usd("432"), high: usd("648") });
  // The price that is paid is among them, whatever was seen.
  const dearer: ForecastFacts["seenPrices"] = ({ id }) => (id === "gpu-a" ? { low: usd("1.2"), high: usd("1.5") } : null);
  expect(forecast({ ledger, seenPrices: dearer }).currencies[0]?.range).toEqual({ low: usd("528"), high: usd("648") });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), (cap) => {
      const [one] = forecast({ ledger, seenPrices, budgets: [budget(usd(String(cap)))] }).currencies;
      if (one?.range == null) throw new Error("no range");
      expect(one.range.low.micros <= one.total.micros && one.total.micros <= one.range.high.micros).toBe(true);
    }),
    { numRuns: 50 },
  );
});

/** A bill of the own disk of `a`'s machine, so long ago and for so long. */
const rootBill = (agoMs: number, ms: number, rate: string, billed: string) =>
  sampleLedger(`m/disk/${agoMs}`, {
    ...{ kind: "disk", instanceId: "i-a", from: NOW - agoMs, to: NOW - agoMs + ms, rate: usd(rate), billed: usd(billed) },
  });
const SLEEPS = sampleInstance("a", { state: "hibernated", desired: "hibernated", parked: "native" });

test.each([
  // Three millionths for a second are 0.0108 an hour: rounding made them of 0.007.
  ["its list price while bills have told of a moment only", [rootBill(2 * HOUR, 1000, "0.0108", "0.000003")], usd("0.007"), "1.68"],
  [
    "what told longest, without a list",
    [rootBill(2 * HOUR, 60_000, "0.007", "0.000117"), rootBill(HOUR, 1000, "0.0108", "0.000003")],
    null,
    "1.68",
  ],
  [
    "the newest bill of an hour, before the list",
    [rootBill(DAY, 9 * HOUR, "0.2", "1.8"), rootBill(3 * HOUR, 2 * HOUR, "0.1", "0.2")],
    usd("0.007"),
    "24",
  ],
  ["nothing before a bill has told of it", [], usd("0.007"), undefined],
] as const)("the own disk of a hibernated machine goes on at %s", (_, ledger, listed, storage) => {
  const [first] = forecast({ ledger, instances: [SLEEPS], listedRoot: () => listed }).currencies;
  expect(first?.storage).toEqual(storage === undefined ? undefined : usd(storage));
  expect(first?.isPaidBilled).toBe(storage === undefined ? undefined : true);
});

test("amounts of two currencies are never added", () => {
  const yuan = gpu("b", "1", { rate: { micros: 7_000_000n, currency: "CNY" } });
  expect(forecast({ ledger: [gpu("a", "1"), yuan] }).currencies.map(({ currency, gpu: more }) => [currency, more.micros])).toEqual([
    ["CNY", 1_680_000_000n],
    ["USD", 240_000_000n],
  ]);
});

test("a budget is reached as fast as those burn that still run", () => {
  // 72 are spent. Of 3 an hour one ends after 2 hours and one after 4: 6, then 4, then 10 hours at 1 for the rest.
  const ledger = [gpu("a", "1"), gpu("b", "1"), gpu("c", "1")];
  const instances = [2, 4].map((hours, index) => sampleInstance(index === 0 ? "a" : "b", { ttlEndsAt: NOW + hours * HOUR }));
  const { ends } = forecast({ ledger, instances, budgets: [budget(usd("92"))] });
  expect(ends.map(({ instance, at }) => [instance, (at - NOW) / HOUR])).toEqual([
    ["a", 2],
    ["b", 4],
    ["c", 14],
  ]);
});

test("each machine is looked at a few times only, however many others there are and whenever each of them ends", () => {
  const names = Array.from({ length: 1000 }, (_, index) => `n${index}`);
  let looks = 0;
  const counting: ProxyHandler<LedgerRecord> = {
    get(target, key) {
      looks += 1;
      return Reflect.get(target, key);
    },
  };
  const ledger = names.map((name) => new Proxy(gpu(name, "1"), counting));
  const instances = names.map((name, index) => sampleInstance(name, { ttlEndsAt: NOW + HOUR + index * 1000 }));
  const asleep = names.map((name) => ({ ...SLEEPS, id: `s-${name}`, name: `s-${name}` }));
  const { ends, waiting } = forecast({ ledger, instances: [...instances, ...asleep], budgets: [budget(usd("9999999"))] });
  expect([ends.length, waiting]).toEqual([1000, []]);
  expect(looks).toBeLessThan(1000 * 100);
});
