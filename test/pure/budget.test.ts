import fc from "fast-check";
import { expect, test } from "vitest";
import { type Money, moneyFromDecimal } from "../../src/model/money.ts";
import { counted, dayStart, nearestOf, paidIn, standing } from "../../src/pricing/budget.ts";
import { type Commitment, LEAST_MS, overruns } from "../../src/pricing/budget-room.ts";
import { scopeFrom, scopeText } from "../../src/pricing/budget-scope.ts";
import { BUNDLED_RATE, worthIn } from "../../src/pricing/currency.ts";
import { paidBetween } from "../../src/pricing/ledger-part.ts";
import { summarize } from "../../src/pricing/summary.ts";
import type { BudgetRecord, LedgerRecord } from "../../src/state/records.ts";
import { sampleLedger } from "../state/sample-records.ts";

const usd = (text: string) => moneyFromDecimal(text, "USD");
const cny = (text: string) => moneyFromDecimal(text, "CNY");
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A Tuesday at 18:00 UTC. */
const NOW = Date.UTC(2026, 0, 6, 18);

function budget(cap: Money, set: Partial<BudgetRecord> = {}): BudgetRecord {
  return { scope: "total", cap, atCap: "refuse", createdAt: 0, said: { percent: 0, at: 0 }, ...set };
}

const money = (currency: string) => fc.bigInt({ min: 1n, max: 40_000_000n }).map((micros): Money => ({ micros, currency }));

const anyInterval = fc
  .record({
    id: fc.uuid(),
    from: fc.integer({ min: NOW - 3 * DAY, max: NOW }),
    ms: fc.integer({ min: 1, max: 2 * DAY }),
    open: fc.boolean(),
    fleet: fc.constantFrom(null, "night"),
    kind: fc.constantFrom("gpu" as const, "disk" as const),
    rate: fc.constantFrom("USD", "CNY").chain(money),
    billed: fc.option(money("USD")),
  })
  .map(({ id, from, ms, open, fleet, kind, rate, billed }) =>
    sampleLedger(id, {
      from,
      to: open ? null : Math.min(from + ms, NOW),
      fleet,
      kind,
      rate,
      billed: open || billed === null ? null : { ...billed, currency: rate.currency },
    }),
  );
const anyLedger = fc.array(anyInterval, { maxLength: 8 });
const anyScope = fc.constantFrom("total", "day", "fleet:night", "fleet:night:day");

test("time alone never makes less of what was spent, within a day and since the beginning", () => {
  fc.assert(
    fc.property(
      anyLedger,
      anyScope,
      fc.integer({ min: 0, max: 2 * DAY }),
      fc.integer({ min: 0, max: DAY }),
      (ledger, scope, after, more) => {
        const [early, late] = [NOW + after, NOW + after + more];
        const before = standing(budget(usd("100"), { scope }), ledger, early, BUNDLED_RATE);
        const then = standing(budget(usd("100"), { scope }), ledger, late, BUNDLED_RATE);
        if (before.since === then.since) expect(then.spent.micros).toBeGreaterThanOrEqual(before.spent.micros);
        expect(then.percent >= 100).toBe(then.spent.micros >= then.budget.cap.micros);
      },
    ),
  );
});

test("the parts of an interval add up to the whole, to the millionth, and the days to everything", () => {
  fc.assert(
    fc.property(anyLedger, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }), (ledger, shares) => {
      for (const one of ledger) {
        const end = one.to ?? NOW;
        const cuts = [one.from, ...shares.map((share) => one.from + Math.floor((end - one.from) * share)).sort((x, y) => x - y), end];
        const parts = cuts.slice(1).map((cut, index) => paidBetween(one, cuts[index] ?? 0, cut, NOW).micros);
        expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(paidBetween(one, one.from, end, NOW).micros);
      }
      const sum = (amounts: readonly Money[]) => counted(amounts, "USD", BUNDLED_RATE).amount.micros;
      const days = summarize(ledger, "day", { since: 0, now: NOW }).rows;
      expect(sum(days.map(({ paid }) => paid))).toBe(sum(paidIn(ledger, 0, NOW)));
      const today = days.filter(({ key }) => key === new Date(NOW).toISOString().slice(0, 10)).map(({ paid }) => paid);
      expect(standing(budget(usd("1"), { scope: "day" }), ledger, NOW, BUNDLED_RATE).spent.micros).toBe(sum(today));
    }),
  );
});

