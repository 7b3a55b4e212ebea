import { expect, test } from "vitest";
import { moneyFromDecimal } from "../../src/model/money.ts";
import type { Offer } from "../../src/model/offer.ts";
import { explainedJson, explainedText } from "../../src/output/effective-view.ts";
import { offersView } from "../../src/output/offers-view.ts";
import { plainPainter } from "../../src/output/painter.ts";
import type { SourceOfPrices } from "../../src/output/price-sources.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import { USUAL_WORK, type WorkModel } from "../../src/pricing/effective.ts";
import { isOld, isStale, oldPricesLast } from "../../src/pricing/price-age.ts";
import { comparedCurrencies, type RankQuery, rankOffers } from "../../src/pricing/rank.ts";
import { NOW, offer } from "../fleet/samples.ts";

const DAY_MS = 24 * 3_600_000;
const usd = (text: string) => moneyFromDecimal(text, "USD");
const ranked = (one: Offer, work: WorkModel = USUAL_WORK) => rankOffers([one], {}, "effective", work, BUNDLED_RATE).slice(0, 1);

interface Shown {
  readonly work?: WorkModel;
  readonly sources?: readonly SourceOfPrices[];
  readonly columns?: number;
  readonly query?: RankQuery;
}

function viewOf(offers: readonly Offer[], { work = USUAL_WORK, sources = [], query = {} }: Shown) {
  const rows = rankOffers(offers, query, "effective", work, BUNDLED_RATE).map((one) => ({ ranked: one }));
  const currencies = comparedCurrencies(offers, query);
  const given = work.given === undefined ? {} : { given: work.given };
  return offersView(rows, { rate: BUNDLED_RATE, currencies, ...given, empty: "No offer fits.", now: NOW, sources, more: 0 });
}

/** The cells of each row, by column key, and what stands below the table, in one line. */
async function shown(offers: readonly Offer[], about: Shown = {}) {
  const view = viewOf(offers, about);
  const text = await view.render(plainPainter, about.columns ?? 200);
  const below = text.split("\n\n").slice(1).join(" ").replaceAll(/\s+/g, " ");
  return { rows: view.list?.rows ?? [], text, below, beside: view.beside };
}

const band = { atLeast: 0, atMost: 0.05, label: "<5%", source: "advisor", observedAt: NOW };

test("what is assumed is marked where nobody can miss it, also of a type with a band and in a narrow terminal", async () => {
  const { rows, text, below } = await shown([offer({ provider: "aws", reclaimed: band })], { columns: 80 });
  expect(rows[0]).toMatchObject({ effective: "~$1.01", risk: "<5%/mo" });
  expect(text).toContain("~$1.01");
  expect(below).toContain("~: how often it is interrupted is assumed");
  const known = await shown([offer({ provider: "aws", interruptionsPerHour: 0.05 })]);
  expect(known.rows[0]).toMatchObject({ effective: "$1.01", risk: "5.0%/h" });
  expect(known.below).not.toContain("~");
});

test("what holds for every offer is shown instead of what its cloud says; on demand there is nothing of the kind", async () => {
  const given = { interruptionsPerHour: 1, noticeSeconds: 0, protectionSeconds: 600 };
  const { rows } = await shown(
    [
      offer({ provider: "ppio", noticeSeconds: 3600, protectionSeconds: 3600, reclaimed: band }),
      offer({ provider: "ppio", billing: "on-demand", price: usd("9"), noticeSeconds: 0 }),
    ],
    { work: { ...USUAL_WORK, given } },
  );
  expect(rows).toMatchObject([
    { risk: "100%/h", notice: "–", protection: "10m" },
    { risk: "none", notice: "–", protection: "–" },
  ]);
  expect(rows[0]?.["effective"]).not.toContain("~");
});

test("where nobody has told us a cloud's terms that is said, and none are taken", async () => {
  const listed = offer({ provider: "azure", source: "catalog", noticeSeconds: 0, protectionSeconds: 0 });
  expect((await shown([listed])).rows[0]).toMatchObject({ notice: "?", protection: "?" });
  expect((await shown([{ ...listed, provider: "gcp", noticeUpToSeconds: 30 }])).rows[0]).toMatchObject({
    notice: "0–30s",
    protection: "–",
  });
  const [one] = ranked(listed);
  if (one === undefined) throw new Error("not ranked");
  expect(explainedJson(one, USUAL_WORK).inputs?.from).toMatchObject({ notice: "unknown", protection: "unknown" });
  expect(explainedText(one, USUAL_WORK, plainPainter)).toMatch(/notice +none +not known, none taken \(--notice\)/);
});

