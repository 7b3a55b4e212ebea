import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { ListedPrice } from "../../src/model/listed-price.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { openSqlite } from "../../src/platform/sqlite.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import { fakePpio } from "../clouds/ppio/fake.ts";
import { spot, type TestWorld, testWorld } from "../world.ts";
import { cloudWorld, data, must } from "./cloud.ts";

const DAY_MS = 24 * 3_600_000;
const usd = (text: string) => moneyFromDecimal(text, "USD");

function listed(provider: string, set: Partial<ListedPrice> = {}): ListedPrice {
  return {
    provider,
    region: "r1",
    zone: "r1",
    type: `${provider}-h100`,
    gpu: { model: "H100", count: 1, vramGb: 80, form: "SXM" },
    vcpus: 26,
    memoryGb: 200,
    billing: "spot",
    price: usd("0.5"),
    onDemandPrice: usd("2"),
    ...set,
  };
}

/** What a sync leaves in a home: one catalogue, read so long ago. */
async function catalogue(home: string, cloud: string, prices: readonly ListedPrice[], agoMs = DAY_MS): Promise<void> {
  const at = Date.now() - agoMs;
  const book = await openPriceBook(home);
  const source = { name: `catalog:${cloud}`, kind: "catalog" } as const;
  await book.observe(
    source,
    prices.map((price) => ({ price, at })),
  );
  const { length } = prices;
  await book.recordSource({ ...source, url: "", etag: null, changedAt: at, checkedAt: at, read: length, kept: length, refused: {} });
  book.close();
}

/** Of nobody an answer is waited for: the only cloud that is configured is not there. */
function deafWorld(set: Readonly<Record<string, string>> = {}): TestWorld {
  return testWorld({ env: { NOVITA_API_KEY: "canary-credential", NOVITA_API_URL: "http://127.0.0.1:9", ...set } });
}

type Row = { provider: string; source: string; rentable: boolean; price: { amount: string } };
const kinds = (rows: readonly Row[]) => [...new Set(rows.map(({ provider, source }) => `${provider} ${source}`))].toSorted();

