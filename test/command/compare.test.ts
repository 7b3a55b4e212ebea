import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { PACKAGE_ROOT, spot, type TestWorld, testWorld } from "../world.ts";

interface Option {
  readonly name: string;
  readonly billing: string;
  readonly total: { readonly amount: string; readonly currency: string };
  readonly stickerTotal: { readonly amount: string };
  readonly savings: number | null;
  readonly stickerSavings: number | null;
}

/** The commands of a section of docs/prices.md, as a person would type them. */
function documented(section: string): readonly (readonly string[])[] {
  const page = readFileSync(join(PACKAGE_ROOT, "docs", "prices.md"), "utf8");
  const text = page.split(`### ${section}\n`)[1]?.split(/^#/m)[0] ?? "";
  return [...text.matchAll(/^ {4}spot (compare .*)$/gm)].map(([, line = ""]) =>
    [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ""),
  );
}

async function compared(world: TestWorld, argv: readonly string[]) {
  const { code, stdout, stderr } = await spot(world, ...argv, "--json");
  expect([argv, code, stderr]).toEqual([argv, 0, ""]);
  return JSON.parse(stdout);
}

const CASES: readonly (readonly [string, Readonly<Record<string, readonly [string, string, number]>>])[] = [
  ["RTX4090", { spot: ["spot", "712.800000", 0.5], "on demand": ["on-demand", "1425.600000", 0] }],
  [
    "T4",
    {
      "g4dn.xlarge": ["on-demand", "383.980000", 0],
      "cheapest zone": ["spot", "120.300000", 0.6867],
      "dearest zone": ["spot", "129.720000", 0.6621],
    },
  ],
  [
    "A10",
    {
      "on demand": ["on-demand", "6958.700000", 0],
      monthly: ["monthly", "4575.600000", 0.3424],
      spot: ["spot", "2436.000000", 0.6499],
    },
  ],
];

test("the documented cases save what their sources say", async () => {
  const commands = documented("Cases");
  expect(commands).toHaveLength(CASES.length + 1);
  for (const [index, [product, ways]] of CASES.entries()) {
    const { data } = await compared(testWorld(), commands[index] ?? []);
    const [comparison] = data.comparisons;
    expect(comparison.gpu.product).toBe(product);
    const found = comparison.options.map(({ name, billing, stickerTotal, stickerSavings }: Option) => [
      name,
      [billing, stickerTotal.amount, stickerSavings],
    ]);
    expect(Object.fromEntries(found)).toEqual(ways);
  }
});

test("the documented token bill passes the server where the page says", async () => {
  const { data } = await compared(testWorld(), documented("Cases").at(-1) ?? []);
  const [comparison] = data.comparisons;
  expect(comparison.tokenBreakEven).toEqual([
    {
      of: "server",
      against: "API",
      tokensPerPaidHour: 10_416_667,
      tokensPerDay: 250_000_000,
      tokens: 7_500_000_000,
      makes: null,
      reachable: null,
    },
  ]);
  expect(comparison.options.map(({ name, total }: Option) => [name, total.amount, total.currency])).toEqual([
    ["server", "30000.000000", "CNY"],
    ["API", "36000.000000", "CNY"],
  ]);
});

test("the documented mix is the one that is reckoned there by hand", async () => {
  const [command = []] = documented("The cheapest mix");
  const { data } = await compared(testWorld(), command);
  const [{ mix, options }] = data.comparisons;
  expect(mix.parts.map(({ role, machines, usefulHours }: Record<string, unknown>) => [role, machines, usefulHours])).toEqual([
    ["base", 1, 720],
    ["burst", 5, 960],
  ]);
  const cents = (amount: string) => Math.round(Number(amount) * 100);
  expect(cents(mix.total.amount)).toBe(cents(mix.parts[0].cost.amount) + cents(mix.parts[1].cost.amount));
  expect(Number(mix.total.amount)).toBeLessThan(Number(options[0].total.amount));
});

const ROWS = ["--own", "name=rack,price=9000CNY/month", "--own", 'name=the "big, one,price=2'] as const;

test("a name with a comma is no name, and rows may lie in a file", async () => {
  const world = testWorld();
  const bad = await spot(world, "compare", "--no-offers", ...ROWS);
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('--own: "one" is not KEY=VALUE')]);
  writeFileSync(join(world.home, "rows.txt"), "# ours\nname=rack,price=9000CNY/month\n\nname=by the hour,price=2\n");
  const { data } = await compared(world, ["compare", "--no-offers", "--own", "@rows.txt"]);
  expect(data.comparisons[0].options.map(({ name }: Option) => name)).toEqual(["rack", "by the hour"]);
  expect((await spot(world, "compare", "--no-offers", "--own", "@none.txt")).code).toBe(2);
});

