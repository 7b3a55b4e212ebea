import { expect, test } from "vitest";
import type { ListedPrice } from "../../src/model/listed-price.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import { fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import { spot, type TestWorld, type TestWorldParts, testWorld } from "../world.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.UTC(2026, 10, 22, 10);

const H100: ListedPrice = {
  provider: "aws",
  region: "us-east-1",
  zone: "us-east-1a",
  type: "p5.48xlarge",
  gpu: { model: "H100", count: 8, vramGb: 80, form: "SXM" },
  vcpus: 192,
  memoryGb: 2048,
  billing: "spot",
  price: { micros: 0n, currency: "USD" },
  onDemandPrice: { micros: 24_000_000n, currency: "USD" },
};

/** Prices per instance, in dollars, from so many days ago on, each for so many. */
type Told = readonly (readonly [dollars: number, daysAgo: number, lasts: number])[];

function worldAt(parts: TestWorldParts = {}): TestWorld {
  const world = testWorld(parts);
  return { ...world, clock: { ...world.clock, now: () => NOW } };
}

async function remember(world: TestWorld, told: Told, more: Partial<ListedPrice> = {}, source = "live"): Promise<void> {
  const book = await openPriceBook(world.home);
  const provider = more.provider ?? H100.provider;
  const currency = more.price?.currency ?? "USD";
  await book.recall(
    { name: `${source}:${provider}`, kind: source === "live" ? "live" : "catalog" },
    told.map(([dollars, ago, lasts]) => ({
      price: { ...H100, ...more, price: { micros: BigInt(Math.round(dollars * 1e6)), currency } },
      from: NOW - ago * DAY_MS,
      to: NOW - (ago - lasts) * DAY_MS,
    })),
  );
  book.close();
}

const ONE: Told = [
  [16, 20, 8],
  [20, 12, 4],
  [18, 8, 3],
  [26, 4, 1],
  [19.2, 3, 2.8],
];

async function threeZones(parts: TestWorldParts = {}): Promise<TestWorld> {
  const world = worldAt(parts);
  await remember(world, ONE);
  await remember(
    world,
    [
      [15, 28, 10],
      [14, 18, 18],
    ],
    { zone: "us-east-1b" },
  );
  await remember(
    world,
    [[11.5, 10, 9]],
    { provider: "azure", zone: "eastus", region: "eastus", type: "Standard_NC40ads_H100_v5", onDemandPrice: null },
    "catalog",
  );
  return world;
}

test("a line for each zone, the cheapest first", async () => {
  const { code, stdout, stderr } = await spot(
    await threeZones({ columns: 120, isTTY: true }),
    "price",
    "history",
    "--gpu",
    "H100",
    "--quiet",
  );
  expect([code, stderr]).toEqual([0, ""]);
  expect(`\n${stdout}`).toMatchInlineSnapshot(`
    "
    PROVIDER  GPU              ZONE        HISTORY                           LOW   HIGH  LAST/GPU     SEEN  SOURCE
    azure     H100-80GB SXM×8  eastus      ····················▄▄▄▄▄▄▄▄▄·  $1.44  $1.44     $1.44  24h ago  catalog
    aws       H100-80GB SXM×8  us-east-1b  ··██████████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  $1.75  $1.88     $1.75   0m ago  live
    aws       H100-80GB SXM×8  us-east-1a  ··········▁▁▁▁▁▁▁▁▄▄▄▄▂▂▂▂█▃▃▃  $2.00  $3.25     $2.40   4h ago  live

    Each line goes from its LOW to its HIGH, per GPU-hour, since 2026-10-23T10:00 UTC; · where nothing was observed.
    "
  `);
});

test("a plot of one", async () => {
  const { stdout } = await spot(
    await threeZones({ columns: 80, isTTY: true }),
    "price",
    "history",
    "--zone",
    "us-east-1a",
    "--per",
    "instance",
    "--quiet",
  );
  expect(`\n${stdout}`).toMatchInlineSnapshot(`
    "
    H100-80GB SXM×8  aws us-east-1a  p5.48xlarge  spot, per instance-hour
    $26.00 ┤                                                              ╭─╮
           │                                                              │ │
    $24.00 ┤┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄│┄│┄┄┄┄┄┄┄
           │                                                              │ │
    $22.00 ┤                                                              │ │
           │                                                              │ │
    $20.00 ┤                                           ╭────────╮         │ │
           │                                           │        │         │ ╰───────
    $18.00 ┤                                           │        ╰─────────╯
           │                                           │
    $16.00 ┤                        ───────────────────╯
           └─┬───────────┬───────────┬───────────┬───────────┬───────────┬──────────
            Oct 24    Oct 29       Nov 3       Nov 8      Nov 13      Nov 18
    low $16.00  p50 $18.00  p95 $26.00  high $26.00  last $19.20 (4h ago); on demand
    $24.00, so spot saves 20%

    From 2026-10-23T10:00 to 2026-11-22T10:00 UTC; blank where nothing was observed.
    "
  `);
});