test("what a list says of a place or a type reaches no terminal as an order to it", () => {
  const evil = { zone: "east\u001b[2J", type: "Std\u001b[31mRED\u001b]0;pwn\u0007\nspot down", provider: "a\u0085z\u202e" };
  for (const billing of ["spot", "on-demand"] as const) {
    const [one] = ranked(offer({ ...evil, billing, source: "catalog" }));
    if (one === undefined) throw new Error("not ranked");
    const text = explainedText(one, USUAL_WORK, plainPainter);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
    expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
    expect(text.split("\n")[0]).toContain("on az east StdRED spot down");
  }
});

test("the rates that decided are said, whatever is shown: of rows that were dearer than a cap as well", async () => {
  const yuan = offer({ provider: "ppio", price: moneyFromDecimal("5.5", "CNY") });
  const said = "Currencies are compared at 1 USD for 6.77 CNY (market of 2026-06-19";
  const rates = [{ currency: "CNY", perUsd: "6.77", source: expect.stringContaining("2026-06-19") }];
  const capped = await shown([offer({ provider: "aws" })], { query: { maxPrice: moneyFromDecimal("12", "CNY") } });
  expect([capped.rows.length, capped.below, capped.beside]).toEqual([1, expect.stringContaining(said), { rates }]);
  const left = await shown([offer({ provider: "aws", price: usd("0.1") }), yuan], { query: { maxPrice: usd("0.2") } });
  expect([left.rows.length, left.below]).toEqual([1, expect.stringContaining(said)]);
  const none = await shown([yuan], { query: { maxPrice: usd("0.2") } });
  expect([none.text, none.beside]).toEqual([expect.stringMatching(/^No offer fits\. Currencies are compared at /), { rates }]);
  const other = await shown([offer({ provider: "aws" }), { ...yuan, billing: "monthly" }], { query: { billing: "spot" } });
  expect([other.below.includes("CNY"), other.beside]).toEqual([false, {}]);
});

test("below the table stands what is true of its rows: of lists from which no row is shown, nothing", async () => {
  const source = (provider: string, days: number) => ({ provider, source: "catalog" as const, observedAt: NOW - days * DAY_MS, offers: 3 });
  const sources = [source("aws", 1), source("azure", 100)];
  const live = offer({ provider: "local" });
  expect((await shown([live])).below).not.toContain("embedded");
  const none = (await shown([live], { sources })).below;
  expect([none.includes("Not live"), none.includes("made up")]).toEqual([false, true]);
  const aws = offer({ provider: "aws", source: "catalog", observedAt: NOW - DAY_MS });
  expect((await shown([live, aws], { sources })).below).toContain("Not live: catalogues of one cloud (24h old)");
  const azure = { ...aws, provider: "azure", observedAt: NOW - 100 * DAY_MS };
  const both = await shown([aws, azure], { sources });
  expect(both.below).toContain("(24h to 3mo old)");
  expect(both.below).toContain("Prices older than 90 days stand last.");
  expect(both.rows.map((row) => row["source"])).toEqual(["catalog 24h", "catalog 3mo stale"]);
  expect((await shown([azure], { sources })).below).toContain("No price here is younger than 90 days.");
});

test("a price of a list that is older than 90 days stands behind every other, before what is sold out", () => {
  const of = (type: string, days: number, set: Partial<Offer> = {}) =>
    offer({ type, source: "bundled", observedAt: NOW - days * DAY_MS, ...set });
  const offers = [
    of("old", 91, { price: usd("0.1") }),
    of("older", 700, { price: usd("0.2") }),
    of("young", 90, { price: usd("3") }),
    // A provider's word is as young as the question, whatever its clock says.
    of("live", 700, { price: usd("4"), source: "live" }),
    of("sold out", 0, { price: usd("0.05"), source: "live", stock: 0 }),
  ];
  const order = (list: readonly Offer[]) =>
    oldPricesLast(rankOffers(list, {}, "price", USUAL_WORK, BUNDLED_RATE), NOW).map(({ offer: { type } }) => type);
  expect(order(offers)).toEqual(["young", "live", "old", "older", "sold out"]);
  expect(order(offers.slice(0, 2))).toEqual(["old", "older"]);
  const bundled = of("x", 7);
  expect([isStale(bundled, NOW), isStale(bundled, NOW + 1), isOld(bundled, NOW + 83 * DAY_MS), isOld(bundled, NOW + 84 * DAY_MS)]).toEqual([
    false,
    true,
    false,
    true,
  ]);
});
