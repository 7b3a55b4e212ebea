import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ListedPrice } from "../../src/model/listed-price.ts";
import { openSqlite } from "../../src/platform/sqlite.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import type { PriceBook, SourceRecord } from "../../src/state/price-book/types.ts";

const HOUR_MS = 3_600_000;
const CATALOG = { name: "catalog:aws", kind: "catalog" } as const;
const LIVE = { name: "live:aws", kind: "live" } as const;

let home: string;
let book: PriceBook;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "spot-prices-"));
  book = await openPriceBook(home);
});

afterEach(async () => {
  book.close();
  await rm(home, { recursive: true, force: true });
});

function listed(micros: number, more: Partial<ListedPrice> = {}): ListedPrice {
  return {
    provider: "aws",
    region: "us-east-1",
    zone: "use1-az1",
    type: "p5.48xlarge",
    gpu: { model: "H100", count: 8, vramGb: 80, form: "SXM" },
    vcpus: 192,
    memoryGb: 2048,
    billing: "spot",
    price: { micros: BigInt(micros), currency: "USD" },
    onDemandPrice: { micros: 98_320_000n, currency: "USD" },
    ...more,
  };
}

function read(changedAt: number, more: Partial<SourceRecord> = {}): SourceRecord {
  return {
    ...CATALOG,
    url: "https://catalog.test/aws",
    etag: '"1"',
    changedAt,
    checkedAt: changedAt,
    read: 1,
    kept: 1,
    refused: {},
    ...more,
  };
}

const microsOf = async (since = 0) =>
  (await book.history({}, since)).map(({ runs }) => runs.map(({ from, to, micros }) => [from, to, Number(micros)]));

test("an observation comes back as it was, after the file was opened again", async () => {
  const price = listed(40_000_000);
  await book.observe(CATALOG, [{ price, at: 1000 }]);
  await book.recordSource(read(1000, { refused: { "no price": 3 } }));
  book.close();
  book = await openPriceBook(home);
  expect(await book.current({})).toEqual({
    prices: [{ ...price, source: "catalog", observedAt: 1000, since: 1000 }],
    count: 1,
    counts: { aws: 1 },
  });
  expect(await book.sources()).toEqual([read(1000, { refused: { "no price": 3 } })]);
});

test("a price that stays is one run, and one that changes leaves a run behind", async () => {
  for (const [at, micros] of [
    [10, 5],
    [20, 5],
    [30, 7],
    [40, 5],
    [50, 5],
  ] as const)
    await book.observe(CATALOG, [{ price: listed(micros), at }]);
  expect(await microsOf()).toEqual([
    [
      [10, 20, 5],
      [30, 30, 7],
      [40, 50, 5],
    ],
  ]);
  // The price that held at the beginning is there, what it replaced is not.
  expect(await microsOf(35)).toEqual([
    [
      [30, 30, 7],
      [40, 50, 5],
    ],
  ]);
});

test("a history that is fetched later falls into its place, and the newest price stands", async () => {
  await book.observe(LIVE, [{ price: listed(5), at: 100 }]);
  await book.observe(LIVE, [
    { price: listed(4), at: 50 },
    { price: listed(3), at: 80 },
    { price: listed(5), at: 100 },
  ]);
  expect(await microsOf()).toEqual([
    [
      [50, 50, 4],
      [80, 80, 3],
      [100, 100, 5],
    ],
  ]);
});

test("what the newest version of a catalogue does not say is not on offer, but stays in the history", async () => {
  await book.observe(CATALOG, [
    { price: listed(5), at: 10 },
    { price: listed(6, { zone: "use1-az2" }), at: 10 },
  ]);
  await book.recordSource(read(10));
  await book.observe(CATALOG, [{ price: listed(5), at: 20 }]);
  expect((await book.current({})).count).toBe(2);
  await book.recordSource(read(20));
  expect((await book.current({})).prices.map(({ zone }) => zone)).toEqual(["use1-az1"]);
  expect((await book.history({}, 0)).map(({ zone }) => zone)).toEqual(["use1-az1", "use1-az2"]);
});

