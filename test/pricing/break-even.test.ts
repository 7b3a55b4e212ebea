import fc from "fast-check";
import { expect, test } from "vitest";
import { hoursBreakEven, tokenBreakEven } from "../../src/pricing/comparison/break-even.ts";
import { type Ask, demandOf } from "../../src/pricing/comparison/demand.ts";
import { singleOf, tokensOnly } from "../../src/pricing/comparison/mix.ts";
import { longCost } from "../../src/pricing/comparison/rental.ts";
import { DAY_MS, HOUR_MS, hoursMs, MONTH_MS, parseTariff, tariffCost } from "../../src/pricing/comparison/tariff.ts";
import type { TokenWay } from "../../src/pricing/comparison/way.ts";
import { BUNDLED_RATE, exchangeRateFrom } from "../../src/pricing/currency.ts";
import { cny, MILLION, monthOf, plainAsk, usd, way } from "./ways.ts";

const amounts = fc.bigInt({ min: 1_000n, max: 500_000_000n });

test("where hours break even the two lines cross: at the hour before the machine by the hour costs less", () => {
  fc.assert(
    fc.property(amounts, amounts, fc.constantFrom(1, 2, 8), (month, hour, gpus) => {
      const long = way({
        isLong: true,
        billing: "monthly",
        termMs: MONTH_MS,
        stepMs: MONTH_MS,
        sticker: { price: { micros: month * 100n, currency: "USD" }, perMs: MONTH_MS },
        gpus,
      });
      const other = way({ effective: { price: { micros: hour, currency: "USD" }, perMs: HOUR_MS } });
      const demand = demandOf(monthOf(8), 1);
      const found = hoursBreakEven(long, other, demand, BUNDLED_RATE);
      const cost = longCost(long, MONTH_MS).micros;
      const at = (ms: bigint) => tariffCost(other.effective, ms).micros;
      if (found?.ms == null) expect(at(MONTH_MS * BigInt(gpus))).toBeLessThanOrEqual(cost);
      else {
        expect(at(found.ms)).toBeGreaterThanOrEqual(cost - 1n);
        expect(at(found.ms - 1n)).toBeLessThanOrEqual(cost + 1n);
        // Of one millisecond less the bill is really below: exact, without the rounding of an amount.
        expect((found.ms - 1n) * hour).toBeLessThan(cost * HOUR_MS);
        expect(found.ms * hour).toBeGreaterThanOrEqual(cost * HOUR_MS);
      }
    }),
  );
});

test("where tokens break even the API's bill is the machine's, and a token less costs less", () => {
  fc.assert(
    fc.property(amounts, fc.bigInt({ min: 1_000n, max: 100_000_000n }), fc.boolean(), (price, perMillion, isLong) => {
      const tariff = { price: { micros: price * (isLong ? 1000n : 1n), currency: "CNY" }, perMs: isLong ? MONTH_MS : HOUR_MS };
      const machine = way({ isLong, sticker: tariff, effective: tariff });
      const api: TokenWay = { name: "api", perMillion: { micros: perMillion, currency: "CNY" } };
      const found = tokenBreakEven(machine, api, demandOf(monthOf(24), 1), BUNDLED_RATE);
      const tokens = isLong ? found?.perDay : found?.perPaidHour;
      expect(typeof tokens).toBe("bigint");
      const ms = isLong ? DAY_MS : HOUR_MS;
      const bill = (amount: bigint) => amount * perMillion * tariff.perMs;
      const machineBill = tariff.price.micros * MILLION * ms;
      expect(bill(tokens ?? 0n)).toBeGreaterThanOrEqual(machineBill);
      expect(bill((tokens ?? 0n) - 1n)).toBeLessThan(machineBill);
    }),
  );
});

test("bills in two currencies cross where the rate says", () => {
  const tariff = { price: cny("677"), perMs: MONTH_MS };
  const rack = way({ isLong: true, billing: "monthly", sticker: tariff, effective: tariff });
  const rate = exchangeRateFrom("6.77");
  const demand = demandOf(monthOf(8), 1);
  expect(hoursBreakEven(rack, way(), demand, rate)?.ms).toBe(100n * HOUR_MS);
  expect(tokenBreakEven(way(), { name: "api", perMillion: cny("6.77") }, demand, rate)?.perPaidHour).toBe(MILLION);
  expect(tokenBreakEven(rack, { name: "api", perMillion: usd("1") }, demand, rate)?.perDay).toBe(3_333_334n);
  expect(hoursBreakEven(rack, way({ effective: parseTariff("1CHF") }), demand, rate)).toBeNull();
});

