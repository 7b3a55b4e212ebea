import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { level, listedMarket } from "../../src/fleet/prices/listed-market.ts";
import { listedOffer } from "../../src/fleet/prices/listed-offer.ts";
import { observationsOf } from "../../src/fleet/prices/observe-live.ts";
import type { ListedPrice, ObservedPrice } from "../../src/model/listed-price.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { isRentable, spotTermsOf } from "../../src/pricing/spot-terms.ts";
import { createProvider, knownProviders } from "../../src/providers/registry.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import type { PriceBook, SourceRecord } from "../../src/state/price-book/types.ts";
import { temporaryFolder, testWorld } from "../world.ts";
import { offer } from "./samples.ts";

const usd = (text: string) => moneyFromDecimal(text, "USD");
const PER_PROVIDER = { by: "price", most: 100 } as const;
const everyone = () => true;

let book: PriceBook;

beforeEach(async () => {
  book = await openPriceBook(temporaryFolder());
});

afterEach(() => book.close());

function listed(set: Partial<ListedPrice> = {}): ListedPrice {
  return {
    provider: "azure",
    region: "eastus",
    zone: "eastus",
    type: "Standard_NC40ads_H100_v5",
    gpu: { model: "H100", count: 1, vramGb: 94, form: "NVL" },
    vcpus: 40,
    memoryGb: 320,
    billing: "spot",
    price: usd("2"),
    onDemandPrice: usd("7"),
    ...set,
  };
}

function bundled(set: Partial<ObservedPrice> = {}): ObservedPrice {
  return { ...listed(), source: "bundled", observedAt: 1, since: 1, ...set };
}

/** A catalogue as a sync leaves it. */
async function catalogue(cloud: string, prices: readonly ListedPrice[], set: Partial<SourceRecord> = {}): Promise<void> {
  const at = set.changedAt ?? 1_000;
  const source = { name: `catalog:${cloud}`, kind: "catalog" } as const;
  await book.observe(
    source,
    prices.map((price) => ({ price: { ...price, provider: cloud }, at })),
  );
  const record = { ...source, url: "", etag: null, changedAt: at, checkedAt: at, read: prices.length, kept: prices.length, refused: {} };
  await book.recordSource({ ...record, ...set });
}

const shown = (offers: readonly { provider: string; source: string }[]) => offers.map(({ provider, source }) => `${provider} ${source}`);

test("a cloud speaks through one source: not where it spoke itself, its catalogue first, else the bundled table", async () => {
  await catalogue("azure", [listed()]);
  await catalogue("aws", [listed()]);
  const table = ["aws", "azure", "ppio"].map((provider) => bundled({ provider }));
  const query = { isWanted: (cloud: string) => cloud !== "aws", read: PER_PROVIDER };
  expect(shown((await listedMarket(book, table, query)).offers)).toEqual(["azure catalog", "ppio bundled"]);
  expect(shown((await listedMarket(book, table, { ...query, source: "catalog" })).offers)).toEqual(["azure catalog"]);
  expect(shown((await listedMarket(book, table, { ...query, source: "bundled" })).offers)).toEqual(["azure bundled", "ppio bundled"]);
  expect(shown((await listedMarket(undefined, table, query)).offers)).toEqual(["azure bundled", "ppio bundled"]);
});

test("a catalogue that has a cloud, but nothing that fits, is not helped out by the bundled table", async () => {
  await catalogue("azure", [listed({ billing: "on-demand" })]);
  const found = await listedMarket(book, [bundled()], { billing: "spot", isWanted: everyone, read: PER_PROVIDER });
  expect(found.offers).toEqual([]);
  expect(found.sources).toEqual([{ provider: "azure", source: "catalog", observedAt: 1_000, offers: 0 }]);
});

test("a catalogue of which nothing was kept is none", async () => {
  await catalogue("azure", [], { kept: 0 });
  expect(shown((await listedMarket(book, [bundled()], { isWanted: everyone, read: PER_PROVIDER })).offers)).toEqual(["azure bundled"]);
});

test("a catalogue that was found unchanged says its prices once more", async () => {
  await catalogue("azure", [listed()], { changedAt: 1_000, checkedAt: 9_000 });
  const { offers, sources } = await listedMarket(book, [], { isWanted: everyone, read: PER_PROVIDER });
  expect([offers[0]?.observedAt, sources[0]?.observedAt]).toEqual([9_000, 9_000]);
});

test("a listed price has no stock and no rate of interruptions, and the terms of its cloud where we know them", () => {
  const of = (set: Partial<ObservedPrice>) => listedOffer(bundled(set));
  expect(of({ provider: "aws" })).toMatchObject({ stock: "unknown", interruptionsPerHour: null, noticeSeconds: 120, source: "bundled" });
  expect(of({ provider: "gcp" })).toMatchObject({ noticeSeconds: 0, noticeUpToSeconds: 30 });
  expect(of({ provider: "ppio" })).toMatchObject({ noticeSeconds: 3600, protectionSeconds: 3600 });
  expect(of({ provider: "ppio", billing: "on-demand" })).toMatchObject({ noticeSeconds: 0, protectionSeconds: 0 });
  for (const provider of ["azure", "constructor"]) expect(of({ provider })).toMatchObject({ noticeSeconds: 0, protectionSeconds: 0 });
});

