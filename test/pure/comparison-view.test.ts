import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { comparisonCsv } from "../../src/output/comparison-csv.ts";
import { comparisonPage } from "../../src/output/comparison-page.ts";
import { type ComparisonParts, comparisonView } from "../../src/output/comparison-view.ts";
import { plainPainter } from "../../src/output/painter.ts";
import { compareWays } from "../../src/pricing/comparison/compare.ts";
import type { Ask } from "../../src/pricing/comparison/demand.ts";
import type { CompareInput } from "../../src/pricing/comparison/groups.ts";
import { parseOwnRow } from "../../src/pricing/comparison/own-row.ts";
import { DAY_MS, hoursMs } from "../../src/pricing/comparison/tariff.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import { USUAL_WORK } from "../../src/pricing/effective.ts";
import { cny, jobOf, MILLION, monthOf, offer, plainAsk, usd } from "../pricing/ways.ts";

const NOW = Date.UTC(2026, 10, 22);
const MONTH = 30.44 * 24 * 3_600_000;

function parts(ask: Ask, rows: readonly string[], set: Partial<CompareInput> = {}): ComparisonParts {
  const common = { ask, api: null, work: USUAL_WORK, rate: BUNDLED_RATE, now: NOW, ...set };
  const comparisons = compareWays({
    offers: [],
    gpu: null,
    isByProvider: false,
    isInventedAsked: false,
    ...common,
    rows: rows.map(parseOwnRow),
  });
  return { ...common, comparisons, workloadText: "a test", sources: [] };
}

async function shown(of: ComparisonParts, width = 160): Promise<readonly string[]> {
  return (await comparisonView(of).render(plainPainter, width)).split("\n");
}

/** The comparisons of a document, as a script reads them. */
// biome-ignore lint/suspicious/noExplicitAny: a document is read by whoever knows it
function documents(of: ComparisonParts): readonly any[] {
  return JSON.parse(JSON.stringify(comparisonView(of).data)).comparisons;
}

const listed = [
  offer({ provider: "azure", source: "catalog", observedAt: NOW - 3 * 24 * 3_600_000, interruptionsPerHour: null }),
  offer({ provider: "ppio", source: "bundled", billing: "on-demand", price: cny("20"), observedAt: NOW - 22.5 * MONTH }),
];

test.each([80, 160])("every row says how old its price is, in %i columns", async (width) => {
  const lines = await shown(parts(jobOf(10), ["name=mine,price=2"], { offers: listed }), width);
  const ends = lines.filter((line) => /^(H100\S*| ) .*[$¥]\d/.test(line)).map((line) => /\S+( \S+){0,2}$/.exec(line)?.[0]);
  expect(lines.filter((line) => line.length > width)).toEqual([]);
  for (const name of ["azure", "mine", "ppio"]) expect(lines.filter((line) => line.includes(`${name} `))).not.toEqual([]);
  expect(ends).toEqual([
    expect.stringMatching(/catalog 3d$/),
    expect.stringMatching(/given$/),
    expect.stringMatching(/bundled 22mo stale$/),
  ]);
});

test("what cannot be rented from here is said, in words, in JSON and in CSV", async () => {
  const of = parts(jobOf(10), ["name=mine,price=2"], { offers: listed });
  expect(await shown(of)).toContain("spot cannot rent there: azure.");
  expect(comparisonPage(of)).toContain("(elsewhere)");
  const [{ options }] = documents(of);
  expect(options.map(({ name, rentable }: Record<string, unknown>) => [name, rentable])).toEqual([
    ["azure spot", false],
    ["mine", null],
    ["ppio on-demand", true],
  ]);
  const records = parse(comparisonCsv(of), { columns: true }) as readonly Record<string, string>[];
  expect(records.map(({ rentable }) => rentable)).toEqual(["false", "", "true"]);
});