test("the rate is that of the flag, of the setting, of the table, and is said", async () => {
  const world = testWorld({ columns: 200 });
  const argv = ["compare", "--no-offers", "--own", "name=y,price=7CNY", "--own", "name=d,price=1,billing=spot,interruptions=0"];
  const order = async (...more: readonly string[]) =>
    (await compared(world, [...argv, ...more])).data.comparisons[0].options.map(({ name }: Option) => name);
  expect(await order()).toEqual(["d", "y"]);
  expect(await order("--fx", "CNY=8@2026-01-02")).toEqual(["y", "d"]);
  await spot(world, "config", "set", "fx.CNY", "9");
  expect(await order()).toEqual(["y", "d"]);
  expect(await order("--fx", "CNY=6")).toEqual(["d", "y"]);
  const { stdout } = await spot(world, ...argv, "--fx", "CNY=8@2026-01-02");
  expect(stdout).toContain("Held against each other at 1 USD for 8 CNY (--fx, of 2026-01-02); every amount is in its own currency.");
  const unknown = await spot(world, ...argv, "--own", "name=f,price=1CHF");
  expect(unknown.stdout).toContain("A currency without a rate is held against nothing");
});

test("CSV is RFC 4180: what a reader gets back is what the document says", async () => {
  const world = testWorld();
  const argv = ["compare", "--no-offers", "--own", 'name=a "quoted" rack,price=9000CNY/month', "--own", "name==1+1,price=2,billing=spot"];
  const { data } = await compared(world, argv);
  const { code, stdout } = await spot(world, ...argv, "--csv");
  expect(code).toBe(0);
  expect(stdout.endsWith("\r\n")).toBe(true);
  expect(stdout.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  const records = parse(stdout, { columns: true }) as readonly Record<string, string>[];
  const { options } = data.comparisons[0];
  expect(
    records.map(({ name, total, total_currency, sticker_total }) => [name?.replace(/^'/, ""), total, total_currency, sticker_total]),
  ).toEqual(options.map(({ name, total, stickerTotal }: Option) => [name, total.amount, total.currency, stickerTotal.amount]));
  // A spreadsheet runs no name as a formula.
  expect(records.map(({ name }) => name)).toContain("'=1+1");
  expect((await spot(world, ...argv, "--csv", "--json")).code).toBe(2);
});

test("a page is written whole, for its owner, and not over one that is there", async () => {
  const world = testWorld();
  const argv = [
    "compare",
    "--no-offers",
    "--own",
    "name=<script>alert(1)</script>,price=9000CNY/month",
    "--own",
    "name=h,price=2",
    "--html",
  ];
  const file = join(world.home, "page.html");
  const first = await spot(world, ...argv, "page.html");
  expect([first.code, first.stderr]).toEqual([0, `the page was written to ${file}\n`]);
  const page = readFileSync(file, "utf8");
  expect(page).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  expect(page).not.toMatch(/<script|https?:|NaN|undefined/);
  expect(page.match(/<polyline/g)).toHaveLength(2);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const again = await spot(world, ...argv, "page.html");
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("page.html exists. Overwrite it?")]);
  expect(readFileSync(file, "utf8")).toBe(page);
  expect((await spot(world, ...argv, "page.html", "--yes")).code).toBe(0);
  expect((await spot(world, ...argv, ".")).stderr).toContain("is a folder");
  expect((await spot(world, ...argv, "none/page.html")).stderr).toContain("there is no folder");
  expect((await spot(world, ...argv, "dry.html", "--dry-run")).code).toBe(0);
  expect(existsSync(join(world.home, "dry.html"))).toBe(false);
});

test.each([
  [["--deadline", "4h"], "--deadline: it goes with --hours"],
  [["--hours", "4", "--deadline", "soon"], "--deadline:"],
  [["--hours", "4", "--profile", "8x1"], "--hours and --profile exclude each other"],
  [["--hours", "4", "--tokens-per-day", "1M"], "exclude each other"],
  [["--profile", "16x1,9x2"], "a day has 24 hours"],
  [["--profile", "8 hours"], "is not HOURSxMACHINES"],
  [["--profile", "8x0"], "there is nothing to do in it"],
  [["--tokens-per-day", "many"], "is not a number of tokens"],
  [["--tokens-per-day", "0"], "is not a number of tokens"],
  [["--token-price", "0"], "is not more than zero"],
  [["--token-price", "free"], "not an amount of money"],
  [["--throughput", "0"], "is not how many tokens a second"],
  [["--utilisation", "0.5"], "--utilisation: it goes with --throughput"],
  [["--utilisation", "120%", "--throughput", "500"], "is not a share above 0 and up to 1"],
  [["--fx", "USD=1"], "--fx:"],
  [["--fx", "CNY"], "--fx:"],
  [["--html", ""], "there is no name of a file"],
])("compare %j is refused with exit 2", async (argv, message) => {
  const { code, stdout, stderr } = await spot(testWorld(), "compare", "--no-offers", "--own", "price=1", ...argv);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(message);
});

test("nothing to compare is a mistake, and nobody is asked with --no-offers", async () => {
  const { code, stderr } = await spot(testWorld(), "compare", "--no-offers");
  expect([code, stderr]).toEqual([2, expect.stringContaining("--no-offers leaves nothing to compare")]);
});