test("at the moment that is foretold the cap is reached, and not an instant sooner", () => {
  fc.assert(
    fc.property(anyLedger, anyScope, fc.bigInt({ min: 1n, max: 2_000_000_000n }), (ledger, scope, cap) => {
      const capped = budget({ micros: cap, currency: "USD" }, { scope });
      const { reachesAt, burn, spent, since } = standing(capped, ledger, NOW, BUNDLED_RATE);
      if (spent.micros >= cap) {
        expect(reachesAt).toBe(NOW);
        return;
      }
      if (reachesAt === null) {
        // Never: nothing burns, or every day begins anew before its cap.
        expect(burn.micros === 0n || scope.endsWith("day")).toBe(true);
        return;
      }
      expect(burn.micros).toBeGreaterThan(0n);
      // Each interval is rounded by itself, each currency once more, and so is the hourly rate of the other currency.
      const off = BigInt(ledger.length + 3 + Math.ceil((reachesAt - NOW) / HOUR));
      const still = ledger.map((one) => ({ ...one, to: one.to === null ? null : Math.min(one.to, NOW) }));
      const then = standing(capped, still, reachesAt, BUNDLED_RATE);
      expect(then.spent.micros + off).toBeGreaterThanOrEqual(cap);
      const sooner = standing(capped, still, Math.max(NOW, reachesAt - 1000), BUNDLED_RATE);
      if (sooner.since === then.since && then.since === since) expect(sooner.spent.micros).toBeLessThanOrEqual(cap + off);
    }),
  );
});

test("the end of the day costs what is spent and what burns until then", () => {
  const ledger = [sampleLedger("a", { from: NOW - 2 * HOUR, rate: usd("3") })];
  const { atDayEnd, spent, burn, dayEnds, basis, state, reachesAt } = standing(budget(usd("20")), ledger, NOW, BUNDLED_RATE);
  expect([spent, burn, atDayEnd]).toEqual([usd("6"), usd("3"), usd("24")]);
  expect(dayEnds).toBe(Date.UTC(2026, 0, 7));
  expect([basis, state]).toEqual(["estimated", "ok"]);
  expect(reachesAt).toBe(NOW + (14 / 3) * HOUR);
});

test("a day counts from midnight in UTC, disks included; what burns through midnight reaches the next day's cap", () => {
  const midnight = dayStart(NOW);
  const gpu = sampleLedger("gpu", { from: midnight - 5 * HOUR, rate: usd("1") });
  const disk = sampleLedger("disk", { kind: "disk", from: midnight - DAY, to: midnight + HOUR, rate: usd("0.5"), instanceId: null });
  const at = (cap: string, now = NOW) => standing(budget(usd(cap), { scope: "day" }), [gpu, disk], now, BUNDLED_RATE);
  expect(at("20").spent).toEqual(usd("18.5"));
  expect(at("20")).toMatchObject({ state: "near", percent: 92, reachesAt: NOW + 1.5 * HOUR });
  // Not today any more, but tomorrow: a whole day burns 24.
  expect(at("24.5").reachesAt).toBe(midnight + DAY);
  expect(at("24").reachesAt).toBe(NOW + 5.5 * HOUR);
  expect(at("23.9", midnight + 20 * HOUR).reachesAt).toBe(midnight + 23.4 * HOUR);
  expect(standing(budget(usd("24"), { scope: "day" }), [gpu], NOW, BUNDLED_RATE).reachesAt).toBe(midnight + DAY);
  expect(standing(budget(usd("25"), { scope: "day" }), [gpu], NOW, BUNDLED_RATE).reachesAt).toBeNull();
});

test("in the first moment of a day nothing is spent of it, and what runs burns", () => {
  const midnight = dayStart(NOW);
  const ledger = [sampleLedger("gpu", { from: midnight - 5 * HOUR, rate: usd("1") })];
  expect(standing(budget(usd("9"), { scope: "day" }), ledger, midnight, BUNDLED_RATE)).toMatchObject({ spent: usd("0"), burn: usd("1") });
});

test("a fleet's budget counts that fleet alone; what is billed is billed", () => {
  const night = sampleLedger("n", { fleet: "night", from: NOW - 4 * HOUR, to: NOW - HOUR, billed: usd("2.5") });
  const other = sampleLedger("o", { from: NOW - HOUR, rate: usd("7") });
  expect(standing(budget(usd("5"), { scope: "fleet:night" }), [night, other], NOW, BUNDLED_RATE)).toMatchObject({
    spent: usd("2.5"),
    burn: usd("0"),
    basis: "billed",
    percent: 50,
    reachesAt: null,
  });
});

test("another currency is converted by the rate, upwards; one without a rate is left out, and said", () => {
  const ledger = [
    sampleLedger("a", { from: NOW - HOUR, to: NOW, rate: usd("1") }),
    sampleLedger("b", { from: NOW - HOUR, to: NOW, rate: cny("6.77") }),
    sampleLedger("c", { from: NOW - HOUR, rate: { micros: 5n, currency: "EUR" } }),
  ];
  const found = standing(budget(cny("20")), ledger, NOW, BUNDLED_RATE);
  expect(found).toMatchObject({ spent: cny("13.54"), isConverted: true, uncounted: [{ micros: 5n, currency: "EUR" }] });
  expect(standing(budget(usd("20")), ledger.slice(0, 1), NOW, BUNDLED_RATE)).toMatchObject({ isConverted: false, uncounted: [] });
  expect(worthIn({ micros: 1n, currency: "CNY" }, "USD", BUNDLED_RATE)).toEqual({ micros: 1n, currency: "USD" });
  expect(counted([usd("1"), usd("2")], "EUR", BUNDLED_RATE).uncounted).toEqual([usd("3")]);
});