test("the rate of interruptions that a total rests on is said, and marked where nobody knows it", async () => {
  const row = "name=s,price=1,billing=spot";
  const assumed = await shown(parts(jobOf(10), [row]));
  expect(assumed.find((line) => line.includes("spot "))).toMatch(/~\$1\.0\d\/h +~0\.05\/h/);
  expect(assumed).toContain("~: how often it is interrupted is assumed: 0.05 an hour, one in 20h (--interruptions).");
  const given = await shown(parts(jobOf(10), [row], { work: { ...USUAL_WORK, given: { interruptionsPerHour: 0.1 } } }));
  expect(given.join("\n")).not.toContain("~");
  expect(given).toContain("Interruptions: 0.1 an hour, one in 10h, as given, where a row says nothing else.");
  const of = parts(jobOf(10), [`${row},interruptions=0.5`, "name=mad,price=1,billing=spot,interruptions=3600"]);
  expect(await shown(of)).toContain("Left out, because it never finishes (more than 1000 paid hours for a useful one): mad.");
  const [one] = documents(of);
  expect(one["leftOut"]).toEqual([{ name: "mad", why: "never" }]);
  expect(one["options"]).toMatchObject([{ effective: { interruptionsPerHour: 0.5, basis: "given", finishes: true } }]);
});

test.each([80, 160])("in %i columns a total that rests on an assumed rate is marked, and so is the cheapest", async (width) => {
  const of = parts(jobOf(10), ["name=s,price=1,billing=spot", "name=od,price=2"]);
  const lines = await shown(of, width);
  expect(lines.find((line) => /\bspot +s /.test(line))).toMatch(/ ~\$10\.\d\d +49%$/);
  expect(lines.find((line) => line.includes("on-demand"))).not.toContain("~");
  expect(lines).toContainEqual(expect.stringMatching(/^Cheapest: s .*: ~\$10\.\d\d\. /));
  expect(comparisonPage(of)).toMatch(/>~\$10\.\d\d</);
  const mixed = (await shown(parts(jobOf(1000), ["name=m,price=500/month", "name=s,price=1,billing=spot"]), width)).filter((line) =>
    /^(Cheapest|- )/.test(line),
  );
  expect(mixed).toEqual([expect.stringContaining("found: ~$"), expect.stringMatching(/m .*: \$500/), expect.stringMatching(/s .*: ~\$/)]);
});

test("the cheapest is one of those that are held against each other, and says so where not all are", async () => {
  const out = await shown(parts(jobOf(10), ["name=s,price=1,billing=spot", "name=e,price=1EUR"]));
  expect(out).toContainEqual(expect.stringMatching(/^Cheapest of what is in EUR or has a rate to it: .*e .*: €10\.00\. /));
  const plain = await shown(parts(jobOf(10), ["name=s,price=1,billing=spot", "name=e,price=1CNY"]));
  expect(plain).toContainEqual(expect.stringMatching(/^Cheapest: /));
});

test("rates have one shape, whichever document they stand in", () => {
  const { rates } = JSON.parse(JSON.stringify(comparisonView(parts(jobOf(10), ["price=1"])).data));
  expect(rates).toEqual([{ currency: "CNY", perUsd: "6.77", source: BUNDLED_RATE.perUsd["CNY"]?.source }]);
});

test("a break-even that cannot be reached is no promise, one that can be says how far it goes, and one by a rate says the rate", async () => {
  const profile = [{ ms: hoursMs(8), machines: MILLION }];
  const ask = { ...plainAsk, profile, throughput: 500n * MILLION, tokensPerDay: 17_500_000n };
  const api = { name: "API", perMillion: usd("0.571429") };
  const out = await shown(parts(ask, ["name=m,price=300/month"], { api }));
  expect(out).toContain("m would beat the API from 17.5 million tokens a day, but one makes 14.4 million a day in this workload");
  const much = await shown(parts({ ...ask, profile: [{ ms: DAY_MS, machines: MILLION }] }, ["name=m,price=300/month"], { api }));
  expect(much).toContain("m beats the API from 17.5 million tokens a day, up to the 43.2 million a day that one makes");
  const hours = await shown(parts(jobOf(60), ["name=m,price=100.01/month", "name=od,price=3"]));
  expect(hours).toContain("m beats od from 33.4 useful hours, up to the 720 that one does");
  const yuan = await shown(parts(plainAsk, ["name=srv,price=30000CNY/month"], { api: { name: "API", perMillion: usd("0.5") } }));
  expect(yuan.join(" ")).toContain("Held against each other at 1 USD for 6.77 CNY (");
});

