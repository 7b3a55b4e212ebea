import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PriceRun, PriceSeries } from "../../src/model/listed-price.ts";
import { priceFigures, priceSteps, type StepWindow, shareOfTime } from "../../src/pricing/history.ts";
import { type HistoryGroup, historyRows, mergedSeries, priceOf } from "../../src/pricing/history-groups.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ALL: StepWindow = { since: 0, until: 1_000 * DAY_MS, maxGapMs: 26 * HOUR_MS };

const run = (fromHour: number, toHour: number, micros: number): PriceRun => ({
  from: fromHour * HOUR_MS,
  to: toHour * HOUR_MS,
  micros: BigInt(micros),
});
const figuresOf = (runs: readonly PriceRun[], window = ALL) => {
  const figures = priceFigures([priceSteps(runs, window)]);
  if (figures === null) throw new Error("nothing was observed");
  return figures;
};
const under = (runs: readonly PriceRun[], micros: number, window = ALL) =>
  shareOfTime([priceSteps(runs, window)], (price) => price <= BigInt(micros));

describe("steps", () => {
  test("a price holds from its observation until the next one, and after the last one nothing does", () => {
    const { held, gaps } = priceSteps([run(0, 4, 5), run(6, 6, 7), run(10, 12, 5)], ALL);
    expect(held).toEqual([
      { from: 0, to: 6 * HOUR_MS, micros: 5n },
      { from: 6 * HOUR_MS, to: 10 * HOUR_MS, micros: 7n },
      { from: 10 * HOUR_MS, to: 12 * HOUR_MS, micros: 5n },
    ]);
    expect(gaps).toEqual([]);
    expect(priceSteps([run(0, 4, 5), run(6, 8, 5)], ALL).held).toEqual([{ from: 0, to: 8 * HOUR_MS, micros: 5n }]);
  });

  test("a run within another one is what was in between: the other one was seen at its ends", () => {
    expect(priceSteps([run(0, 10, 5), run(2, 4, 7), run(6, 6, 8), run(12, 14, 5)], ALL).held).toEqual([
      { from: 0, to: 2 * HOUR_MS, micros: 5n },
      { from: 2 * HOUR_MS, to: 6 * HOUR_MS, micros: 7n },
      { from: 6 * HOUR_MS, to: 10 * HOUR_MS, micros: 8n },
      { from: 10 * HOUR_MS, to: 14 * HOUR_MS, micros: 5n },
    ]);
    expect(priceSteps([run(0, 10, 5), run(2, 4, 5)], ALL).held).toEqual([{ from: 0, to: 10 * HOUR_MS, micros: 5n }]);
  });

  test("in a gap nothing is known; as far apart as is allowed is none", () => {
    expect(priceSteps([run(0, 2, 5), run(28, 30, 7)], ALL).gaps).toEqual([]);
    const { held, gaps } = priceSteps([run(0, 2, 5), { ...run(28, 30, 7), from: 28 * HOUR_MS + 1 }], ALL);
    expect(gaps).toEqual([{ from: 2 * HOUR_MS, to: 28 * HOUR_MS + 1 }]);
    expect(held.map(({ from, to }) => (to - from) / HOUR_MS)).toEqual([2, expect.closeTo(2, 5)]);
  });

  test("a window begins with the price that held then, and ends what lasts longer", () => {
    const window = { ...ALL, since: 3 * HOUR_MS, until: 9 * HOUR_MS };
    expect(priceSteps([run(0, 1, 5), run(6, 20, 7), run(30, 31, 9)], window).held).toEqual([
      { from: 3 * HOUR_MS, to: 6 * HOUR_MS, micros: 5n },
      { from: 6 * HOUR_MS, to: 9 * HOUR_MS, micros: 7n },
    ]);
    expect(priceSteps([run(0, 3, 5)], window).held).toEqual([]);
    expect(priceSteps([run(3, 3, 5)], window).held).toHaveLength(1);
  });
});