test("with nothing configured: the embedded cloud live, catalogues, and for the others the bundled table, in one order", async () => {
  const world = await cloudWorld();
  await catalogue(world.home, "vast", [listed("vast")]);
  await catalogue(world.home, "aws", [listed("aws", { price: usd("0.4") })]);
  const { code, stdout, stderr } = await spot(world, "offers", "--gpu", "H100", "--json");
  expect([code, stderr]).toEqual([0, ""]);
  const answer = JSON.parse(stdout);
  expect(kinds(answer.data)).toEqual(["aws catalog", "hyperstack bundled", "local live", "ppio bundled", "vast catalog"]);
  expect(answer.data.slice(0, 2)).toMatchObject([
    { provider: "aws", rentable: true, stock: "unknown", noticeSeconds: 120, price: { amount: "0.400000" } },
    { provider: "vast", rentable: false, stock: "unknown", noticeSeconds: 0 },
  ]);
  type Figures = { effectivePrice: { amount: string; currency: string }; gpu: { count: number }; observedAt: string; stock: unknown };
  const inStock: readonly Figures[] = answer.data.filter(({ stock }: Figures) => stock !== 0);
  const figures = inStock.map(({ effectivePrice: { amount, currency }, gpu, observedAt }) => ({
    effective: Number(amount) / gpu.count / (currency === "CNY" ? 6.77 : 1),
    isOld: Date.now() - Date.parse(observedAt) > 90 * DAY_MS,
  }));
  // PPIO's is of an article that is years old: the cheapest, and no row to begin with.
  expect(figures.toSorted((a, b) => Number(a.isOld) - Number(b.isOld) || a.effective - b.effective)).toEqual(figures);
  const first = (provider: string) => answer.data.findIndex((row: Row) => row.provider === provider);
  expect(first("ppio")).toBeGreaterThan(first("local"));
  expect(answer.rates).toEqual([{ currency: "CNY", perUsd: "6.77", source: expect.stringContaining("2026-06-19") }]);
  expect(answer.sources).toContainEqual(expect.objectContaining({ provider: "vast", source: "catalog", offers: 1, stale: false }));
  const table = await spot(world, "offers", "--gpu", "H100");
  expect(table.stdout).toMatch(/^PROVIDER .* SOURCE$/m);
  expect(table.stdout).toMatch(/^vast .* elsewhere +catalog 24h$/m);
  expect(table.stdout).toMatch(/^local .* live$/m);
  expect(table.stdout.replaceAll(/\s+/g, " ")).toContain("elsewhere: a cloud that spot cannot rent from.");
  const narrow = await spot(
    { ...testWorld({ home: world.home, columns: 80, isTTY: true }), selfCommand: world.selfCommand },
    "offers",
    "--group-by",
    "provider",
    "--quiet",
  );
  for (const line of narrow.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(narrow.stdout).toMatch(/^vast .* elsewhere +catalog 24h +1$/m);
  // Whoever rents, rents what is live.
  expect((await data(world, "up", "--name", "a", "--gpu", "H100:1", "--dry-run"))[0].provider).toBe("local");
});

test("--provider local is the embedded cloud and nothing else, to the letter", async () => {
  const world = await cloudWorld();
  await catalogue(world.home, "vast", [listed("vast")]);
  const { stdout } = await must(world, "offers", "--provider", "local", "--json");
  expect(Object.keys(JSON.parse(stdout))).toEqual(["schema", "data"]);
  expect(kinds(JSON.parse(stdout).data)).toEqual(["local live"]);
  expect((await must(world, "offers", "--provider", "local")).stdout).not.toMatch(/SOURCE|Not live|more:/);
  // The bundled table has an H20, of another cloud.
  const capped = await must(world, "offers", "--provider", "local", "--max-price", "12CNY", "--fx", "CNY=7", "--json");
  expect(JSON.parse(capped.stdout).rates).toEqual([{ currency: "CNY", perUsd: "7", source: "--fx, of no stated day" }]);
  const slip = await spot(world, "offers", "--provider", "local", "--gpu", "H20");
  expect([slip.code, slip.stderr]).toEqual([2, expect.stringContaining('no provider offers a GPU "H20"')]);
  expect((await spot(world, "offers", "--gpu", "H20")).code).toBe(0);
  const unread = await spot(world, "offers", "--provider", "local,vast,azure", "--gpu", "MI300X");
  expect([unread.code, unread.stderr]).toEqual([2, expect.stringContaining("next: spot price sync azure\n")]);
});

test("--provider names any cloud, --source one kind of price; nobody is asked for what is listed", async () => {
  const world = deafWorld();
  await catalogue(world.home, "azure", [listed("azure")]);
  await catalogue(world.home, "aws", [listed("aws")]);
  expect(kinds(await data(world, "offers", "--provider", "azure"))).toEqual(["azure catalog"]);
  expect(kinds(await data(world, "offers", "--source", "catalog"))).toEqual(["aws catalog", "azure catalog"]);
  expect(kinds(await data(world, "offers", "--source", "bundled", "--provider", "aws,azure"))).toEqual(["aws bundled"]);
  expect(kinds(await data(world, "offers", "--source", "bundled", "--billing", "any"))).toContain("novita bundled");
  const known = await spot(world, "offers", "--provider", "runpod", "--json");
  expect([known.code, JSON.parse(known.stdout).data]).toEqual([0, []]);
  // A mirror may have clouds of its own.
  await catalogue(world.home, "mycloud", [listed("mycloud")]);
  expect(kinds(await data(world, "offers", "--provider", "mycloud"))).toEqual(["mycloud catalog"]);
  const slip = await spot(world, "offers", "--provider", "runpot");
  expect([slip.code, slip.stderr]).toEqual([2, expect.stringContaining('did you mean "runpod"?')]);
  const nobody = await spot(world, "offers", "--provider", "azure", "--source", "live");
  expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining("no cloud that spot can rent from")]);
});

test("what finds nothing says what may be in its way: a sync that never was, or the flag", async () => {
  const world = deafWorld();
  const said = async (...argv: readonly string[]) => (await must(world, "offers", ...argv)).stdout.trim();
  const unread = (command: string) => `No offer fits. Catalogues that may have one were never read (${command}).`;
  expect(await said("--provider", "azure")).toBe(unread("spot price sync azure"));
  expect(await said("--source", "catalog")).toBe(unread("spot price sync"));
  const unknown = await spot(world, "offers", "--gpu", "MI300X", "--source", "bundled");
  expect([unknown.code, unknown.stderr.includes("price sync")]).toEqual([2, false]);
  await catalogue(world.home, "azure", [listed("azure")]);
  const azure = ["--provider", "azure", "--gpu", "H100"] as const;
  expect(await said(...azure, "--billing", "monthly")).toBe("No offer fits. --billing any shows more than monthly.");
  expect(await said(...azure, "--billing", "any", "--max-price", "0.1")).toBe("No offer fits. --max-price leaves out what costs more.");
  // A catalogue that is gone was read, and would be no help if it were read again.
  const book = await openPriceBook(world.home);
  const gone = {
    name: "catalog:lambda",
    kind: "catalog",
    url: "",
    etag: null,
    changedAt: 1,
    checkedAt: 1,
    read: 0,
    kept: 0,
    refused: {},
  } as const;
  await book.recordSource(gone);
  book.close();
  expect(await said("--provider", "lambda")).not.toContain("price sync");
  // A list that has nothing at or under the cap has nothing that fits.
  const capped = await must(world, "offers", "--source", "bundled", "--gpu", "H100", "--max-price", "0.1", "--json");
  const { data: none, sources } = JSON.parse(capped.stdout);
  expect([none, new Set(sources.map(({ offers }: { offers: number }) => offers))]).toEqual([[], new Set([0])]);
});

