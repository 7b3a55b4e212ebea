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
  expect(await sync()).toMatchObject({ outcome: "read", record: { read: 1, kept: 2, etag: '"1"', changedAt: 1_000_000 } });
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
  expect(await sync()).toMatchObject({ outcome: "read", record: { kept: 1, etag: null } });
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
        response.writeHead(200, { "content-length": "100000" });
        response.write(HEADER + row("a", "1.5"), () => response.destroy());
      }),
    { outcome: "failed" },
  ],
  [
    "a redirect leads nowhere",
    () => (answer = (_, response) => response.writeHead(302, { location: "/" }).end()),
    { outcome: "failed", why: expect.stringContaining("without end") },
  ],
])("when %s, what is on offer stays", async (_, harm, outcome) => {
  serve(HEADER + row("a", "1.5") + row("b", "1.5") + row("c", "1.5"));
  await sync();
  harm();
  now += 1000;
  const before = await onOffer();
  expect(await sync()).toMatchObject(outcome);
  expect((await onOffer()).map((line) => line.split(" ")[0])).toEqual(before.map((line) => line.split(" ")[0]));
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
    async observe(source, observations) {
      if (source.name === "catalog:aws") {
        await expect.poll(() => isWriting).toBe(true);
        throw new Error("the disk is full");
      }
      isWriting = true;
      await slow;
      await book.observe(source, observations);
      isWriting = false;
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
