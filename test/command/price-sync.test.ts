import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { CATALOG_CLOUDS } from "../../src/providers/public-catalog.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import { spot, type TestWorld, testWorld } from "../world.ts";

const HEADER = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region\n";
const row = (type: string, price: string, spotPrice = "") => `${type},T4,1,4,16,,${price},${spotPrice},here\n`;

type Answer = (response: ServerResponse, request: IncomingMessage) => void;
const file =
  (text: string, etag = '"1"'): Answer =>
  (response, request) =>
    request.headers["if-none-match"] === etag ? response.writeHead(304).end() : response.writeHead(200, { etag }).end(text);

/** A mirror with these files, by path; anything else is not there. */
async function mirror(files: Readonly<Record<string, Answer>>, env: Readonly<Record<string, string>> = {}) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const answer = files[request.url ?? ""];
    if (answer === undefined) response.writeHead(404).end();
    else answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, origin, world: testWorld({ env: { SPOT_CATALOG_URL: `${origin}/catalogs`, ...env } }) };
}

const at = (cloud: string) => `/catalogs/v8/${cloud}/vms.csv`;
// biome-ignore lint/suspicious/noExplicitAny: a wrong path fails the assertion.
const jsonOf = (text: string): any => JSON.parse(text);
// biome-ignore lint/suspicious/noExplicitAny: as above.
const rowOf = (text: string, cloud: string): any => jsonOf(text).data.find((one: { cloud: string }) => one.cloud === cloud);

async function onOffer(world: TestWorld) {
  const book = await openPriceBook(world.home);
  try {
    return (await book.current({})).prices
      .map(({ provider, type, billing, price }) => `${provider} ${type} ${billing} ${price.micros}`)
      .sort();
  } finally {
    book.close();
  }
}

test("every cloud is asked once, what is not there is no failure, and a second time nothing is fetched again", async () => {
  const { asked, world } = await mirror({
    [at("aws")]: file(HEADER + row("a", "1.5", "0.5") + row("b", "0.00")),
    [at("vast")]: file(HEADER + row("c", "2.5")),
  });
  const first = await spot(world, "price", "sync", "--json");
  expect([first.code, first.stderr]).toEqual([0, ""]);
  expect(asked.toSorted()).toEqual(CATALOG_CLOUDS.map(at).toSorted());
  const { schema, data } = jsonOf(first.stdout);
  expect([schema, data.map(({ cloud }: { cloud: string }) => cloud)]).toEqual(["spot.price-sync/1", CATALOG_CLOUDS]);
  expect(rowOf(first.stdout, "aws")).toMatchObject({
    of: "prices",
    outcome: "read",
    read: 2,
    kept: 2,
    refused: { "no price": 1 },
    why: null,
  });
  expect(rowOf(first.stdout, "azure")).toMatchObject({ outcome: "absent", kept: null, changedAt: null });
  expect(await onOffer(world)).toEqual(["aws a on-demand 1500000", "aws a spot 500000", "vast c on-demand 2500000"]);

  const second = await spot(world, "price", "sync", "aws", "vast", "--json");
  expect(second.code).toBe(0);
  for (const cloud of ["aws", "vast"]) {
    const now = rowOf(second.stdout, cloud);
    expect(now).toMatchObject({ outcome: "unchanged", changedAt: rowOf(first.stdout, cloud).changedAt });
    expect(Date.parse(now.checkedAt)).toBeGreaterThan(Date.parse(now.changedAt));
  }
});

test("people read a table, with what was refused below it, and what is going on on stderr", async () => {
  const { world } = await mirror({
    [at("aws")]: file(HEADER + row("a", "1.5", "0.5") + row("b", "-1")),
    [at("gcp")]: (r) => r.writeHead(500).end(),
  });
  const { code, stdout, stderr } = await spot(world, "price", "sync", "aws", "gcp", "azure");
  expect(code).toBe(1);
  expect(stdout).toMatch(/CLOUD +OF +OUTCOME +KEPT +REFUSED +SINCE +AGE/);
  expect(stdout).toMatch(/aws +prices +read +2 +1 +20\d\d-/);
  expect(stdout).toMatch(/azure +prices +absent +- /);
  expect(stdout).toContain("gcp: HTTP 500; nothing is known of it.");
  expect(stdout).toContain("aws: refused 1 price is not a number.");
  expect(stderr).toContain("aws: read");
  expect(stderr).toContain("not read: gcp");
});

