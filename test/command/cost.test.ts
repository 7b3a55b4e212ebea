import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { basisOf } from "../../src/output/cost-amounts.ts";
import { type CostReport, rowJson } from "../../src/output/cost-report.ts";
import { costParagraphs, omissions } from "../../src/output/cost-text.ts";
import { calendarOf } from "../../src/pricing/calendar.ts";
import { type Loss, lossBook } from "../../src/pricing/losses.ts";
import { summarize } from "../../src/pricing/summary.ts";
import { openState } from "../../src/state/open.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import { sampleEvent, sampleInstance, sampleLedger, sampleVolume, usd } from "../state/sample-records.ts";
import { spot, type TestWorld, testWorld } from "../world.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** In Berlin it is half past six in the evening, eight days after the clocks were set back. */
const NOW = Date.parse("2026-11-02T17:30:00Z");

/** Two instances of a fleet with what there can be: billed and not, reclaimed, asleep, on a volume, in another currency. */
async function costWorld(): Promise<TestWorld> {
  const plain = testWorld({ columns: 160 });
  const world = { ...plain, clock: { ...plain.clock, now: () => NOW } };
  const state = await openState(join(world.home, "state.db"));
  const gpu = { instanceId: "i-a", instance: "a", fleet: "night", rate: usd(1_000_000), onDemandRate: usd(3_000_000) };
  const began = NOW - 9 * DAY;
  await state.commit({
    addInstance: sampleInstance("a", { createdAt: began - 1, fleet: "night", providerId: "m-2", ttlEndsAt: NOW + 5 * DAY }),
  });
  await state.commit({ addInstance: sampleInstance("b", { createdAt: began - 1, providerId: null, volumes: [], state: "requested" }) });
  await state.commit({
    volumes: [sampleVolume("a", { providerId: "d-1", createdAt: began })],
    ledger: [
      sampleLedger("one", { ...gpu, providerId: "m-1", from: began, to: began + 2 * DAY, billed: usd(48_120_000) }),
      sampleLedger("two", { ...gpu, providerId: "m-2", from: began + 2 * DAY + HOUR }),
      sampleLedger("disk", {
        ...{ kind: "disk", instanceId: null, instance: "a", providerId: "d-1", fleet: "night", from: began },
        ...{ rate: usd(10_000), onDemandRate: usd(10_000) },
      }),
      sampleLedger("yuan", {
        ...{ instanceId: "i-b", instance: "b", provider: "ppio", providerId: "p-1", from: NOW - DAY, to: NOW - 22 * HOUR },
        ...{ rate: { micros: 2_000_000n, currency: "CNY" }, onDemandRate: null },
      }),
    ],
    events: [
      sampleEvent({
        ...{ at: began + 2 * DAY, type: "action", instance: "a" },
        data: { action: "lost", taken: true, next: "replace", providerId: "m-1", ranMs: 2 * DAY - HOUR, work: "sealed", ageMs: 0.5 * HOUR },
      }),
      sampleEvent({ at: began + 2 * DAY + 2 * HOUR, type: "state", instance: "a", data: { from: "provisioning", to: "running" } }),
    ],
  });
  await state.close();
  return world;
}

const run = async (world: TestWorld, ...argv: readonly string[]) => {
  const { code, stdout, stderr } = await spot(world, "cost", "--no-refresh", "--tz", "Europe/Berlin", ...argv);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
};
const amount = (text: string) => ({ amount: text, currency: "USD" });

