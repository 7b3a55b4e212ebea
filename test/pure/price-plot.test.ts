import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainPainter } from "../../src/output/painter.ts";
import { axisLabels, priceAxis, timeMarks } from "../../src/output/price-axes.ts";
import { priceColumns } from "../../src/output/price-columns.ts";
import { type PlotOptions, pricePlot } from "../../src/output/price-plot.ts";
import { sparkline } from "../../src/output/sparkline.ts";
import { textWidth } from "../../src/output/text-width.ts";
import type { HeldPrice } from "../../src/pricing/history.ts";

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 10, 20);
const OPTIONS: PlotOptions = { from: START, to: START + 48 * HOUR_MS, width: 60, unicode: true, currency: "USD", level: null };

/** Prices in dollars, each for so many hours; null is a gap. */
function held(...steps: readonly (readonly [number | null, number])[]): readonly HeldPrice[] {
  let at = START;
  return steps.flatMap(([dollars, hours]) => {
    const from = at;
    at += hours * HOUR_MS;
    return dollars === null ? [] : [{ from, to: at, micros: BigInt(Math.round(dollars * 1e6)) }];
  });
}

const DAYS = held([2.1, 10], [2.4, 6], [2.2, 6], [null, 6], [2.2, 4], [3, 0.1], [2.3, 10]);
const plot = (change: Partial<PlotOptions> = {}, of = DAYS) => `\n${pricePlot(of, { ...OPTIONS, ...change }, plainPainter)}\n`;

describe("a plot", () => {
  test("has marks at round prices and moments; gaps and the time after the last observation are blank", () => {
    expect(plot()).toMatchInlineSnapshot(`
      "
      $3.00 ┤                                   │
            │                                   │
      $2.80 ┤                                   │
            │                                   │
      $2.60 ┤                                   │
            │                                   │
      $2.40 ┤           ╭─────╮                 │
            │           │     │                 ├───────────
      $2.20 ┤           │     ╰───────     ─────┤
            │───────────╯
      $2.00 ┤
            └┬────────────┬────────────┬────────────┬─────────────
             Nov 20     12:00       Nov 21        12:00
      "
    `);
  });

  test("in ASCII", () => {
    expect(plot({ unicode: false })).toMatchInlineSnapshot(`
      "
      $3.00 +                                   |
            |                                   |
      $2.80 +                                   |
            |                                   |
      $2.60 +                                   |
            |                                   |
      $2.40 +           +-----+                 |
            |           |     |                 +-----------
      $2.20 +           |     +-------     -----+
            |-----------+
      $2.00 +
            ++------------+------------+------------+-------------
             Nov 20     12:00       Nov 21        12:00
      "
    `);
  });

  test("with the price to compare with, where it is near, and without it, where it would squash the line", () => {
    expect(plot({ level: 2_750_000n })).toMatchInlineSnapshot(`
      "
      $3.00 ┤                                   │
            │                                   │
      $2.80 ┤┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄│┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
            │                                   │
      $2.60 ┤                                   │
            │                                   │
      $2.40 ┤           ╭─────╮                 │
            │           │     │                 ├───────────
      $2.20 ┤           │     ╰───────     ─────┤
            │───────────╯
      $2.00 ┤
            └┬────────────┬────────────┬────────────┬─────────────
             Nov 20     12:00       Nov 21        12:00
      "
    `);
    expect(plot({ level: 9_000_000n })).toBe(plot());
    expect(plot({ level: 2_750_000n, unicode: false })).toContain("....");
  });

  test("of a price that never moved, and of single observations", () => {
    const still = held([1.5, 48]);
    expect(plot({}, still)).toMatchInlineSnapshot(`
      "
      $1.60 ┤
            │
            │
      $1.55 ┤
            │
            │
      $1.50 ┤─────────────────────────────────────────────────────
            │
            │
      $1.45 ┤
            │
            │
      $1.40 ┤
            └┬────────────┬────────────┬────────────┬─────────────
             Nov 20     12:00       Nov 21        12:00
      "
    `);
    const moments = [0, 20, 40].map((hour) => ({ from: START + hour * HOUR_MS, to: START + hour * HOUR_MS, micros: 1_500_000n }));
    expect(pricePlot(moments, OPTIONS, plainPainter).replaceAll(/[^•]/g, "")).toBe("•••");
  });

  test("of nothing, or with no room, is nothing", () => {
    expect(pricePlot([], OPTIONS, plainPainter)).toBe("");
    expect(pricePlot(DAYS, { ...OPTIONS, width: 16 }, plainPainter)).toBe("");
  });

  test("fits every width, has no trailing spaces, and in ASCII nothing else", () => {
    const price = fc.integer({ min: 1, max: 2_000_000_000 });
    const step = fc.record({ price, hours: fc.integer({ min: 0, max: 40 }), isGap: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 26, max: 160 }),
        fc.boolean(),
        (steps, width, unicode) => {
          const of = held(...steps.map(({ price: micros, hours, isGap }) => [isGap ? null : micros / 1e6, hours] as const));
          const text = pricePlot(of, { ...OPTIONS, to: START + 400 * HOUR_MS, width, unicode }, plainPainter);
          expect(text === "").toBe(of.length === 0);
          for (const line of text.split("\n")) {
            expect(textWidth(line)).toBeLessThanOrEqual(width);
            expect(line).toBe(line.trimEnd());
            if (!unicode) expect(line).toMatch(/^[ -~]*$/);
          }
        },
      ),
    );
  });

  test("the painter gets the line, the axes and the level, and nothing else changes", () => {
    const tagged = {
      ...plainPainter,
      cyan: (text: string) => `<${text}>`,
      dim: (text: string) => `(${text})`,
      yellow: (text: string) => `[${text}]`,
    };
    const painted = pricePlot(DAYS, { ...OPTIONS, level: 2_750_000n }, tagged);
    expect(painted).toContain("<");
    expect(painted).toContain("[┄┄");
    expect(`\n${painted.replaceAll(/[<>()[\]]/g, "")}\n`).toBe(plot({ level: 2_750_000n }));
  });
});