test("the nearest budget is the one most used, then the one reached first", () => {
  const ledger = [sampleLedger("a", { from: NOW - HOUR, rate: usd("1") })];
  const of = (cap: string, scope = "total") => standing(budget(usd(cap), { scope }), ledger, NOW, BUNDLED_RATE);
  expect(nearestOf([of("10"), of("2", "day")])?.budget.scope).toBe("day");
  expect(nearestOf([])).toBeUndefined();
});

test("a scope is read as it is written, and nothing else is one", () => {
  for (const text of ["total", "day", "fleet:night", "fleet:night:day"])
    expect(scopeText(scopeFrom(text) ?? { fleet: "?", perDay: false })).toBe(text);
  for (const text of ["", "fleet:", "week", "day:night", "fleet:a:b"]) expect(scopeFrom(text)).toBeUndefined();
});

const hours = (rate: string | null, count: number, fleet: string | null = null): Commitment => ({
  fleet,
  rate: rate === null ? null : usd(rate),
  until: NOW + count * HOUR,
});
const room = (
  budgets: readonly BudgetRecord[],
  held: readonly Commitment[],
  asked: readonly Commitment[],
  ledger: readonly LedgerRecord[] = [],
) =>
  overruns(budgets, ledger, held, asked, NOW, BUNDLED_RATE).map(({ standing: { budget: one }, why, isTomorrow }) => [
    one.scope,
    why,
    isTomorrow,
  ]);

test("exactly up to the cap fits; a millionth more does not, whether it is spent, held or asked for", () => {
  const cap = [budget(usd("8"))];
  expect(room(cap, [], [hours("1", 8)])).toEqual([]);
  expect(room(cap, [], [hours("1.000001", 8)])).toEqual([["total", "would-pass", false]]);
  expect(room(cap, [hours("1", 4)], [hours("1", 4)])).toEqual([]);
  expect(room(cap, [hours("1", 4)], [hours("1", 4), hours("0.000001", 1)])).toEqual([["total", "would-pass", false]]);
  const spent = [sampleLedger("a", { from: NOW - HOUR, to: NOW, rate: usd("1") })];
  expect(room(cap, [], [hours("1", 7)], spent)).toEqual([]);
  expect(room(cap, [], [hours("1", 8)], spent)).toEqual([["total", "would-pass", false]]);
  expect(LEAST_MS).toBe(HOUR);
});

test("a budget that is reached has no room, not even for what costs nothing; one without a price cannot be counted", () => {
  const spent = [sampleLedger("a", { from: NOW - HOUR, to: NOW, rate: usd("8") })];
  expect(room([budget(usd("8"))], [], [hours(null, 1)], spent)).toEqual([["total", "reached", false]]);
  expect(room([budget(usd("9"))], [], [hours(null, 1)], spent)).toEqual([["total", "uncountable", false]]);
  expect(room([budget({ micros: 9n, currency: "EUR" })], [], [hours("1", 1)])).toEqual([["total", "uncountable", false]]);
});

test("a day's budget looks at what is left of today and at tomorrow; other fleets are none of a fleet's business", () => {
  const day = [budget(usd("10"), { scope: "day" })];
  expect(room(day, [], [hours("1", 16)])).toEqual([]);
  expect(room(day, [], [hours("1", 17)])).toEqual([["day", "would-pass", true]]);
  expect(room(day, [hours("1", 7)], [hours("1", 5)])).toEqual([["day", "would-pass", false]]);
  expect(room([budget(usd("1"), { scope: "fleet:night" })], [hours("9", 9)], [hours("9", 9, "other")])).toEqual([]);
  expect(room([budget(usd("10"), { scope: "fleet:night" })], [hours("9", 9)], [hours("1", 9, "night")])).toEqual([]);
});

test("what two ask for one after the other is refused as what they ask for together", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(money("USD"), fc.integer({ min: 1, max: 30 })), { minLength: 2, maxLength: 5 }),
      fc.bigInt({ min: 1n, max: 900_000_000n }),
      anyScope,
      (machines, cap, scope) => {
        const asked = machines.map(([rate, count]): Commitment => ({ fleet: "night", rate, until: NOW + count * HOUR }));
        const capped = [budget({ micros: cap, currency: "USD" }, { scope })];
        const together = room(capped, [], asked).length === 0;
        let held: readonly Commitment[] = [];
        let apart = true;
        for (const one of asked) {
          apart &&= room(capped, held, [one]).length === 0;
          held = [...held, one];
        }
        expect(apart).toBe(together);
      },
    ),
  );
});
