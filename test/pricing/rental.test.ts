import fc from "fast-check";
import { expect, test } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import { bestMix } from "../../src/pricing/comparison/best-mix.ts";
import { type Ask, demandOf } from "../../src/pricing/comparison/demand.ts";
import { singleOf } from "../../src/pricing/comparison/mix.ts";
import { parseOwnRow } from "../../src/pricing/comparison/own-row.ts";
import { wholeRental } from "../../src/pricing/comparison/rental.ts";
import { DAY_MS, HOUR_MS, hoursMs, parseTariff } from "../../src/pricing/comparison/tariff.ts";
import type { MachineWay } from "../../src/pricing/comparison/way.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import { compared, jobOf, plainAsk, usd, way } from "./ways.ts";

const by = (hours: number, deadlineMs: bigint | null): Ask => ({ ...plainAsk, job: { ms: hoursMs(hours), deadlineMs } });

function totals(ask: Ask, ...rows: readonly string[]) {
  const [one] = compared({ rows: rows.map(parseOwnRow), ask, gpu: { model: "X", count: 1 } });
  return one?.options.map(({ name, total, machines, hoursBilled }) => [name, moneyToDecimal(total), machines, hoursBilled]);
}

test("a job pays the months that it takes, not those until its deadline", () => {
  const rows = ["name=m,price=1000/month", "name=od,price=1.6"];
  for (const days of [30n, 31n, 60n, 400n]) expect(totals(by(720, days * DAY_MS), ...rows)?.[0]).toEqual(["m", "1000.000000", 1n, 720]);
  expect(totals(jobOf(7200), "name=rack8,price=8000/month,gpus=8", "name=od,price=2")).toEqual([
    ["od", "14400.000000", null, 7200],
    ["rack8", "16000.000000", 1n, 1440],
  ]);
});

test("a job pays whole terms of its own: a week is no month, and a year is one", () => {
  expect(totals(by(50, null), "name=week,price=100/7d,billing=owned,term=7d", "name=od,price=3")?.[0]).toEqual([
    "week",
    "100.000000",
    1n,
    168,
  ]);
  expect(totals(jobOf(50), "name=year,price=1000/month,term=12months")).toEqual([["year", "12000.000000", 1n, 8640]]);
  // Bound for twelve months at the least, then month by month; three years are not cut.
  expect(totals(jobOf(8700), "name=year,price=1000/month,term=12months", "name=long,price=20000/3years")).toEqual([
    ["year", "13000.000000", 1n, 9360],
    ["long", "20000.000000", 1n, 25920],
  ]);
});

const anyRental: fc.Arbitrary<MachineWay> = fc
  .record({
    step: fc.integer({ min: 1, max: 40 }),
    least: fc.integer({ min: 1, max: 3 }),
    gpus: fc.integer({ min: 1, max: 3 }),
    micros: fc.bigInt({ min: 100_000n, max: 3_000_000n }),
  })
  .map(({ step, least, gpus, micros }) => {
    const stepMs = hoursMs(step);
    const sticker = { price: { micros: micros * BigInt(step), currency: "USD" }, perMs: stepMs };
    return way({ isLong: true, billing: "monthly", sticker, effective: sticker, stepMs, termMs: stepMs * BigInt(least), gpus });
  });

const reckoning = { currency: "USD", rate: BUNDLED_RATE };

test("more time never costs more, and no deadline the least", () => {
  const hours = fc.integer({ min: 1, max: 300 });
  fc.assert(
    fc.property(anyRental, hours, hours, hours, (long, work, first, second) => {
      const [short, late] = [Math.min(first, second), Math.max(first, second)];
      const [dear, cheap, free] = [hoursMs(short), hoursMs(late), null].map((one) => {
        const demand = demandOf(by(work, one), 1);
        const [alone, mix] = [singleOf(long, demand, reckoning), bestMix([long, way()], null, demand, reckoning)];
        return [alone?.total.micros ?? 0n, mix?.total.micros ?? 0n] as const;
      });
      for (const index of [0, 1] as const) {
        expect(cheap?.[index]).toBeLessThanOrEqual(dear?.[index] ?? 0n);
        expect(free?.[index]).toBeLessThanOrEqual(cheap?.[index] ?? 0n);
      }
    }),
    { numRuns: 300 },
  );
});