describe("axes", () => {
  test.each([
    [2_100_000n, 3_000_000n, ["$2.00", "$2.20", "$2.40", "$2.60", "$2.80", "$3.00"]],
    [990_000n, 990_000n, ["$0.92", "$0.94", "$0.96", "$0.98", "$1.00", "$1.02", "$1.04"].slice(1)],
    [1n, 1n, ["$0.000000", "$0.000001", "$0.000002"]],
    [98_000_000n, 412_000_000n, ["$0.00", "$100.00", "$200.00", "$300.00", "$400.00", "$500.00"]],
    [193_417n, 201_000n, ["$0.192", "$0.194", "$0.196", "$0.198", "$0.200", "$0.202"]],
  ])("from %s to %s the marks are %j", (min, max, labels) => {
    expect(axisLabels(priceAxis(min, max), "USD")).toEqual(labels);
  });

  test("any two prices lie on their axis", () => {
    const amount = fc.bigInt({ min: 1n, max: 10n ** 17n });
    fc.assert(
      fc.property(amount, amount, (a, b) => {
        const [min, max] = a < b ? [a, b] : [b, a];
        const { low, step, steps } = priceAxis(min, max);
        expect([low >= 0n, low <= min, low + step * BigInt(steps) >= max, steps >= 1 && steps <= 5]).toEqual([true, true, true, true]);
        const labels = axisLabels({ low, step, steps }, "CHF");
        expect(new Set(labels).size).toBe(steps + 1);
      }),
    );
  });

  test("marks of time are round, few enough, and within", () => {
    const day = 24 * HOUR_MS;
    expect(timeMarks(START, START + 2 * day, 5).map(({ label }) => label)).toEqual(["Nov 20", "12:00", "Nov 21", "12:00", "Nov 22"]);
    expect(timeMarks(START + 1, START + 30 * day, 6).map(({ label }) => label)).toEqual([
      "Nov 23",
      "Nov 28",
      "Dec 3",
      "Dec 8",
      "Dec 13",
      "Dec 18",
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * day }), fc.integer({ min: 1, max: 20 }), (span, most) => {
        const marks = timeMarks(START + 12_345, START + 12_345 + span, most);
        expect(marks.length).toBeLessThanOrEqual(most + 1);
        for (const { at } of marks) expect(at >= START + 12_345 && at <= START + 12_345 + span).toBe(true);
      }),
    );
  });
});

describe("columns", () => {
  test("keep the lowest and the highest of their time, and average over what is known", () => {
    const [one, two, three, four] = priceColumns(held([1, 6], [3, 6], [null, 18], [2, 6]), START, START + 48 * HOUR_MS, 4);
    expect(one).toEqual({
      first: 1_000_000n,
      last: 3_000_000n,
      low: 1_000_000n,
      high: 3_000_000n,
      mean: 2_000_000n,
      knownMs: 12 * HOUR_MS,
    });
    expect(two).toBeNull();
    expect(three).toMatchObject({ mean: 2_000_000n, knownMs: 6 * HOUR_MS });
    expect(four).toBeNull();
  });

  test("know as many milliseconds as the prices held", () => {
    const step = fc.tuple(fc.option(fc.integer({ min: 1, max: 9 })), fc.integer({ min: 0, max: 50 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.integer({ min: 1, max: 300 }), (steps, count) => {
        const of = held(...steps);
        const end = START + Math.max(1, ...of.map(({ to }) => to - START));
        const columns = priceColumns(of, START, end, count);
        const known = columns.reduce((sum, column) => sum + (column?.knownMs ?? 0), 0);
        expect(known).toBe(of.reduce((sum, { from, to }) => sum + to - from, 0));
        for (const column of columns) if (column !== null) expect(column.low <= column.mean && column.mean <= column.high).toBe(true);
      }),
    );
  });
});

test("a sparkline has a cell for each column, lowest to highest, and a point where nobody knows", () => {
  const span = { from: START, to: START + 48 * HOUR_MS, cells: 16 };
  expect(sparkline(DAYS, { ...span, unicode: true })).toMatchInlineSnapshot(`"▁▁▁▆█▅▃▃·▃▅▆▆▆▆·"`);
  expect(sparkline(DAYS, { ...span, unicode: false })).toMatchInlineSnapshot(`"___*@+--.-+****."`);
  expect(sparkline(held([2, 48]), { ...span, unicode: true })).toBe("▄".repeat(16));
  expect(sparkline([], { ...span, unicode: true })).toBe("·".repeat(16));
  const rising = held(...[1, 2, 3, 4, 5, 6, 7, 8].map((price) => [price, 6] as const));
  expect(sparkline(rising, { ...span, cells: 8, unicode: true })).toBe("▁▂▃▄▅▆▇█");
  expect(sparkline(rising, { ...span, cells: 8, unicode: false })).toBe("_,-=+*#@");
});