test("the terms that are known of a cloud are those that its adapter has", async () => {
  const world = testWorld();
  for (const id of knownProviders()) {
    expect([id, isRentable(id)]).toEqual([id, true]);
    if (id === "local") continue;
    const { noticeSeconds, protectionSeconds } = (await createProvider(id, world)).capabilities;
    expect([id, spotTermsOf(id)]).toMatchObject([id, { noticeSeconds, protectionSeconds }]);
  }
  expect([isRentable("azure"), isRentable("toString")]).toEqual([false, false]);
});

test("of a huge catalogue the cheapest of each cloud and way of billing are read, and the rest is counted", async () => {
  const rows = [3, 1, 2].flatMap((price) =>
    (["spot", "on-demand"] as const).map((billing) => listed({ billing, zone: `z${price}`, price: usd(`${price}`) })),
  );
  await catalogue("azure", rows);
  await catalogue("vast", rows);
  const { offers, unread, sources } = await listedMarket(book, [], { isWanted: everyone, read: { by: "price", most: 1 } });
  expect(offers.map(({ provider, billing, zone }) => `${provider} ${billing} ${zone}`).toSorted()).toEqual([
    "azure on-demand z1",
    "azure spot z1",
    "vast on-demand z1",
    "vast spot z1",
  ]);
  expect([unread, sources.map((source) => source.offers)]).toEqual([8, [6, 6]]);
});

test("where the best of each is wanted, an offer says how many it stands for", async () => {
  await catalogue(
    "azure",
    [3, 1, 2].map((price) => listed({ zone: `z${price}`, price: usd(`${price}`) })),
  );
  const table = [bundled({ provider: "ppio" })];
  const market = await listedMarket(book, table, { isWanted: everyone, read: { by: "price", bestOf: "machine" } });
  expect(market.offers.map((one) => [one.provider, one.zone, market.standsFor(one)])).toEqual([
    ["azure", "z1", 3],
    ["ppio", "eastus", 1],
  ]);
});

test("what was asked for is asked of both lists", async () => {
  await catalogue("azure", [listed(), listed({ type: "eight", gpu: { model: "H100", count: 8, vramGb: 80 }, price: usd("16") })]);
  const table = [bundled({ provider: "ppio" }), bundled({ provider: "verda", gpu: { model: "A100", count: 1, vramGb: 80 } })];
  const types = async (query: object) =>
    (await listedMarket(book, table, { isWanted: everyone, read: PER_PROVIDER, ...query })).offers.map(({ provider }) => provider);
  expect(await types({ gpuModel: "h100 nvl" })).toEqual(["azure", "ppio"]);
  expect(await types({ gpuModel: "A100", gpuCount: 1 })).toEqual(["verda"]);
  expect(await types({ gpuCount: 8 })).toEqual(["azure"]);
  expect(await types({ billing: "on-demand" })).toEqual([]);
  expect(await types({ maxPrices: [usd("3")], source: "catalog" })).toEqual(["azure"]);
});

test("live prices are kept but for the embedded cloud's, a bounded number of each provider", async () => {
  const many = Array.from({ length: 4_100 }, (_, index) => offer({ provider: "aws", zone: `z${index}` }));
  const observed = observationsOf([
    ...many,
    offer({ provider: "local" }),
    offer({ provider: "ppio", price: moneyFromDecimal("1", "CNY"), onDemandPrice: usd("2") }),
  ]);
  expect([...observed].map(([provider, list]) => [provider, list.length])).toEqual([
    ["aws", 4_000],
    ["ppio", 1],
  ]);
  // Amounts of two currencies are not compared: the book would refuse the row.
  expect(observed.get("ppio")?.[0]?.price.onDemandPrice).toBeNull();
});

test("where only so many may be read in all, no cloud takes more than its share while another wants it", async () => {
  const of = (count: number) => Array.from({ length: count }, (_, index) => listed({ zone: `z${index}`, price: usd(`${index + 1}`) }));
  await catalogue("azure", of(2));
  await catalogue("vast", of(9));
  await catalogue("lambda", of(7));
  const read = async (mostInAll: number) => {
    const { offers, unread } = await listedMarket(book, [], { isWanted: everyone, read: { by: "price", mostInAll } });
    return [["azure", "lambda", "vast"].map((cloud) => offers.filter(({ provider }) => provider === cloud).length), unread];
  };
  expect(await read(100)).toEqual([[2, 7, 9], 0]);
  expect(await read(18)).toEqual([[2, 7, 9], 0]);
  expect(await read(17)).toEqual([[2, 7, 8], 1]);
  expect(await read(10)).toEqual([[2, 4, 4], 8]);
});

test("a level is the highest at which all have no more than the total together", () => {
  const anyCounts = fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(anyCounts, fc.integer({ min: 8, max: 300 }), (counts, total) => {
      const found = level(counts, total);
      const sum = (most: number) => counts.reduce((all, count) => all + Math.min(count, most), 0);
      expect(sum(found)).toBeLessThanOrEqual(total);
      if (sum(found) < sum(50)) expect(sum(found + 1)).toBeGreaterThan(total);
    }),
  );
});
