import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { syncCatalog, syncCatalogs } from "../../src/fleet/prices/sync.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import type { PriceBook } from "../../src/state/price-book/types.ts";

const HEADER = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region\n";
const row = (type: string, price: string, spot = "") => `${type},T4,1,4,16,,${price},${spot},here\n`;
const whole = HEADER + row("a", "1.5") + row("b", "1.5") + row("c", "1.5");
const HOUR_MS = 3_600_000;

let home: string;
let book: PriceBook;
let base: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let asked: IncomingMessage[];
let now: number;
const server = () =>
  createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
let running: ReturnType<typeof server>;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "spot-sync-"));
  book = await openPriceBook(home);
  asked = [];
  now = 1_000_000;
  running = server();
  await new Promise<void>((resolve) => running.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(running.address() as AddressInfo).port}/catalogs`;
});

afterEach(async () => {
  book.close();
  running.closeAllConnections();
  await new Promise((resolve) => running.close(resolve));
  await rm(home, { recursive: true, force: true });
});

const serve = (text: string, headers: Record<string, string> = { etag: '"1"' }) => {
  answer = (request, response) => {
    if (request.headers["if-none-match"] === headers["etag"]) response.writeHead(304).end();
    else response.writeHead(200, headers).end(text);
  };
};
const sync = (cloud = "runpod", signal = new AbortController().signal) =>
  syncCatalog(cloud, base, { book, clock: { now: () => now } as never, env: {}, signal });
const onOffer = async () => (await book.current({})).prices.map(({ type, billing, price }) => `${type} ${billing} ${price.micros}`).sort();

test("a file is read, and read again only when it is another one", async () => {
  serve(HEADER + row("a", "1.5", "0.5"));
  expect(await sync()).toMatchObject({ outcome: "read", record: { read: 1, kept: 2, changedAt: 1_000_000 } });
  expect(asked[0]?.url).toBe("/catalogs/v8/runpod/vms.csv");
  expect(await onOffer()).toEqual(["a on-demand 1500000", "a spot 500000"]);
  now = 2_000_000;
  expect(await sync()).toMatchObject({ outcome: "unchanged", record: { changedAt: 1_000_000, checkedAt: 2_000_000 } });
  expect(await onOffer()).toHaveLength(2);
  now = 3_000_000;
  serve(HEADER + row("a", "1.5"), { etag: '"2"' });
  expect(await sync()).toMatchObject({ outcome: "read", record: { kept: 1 } });
  expect(await onOffer()).toEqual(["a on-demand 1500000"]);
});

test("a packed answer and a redirect are followed", async () => {
  answer = (request, response) => {
    if (request.url === "/catalogs/v8/runpod/vms.csv") response.writeHead(302, { location: "/elsewhere.csv" }).end();
    else response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(HEADER + row("a", "1.5")));
  };
  expect(await sync()).toMatchObject({ outcome: "read", record: { kept: 1, etag: expect.stringMatching(/^\d+;$/) } });
});

test.each<[string, () => void, object]>([
  ["there is no such file", () => (answer = (_, response) => response.writeHead(404).end("404")), { outcome: "absent" }],
  ["a server is broken", () => (answer = (_, response) => response.writeHead(500).end()), { outcome: "failed", why: "HTTP 500" }],
  [
    "a page comes instead",
    () => serve("<html></html>\n", {}),
    { outcome: "failed", why: "it is no catalogue: the column InstanceType is missing" },
  ],
  ["most of the file is missing", () => serve(HEADER + row("a", "9"), {}), { outcome: "failed", why: expect.stringContaining("cut off") }],
  [
    "it breaks off",
    () =>
      (answer = (_, response) => {
        response.writeHead(200, { "content-length": "1000000" });
        response.write(HEADER + row("a", "0.5").repeat(5_000), () => response.destroy());
      }),
    { outcome: "failed" },
  ],
  [
    "a redirect leads nowhere",
    () => (answer = (_, response) => response.writeHead(302, { location: "/" }).end()),
    { outcome: "failed", why: expect.stringContaining("without end") },
  ],
])("when %s, what is on offer stays", async (_, harm, outcome) => {
  serve(whole);
  await sync();
  harm();
  now += 1000;
  const before = await onOffer();
  expect(await sync()).toMatchObject(outcome);
  expect(await onOffer()).toEqual(before);
  // Nor does the version of before say any of it when it is back.
  serve(whole);
  expect(await sync()).toMatchObject({ outcome: "unchanged" });
  expect(await onOffer()).toEqual(before);
});

test("a version that a reader of another number has read is read again", async () => {
  serve(HEADER + row("a", "1.5"));
  const first = await sync();
  expect(await sync()).toMatchObject({ outcome: "unchanged" });
  await book.recordSource({ ...("record" in first ? first.record : expect.fail()), etag: '1;"1"', checkedAt: now + 5 });
  expect(await sync()).toMatchObject({ outcome: "read" });
  expect(asked.at(-1)?.headers["if-none-match"]).toBeUndefined();
});

test("what another reader made of a file is no measure of what this one makes", async () => {
  serve(whole);
  const first = await sync();
  const record = "record" in first ? first.record : expect.fail();
  await book.recordSource({ ...record, etag: '2;"1"', kept: 100, read: 100, checkedAt: now + 5 });
  now += 10;
  expect(await sync()).toMatchObject({ outcome: "read", record: { kept: 3 } });
});

test("where a server names no version, the counts of this reader are a measure all the same, and nothing is asked by a name", async () => {
  answer = (_, response) => response.end(whole);
  await sync();
  answer = (_, response) => response.end(HEADER + row("a", "9"));
  expect(await sync()).toMatchObject({ outcome: "failed", why: expect.stringContaining("it has 1 prices where it had 3") });
  expect(asked.map(({ headers }) => headers["if-none-match"])).toEqual([undefined, undefined]);
});

test("that an old version was found unchanged does not bring it back where a newer one was published meanwhile", async () => {
  serve(HEADER + row("a", "1"), { etag: '"old"' });
  await sync();
  now += 1_000;
  // A stale cache of a mirror answers, and meanwhile somebody else reads the newer file.
  answer = async (_, response) => {
    serve(HEADER + row("a", "2"), { etag: '"new"' });
    await sync();
    now += 1_000;
    response.writeHead(304).end();
  };
  const late = { now: () => now + 5_000 } as never;
  await syncCatalog("runpod", base, { book, clock: late, env: {}, signal: new AbortController().signal });
  expect(await book.sources()).toMatchObject([{ etag: expect.stringContaining('"new"'), changedAt: now - 1_000 }]);
  expect(await onOffer()).toEqual(["a on-demand 2000000"]);
});

test("a file that has become much smaller is believed when it is still so an hour later", async () => {
  serve(whole);
  await sync();
  const before = await onOffer();
  serve(HEADER + row("a", "9"), { etag: '"2"' });
  const first = now;
  for (const minutes of [0, 59]) {
    now = first + minutes * 60_000;
    const why =
      "it has 1 prices where it had 3: taken for a file that was cut off, and believed if it is still so after 1970-01-01 01:16 UTC";
    expect(await sync()).toMatchObject({ outcome: "failed", why });
    expect(await onOffer()).toEqual(before);
  }
  // Whole again in between: the next hour begins anew.
  serve(whole);
  expect(await sync()).toMatchObject({ outcome: "unchanged" });
  serve(HEADER + row("a", "9"), { etag: '"3"' });
  now = first + HOUR_MS + 5;
  expect(await sync()).toMatchObject({ outcome: "failed" });
  now += HOUR_MS;
  expect(await sync()).toMatchObject({ outcome: "read", record: { kept: 1 } });
  expect(await onOffer()).toEqual(["a on-demand 9000000"]);
});

test("another mirror may have less", async () => {
  serve(whole);
  await sync();
  base = `${base}/other`;
  serve(HEADER + row("a", "9"));
  expect(await sync()).toMatchObject({ outcome: "read", record: { kept: 1 } });
});

test("a file that ends within a row and has become shorter was cut off; one that never ends with a line's end was not", async () => {
  const text = HEADER + row("a", "1") + row("b", "1") + row("c", "1") + row("d", "1");
  serve(text.trimEnd());
  expect(await sync()).toMatchObject({ outcome: "read", record: { kept: 3, refused: { "unfinished row": 1 } } });
  serve(text.replace("d,", "e,").trimEnd(), { etag: '"2"' });
  expect(await sync()).toMatchObject({ outcome: "read" });
  const before = await onOffer();
  serve(text.slice(0, text.indexOf("c,") + 12), { etag: '"3"' });
  now += 1;
  expect(await sync()).toMatchObject({
    outcome: "failed",
    why: expect.stringMatching(/^it ends within a row, and has 3 rows where it had 4: /),
  });
  expect(await onOffer()).toEqual(before);
});

test("a machine that is named twice has the lower price, and keeps it", async () => {
  for (const etag of ["1", "2", "3"]) {
    serve(HEADER + row("a", "1", "0.5") + row("a", "2", "0.5") + row("b", "1"), { etag });
    expect(await sync()).toMatchObject({ record: { read: 3, kept: 3, refused: { "named twice": 2 } } });
    now += 1_000;
  }
  expect(await onOffer()).toEqual(["a on-demand 1000000", "a spot 500000", "b on-demand 1000000"]);
  const runs = (await book.history({ type: "a", billing: "on-demand" }, 0)).map((series) => series.runs);
  expect(runs).toEqual([[{ from: 1_000_000, to: 1_002_000, micros: 1_000_000n }]]);
  // All that was stated counts, not all that was kept.
  serve(HEADER + row("a", "1", "0.5"), { etag: "4" });
  expect(await sync()).toMatchObject({ outcome: "failed", why: expect.stringContaining("it has 2 prices where it had 5") });
});

test("what is gone stays on offer for thirty days, and is said", async () => {
  serve(whole);
  await sync();
  answer = (_, response) => response.writeHead(404).end();
  const offered = await onOffer();
  now += 30 * 24 * HOUR_MS;
  expect(await sync()).toMatchObject({
    outcome: "absent",
    why: "the file is gone; what was read on 1970-01-01 stands",
    stands: { kept: 3 },
  });
  expect(await onOffer()).toEqual(offered);
  now += 1;
  const why = "the file is gone; what was read on 1970-01-01 is too old, and is not on offer any more";
  expect(await sync()).toMatchObject({ outcome: "absent", why, stands: { kept: 0 } });
  expect(await onOffer()).toEqual([]);
  expect(await sync()).toMatchObject({ outcome: "absent", why: null });
  serve(whole);
  expect(await sync()).toMatchObject({ outcome: "read" });
  expect(await onOffer()).toEqual(offered);
});

test("what another mirror does not have is not gone", async () => {
  serve(whole);
  await sync();
  base = `${base}/other`;
  answer = (_, response) => response.writeHead(404).end();
  now += 365 * 24 * HOUR_MS;
  expect(await sync()).toMatchObject({ outcome: "absent", why: null });
  expect(await onOffer()).toHaveLength(3);
});

test("when the clock was ahead, what is read now is the newest all the same, and nothing is dated later", async () => {
  const mended = now;
  const dates = async () => (await book.history({}, 0)).flatMap(({ runs }) => runs.flatMap(({ from, to }) => [from, to]));
  const ahead = mended + 365 * 24 * HOUR_MS;
  for (const [after, type] of [
    [0, "gone"],
    [1000, "a"],
    [2000, "a"],
  ] as const) {
    now = ahead + after;
    serve(HEADER + row(type, `${after + 1}`), { etag: `"${after}"` });
    await sync();
  }
  now = mended;
  // Though the file is as it was then: what had gone off offer must not be back.
  expect(await sync()).toMatchObject({ outcome: "read", datedAhead: ahead + 2000, record: { changedAt: mended, checkedAt: mended } });
  expect((await book.current({})).prices).toMatchObject([{ type: "a", observedAt: mended }]);
  expect(Math.max(...(await dates()))).toBe(mended);
  expect(await sync()).not.toHaveProperty("datedAhead");
});

test("a file that is gone is counted from now when the clock was ahead", async () => {
  now += 365 * 24 * HOUR_MS;
  serve(whole);
  await sync();
  now -= 365 * 24 * HOUR_MS;
  answer = (_, response) => response.writeHead(404).end();
  expect(await sync()).toMatchObject({ outcome: "absent", why: "the file is gone; what was read on 1970-01-01 stands" });
  now += 31 * 24 * HOUR_MS;
  await sync();
  expect(await onOffer()).toEqual([]);
});

test("a clock that was set back does not make what is read now older than what is known", async () => {
  serve(HEADER + row("a", "1.5"));
  await sync();
  now = 5;
  serve(HEADER + row("a", "2.5"), { etag: '"2"' });
  await sync();
  expect(await onOffer()).toEqual(["a on-demand 2500000"]);
});

test("a version of one mirror says nothing of another one's", async () => {
  serve(HEADER + row("a", "1.5"));
  await sync();
  base = `${base}/other`;
  expect(await sync()).toMatchObject({ outcome: "read" });
});

test("whoever is interrupted stops, and nothing goes off offer", async () => {
  serve(HEADER + row("a", "1.5"));
  await sync();
  const stop = new AbortController();
  answer = (_, response) => {
    response.writeHead(200);
    response.write(HEADER, () => stop.abort(new Error("interrupted")));
  };
  await expect(sync("runpod", stop.signal)).rejects.toThrow("interrupted");
  expect(await onOffer()).toHaveLength(1);
});

test("when one file ends everything, nobody still writes into the book afterwards", async () => {
  serve(HEADER + row("a", "1.5"));
  let isWriting = false;
  let goOn = () => {};
  const slow = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const broken: PriceBook = {
    ...book,
    reading(source) {
      const reading = book.reading(source);
      return {
        ...reading,
        async add(prices) {
          if (source.name === "catalog:aws") {
            await expect.poll(() => isWriting).toBe(true);
            throw new Error("the disk is full");
          }
          isWriting = true;
          await slow;
          await reading.add(prices);
          isWriting = false;
        },
      };
    },
  };
  const world = { book: broken, clock: { now: () => now } as never, env: {}, signal: new AbortController().signal };
  const ended = syncCatalogs(["aws", "vast"], base, world, () => undefined).then(
    () => "well",
    (error: Error) => `${error.message}, writing: ${isWriting}`,
  );
  await expect.poll(() => isWriting).toBe(true);
  // It has every chance to end too early.
  await new Promise((resolve) => setTimeout(resolve, 200));
  goOn();
  expect(await ended).toBe("the disk is full, writing: false");
});