test("a plot of each, as many as are asked for, in the terminal's own signs", async () => {
  const world = await threeZones({ env: { LANG: "C" }, columns: 60, isTTY: true });
  const { stdout } = await spot(world, "price", "history", "--plot", "--limit", "2", "--quiet");
  expect(stdout).toMatch(/^[ -~\n]*$/);
  expect(stdout.match(/GPU-hour/g)).toHaveLength(2);
  expect(stdout).toContain("1 more: --limit 3");
  for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
});

test("JSON has every run with its times, CSV a line for each", async () => {
  const world = await threeZones();
  const { stdout } = await spot(world, "price", "history", "--zone", "us-east-1b", "--json", "--per", "instance");
  expect(JSON.parse(stdout)).toEqual({
    schema: "spot.price-history/1",
    data: [
      {
        provider: "aws",
        region: "us-east-1",
        zone: "us-east-1b",
        type: "p5.48xlarge",
        gpu: { model: "H100", count: 8, vramGb: 80, form: "SXM" },
        billing: "spot",
        source: "live",
        onDemandPrice: { amount: "24.000000", currency: "USD", per: "hour", of: "instance" },
        runs: [
          {
            from: "2026-10-25T10:00:00.000Z",
            to: "2026-11-04T10:00:00.000Z",
            price: { amount: "15.000000", currency: "USD", per: "hour", of: "instance" },
          },
          {
            from: "2026-11-04T10:00:00.000Z",
            to: "2026-11-22T10:00:00.000Z",
            price: { amount: "14.000000", currency: "USD", per: "hour", of: "instance" },
          },
        ],
      },
    ],
    since: "2026-10-23T10:00:00.000Z",
    until: "2026-11-22T10:00:00.000Z",
    maxGapSeconds: 93_600,
  });
  const csv = await spot(world, "price", "history", "--csv");
  expect(csv.stdout.split("\r\n")).toHaveLength(1 + 5 + 2 + 1 + 1);
  expect(csv.stdout.split("\r\n")[1]).toMatch(/,1\.437500,USD,gpu$/);
  expect((await spot(world, "price", "history", "--csv", "--json")).code).toBe(2);
});

test("figures by zone, with the time under a price and the time above on demand", async () => {
  const { stdout } = await spot(
    await threeZones({ columns: 160, isTTY: true }),
    "price",
    "stats",
    "--quiet",
    "--gpu",
    "H100 SXM",
    "--under",
    "2",
  );
  expect(`\n${stdout}`).toMatchInlineSnapshot(`
    "
    PROVIDER  GPU              ZONE          MIN  P50/GPU    P95    MAX   LAST  ≤ $2.00  ON-DEMAND  SAVES  DEARER  VOLATILITY  CHANGES  OBSERVED  GAPS  SOURCE
    azure     H100-80GB SXM×8  eastus      $1.44    $1.44  $1.44  $1.44  $1.44     100%          –      –       –        0.0%        0        9d  none  catalog
    aws       H100-80GB SXM×8  us-east-1b  $1.75    $1.75  $1.88  $1.88  $1.75     100%      $3.00    42%      0%        1.3%        1       28d  none  live
    aws       H100-80GB SXM×8  us-east-1a  $2.00    $2.25  $3.25  $3.25  $2.40      40%      $3.00    25%      5%       12.1%        4       20d  none  live

    Weighed by time since 2026-10-23T10:00 UTC, per GPU-hour; a pause of more than 1d 2h is a gap, of which nothing is said.
    "
  `);
});

test("the same figures as JSON and as CSV", async () => {
  const world = await threeZones();
  const { stdout } = await spot(world, "price", "stats", "--zone", "us-east-1a", "--under", "2.4", "--per", "gpu", "--json");
  const { data } = JSON.parse(stdout);
  const price = (amount: string) => ({ amount, currency: "USD", per: "hour", of: "gpu" });
  expect(data).toHaveLength(1);
  expect(data[0]).toMatchObject({
    gpu: "H100-80GB SXM",
    gpus: 8,
    min: price("2.000000"),
    max: price("3.250000"),
    p50: price("2.250000"),
    last: price("2.400000"),
    onDemandPrice: price("3.000000"),
    changes: 4,
    under: { price: price("2.400000"), share: expect.closeTo((8 + 3 + 1 + 2.8) / 19.8, 5) },
    aboveOnDemandShare: expect.closeTo(1 / 19.8, 5),
    savings: 0.25,
    observedSeconds: 19.8 * 86_400,
    gaps: { count: 0, seconds: 0 },
  });
  const csv = await spot(world, "price", "stats", "--zone", "us-east-1a", "--csv");
  const [header = "", row = ""] = csv.stdout.split("\r\n");
  const cells = Object.fromEntries(header.split(",").map((name, index) => [name, row.split(",")[index]]));
  expect(cells).toMatchObject({ zone: "us-east-1a", min: "2.000000", max: "3.250000", currency: "USD", gaps: "0" });
});