test("live prices are kept for the history, and are not looked up", async () => {
  await book.observe(LIVE, [{ price: listed(5), at: 10 }]);
  expect((await book.current({})).count).toBe(0);
  expect(await microsOf()).toHaveLength(1);
});

test("a price of nothing is not kept", async () => {
  await book.observe(CATALOG, [
    { price: listed(0), at: 10 },
    { price: listed(-1), at: 10 },
  ]);
  await book.recordSource(read(10));
  expect((await book.current({})).count).toBe(0);
});

test("forms and memories of one model are several machines, and a query finds the one it names", async () => {
  const gpus = [
    { model: "H100", count: 1, vramGb: 80, form: "SXM" },
    { model: "H100", count: 1, vramGb: 80, form: "PCIe" },
    { model: "H100", count: 8, vramGb: 80 },
    { model: "A100", count: 1, vramGb: 40 },
  ] as const;
  await book.observe(
    CATALOG,
    gpus.map((gpu, index) => ({ price: listed(10 + index, { gpu }), at: 10 })),
  );
  await book.recordSource(read(10));
  const found = async (query: Parameters<PriceBook["current"]>[0]) =>
    (await book.current(query)).prices.map(({ price }) => Number(price.micros));
  expect(await found({ gpuModel: "h100" })).toEqual([10, 11, 12]);
  expect(await found({ gpuModel: "H100 PCIe" })).toEqual([11]);
  expect(await found({ gpuModel: "A100-80GB" })).toEqual([]);
  expect(await found({ gpuCount: 8 })).toEqual([12]);
  expect(await found({ providers: ["gcp"] })).toEqual([]);
  expect(await found({ place: "us-east-1", billing: "spot" })).toHaveLength(4);
  expect(await found({ billing: "on-demand" })).toEqual([]);
});

test("of too many prices the cheapest of each provider are read, and all are counted", async () => {
  const at = 10;
  const rows = [1, 2, 3, 4].flatMap((count) =>
    ["aws", "gcp"].map((provider) => ({
      price: listed(100 + count, { provider, gpu: { model: "H100", count, vramGb: 80 }, zone: `z${count}` }),
      at,
    })),
  );
  await book.observe(CATALOG, rows);
  await book.recordSource(read(at));
  const { prices, count } = await book.current({}, { by: "price", most: 2 });
  expect(prices.map(({ provider, gpu }) => [provider, gpu.count])).toEqual([
    ["aws", 4],
    ["aws", 3],
    ["gcp", 4],
    ["gcp", 3],
  ]);
  expect(count).toBe(8);
});

test("a transaction that fails is forgotten whole, numbers that it gave included", async () => {
  const broken = listed(5, { zone: "new-zone", vcpus: Number.NaN });
  await expect(
    book.observe(CATALOG, [
      { price: listed(5, { type: "new-type" }), at: 10 },
      { price: broken, at: 10 },
    ]),
  ).rejects.toThrow("NaN");
  await book.observe(CATALOG, [{ price: listed(5, { type: "new-type", zone: "new-zone" }), at: 10 }]);
  expect((await book.history({}, 0)).map(({ type, zone }) => [type, zone])).toEqual([["new-type", "new-zone"]]);
});

let tries = 0;