test("where nobody answers, lists are shown, and the exit code is that of the failure", async () => {
  const world = deafWorld();
  await catalogue(world.home, "vast", [listed("vast")]);
  const { code, stdout, stderr } = await spot(world, "offers", "--json", "--timeout", "20s");
  expect(code).toBe(1);
  expect(JSON.parse(stderr).error.code).toBe("SPOT_E_UNAVAILABLE");
  const answer = JSON.parse(stdout);
  expect(kinds(answer.data)).toContain("vast catalog");
  expect(kinds(answer.data)).toContain("novita bundled");
  expect(answer.missing).toMatchObject([{ provider: "novita" }]);
  // Without a list there is nothing to show.
  const bare = await spot(world, "offers", "--source", "live");
  expect([bare.code, bare.stdout]).toEqual([1, ""]);
}, 60_000);

test("a cloud that was named and has no credentials is no failure where a list knows its prices", async () => {
  const world = testWorld();
  const { code, stdout, stderr } = await spot(world, "offers", "--provider", "ppio", "--json");
  expect([code, stderr]).toEqual([0, ""]);
  expect(kinds(JSON.parse(stdout).data)).toEqual(["ppio bundled"]);
  expect(JSON.parse(stdout).missing).toMatchObject([{ provider: "ppio" }]);
  expect((await spot(world, "offers", "--provider", "ppio")).stderr).toContain("its prices are those of the bundled table");
  expect((await spot(world, "offers", "--provider", "verda")).code).toBe(4);
});

test("a table has forty rows and says how many more there are; scripts get all, or as many as they ask for", async () => {
  const world = deafWorld();
  const many = Array.from({ length: 1_300 }, (_, index) =>
    listed("vast", { zone: `z${index}`, price: usd((1 + index / 1000).toFixed(3)) }),
  );
  await catalogue(world.home, "vast", many);
  const only = ["offers", "--source", "catalog"] as const;
  const table = (await must(world, ...only)).stdout;
  expect(table.match(/^vast /gm)).toHaveLength(40);
  expect(table).toContain("… and 1,260 more: --limit shows them, --gpu and --provider narrow it.");
  expect((await must(world, ...only, "--limit", "100")).stdout.match(/^vast /gm)).toHaveLength(100);
  const { stdout } = await must(world, ...only, "--limit", "2", "--json");
  expect(JSON.parse(stdout)).toMatchObject({ data: [{ price: { amount: "1.000000" } }, { price: { amount: "1.001000" } }], more: 1_298 });
  const whole = JSON.parse((await must(world, ...only, "--json")).stdout);
  expect([whole.data.length, "more" in whole]).toEqual([1_300, false]);
  expect((await must(world, ...only, "-o", "columns=zone", "--no-header")).stdout.trim().split("\n")).toHaveLength(1_300);
  for (const limit of ["0", "-1", "many", "1.5", "100001"])
    expect([limit, (await spot(world, ...only, "--limit", limit)).code]).toEqual([limit, 2]);
});

test("groups count what only the best of was read of, a cap and a count of GPUs included", async () => {
  const world = deafWorld();
  const rows = [1, 2, 3, 4].flatMap((dollars) =>
    [1, 8].map((count) =>
      listed("vast", {
        zone: `z${dollars}`,
        type: `t${count}`,
        gpu: { model: "H100", count, vramGb: 80 },
        price: usd(`${dollars * count}`),
      }),
    ),
  );
  await catalogue(world.home, "vast", rows);
  const groups = async (...more: readonly string[]) =>
    (await data(world, "offers", "--source", "catalog", "--sort", "price", ...more)).map(
      (row: { type: string; zone: string; offersInGroup: number }) => [row.type, row.zone, row.offersInGroup],
    );
  expect(await groups("--group-by", "gpu")).toEqual([
    ["t1", "z1", 4],
    ["t8", "z1", 4],
  ]);
  expect(await groups("--group-by", "provider", "--max-price", "3")).toEqual([["t1", "z1", 3]]);
  expect(await groups("--group-by", "zone", "--gpu", "H100:8", "--limit", "2")).toEqual([
    ["t8", "z1", 1],
    ["t8", "z2", 1],
  ]);
});