const work = { currency: "USD", rate: BUNDLED_RATE };
const monthly = (micros: bigint, gpus = 1) => {
  const tariff = { price: { micros, currency: "USD" }, perMs: MONTH_MS };
  return way({ name: "m", isLong: true, billing: "monthly", sticker: tariff, effective: tariff, termMs: MONTH_MS, stepMs: MONTH_MS, gpus });
};
const tokensAsk = (hours: number, machines: bigint, tokensPerDay: bigint): Ask => ({
  ...plainAsk,
  tokensPerDay,
  throughput: 500n * MILLION,
  profile: [
    { ms: hoursMs(hours), machines: 4n * MILLION },
    { ms: hoursMs(24 - hours), machines },
  ],
});

test("at a break-even that can be reached the bills of that very demand are the same; above what can be made there is none", () => {
  const api: TokenWay = { name: "api", perMillion: usd("0.571429") };
  const machine = monthly(300_000_000n);
  let reached = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 23 }), fc.bigInt({ min: 0n, max: 4n }), (hours, machines) => {
      const asked = (tokens: bigint) => demandOf(tokensAsk(hours, machines * MILLION, tokens), 1);
      const found = tokenBreakEven(machine, api, asked(1_000_000n), BUNDLED_RATE);
      const perDay = found?.perDay ?? 0n;
      const bills = [singleOf(machine, asked(perDay), work), tokensOnly(api, asked(perDay), work)].map((one) => one?.total.micros ?? 0n);
      const [own = 0n, theirs = 0n] = bills;
      if (found?.isReachable) {
        reached++;
        // A token a day is 30 tokens in the month.
        expect(theirs - own < 30n && own <= theirs).toBe(true);
      } else expect(own).toBeGreaterThan(theirs);
    }),
  );
  expect(reached).toBeGreaterThan(5);
  const eight = tokenBreakEven(
    machine,
    api,
    demandOf({ ...tokensAsk(8, 0n, 1n), profile: [{ ms: hoursMs(8), machines: MILLION }] }, 1),
    BUNDLED_RATE,
  );
  expect([eight?.perDay, eight?.can, eight?.isReachable]).toEqual([17_499_987n, 14_400_000n, false]);
});

test("in a job one machine does no more than fits before the deadline", () => {
  const job = (hours: number, deadline: number | null): Ask => ({
    ...plainAsk,
    job: { ms: hoursMs(hours), deadlineMs: deadline === null ? null : hoursMs(deadline) },
  });
  const od = way({ effective: parseTariff("2"), sticker: parseTariff("2") });
  const machine = monthly(110_000_000n);
  expect(hoursBreakEven(machine, od, demandOf(job(60, 48), 1), BUNDLED_RATE)?.ms).toBeNull();
  const free = hoursBreakEven(machine, od, demandOf(job(60, null), 1), BUNDLED_RATE);
  expect([free?.ms, free?.canMs]).toEqual([55n * HOUR_MS, 720n * HOUR_MS]);
  const at = demandOf(job(55, null), 1);
  expect(singleOf(machine, at, work)?.total).toEqual(singleOf(od, at, work)?.total);
});

test("a week's price of a job breaks even within its week", () => {
  const tariff = parseTariff("100/7d");
  const week = way({ isLong: true, billing: "owned", sticker: tariff, effective: tariff, termMs: tariff.perMs, stepMs: tariff.perMs });
  const demand = demandOf({ ...plainAsk, job: { ms: hoursMs(50), deadlineMs: null } }, 1);
  expect(hoursBreakEven(week, way({ effective: parseTariff("4") }), demand, BUNDLED_RATE)?.ms).toBe(25n * HOUR_MS);
  const tokens = tokenBreakEven(week, { name: "api", perMillion: usd("1") }, demand, BUNDLED_RATE);
  expect([tokens?.tokens, tokens?.perDay]).toEqual([100n * MILLION, null]);
});