test("of a long term it is said what is in the figures, of each row once", async () => {
  const offers = [1, 8].map((count) => offer({ gpu: { model: "H100", count, vramGb: 80 }, provider: "ppio" }));
  const row = "name=year,price=1000/month,term=12months";
  const month = await shown(parts(monthOf(8), [row], { offers }));
  expect(month).toContain("Bound for longer than a month: year; a month's share is shown.");
  expect(await shown(parts(jobOf(50), [row]))).toContain("Bound for longer than a month: year; all that is bound is paid.");
});

test("a document has what a total follows from: the price beside, its span, and the hours that are paid", () => {
  const of = parts(jobOf(1000), ["name=m,price=500/month,plus=100/month", "name=s,price=1"]);
  const [one] = documents(of);
  expect(one["options"]).toMatchObject([
    { name: "s", price: { amount: "1.000000", per: "hour", of: "instance" } },
    { name: "m", price: { per: "month", of: "instance", perHours: 720 }, plus: { amount: "100.000000", per: "month", of: "instance" } },
  ]);
  expect(one["mix"]).toMatchObject({
    parts: [
      { name: "m", usefulHours: 720, hoursPaid: 720 },
      { name: "s", usefulHours: 280, hoursPaid: 280 },
    ],
  });
  const records = parse(comparisonCsv(of), { columns: true }) as readonly Record<string, string>[];
  expect(records.map(({ row, name, total, plus, effective_price }) => [row, name, total, plus, effective_price])).toEqual([
    ["way", "s", "1000.000000", "", "1.000000"],
    ["way", "m", "1200.000000", "100.000000", "500.000000"],
    ["mix", "cheapest mix", "880.000000", "", ""],
    ["part of the mix", "m", "600.000000", "", ""],
    ["part of the mix", "s", "280.000000", "", ""],
  ]);
  const none = parse(comparisonCsv(parts({ ...plainAsk, job: { ms: hoursMs(10), deadlineMs: 1000n } }, ["name=q,price=1"])), {
    columns: true,
  });
  expect(none).toMatchObject([{ name: "q", row: "left out: too many" }]);
});

test("on a page a way has one name and one colour, in the bars and in the lines", () => {
  const page = comparisonPage(
    parts(
      jobOf(400),
      ["1.6", "2.0", "600/month", "900/month"].map((price) => `price=${price}`),
    ),
  );
  const [bars = "", lines = ""] = page.split("<figure>").slice(1);
  const found = (text: string, pattern: RegExp) => Object.fromEntries([...text.matchAll(pattern)].map(([, a = "", b = ""]) => [a, b]));
  const inBars = found(bars, /<span>([^<]+)<\/span>[\s\S]*?class="f(\d)"/g);
  const inLines = Object.fromEntries(
    [...lines.matchAll(/<line class="series s(\d)"[^>]*\/><\/svg>([^<]+)</g)].map(([, colour, name]) => [name, colour]),
  );
  const names = ["monthly", "monthly (2)", "on-demand", "on-demand (2)"];
  expect(Object.keys(inLines).sort()).toEqual(names);
  expect(new Set(Object.values(inLines)).size).toBe(4);
  for (const name of names) expect(inBars[name]).toBe(inLines[name]);
});