test("of what failed the name is said, the exit is 1, and everything else stands", async () => {
  const files = { [at("aws")]: file(HEADER + row("a", "1.5")), [at("vast")]: file(HEADER + row("c", "2.5")) };
  const { world } = await mirror(files);
  await spot(world, "price", "sync", "aws", "vast");
  files[at("vast")] = (response) => response.writeHead(503).end();
  files[at("aws")] = file(HEADER + row("a", "1.25"), '"2"');
  const { code, stdout, stderr } = await spot(world, "price", "sync", "aws", "vast", "--json");
  expect(code).toBe(1);
  expect(rowOf(stdout, "vast")).toMatchObject({ outcome: "failed", why: "HTTP 503", kept: 1 });
  expect(jsonOf(stderr).error).toMatchObject({ code: "SPOT_E_PRICE_SYNC", message: "not read: vast", next: ["spot price sync vast"] });
  expect(await onOffer(world)).toEqual(["aws a on-demand 1250000", "vast c on-demand 2500000"]);
});

test("a file that is gone is a failure where it was there, and none where it never was", async () => {
  const files = { [at("aws")]: file(HEADER + row("a", "1.5")), [at("vast")]: file(HEADER + row("c", "2.5")) };
  const { world } = await mirror(files);
  await spot(world, "price", "sync");
  delete files[at("vast")];
  const gone = await spot(world, "price", "sync", "aws", "vast", "azure", "--json");
  expect([gone.code, jsonOf(gone.stderr).error.message]).toEqual([1, "not read: vast (gone)"]);
  expect(jsonOf(gone.stderr).error).toMatchObject({
    hint: "what was known before stands, with its age; everything else was read",
    next: ["spot price sync vast"],
  });
  const why = expect.stringMatching(/^the file is gone; what was read on \d{4}-\d\d-\d\d stands$/);
  expect(rowOf(gone.stdout, "vast")).toMatchObject({ outcome: "absent", why, kept: 1 });
  expect(rowOf(gone.stdout, "azure")).toMatchObject({ outcome: "absent", why: null });
  expect((await spot(world, "price", "sync", "vast")).stdout).toMatch(/^vast: the file is gone; what was read on [0-9-]+ stands\.$/m);
  expect(await onOffer(world)).toHaveLength(2);
  const book = await openPriceBook(world.home);
  const [, vast = expect.fail()] = await book.sources();
  await book.setBack(vast.name, Date.now() - 31 * 86_400_000);
  book.close();
  const over = await spot(world, "price", "sync", "vast", "--json");
  expect(jsonOf(over.stderr).error).toMatchObject({
    message: "not read: vast (gone)",
    hint: "what was known before stands, with its age, but for what is gone and too old",
  });
  expect(await onOffer(world)).toHaveLength(1);
});

test("a look that is dated later than now is said, and its age is not known until it is mended", async () => {
  const { world } = await mirror({ [at("vast")]: file(HEADER + row("c", "2.5")), [at("aws")]: (r) => r.writeHead(500).end() });
  const book = await openPriceBook(world.home);
  const ahead = Date.parse("2199-01-01T00:00Z");
  for (const cloud of ["vast", "aws"]) {
    const record = { name: `catalog:${cloud}`, kind: "catalog", url: "", etag: null, read: 1, kept: 1, refused: {} } as const;
    await book.recordSource({ ...record, changedAt: ahead, checkedAt: ahead });
  }
  book.close();
  const { stdout } = await spot(world, "price", "sync", "vast", "aws");
  expect(stdout).toContain("vast: the last look was dated 2199-01-01 00:00 UTC by a clock that was ahead");
  expect(stdout.match(/the clock|a clock/g)).toHaveLength(1);
  expect(stdout).toMatch(/^vast .* \d\.\ds *$/m);
  expect(stdout).toMatch(/^aws .* 2199-01-01 00:00 +\? *$/m);
});