test("groups, gaps and windows", async () => {
  const world = await threeZones();
  await remember(
    world,
    [
      [8, 9, 1],
      [9, 2, 1],
    ],
    { zone: "us-east-1c" },
  );
  const rows = async (...flags: readonly string[]) => JSON.parse((await spot(world, "price", "stats", ...flags, "--json")).stdout).data;
  const regions = await rows("--group-by", "region", "--provider", "aws");
  expect(regions).toMatchObject([{ region: "us-east-1", zone: null, type: null, series: 3, gaps: { count: 1, seconds: 6 * 86_400 } }]);
  expect(await rows("--zone", "us-east-1c", "--max-gap", "7d")).toMatchObject([{ gaps: { count: 0 }, observedSeconds: 8 * 86_400 }]);
  expect(await rows("--zone", "us-east-1a", "--since", "3d")).toMatchObject([{ changes: 0, observedSeconds: 241_920 }]);
  expect(await rows("--group-by", "gpu")).toHaveLength(2);
  expect(await rows("--region", "us-east-1", "--zone", "us-east-1b")).toHaveLength(1);
  expect(await rows("--region", "eu-west-1", "--zone", "us-east-1b")).toEqual([]);
  expect(await rows("--billing", "on-demand")).toEqual([]);
});

test("two currencies stand in one order, and none is converted", async () => {
  const world = await threeZones({ columns: 140 });
  await remember(world, [[80, 5, 4.5]], {
    provider: "alibaba",
    zone: "cn-hangzhou-h",
    price: { micros: 0n, currency: "CNY" },
    onDemandPrice: null,
  });
  const { stdout } = await spot(world, "price", "history");
  const zones = stdout
    .split("\n")
    .slice(1, 5)
    .map((line) => /us-east-1\w|eastus|cn-hangzhou-h/.exec(line)?.[0]);
  expect(zones).toEqual(["eastus", "cn-hangzhou-h", "us-east-1b", "us-east-1a"]);
  expect(stdout).toContain("¥10.00");
  expect(stdout.replaceAll(/\s+/g, " ")).toContain("Currencies are compared at 1 USD for 6.77 CNY");
  // A share under a price in another currency rests on the rate as well.
  const under = async (price: string) =>
    (await spot(world, "price", "stats", "--provider", "aws", "--under", price)).stdout.includes("Currencies are compared at");
  expect([await under("18CNY"), await under("2.5")]).toEqual([true, false]);
});

test("with nothing observed it says what to run, and a slip is found", async () => {
  const world = worldAt();
  for (const verb of ["history", "stats"]) {
    const { code, stdout } = await spot(world, "price", verb, "--gpu", "H100");
    expect(code).toBe(0);
    expect(stdout).toContain("No price was ever observed. spot price sync reads");
    expect(JSON.parse((await spot(world, "price", verb, "--json")).stdout).data).toEqual([]);
  }
  await remember(world, ONE);
  expect((await spot(world, "price", "history", "--gpu", "H200")).stdout).toContain("No price of H200 was ever observed");
  expect((await spot(world, "price", "stats", "--since", "1h")).stdout).toContain("Nothing was observed since 1h");
  expect((await spot(world, "price", "stats", "--zone", "mars")).stdout).toContain("Nothing that fits was ever observed");
  for (const flags of [
    ["--provider", "awz"],
    ["--since", "tomorrow"],
    ["--since", "2030-01-01"],
    ["--billing", "free"],
    ["--per", "rack"],
    ["--max-gap", "0"],
    ["--limit", "0"],
  ])
    expect([flags, (await spot(world, "price", "history", ...flags)).code]).toEqual([flags, 2]);
  expect((await spot(world, "price", "stats", "--under", "0")).code).toBe(2);
  expect((await spot(world, "price", "stats", "--group-by", "rack")).code).toBe(2);
});

test("--refresh asks who remembers, keeps what it says, and names whoever is silent", async () => {
  const fake = await fakeAlibaba({ clock: systemClock });
  try {
    const world = testWorld({ env: fake.env });
    const none = await spot(world, "price", "history", "--refresh", "--provider", "local");
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("AWS and Alibaba do")]);
    const flags = ["price", "stats", "--provider", "alibaba", "--gpu", "A10:1", "--since", "5d", "--json"];
    const first = await spot(world, ...flags, "--refresh");
    expect([first.code, first.stderr]).toEqual([0, ""]);
    const { data } = JSON.parse(first.stdout);
    expect(data.length).toBeGreaterThan(2);
    for (const row of data) {
      expect(row.observedSeconds).toBeGreaterThan(4.9 * 86_400);
      expect(row.changes).toBeGreaterThan(20);
      expect(row.volatilityPerDay).toBeGreaterThan(0);
    }
    // Kept: without the cloud the same is known.
    const { stdout } = await spot(worldWithout(world), ...flags);
    expect(JSON.parse(stdout).data.map(({ zone }: { zone: string }) => zone)).toEqual(data.map(({ zone }: { zone: string }) => zone));
    await fake.close();
    const silent = await spot(world, ...flags, "--refresh");
    expect(silent.code).not.toBe(0);
    expect(silent.stderr).toContain("alibaba");
  } finally {
    await fake.close();
  }
});

/** The same home, and no credentials. */
function worldWithout(world: TestWorld): TestWorld {
  return testWorld({ home: world.home });
}