describe("figures of known examples", () => {
  // 12 h at 2, 6 h at 3, 6 h at 4, then half a day without anybody looking, and a day at 2.
  const RUNS = [run(0, 12, 2_000_000), run(12, 12, 3_000_000), run(18, 24, 4_000_000), run(60, 84, 2_000_000)];

  test("are weighed by time", () => {
    const figures = figuresOf(RUNS);
    expect(figures).toEqual({
      min: 2_000_000n,
      max: 4_000_000n,
      // (36 h × 2 + 6 h × 3 + 6 h × 4) ÷ 48 h
      mean: 2_375_000n,
      p50: 2_000_000n,
      p95: 4_000_000n,
      volatility: expect.closeTo(Math.sqrt((Math.log(1.5) ** 2 + Math.log(4 / 3) ** 2) / 2), 10),
      changes: 3,
      observedMs: 48 * HOUR_MS,
      from: 0,
      to: 84 * HOUR_MS,
      gaps: { count: 1, ms: 36 * HOUR_MS },
    });
    expect(under(RUNS, 2_000_000)).toBe(0.75);
    expect(under(RUNS, 1_999_999)).toBe(0);
    expect(under(RUNS, 3_500_000)).toBe(0.875);
  });

  test("a quantile is a price that was, the lowest that suffices", () => {
    const runs = [run(0, 95, 1), run(95, 96, 2), run(96, 100, 3)];
    expect(figuresOf(runs)).toMatchObject({ p50: 1n, p95: 1n });
    expect(figuresOf([run(0, 94, 1), run(94, 96, 2), run(96, 100, 3)])).toMatchObject({ p95: 2n });
    expect(figuresOf([run(0, 50, 1), run(50, 100, 3)])).toMatchObject({ p50: 1n, p95: 3n, mean: 2n });
    expect(figuresOf([run(0, 50, 1), run(50, 100, 2)])).toMatchObject({ mean: 2n });
    expect(figuresOf([run(0, 51, 1), run(51, 100, 2)])).toMatchObject({ mean: 1n });
  });

  test("an amount greater than any exact number stays exact", () => {
    const dear = 9_007_199_254_740_993n;
    const runs = [{ from: 0, to: DAY_MS, micros: dear }];
    expect(figuresOf(runs)).toMatchObject({ min: dear, max: dear, mean: dear, p50: dear, p95: dear, volatility: 0 });
  });

  test("single observations too far apart count alike, and have no volatility", () => {
    const runs = [run(0, 0, 1), run(100, 100, 3), run(200, 200, 3)];
    expect(figuresOf(runs)).toMatchObject({ min: 1n, p50: 3n, p95: 3n, mean: 2n, observedMs: 0, volatility: null, changes: 1 });
    expect(under(runs, 1)).toBeCloseTo(1 / 3);
    expect(figuresOf([run(5, 5, 7)])).toMatchObject({
      min: 7n,
      max: 7n,
      p50: 7n,
      p95: 7n,
      mean: 7n,
      changes: 0,
      gaps: { count: 0, ms: 0 },
    });
    expect(priceFigures([priceSteps([], ALL)])).toBeNull();
    expect(shareOfTime([], () => true)).toBeNull();
  });

  test("volatility is that of a day, however long was looked: a change of 1 % every hour is √24 % a day", () => {
    const hours = (count: number) =>
      Array.from({ length: count }, (_, hour) => run(hour, hour + 1, hour % 2 === 0 ? 1_000_000 : 1_010_000));
    for (const count of [25, 240]) expect(figuresOf(hours(count)).volatility).toBeCloseTo(Math.log(1.01) * Math.sqrt(24), 2);
    expect(figuresOf(hours(23)).volatility).toBeNull();
  });

  test("an observation of a moment before a gap is a price that was, for no time", () => {
    const runs = [run(0, 10, 2), run(10, 10, 9), run(50, 60, 2)];
    expect(figuresOf(runs)).toMatchObject({ max: 9n, p95: 2n });
    expect(under(runs, 2)).toBe(1);
  });
});

/** Runs as the price book gives them: in order, apart, prices that may repeat. */
const someRuns = fc
  .array(
    fc.tuple(
      fc.integer({ min: 1, max: 60 * HOUR_MS }),
      fc.integer({ min: 0, max: 30 * HOUR_MS }),
      fc.integer({ min: 1, max: 2_000_000_000 }),
    ),
    {
      minLength: 1,
      maxLength: 25,
    },
  )
  .map((parts) => {
    let at = 0;
    return parts.map(([pause, lasts, micros]): PriceRun => {
      const from = at + pause;
      at = from + lasts;
      return { from, to: at, micros: BigInt(micros) };
    });
  });

describe("whatever was observed", () => {
  test("min ≤ p50 ≤ p95 ≤ max, the mean among them; all of the time lies under the maximum; nothing is NaN", () => {
    fc.assert(
      fc.property(someRuns, fc.integer({ min: 1, max: 2_000_000_000 }), (runs, limit) => {
        const { min, max, mean, p50, p95, volatility, observedMs, gaps, from, to } = figuresOf(runs);
        expect([min <= p50, p50 <= p95, p95 <= max, min <= mean, mean <= max]).toEqual([true, true, true, true, true]);
        expect(observedMs + gaps.ms).toBe(to - from);
        expect(volatility === null || (Number.isFinite(volatility) && volatility >= 0)).toBe(true);
        expect(under(runs, Number(max))).toBe(1);
        const share = under(runs, limit);
        expect(share !== null && share >= 0 && share <= 1).toBe(true);
        expect(under(runs, Number(p50))).toBeGreaterThanOrEqual(0.5);
        expect(under(runs, Number(p95))).toBeGreaterThanOrEqual(0.95);
      }),
    );
  });

  test("a run that is told in two parts says the same", () => {
    fc.assert(
      fc.property(someRuns, fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (runs, which, where) => {
        const index = which % runs.length;
        const split = runs.flatMap((one, at) => {
          const middle = Math.floor(one.from + (one.to - one.from) * where);
          return at !== index || one.to === one.from || middle === one.to
            ? [one]
            : [
                { ...one, to: middle },
                { ...one, from: middle + 1 },
              ];
        });
        expect(figuresOf(split)).toEqual(figuresOf(runs));
      }),
    );
  });

  test("the order in which it is told does not matter, nor into how many series of one group it is cut at a gap", () => {
    fc.assert(
      fc.property(someRuns, (runs) => {
        expect(figuresOf(runs.toReversed())).toEqual(figuresOf(runs));
        const { held, gaps } = priceSteps(runs, ALL);
        const [gap] = gaps;
        if (gap === undefined) return;
        const parts = [runs.filter(({ from }) => from < gap.to), runs.filter(({ from }) => from >= gap.to)].map((part) =>
          priceSteps(part, ALL),
        );
        expect(parts.flatMap((part) => part.held)).toEqual(held);
        const { p50, p95, mean, volatility, observedMs } = figuresOf(runs);
        expect(priceFigures(parts)).toMatchObject({
          p50,
          p95,
          mean,
          observedMs,
          volatility: volatility === null ? null : expect.closeTo(volatility, 8),
        });
      }),
    );
  });
});