test("of a past hour its first, last, lowest and highest price stay", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ at: fc.integer({ min: 0, max: 4 * HOUR_MS }), micros: fc.integer({ min: 1, max: 9 }) }), {
        minLength: 1,
        maxLength: 60,
      }),
      fc.integer({ min: 0, max: 5 * HOUR_MS }),
      async (seen, until) => {
        const type = `type-${tries++}`;
        const inOrder = seen.toSorted((a, b) => a.at - b.at);
        await book.observe(
          LIVE,
          inOrder.map(({ at, micros }) => ({ price: listed(micros, { type }), at })),
        );
        const before = (await book.history({ type }, 0))[0]?.runs ?? [];
        await book.compact(until);
        const after = (await book.history({ type }, 0))[0]?.runs ?? [];
        expect(before).toEqual(expect.arrayContaining([...after]));
        expect(after.at(-1)).toEqual(before.at(-1));
        for (const hour of new Set(before.map(({ from }) => Math.floor(from / HOUR_MS)))) {
          const runs = before.filter(({ from }) => Math.floor(from / HOUR_MS) === hour);
          const kept = after.filter(({ from }) => Math.floor(from / HOUR_MS) === hour);
          const micros = (list: typeof runs) => list.map((run) => Number(run.micros));
          expect(kept[0]).toEqual(runs[0]);
          expect(kept.at(-1)).toEqual(runs.at(-1));
          expect(Math.min(...micros([...kept]))).toBe(Math.min(...micros(runs)));
          expect(Math.max(...micros([...kept]))).toBe(Math.max(...micros(runs)));
          if ((hour + 1) * HOUR_MS <= until) expect(kept.length).toBeLessThanOrEqual(5);
          else expect(kept).toEqual(runs);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a query may name the source, and a most for each currency", async () => {
  const cny = (micros: number) => ({ price: { micros: BigInt(micros), currency: "CNY" }, onDemandPrice: null });
  await book.observe(CATALOG, [
    { price: listed(5), at: 10 },
    { price: listed(7, { zone: "b" }), at: 10 },
    { price: listed(0, { zone: "c", ...cny(20) }), at: 10 },
    { price: listed(0, { zone: "d", ...cny(40) }), at: 10 },
  ]);
  await book.recordSource(read(10));
  await book.observe({ name: "bundled", kind: "bundled" }, [{ price: listed(6, { zone: "e" }), at: 10 }]);
  const zones = async (query: Parameters<PriceBook["current"]>[0]) => (await book.current(query)).prices.map(({ zone }) => zone);
  expect(await zones({ source: "bundled" })).toEqual(["e"]);
  expect(await zones({ source: "catalog" })).toEqual(["use1-az1", "b", "c", "d"]);
  const most = (micros: bigint, currency: string) => ({ micros, currency });
  expect(await zones({ source: "catalog", maxPrices: [most(5n, "USD"), most(30n, "CNY")] })).toEqual(["use1-az1", "c"]);
  expect(await zones({ maxPrices: [most(10n ** 30n, "USD")] })).toEqual(["use1-az1", "b", "e"]);
  expect(await zones({ maxPrices: [] })).toEqual([]);
});

test("of each machine, and of each zone of a provider, the best price is read, and how many it stands for", async () => {
  const rows = [
    listed(80, { zone: "a" }),
    listed(70, { zone: "b" }),
    listed(5, { zone: "a", type: "small", gpu: { model: "T4", count: 1, vramGb: 16 }, onDemandPrice: { micros: 6n, currency: "USD" } }),
    listed(9, { zone: "a", provider: "gcp" }),
  ];
  await book.observe(
    CATALOG,
    rows.map((price) => ({ price, at: 10 })),
  );
  await book.recordSource(read(10));
  const best = async (by: "price" | "savings", of: "machine" | "zone") =>
    (await book.best({}, by, of))
      .map(({ price, count }) => [price.provider, price.type, price.zone, Number(price.price.micros), count])
      .toSorted((a, b) => String(a).localeCompare(String(b)));
  expect(await best("price", "machine")).toEqual([
    ["aws", "p5.48xlarge", "b", 70, 2],
    ["aws", "small", "a", 5, 1],
    ["gcp", "p5.48xlarge", "a", 9, 1],
  ]);
  // Per GPU: a machine of eight for 80 is dearer than one of one for 5.
  expect(await best("price", "zone")).toEqual([
    ["aws", "p5.48xlarge", "b", 70, 1],
    ["aws", "small", "a", 5, 2],
    ["gcp", "p5.48xlarge", "a", 9, 1],
  ]);
  expect((await best("savings", "zone")).slice(0, 2)).toEqual([
    ["aws", "p5.48xlarge", "a", 80, 2],
    ["aws", "p5.48xlarge", "b", 70, 1],
  ]);
});