/** The least that is paid by trying every number of steps of each of so many machines, and leaving the rest to the hour. */
function tried(long: MachineWay, hourPrice: bigint, work: bigint, deadline: bigint | null, most: number): bigint {
  const least = long.termMs / long.stepMs;
  const lengths = Array.from({ length: most }, (_, index) => least + BigInt(index));
  let best = work * hourPrice;
  const add = (machines: number, from: number, paid: bigint, doneMs: bigint) => {
    const rest = work * HOUR_MS - doneMs * BigInt(long.gpus);
    const cost = (paid * long.stepMs * long.sticker.price.micros) / long.sticker.perMs + (rest > 0n ? (rest * hourPrice) / HOUR_MS : 0n);
    if (cost < best) best = cost;
    if (rest <= 0n || machines === 0) return;
    for (const [index, steps] of lengths.entries()) {
      if (index < from) continue;
      const whole = steps * long.stepMs;
      add(machines - 1, index, paid + steps, doneMs + (deadline !== null && whole > deadline ? deadline : whole));
    }
  };
  add(5, 0, 0n, 0n);
  return best;
}

test("nobody finds a cheaper job by trying every length of every machine", () => {
  let based = 0;
  fc.assert(
    fc.property(
      anyRental,
      fc.bigInt({ min: 90n, max: 300n }),
      fc.integer({ min: 1, max: 100 }),
      fc.option(fc.integer({ min: 1, max: 100 })),
      (long, percent, work, deadline) => {
        // By the hour it is somewhat dearer than the rental, for as much work.
        const micros = (long.sticker.price.micros * HOUR_MS * percent) / (long.stepMs * BigInt(long.gpus) * 100n);
        const price = { price: { micros, currency: "USD" }, perMs: HOUR_MS };
        const deadlineMs = deadline === null ? null : hoursMs(deadline);
        const found = bestMix([long, way({ sticker: price, effective: price })], null, demandOf(by(work, deadlineMs), 1), reckoning);
        if ((found?.parts.length ?? 0) > 1) based++;
        // Each part is rounded once.
        expect(found?.total.micros).toBeLessThanOrEqual(tried(long, micros, BigInt(work), deadlineMs, 7) + 2n);
      },
    ),
    { numRuns: 300 },
  );
  expect(based).toBeGreaterThan(8);
});

test("a month of one machine, and the rest by the hour, where that is the cheapest", () => {
  const mixed = (hours: number, ...rows: readonly string[]) => {
    const [one] = compared({ rows: rows.map(parseOwnRow), ask: jobOf(hours) });
    return [one?.mix?.total, one?.mix?.parts.map(({ way: { name }, usefulMs }) => [name, usefulMs / HOUR_MS])];
  };
  expect(mixed(1000, "name=m,price=600/month", "name=s,price=1.0")).toEqual([
    usd("880"),
    [
      ["m", 720n],
      ["s", 280n],
    ],
  ]);
  expect(mixed(730, "name=m,price=1000/month", "name=od,price=2")[0]).toEqual(usd("1020"));
});

test("more machines for a shorter time, and whole steps only, where that is the cheapest", () => {
  // Two machines would have to be paid for two months each, for a day more than one.
  expect(totals(by(62 * 24, 31n * DAY_MS), "name=m,price=1000/month")).toEqual([["m", "3000.000000", 3n, 2160]]);
  // A fourth step of the one machine is cut to a half, and a second machine is bound for two.
  const long = way({ isLong: true, sticker: parseTariff("10/10h"), stepMs: hoursMs(10), termMs: hoursMs(20) });
  const hourly = way({ sticker: parseTariff("1.05"), effective: parseTariff("1.05") });
  const mix = bestMix([long, hourly], null, demandOf(by(39, hoursMs(35)), 1), reckoning);
  expect(mix?.total).toEqual(usd("39.45"));
});

test("a rental of more than a hundred years is none", () => {
  const slow = way({ isLong: true, stepMs: DAY_MS, termMs: DAY_MS, tokensPerSecond: 1n });
  expect(wholeRental(slow, demandOf({ ...jobOf(1000), throughput: 1_000_000n }, 1))).toBeNull();
});