test("cost says what was paid, saved, lost and stored, what bills say, and what the month will come to", async () => {
  const world = await costWorld();
  const { schema, data, ...beside } = JSON.parse(await run(world, "--json"));
  expect(schema).toBe("spot.cost/1");
  expect(data.map((row: { group: string }) => row.group)).toEqual(["a", "b"]);
  // 48.12 were billed; 9 days less 2 days and an hour are 167 hours.
  expect(data[0]).toMatchObject({
    ...{ group: "a", by: "instance", of: "instance", running: true, gpuRunning: true, basis: "mixed", gpuHours: 215 },
    ...{ paid: amount("217.280000"), billed: amount("48.120000"), estimated: amount("169.160000") },
    ...{ gpu: amount("215.120000"), storage: { inUse: amount("2.150000"), asleep: amount("0.010000"), kept: amount("0.000000") } },
    // Half an hour of what was billed at 1.0025 an hour; an hour until the next one served.
    ...{ lost: { work: amount("0.501250"), wakes: amount("0.000000"), restarts: amount("1.000000") } },
    ...{ difference: amount("0.120000"), onDemand: amount("647.160000"), saved: amount("429.880000"), savings: 0.6642 },
    comparable: { paid: amount("217.280000"), onDemand: amount("647.160000"), onDemandUseful: amount("642.660000") },
  });
  expect(data[1]).toMatchObject({ paid: { amount: "4.000000", currency: "CNY" }, onDemand: null, saved: null, savings: null });
  expect(beside).toMatchObject({ timeZone: "Europe/Berlin", since: null, until: "2026-11-02T17:30:00.000Z", notPriced: [] });
  expect(beside.totals.map(({ currency }: { currency: string }) => currency)).toEqual(["CNY", "USD"]);
  expect(beside.reconciliation).toMatchObject({ asked: null, unbilled: 1, unmatched: [] });
  expect(beside.reconciliation.intervals).toMatchObject([
    { resourceId: "m-1", estimated: amount("48.000000"), billed: amount("48.120000"), difference: amount("0.120000") },
  ]);
  const { months, ends, waiting } = beside.forecast;
  expect(months.map(({ month, currency }: { month: string; currency: string }) => [month, currency])).toEqual([
    ["2026-11", "CNY"],
    ["2026-11", "USD"],
  ]);
  // November began an hour before midnight in UTC: 42.5 hours ago. Of the rest the machine has five days, the volume 677.5 hours.
  expect(months[1]).toMatchObject({ paid: amount("42.925000"), gpu: amount("120.000000"), storage: amount("6.775000"), range: null });
  expect(ends).toEqual([{ instance: "a", at: "2026-11-07T17:30:00.000Z", why: "ttl" }]);
  expect(waiting).toEqual(["b"]);
  expect(await run(world)).toMatchInlineSnapshot(`
    "INSTANCE  GPU HOURS      PAID  BILLED  ESTIMATED  STORAGE    LOST  ON-DEMAND  SAVED  BASIS
    a             215.0  ~$217.28  $48.12    $169.16   ~$2.16  ~$1.50    $647.16    66%  mixed
    b               2.0    ~¥4.00   ¥0.00      ¥4.00        -       -          ?      ?  estimated

    Together ~¥4.00. Together ~$217.28, against $647.16 on demand (66% saved). ~ is estimated from price and time, not billed yet.

    Lost to interruptions: $0.50 for work that was not saved, ~$1.00 until another machine served. Against on demand without those hours, 66% is saved.

    Storage: ~$2.16, of it ~$0.010 while its instance slept or waited.

    1 billed interval cost $0.12 more than price × time says.

    Expected for 2026-11 (Europe/Berlin): ~¥4.00; ~¥4.00 until now, nothing runs and nothing is stored. Expected for 2026-11 (Europe/Berlin): ~$169.70; ~$42.93 until now, ~$120.00 for what runs and ~$6.78 for storage to come. a ends by its TTL on 2026-11-07 18:30. Nothing is reckoned for what waits for a machine: b.
    "
  `);
});

test("every amount that is not billed is marked, in the sentences as well", async () => {
  const world = await costWorld();
  const sentences = (await run(world, "--since", "2026-11-01")).split("\n\n").slice(1);
  expect(sentences.length).toBeGreaterThan(2);
  const unmarked = sentences.join("\n").match(/(?<!~)[$¥]\d[\d.]*/g);
  // On demand.
  expect(unmarked).toEqual(["$127.93"]);
  expect(basisOf({ unbilled: new Set(["kept"]), billed: usd(5) })).toBe("mixed");
  expect(basisOf({ unbilled: new Set(["kept"]), billed: usd(0) })).toBe("estimated");
});

test("days are those of the zone, with their hours, and months likewise", async () => {
  const world = await costWorld();
  const { data } = JSON.parse(await run(world, "--by", "day", "--json"));
  const hours = Object.fromEntries(data.map((row: { group: string; gpuHours: number }) => [row.group, row.gpuHours]));
  // The clocks were set back on the 25th. On the 26th, an hour without a machine.
  expect(hours).toMatchObject({ "2026-10-24": 4.5, "2026-10-25": 25, "2026-10-26": 23, "2026-10-31": 24, "2026-11-02": 18.5 });
  const months = JSON.parse(await run(world, "--by", "month", "--json")).data;
  expect(months.map((row: { group: string; paid: { currency: string } }) => [row.group, row.paid.currency])).toEqual([
    ["2026-10", "USD"],
    ["2026-11", "CNY"],
    ["2026-11", "USD"],
  ]);
  const october = JSON.parse(await run(world, "--since", "2026-10-01", "--until", "2026-11-01", "--by", "month", "--json")).data;
  expect(october).toEqual([{ ...months[0] }]);
  expect(JSON.parse(await run(world, "--since", "2026-11-02T01:00", "--until", "2026-11-02T02:00+01:00", "--json")).data[0].gpuHours).toBe(
    1,
  );
  expect(await run(world, "--by", "day")).toContain("Days are those of Europe/Berlin.");
});

