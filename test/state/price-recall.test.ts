import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ListedPrice } from "../../src/model/listed-price.ts";
import { priceFigures, priceSteps, shareOfTime } from "../../src/pricing/history.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import type { PriceBook } from "../../src/state/price-book/types.ts";
import { temporaryFolder } from "../world.ts";

const HOUR_MS = 3_600_000;
const LIVE = { name: "live:aws", kind: "live" } as const;

let book: PriceBook;

beforeEach(async () => {
  book = await openPriceBook(temporaryFolder());
});
afterEach(() => book.close());

const listed = (micros: number, more: Partial<ListedPrice> = {}): ListedPrice => ({
  provider: "aws",
  region: "us-east-1",
  zone: "us-east-1a",
  type: "g5.xlarge",
  gpu: { model: "A10G", count: 1, vramGb: 24 },
  vcpus: 4,
  memoryGb: 16,
  billing: "spot",
  price: { micros: BigInt(micros), currency: "USD" },
  onDemandPrice: { micros: 1_006_000n, currency: "USD" },
  ...more,
});
const remembered = (from: number, to: number, micros: number, more: Partial<ListedPrice> = {}) => ({
  price: listed(micros, more),
  from,
  to,
});
const runs = async (type = "g5.xlarge") =>
  (await book.history({ type }, 0))[0]?.runs.map(({ from, to, micros }) => [from, to, Number(micros)]);

test("what a provider remembers comes back as it was, and saying it again changes nothing", async () => {
  const all = [remembered(10, 19, 5), remembered(20, 39, 7), remembered(40, 60, 5)];
  for (const _ of [1, 2, 3]) {
    await book.recall(LIVE, all);
    expect(await runs()).toEqual([
      [10, 19, 5],
      [20, 39, 7],
      [40, 60, 5],
    ]);
  }
  expect((await book.history({}, 0))[0]).toMatchObject({ source: "live", onDemandPrice: { micros: 1_006_000n } });
});

test("it makes long what was seen for a moment, whichever came first", async () => {
  const all = [remembered(10, 19, 5), remembered(20, 39, 7), remembered(40, 60, 5)];
  const seen = [15, 25, 30, 50].map((at) => ({ price: listed(at === 15 || at === 50 ? 5 : 7), at }));
  await book.observe(LIVE, seen);
  await book.recall(LIVE, all);
  const expected = [
    [10, 19, 5],
    [20, 39, 7],
    [40, 60, 5],
  ];
  expect(await runs()).toEqual(expected);
  await book.observe(LIVE, [{ price: listed(5), at: 70 }]);
  expect((await runs())?.at(-1)).toEqual([40, 70, 5]);
  await book.recall(LIVE, [remembered(40, 65, 5)]);
  expect((await runs())?.at(-1)).toEqual([40, 70, 5]);
});

test("what reaches up to what is known now makes it longer", async () => {
  await book.observe(
    LIVE,
    [40, 70].map((at) => ({ price: listed(5), at })),
  );
  await book.recall(LIVE, [remembered(30, 50, 5)]);
  expect(await runs()).toEqual([[30, 70, 5]]);
  await book.recall(LIVE, [remembered(10, 20, 5)]);
  expect(await runs()).toEqual([
    [10, 20, 5],
    [30, 70, 5],
  ]);
});

test("a longer memory goes on where a shorter one began, and the next one where the last one ended", async () => {
  await book.recall(LIVE, [remembered(30, 39, 7), remembered(40, 60, 5)]);
  await book.recall(LIVE, [remembered(10, 19, 5), remembered(20, 39, 7), remembered(40, 80, 5)]);
  await book.recall(LIVE, [remembered(40, 89, 5), remembered(90, 95, 6)]);
  expect(await runs()).toEqual([
    [10, 19, 5],
    [20, 39, 7],
    [40, 89, 5],
    [90, 95, 6],
  ]);
});

test("nothing, and what ends before it begins, is no price", async () => {
  await book.recall(LIVE, [remembered(10, 20, 0), remembered(20, 10, 5)]);
  expect(await book.history({}, 0)).toEqual([]);
});