test("the most saved comes first, equals by price, a loss after it, and what nobody compares last", async () => {
  const usd = (micros: bigint) => ({ micros, currency: "USD" });
  const gpu = { model: "T4", count: 1, vramGb: 16 };
  const rows: readonly (readonly [string, number, bigint | null])[] = [
    ["unknown", 1, null],
    ["loss", 30, 20n],
    ["half-dear", 40, 80n],
    ["half", 4, 8n],
    ["most", 90, 1000n],
  ];
  await book.observe(
    CATALOG,
    rows.map(([zone, micros, onDemand]) => ({
      price: listed(micros, { zone, gpu, onDemandPrice: onDemand === null ? null : usd(onDemand) }),
      at: 10,
    })),
  );
  await book.recordSource(read(10));
  const { prices } = await book.current({}, { by: "savings", most: 9 });
  expect(prices.map(({ zone }) => zone)).toEqual(["most", "half", "half-dear", "loss", "unknown"]);
});

test("every GPU that was observed is known, on offer or not", async () => {
  await book.observe(LIVE, [{ price: listed(5), at: 10 }]);
  await book.observe(CATALOG, [{ price: listed(5, { zone: "b" }), at: 10 }]);
  expect(await book.gpus()).toEqual([{ provider: "aws", model: "H100", vramGb: 80, form: "SXM" }]);
});

test("a document counts when it is published, whole, and not before", async () => {
  const reading = book.reading(CATALOG);
  await reading.add([listed(5), listed(6, { zone: "b" })]);
  // As a process that is killed leaves it.
  const other = await openPriceBook(home);
  expect([await other.history({}, 0), await other.gpus(), await other.sources()]).toEqual([[], [], []]);
  expect(await reading.publish(read(10))).toMatchObject({ kept: 2, refused: {} });
  reading.drop();
  expect((await other.current({})).count).toBe(2);
  other.close();
});

test("what was read of an older version is not published after a newer one", async () => {
  const [older, newer] = [book.reading(CATALOG), book.reading(CATALOG)];
  await older.add([listed(5)]);
  await newer.add([listed(6)]);
  await newer.publish(read(20));
  expect(await older.publish(read(10))).toEqual(read(20));
  for (const reading of [older, newer]) reading.drop();
  expect((await book.current({})).prices).toMatchObject([{ price: { micros: 6n }, observedAt: 20 }]);
});

test("of two prices of one moment the lower one counts, and stays in the history", async () => {
  for (const [type, first, second] of [
    ["up", 4, 6],
    ["down", 6, 4],
  ] as const) {
    await book.observe(
      LIVE,
      [first, second].map((micros) => ({ price: listed(micros, { type }), at: 10 })),
    );
    const runs = async () => (await book.history({ type }, 0))[0]?.runs;
    expect(await runs()).toEqual([{ from: 10, to: 10, micros: 4n }]);
    await book.observe(LIVE, [{ price: listed(9, { type }), at: 30 }]);
    expect(await runs()).toEqual([
      { from: 10, to: 10, micros: 4n },
      { from: 30, to: 30, micros: 9n },
    ]);
  }
});

test("what goes off offer had been stated until its document was last found unchanged", async () => {
  const publish = async (prices: readonly ListedPrice[], at: number) => {
    const reading = book.reading(CATALOG);
    await reading.add(prices);
    await reading.publish(read(at));
    reading.drop();
  };
  await publish([listed(5), listed(6, { zone: "b" })], 10);
  await book.recordSource(read(10, { checkedAt: 50 }));
  await publish([listed(5)], 60);
  await publish([listed(5)], 70);
  expect(await microsOf()).toEqual([[[10, 70, 5]], [[10, 50, 6]]]);
});

test("whoever waits to write when the book is closed hears of it, and the process goes on", async () => {
  const writer = openSqlite(join(home, "prices.db"));
  writer.exec("begin immediate");
  const closed = await openPriceBook(home);
  const waiting = closed.recordSource(read(10));
  const heard = expect(waiting).rejects.toThrow("closed");
  await new Promise((resolve) => setTimeout(resolve, 50));
  closed.close();
  await heard;
  writer.exec("rollback");
  writer.close();
});