test("comma-separated values have every amount whole", async () => {
  const world = await costWorld();
  const { stdout, stderr } = await spot(world, "cost", "--no-refresh", "--tz", "Europe/Berlin", "--csv");
  expect(stderr).toMatch(/^.*The on-demand price is not known in 1 of 2 rows: they say nothing of it\.\n$/);
  const [header, ...rows] = stdout.split("\r\n");
  expect(header).toMatch(/^instance,of,currency,basis,gpu_hours,paid,billed,/);
  expect(rows[0]).toMatch(/^a,instance,USD,mixed,215\.000000,217\.280000,48\.120000,169\.160000,.*,true,Europe\/Berlin,true,0\.000000$/);
  expect(rows[1]).toMatch(/^b,instance,CNY,estimated,2\.000000,4\.000000,.*,,,,,false,Europe\/Berlin,false,0\.000000$/);
  expect(rows.slice(2)).toEqual([""]);
});

test("the page holds the same sums, and loads nothing", async () => {
  const world = await costWorld();
  const { stderr } = await spot(world, "cost", "--no-refresh", "--tz", "Europe/Berlin", "--html", "cost.html");
  const file = join(world.home, "cost.html");
  expect(stderr).toContain(`the page was written to ${file}`);
  const page = readFileSync(file, "utf8");
  for (const text of [
    "~$217.28",
    "~¥4.00",
    "2026-10-25",
    "+$0.12",
    "Lost to interruptions: $0.50 for work",
    "expected</li>",
    "What the GPUs cost",
  ])
    expect(page).toContain(text);
  expect(page).not.toMatch(/(?:src|href)=|url\(|<script/);
});

test("a page of a time that is over foretells nothing", async () => {
  const world = await costWorld();
  await spot(world, "cost", "--no-refresh", "--tz", "Europe/Berlin", "--until", "2026-11-01", "--html", "cost.html");
  const page = readFileSync(join(world.home, "cost.html"), "utf8");
  expect(page).toContain("on demand</li>");
  expect(page).toContain("to 2026-11-01 00:00 (Europe/Berlin)");
  expect(page).not.toContain("expected</li>");
});

test("what the page is written to is asked about before anything else", async () => {
  const world = await costWorld();
  const file = join(world.home, "keep.html");
  writeFileSync(file, "mine");
  const html = (value: string, ...more: readonly string[]) => spot(world, "cost", "--no-refresh", `--html=${value}`, ...more);
  expect(await html("keep.html")).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("keep.html exists. Overwrite it?"),
  });
  expect(await html("", "--yes")).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no name of a file") });
  expect(await html(".", "--yes")).toMatchObject({ code: 2, stderr: expect.stringContaining("is a folder") });
  expect(await html("none/x.html")).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no folder") });
  expect(await html("keep.html", "--dry-run")).toMatchObject({ code: 0, stderr: expect.stringContaining("keep.html would be written") });
  expect(readFileSync(file, "utf8")).toBe("mine");
  expect(await html("keep.html", "--yes")).toMatchObject({ code: 0 });
  expect(readFileSync(file, "utf8")).toContain("What the GPUs cost");
});

test("where nothing was paid for, what else there is to say is said all the same", async () => {
  const world = await costWorld();
  const state = await openState(join(world.home, "state.db"));
  await state.commit({ budgets: [{ scope: "total", cap: usd(900_000_000), atCap: "warn", createdAt: 0, said: { percent: 0, at: 0 } }] });
  await state.close();
  const said = await run(world, "--until", "2026-01-01");
  expect(said).toMatch(/^Nothing was paid for in this time\.\n\nThe total budget: .*\n\nExpected for 2026-11/);
  expect(said).toContain("for what waits for a machine: b.");
  const file = join(world.home, "cost.html");
  await spot(world, "cost", "--no-refresh", "--until", "2026-01-01", "--html", file);
  expect(readFileSync(file, "utf8")).toContain("<p>Nothing was paid for in this time.</p>");
  expect(await run(testWorld())).toBe("Nothing was paid for yet.\n");
});