test("a price book that is damaged may be deleted, and nothing else is advised", async () => {
  const { world } = await mirror({ [at("vast")]: file(HEADER + row("c", "2.5")) });
  await writeFile(join(world.home, "prices.db"), "not a database, ".repeat(500));
  for (const command of [["sync", "vast"], ["history"], ["stats"]]) {
    const { code, stderr } = await spot(world, "price", ...command, "--json");
    const path = join(world.home, "prices.db");
    expect([code, jsonOf(stderr).error]).toMatchObject([
      1,
      {
        code: "SPOT_E_STATE_CORRUPT",
        message: `the price book ${path} is damaged or is not a database of spot`,
        hint: expect.stringContaining("may be deleted"),
        next: [`rm ${path}`, "spot price sync"],
      },
    ]);
  }
});

test("a place that cannot be reached is said once, not for every cloud", async () => {
  const closed = testWorld({ env: { SPOT_CATALOG_URL: "http://127.0.0.1:1/" } });
  const { code, stdout, stderr } = await spot(closed, "price", "sync");
  expect([code, stdout.match(/ECONNREFUSED/g)]).toEqual([1, ["ECONNREFUSED"]]);
  expect(stderr).toContain(`not read: ${CATALOG_CLOUDS.slice(0, 8).join(", ")}, and ${CATALOG_CLOUDS.length - 8} more\n`);
  expect(stderr).toMatch(/next: spot price sync\n/);
  expect(stderr).not.toContain("everything else was read");
});

test("a place without any catalogue is a failure, not an empty success", async () => {
  const { world } = await mirror({});
  const { code, stderr } = await spot(world, "price", "sync", "--json");
  expect([code, jsonOf(stderr).error.message]).toEqual([1, expect.stringMatching(/^there is no catalogue below http:/)]);
});

test("what cannot be meant is refused before anything is asked or written", async () => {
  const world = testWorld();
  const wrong = await spot(world, "price", "sync", "asw");
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean "aws"?')]);
  for (const [url, why] of [
    ["catalogs", "is no address"],
    ["file:///etc/passwd", "is no http or https address"],
    ["https://me:canary@mirror.example/", "a password in it"],
    ["https://mirror.example/?key=canary", "behind the path"],
  ]) {
    const { code, stderr } = await spot(testWorld({ home: world.home, env: { SPOT_CATALOG_URL: String(url) } }), "price", "sync");
    expect([code, stderr]).toEqual([2, expect.stringContaining(String(why))]);
    expect(stderr).not.toContain("canary");
  }
  expect(await readdir(world.home)).toEqual([]);
  // A mirror may have clouds that are not known here, but no path is made of their names.
  const { asked, world: mirrored } = await mirror({ [at("newcloud")]: file(HEADER + row("a", "1.5")) });
  expect((await spot(mirrored, "price", "sync", "newcloud")).code).toBe(0);
  expect((await spot(mirrored, "price", "sync", "../aws")).code).toBe(2);
  expect(asked).toEqual([at("newcloud")]);
});

test("Ctrl-C ends it with 130 while files are on their way; what was read stands, and the next run goes on", async () => {
  const stop = new AbortController();
  const files: Record<string, Answer> = {
    [at("aws")]: file(HEADER + row("a", "1.5")),
    [at("vast")]: (response) => {
      response.writeHead(200).write(HEADER + row("c", "2.5"));
    },
  };
  const { world } = await mirror(files);
  const running = spot({ ...world, signal: stop.signal }, "price", "sync", "aws", "vast");
  await expect.poll(() => world.said()).toContain("aws: read");
  stop.abort("SIGINT");
  const { code, stderr } = await running;
  expect([code, stderr]).toEqual([
    130,
    expect.stringMatching(/interrupted: what was read to its end is kept,.*\n +next: spot price sync\n$/s),
  ]);
  expect(await onOffer(world)).toContain("aws a on-demand 1500000");
  files[at("vast")] = file(HEADER + row("c", "2.5"));
  expect((await spot(world, "price", "sync", "aws", "vast")).code).toBe(0);
  expect(await onOffer(world)).toEqual(["aws a on-demand 1500000", "vast c on-demand 2500000"]);
});

test("a time that is up advises the same again", async () => {
  const { world } = await mirror({ [at("vast")]: (response) => response.writeHead(200).write(HEADER) });
  const { code, stderr } = await spot(world, "price", "sync", "vast", "--timeout", "1s", "--json");
  expect([code, jsonOf(stderr).error]).toMatchObject([
    124,
    { code: "SPOT_E_TIMEOUT", message: expect.stringMatching(/^the time was up: /), next: ["spot price sync"], retryable: true },
  ]);
});