test("seen and remembered in any order, the steps are those of what was", async () => {
  // A price that was at every moment; some of it is observed, all of it is remembered, in pieces and in any order.
  const change = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 5 }));
  const looks = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 15 });
  let tries = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), looks, fc.boolean(), async (changes, moments, seenFirst) => {
      const type = `type-${tries++}`;
      let end = 0;
      const all = changes.map(([lasts, micros]) => {
        const from = end;
        end += lasts;
        return remembered(from, end - 1, micros, { type });
      });
      const seen = moments
        .filter((at) => at < end)
        .flatMap((at) => all.filter(({ from, to }) => from <= at && at <= to).map(({ price }) => ({ price, at })));
      if (seenFirst) await book.observe(LIVE, seen);
      await book.recall(LIVE, all.slice(Math.floor(all.length / 2)));
      if (!seenFirst) await book.observe(LIVE, seen);
      await book.recall(LIVE, all);
      const window = { since: 0, until: 1_000, maxGapMs: 10 };
      const known = (await book.history({ type }, 0))[0]?.runs ?? [];
      const truth = all.map(({ price, from, to }) => ({ from, to, micros: price.price.micros }));
      expect(priceSteps(known, window)).toEqual(priceSteps(truth, window));
    }),
    { numRuns: 60 },
  );
});

test("compacting moves no figure by more than the hours that had more than four runs, and no minimum or maximum at all", async () => {
  const window = { since: 0, until: 100 * HOUR_MS, maxGapMs: 26 * HOUR_MS };
  const look = fc.record({ minutes: fc.integer({ min: 1, max: 20 }), micros: fc.integer({ min: 1, max: 9 }) });
  let tries = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(look, { minLength: 2, maxLength: 60 }), fc.integer({ min: 1, max: 9 }), async (seen, limit) => {
      const type = `type-${tries++}`;
      let at = 0;
      const observations = seen.map(({ minutes, micros }) => {
        at += minutes * 60_000;
        return { price: listed(micros, { type }), at };
      });
      await book.observe(LIVE, observations);
      const before = (await book.history({ type }, 0))[0]?.runs ?? [];
      await book.compact(window.until);
      const after = (await book.history({ type }, 0))[0]?.runs ?? [];
      const [was, is] = [before, after].map((list) => priceSteps(list, window));
      if (was === undefined || is === undefined) throw new Error("no steps");
      const [figures, now] = [priceFigures([was]), priceFigures([is])];
      if (figures === null || now === null) throw new Error("nothing was observed");
      expect([now.min, now.max, now.from, now.to, now.observedMs]).toEqual([
        ...[figures.min, figures.max, figures.from, figures.to, figures.observedMs],
      ]);
      const hours = new Map<number, number>();
      for (const { from } of before) hours.set(Math.floor(from / HOUR_MS), (hours.get(Math.floor(from / HOUR_MS)) ?? 0) + 1);
      const thinned = [...hours.values()].filter((count) => count > 4).length;
      const share = (steps: typeof was) => shareOfTime([steps], (micros) => micros <= BigInt(limit)) ?? 0;
      const most = figures.observedMs === 0 ? 0 : (thinned * HOUR_MS) / figures.observedMs;
      expect(Math.abs(share(was) - share(is))).toBeLessThanOrEqual(most + 1e-12);
    }),
    { numRuns: 60 },
  );
});

test("a query knows beforehand how many series it has", async () => {
  await book.recall(LIVE, [
    remembered(10, 20, 5),
    remembered(10, 20, 5, { zone: "us-east-1b" }),
    remembered(10, 20, 5, { billing: "on-demand" }),
  ]);
  expect(await book.seriesCount({})).toBe(3);
  expect(await book.seriesCount({ billing: "spot" })).toBe(2);
  expect(await book.seriesCount({ place: "us-east-1b" })).toBe(1);
  expect(await book.seriesCount({ gpuModel: "H100" })).toBe(0);
});

test("a catalogue that was found unchanged stated its prices until then, also when it says others later", async () => {
  const catalog = { name: "catalog:aws", kind: "catalog" } as const;
  const record = { ...catalog, url: "https://catalog.test/aws", etag: null, read: 1, kept: 1, refused: {} };
  await book.observe(catalog, [{ price: listed(5), at: 10 }]);
  await book.observe(catalog, [{ price: listed(9, { zone: "us-east-1b" }), at: 5 }]);
  await book.recordSource({ ...record, changedAt: 10, checkedAt: 10 });
  await book.recordSource({ ...record, changedAt: 10, checkedAt: 40 });
  expect(await runs()).toEqual([[10, 40, 5]]);
  // What its newest version does not say any more was not stated then.
  expect((await book.history({ place: "us-east-1b" }, 0))[0]?.runs).toMatchObject([{ from: 5, to: 5 }]);
  await book.observe(catalog, [{ price: listed(7), at: 50 }]);
  await book.recordSource({ ...record, changedAt: 50, checkedAt: 50 });
  expect(await runs()).toEqual([
    [10, 40, 5],
    [50, 50, 7],
  ]);
});