test("what is in a bill or on a disk and in no row is said where there are no rows, and beside comma-separated values", async () => {
  const nothing = { rows: [], totals: [] };
  const amount = usd(2_000_000);
  const item = { provider: "aws", resourceId: "x", kind: "disk", from: 0, to: 1, amount } as const;
  const report: CostReport = {
    ...{ by: "instance", summary: nothing, calendar: calendarOf("UTC"), since: null, until: null, now: NOW, intervals: [], unbilled: [] },
    ...{ heard: { silent: [], answered: ["aws"], unmatched: [item, item] }, budget: null },
    unpriced: [{ name: "data", provider: "aws", sizeGb: 100, kind: "volume" }],
    forecast: { currencies: [], ends: [], waiting: [] },
  };
  const said = [
    "$4.00 of aws's bill is nothing that spot knows of (spot orphans).",
    "Not counted, because nobody says the price: volume data (aws, 100 GB).",
  ];
  expect(omissions(report)).toEqual(said);
  expect(costParagraphs(report)).toEqual(said);
  // A range that is one amount, as it is shown, is none.
  const month = {
    ...calendarOf("UTC").monthOf(NOW),
    currency: "USD",
    paid: amount,
    isPaidBilled: true,
    gpu: amount,
    storage: usd(0),
    course: [],
  };
  const range = { low: usd(3_999_999), high: usd(4_000_000) };
  const forecast = { currencies: [{ ...month, total: usd(4_000_000), range }], ends: [], waiting: [] };
  expect(costParagraphs({ ...report, forecast }).at(-1)).toBe(
    "Expected for 2026-11 (UTC): ~$4.00; $2.00 until now, ~$2.00 for what runs to come.",
  );
});

test("what may be lost is told beside what is, and never as a part of it", () => {
  const machine = (id: string) =>
    sampleLedger(id, { providerId: id, from: 0, to: HOUR, rate: usd(1_000_000), onDemandRate: null, billed: null });
  const unsealed = (providerId: string) => ({ kind: "unsealed", instance: "a", providerId, from: HOUR / 2, to: HOUR }) as const;
  const said = (...losses: readonly Loss[]) => {
    const period = { since: 0, now: HOUR };
    const summary = summarize([machine("m-1"), machine("m-2")], "instance", period, { losses: lossBook(losses) });
    const report: CostReport = {
      ...{ by: "instance", summary, calendar: calendarOf("UTC"), since: null, until: null, now: HOUR, intervals: [], unbilled: [] },
      ...{ heard: null, budget: null, unpriced: [], forecast: { currencies: [], ends: [], waiting: [] } },
    };
    return [costParagraphs(report)[1], summary.rows.map((row) => rowJson(row, "instance").mayBeLost)];
  };
  expect(said()).toEqual([undefined, [{ amount: "0.000000", currency: "USD", machines: 0 }]]);
  expect(said(unsealed("m-1"))).toEqual([
    "Perhaps lost to interruptions, at most ~$0.50: nothing was sealed of 1 machine that was taken.",
    [{ amount: "0.500000", currency: "USD", machines: 1 }],
  ]);
  expect(said(unsealed("m-1"), unsealed("m-2"), { ...unsealed("m-2"), kind: "work", to: 0.6 * HOUR })[0]).toBe(
    "Lost to interruptions: ~$0.10 for work that was not saved. Perhaps more, at most ~$0.90: nothing was sealed of 2 machines that were taken.",
  );
});

test("where spot prices were observed, the month is told with its range", async () => {
  const world = await costWorld();
  const book = await openPriceBook(world.home);
  const { region, zone, type, gpu } = sampleInstance("a");
  const common = { provider: "local", region, zone, type, gpu, vcpus: 8, memoryGb: 64, billing: "spot", onDemandPrice: null } as const;
  const seen = (days: number, micros: number) => ({ price: { ...common, price: usd(micros) }, at: NOW - days * DAY });
  await book.observe({ name: "live:local", kind: "live" }, [
    seen(60, 9_000_000),
    seen(35, 7_000_000),
    seen(20, 800_000),
    seen(2, 1_250_000),
  ]);
  book.close();
  const { forecast } = JSON.parse(await run(world, "--json"));
  // 49.70 are paid or for storage; 120 hours at 0.80 and at 1.25.
  expect(forecast.months[1].range).toEqual({ low: amount("145.700000"), high: amount("199.700000") });
  expect(await run(world)).toContain("~$169.70 (~$145.70 to ~$199.70 at the spot prices seen in 30 days); ~$42.93 until now");
});

test.each([
  [["--by", "weekday"], "--by: there is no group"],
  [["--tz", "Berlin"], '--tz: there is no time zone "Berlin"'],
  [["--since", "yesterday"], "is neither a duration nor a date"],
  [["--since", "2026-13-01"], "is neither a duration nor a date"],
  [["--since", "2026-02-30"], "is neither a duration nor a date"],
  [["--until", "2026-02-30T10:00Z"], "is neither a duration nor a date"],
  [["--since", "2d", "--until", "3d"], "--until: it is not after --since"],
  [["--csv", "--json"], "--csv and -o exclude each other"],
])("%j is refused as it is typed", async (argv, said) => {
  expect(await spot(testWorld(), "cost", "--no-refresh", ...argv)).toMatchObject({ code: 2, stderr: expect.stringContaining(said) });
});