test("a dry run reads the same, says what would be kept, and keeps nothing", async () => {
  const files = { [at("aws")]: file(HEADER + row("a", "1.5", "0.5") + row("a", "2")), "/advisor.json": file("{}") };
  const { asked, origin, world: plain } = await mirror(files);
  const env = { ...plain.env, SPOT_AWS_ADVISOR_URL: `${origin}/advisor.json` } as Record<string, string>;
  const world = testWorld({ home: plain.home, env });
  const dry = await spot(world, "price", "sync", "aws", "--dry-run", "--json");
  expect([dry.code, jsonOf(dry.stdout).data]).toMatchObject([
    0,
    [{ of: "prices", outcome: "read", kept: 2, refused: { "named twice": 1 } }],
  ]);
  expect([await readdir(world.home), asked]).toEqual([[], [at("aws")]]);
  expect((await spot(plain, "price", "sync", "aws")).code).toBe(0);
  const known = await onOffer(world);
  expect(rowOf((await spot(world, "price", "sync", "aws", "--dry-run", "--json")).stdout, "aws").outcome).toBe("unchanged");
  files[at("aws")] = file(HEADER + row("a", "1.25", "0.25"), '"2"');
  const changed = await spot(world, "price", "sync", "aws", "--dry-run");
  expect(changed.stdout).toMatch(/^aws +prices +read +2 [\s\S]*\nNothing was kept \(--dry-run\)\.\n$/m);
  expect(await onOffer(world)).toEqual(known);
  delete (files as Record<string, Answer>)[at("aws")];
  expect((await spot(world, "price", "sync", "aws", "--dry-run")).code).toBe(1);
  expect(await onOffer(world)).toEqual(known);
});

test("two at once read the same", async () => {
  const many = Array.from({ length: 5_000 }, (_, index) => row(`t${index}`, `${1 + index}.25`)).join("");
  const { world } = await mirror({ [at("aws")]: file(HEADER + many), [at("vast")]: file(HEADER + row("c", "2.5")) });
  const both = await Promise.all([
    spot(world, "price", "sync", "aws", "vast"),
    spot(testWorld({ home: world.home, env: { ...world.env } as Record<string, string> }), "price", "sync", "vast", "aws"),
  ]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(await onOffer(world)).toHaveLength(5_001);
});

test("the bands of the Spot Advisor are refreshed with the prices of AWS, and kept where offers find them", async () => {
  const advisor = (band: number) =>
    JSON.stringify({
      ranges: [
        { index: 0, label: "<5%" },
        { index: 4, label: ">20%" },
      ],
      spot_advisor: { "us-east-1": { Linux: { "g4dn.xlarge": { r: band, s: 70 }, "m5.large": { r: 0, s: 50 } } } },
    });
  const files: Record<string, Answer> = { [at("aws")]: file(HEADER + row("a", "1.5")), "/advisor.json": file(advisor(4)) };
  const { origin, asked, world: plain } = await mirror(files);
  const world = testWorld({
    home: plain.home,
    env: { ...plain.env, SPOT_AWS_ADVISOR_URL: `${origin}/advisor.json` } as Record<string, string>,
  });
  const first = await spot(world, "price", "sync", "aws", "vast", "--json");
  expect([first.code, jsonOf(first.stdout).data.at(-1)]).toEqual([
    0,
    expect.objectContaining({ cloud: "aws", of: "interruptions", outcome: "read", kept: 1 }),
  ]);
  const kept = async () => {
    const [name = ""] = (await readdir(join(world.home, "cache"))).filter((one) => one.endsWith("-advisor.json"));
    return JSON.parse(await readFile(join(world.home, "cache", name), "utf8")).value.rows;
  };
  expect(await kept()).toEqual({ "us-east-1": { "g4dn.xlarge": 4 } });
  files["/advisor.json"] = (response) => response.writeHead(403).end("<Error>");
  const failed = await spot(world, "price", "sync", "aws", "--json");
  expect([failed.code, jsonOf(failed.stderr).error.message]).toEqual([1, "not read: the AWS Spot Advisor"]);
  expect(await kept()).toEqual({ "us-east-1": { "g4dn.xlarge": 4 } });
  // Without AWS among the clouds it is not asked for.
  const before = asked.length;
  expect((await spot(world, "price", "sync", "vast", "--json")).code).toBe(1);
  expect(asked.slice(before)).toEqual([at("vast")]);
});