const SERIES: PriceSeries = {
  provider: "aws",
  region: "us-east-1",
  zone: "us-east-1a",
  type: "p5.48xlarge",
  gpu: { model: "H100", count: 8, vramGb: 80, form: "SXM" },
  vcpus: 192,
  memoryGb: 2048,
  billing: "spot",
  source: "live",
  currency: "USD",
  onDemandPrice: { micros: 24_000_000n, currency: "USD" },
  runs: [run(0, 24, 16_000_000), run(24, 48, 32_000_000)],
};

describe("rows", () => {
  const rows = (all: readonly PriceSeries[], by: HistoryGroup = "zone", of: "gpu" | "instance" = "gpu") =>
    historyRows(all, { by, of, window: ALL, limitIn: (currency) => (currency === "USD" ? { micros: 2_000_000n, currency } : null) });

  test("are per GPU, and say how long spot was dearer than on demand", () => {
    const [row] = rows([SERIES]);
    expect(row).toMatchObject({
      provider: "aws",
      zone: "us-east-1a",
      type: "p5.48xlarge",
      gpus: 8,
      product: "H100-80GB SXM",
      last: { micros: 4_000_000n, currency: "USD" },
      onDemand: { micros: 3_000_000n, currency: "USD" },
      aboveOnDemand: 0.5,
      under: 0.5,
      figures: { min: 2_000_000n, max: 4_000_000n, p50: 2_000_000n },
    });
    expect(rows([SERIES], "zone", "instance")[0]).toMatchObject({ last: { micros: 32_000_000n }, figures: { max: 32_000_000n } });
    const asDear = { ...SERIES, onDemandPrice: { micros: 32_000_000n, currency: "USD" } };
    expect(rows([asDear])[0]).toMatchObject({ aboveOnDemand: 0 });
    expect(rows([{ ...SERIES, onDemandPrice: null }])[0]).toMatchObject({ onDemand: null, aboveOnDemand: null });
  });

  test("throw no products, currencies, ways to pay or kinds of sources together", () => {
    const others: readonly PriceSeries[] = [
      { ...SERIES, gpu: { ...SERIES.gpu, form: "PCIe" } },
      { ...SERIES, currency: "CNY", onDemandPrice: null },
      { ...SERIES, billing: "on-demand" },
      { ...SERIES, source: "catalog" },
    ];
    for (const by of ["zone", "region", "provider", "gpu", "type"] as const) expect(rows([SERIES, ...others], by)).toHaveLength(5);
    expect(rows([SERIES, ...others], "gpu").map(({ under: share, currency }) => [currency, share])).toContainEqual(["CNY", null]);
  });

  test.each([
    ["zone", 4],
    ["type", 3],
    ["region", 3],
    ["provider", 2],
    ["gpu", 1],
  ] as const)("by %s there are %s of them", (by, count) => {
    const all = [
      SERIES,
      { ...SERIES, zone: "us-east-1b" },
      { ...SERIES, region: "eu-west-1", zone: "eu-west-1a", type: "p5.4xlarge", gpu: { ...SERIES.gpu, count: 1 } },
      { ...SERIES, provider: "gcp", region: "us-central1", zone: "us-central1-a", type: "a3-highgpu-8g" },
    ];
    const found = rows(all, by);
    expect(found).toHaveLength(count);
    expect(found.reduce((sum, row) => sum + row.series, 0)).toBe(4);
  });

  test("two series of one machine in one place are one", () => {
    const later = { ...SERIES, memoryGb: 2000, runs: [run(48, 72, 8_000_000)] };
    expect(mergedSeries([SERIES, later])).toEqual([{ ...later, runs: [...SERIES.runs, ...later.runs] }]);
    expect(rows([SERIES, later])).toMatchObject([{ series: 1, figures: { min: 1_000_000n, observedMs: 72 * HOUR_MS } }]);
  });

  test("a price is divided half up", () => {
    expect(priceOf(10n, { count: 4 }, "gpu")).toBe(3n);
    expect(priceOf(9n, { count: 4 }, "gpu")).toBe(2n);
    expect(priceOf(9n, { count: 0 }, "gpu")).toBe(9n);
    expect(priceOf(9n, { count: 4 }, "instance")).toBe(9n);
  });
});