test("a catalogue of last week is marked as stale, and a newer one is suggested once", async () => {
  const world = deafWorld();
  await catalogue(world.home, "vast", [listed("vast")], 9 * DAY_MS);
  const { stdout } = await must(world, "offers", "--source", "catalog");
  expect(stdout).toMatch(/^vast .* catalog 9d stale$/m);
  expect(stdout.replaceAll(/\s+/g, " ").match(/spot price sync fetches newer catalogues/g)).toHaveLength(1);
  await catalogue(world.home, "vast", [listed("vast")], 6 * DAY_MS);
  const fresh = (await must(world, "offers", "--source", "catalog")).stdout;
  expect(fresh).toMatch(/^vast .* catalog 6d$/m);
  expect(fresh).not.toContain("spot price sync");
});

test("a price book that is damaged, or no file, is said once, and the rest is shown", async () => {
  for (const harm of ["damaged", "a folder"] as const) {
    const world = deafWorld();
    const path = join(world.home, "prices.db");
    if (harm === "damaged") writeFileSync(path, "not a database, and long enough to be read as one".repeat(100));
    else mkdirSync(path);
    const { code, stdout, stderr } = await spot(world, "offers", "--source", "bundled", "--provider", "novita,vast", "--quiet");
    expect([harm, code, stdout.includes("bundled")]).toEqual([harm, 0, true]);
    expect(stderr.match(/warning:/g)).toHaveLength(1);
    expect(stderr).toContain("the prices of catalogues are left out");
    expect((await spot(world, "compare", "--gpu", "RTX5090", "--provider", "novita")).stdout).toContain("novita");
  }
});

test("what a provider says is kept as observed; the embedded cloud's prices are not", async () => {
  const cloud = await fakePpio({ clock: systemClock, vendor: "ppio" });
  onTestFinished(() => cloud.close());
  const world = testWorld({ env: { PPIO_API_URL: cloud.url, PPIO_API_KEY: cloud.credential } });
  const offers = await data(world, "offers", "--source", "live");
  expect(offers.length).toBeGreaterThan(0);
  const book = await openPriceBook(world.home);
  onTestFinished(() => book.close());
  const series = await book.history({ billing: "spot" }, 0);
  expect(series.map(({ type, runs }) => [type, runs.length]).toSorted()).toEqual(
    offers.map(({ type }: { type: string }) => [type, 1]).toSorted(),
  );
  expect(new Set(series.map(({ provider, source }) => `${provider} ${source}`))).toEqual(new Set(["ppio live"]));
  expect((await book.current({})).count).toBe(0);
  // Who answers speaks alone: not the bundled table as well.
  expect(kinds(await data(world, "offers", "--billing", "any")).filter((kind) => kind.startsWith("ppio"))).toEqual(["ppio live"]);
});

test("AWS's bands, as the last sync kept them, are shown of its listed prices: they need no account", async () => {
  const world = deafWorld();
  const machine = { region: "us-east-1", type: "p5.48xlarge" };
  await catalogue(world.home, "aws", [listed("aws", machine), listed("aws", { ...machine, billing: "on-demand" })]);
  await catalogue(world.home, "vast", [listed("vast", machine)]);
  const rows = () => data(world, "offers", "--source", "catalog", "--billing", "any");
  expect((await rows()).map(({ reclaimed }: { reclaimed: unknown }) => reclaimed)).toEqual([null, null, null]);
  const value = { labels: { "1": "5-10%" }, rows: { "us-east-1": { "p5.48xlarge": 1 } }, dataAt: Date.now() - DAY_MS };
  mkdirSync(join(world.home, "cache"), { recursive: true });
  writeFileSync(join(world.home, "cache", "aws-advisor.json"), JSON.stringify({ observedAt: Date.now() - DAY_MS, value }));
  const found = (await rows()).map(({ provider, billing, reclaimed }: Row & { billing: string; reclaimed: { label: string } | null }) => [
    `${provider} ${billing}`,
    reclaimed?.label ?? null,
  ]);
  expect(Object.fromEntries(found)).toEqual({ "aws spot": "5-10%", "aws on-demand": null, "vast spot": null });
});

test("whoever only looks does not wait for a price book that somebody else writes", async () => {
  const cloud = await fakePpio({ clock: systemClock, vendor: "ppio" });
  onTestFinished(() => cloud.close());
  const world = testWorld({ env: { PPIO_API_URL: cloud.url, PPIO_API_KEY: cloud.credential } });
  await catalogue(world.home, "vast", [listed("vast")]);
  const writer = openSqlite(join(world.home, "prices.db"));
  onTestFinished(() => {
    writer.close();
  });
  writer.exec("begin immediate");
  const { code, stdout, stderr } = await spot(world, "offers", "--json");
  expect([code, stderr, kinds(JSON.parse(stdout).data)]).toEqual([0, "", expect.arrayContaining(["ppio live", "vast catalog"])]);
  writer.exec("rollback");
  // A writer waits for its turn for half a minute.
}, 20_000);
