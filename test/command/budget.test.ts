import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openState } from "../../src/state/open.ts";
import { startSpot } from "../processes/spot.ts";
import { spot, type TestWorld, testWorld } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

const job = (name: string, ...more: readonly string[]) => ["up", "--name", name, "--gpu", "A10G", "--yes", ...more] as const;
const work = ["--", "sleep", "1000"] as const;

/** What is spent on machines that have run for a moment is next to nothing, and more than this. */
const NOTHING = "0.000001";

async function budgetEvents(world: TestWorld): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const state = await openState(join(world.home, "state.db"));
  const events = await state.events({});
  await state.close();
  return events.filter(({ type }) => type === "budget").map(({ instance, data: own }) => ({ instance, ...own }));
}

test("a budget is set, shown with its forecast, changed and removed", async () => {
  const world = await cloudWorld();
  const [first] = await data(world, "budget", "set", "250");
  expect(first).toMatchObject({
    scope: "total",
    fleet: null,
    perDay: false,
    cap: { amount: "250.000000", currency: "USD" },
    atCap: "refuse",
    spent: { amount: "0.000000", currency: "USD" },
    burn: { amount: "0.000000", currency: "USD", per: "hour" },
    share: 0,
    state: "ok",
    reachesCapAt: null,
    basis: "estimated",
    atLeast: false,
    uncounted: [],
    converted: null,
  });
  await must(world, "budget", "set", "1800CNY", "--fleet", "night", "--per-day", "--at-cap", "hibernate");
  const changed = await must(world, "budget", "set", "300", "--at-cap", "warn");
  expect(changed.stderr).toContain("the total budget is $300.00, at the cap: warn; it was $250.00, refuse");
  await must(world, ...job("a"), ...work);
  const shown = await data(world, "budget", "show");
  expect(shown.map((one: { scope: string }) => one.scope)).toEqual(["fleet:night:day", "total"]);
  expect(shown[1]).toMatchObject({ state: "ok", reachesCapAt: expect.stringMatching(/^\d{4}-/), forecastAtDayEnd: { currency: "USD" } });
  expect(Number(shown[1].burn.amount)).toBeGreaterThan(0.1);
  expect(shown[0]).toMatchObject({ fleet: "night", perDay: true, cap: { currency: "CNY" }, burn: { amount: "0.000000" } });
  for (const command of [["cost", "--no-refresh"], []])
    expect((await must(world, ...command)).stdout).toContain("The total budget: ~$0.00");
  expect((await must(world, "budget", "show")).stdout).toMatch(/total +\$300\.00 +~\$0\.\d+ +0%/);
  await must(world, "budget", "rm", "fleet:night:day");
  expect((await spot(world, "budget", "rm", "fleet:night:day")).code).toBe(9);
  expect(await data(world, "budget", "rm", "total")).toEqual([]);
  expect((await must(world, "cost", "--no-refresh")).stdout).not.toContain("budget");
}, 60_000);

test.each([
  [["budget", "set", "much"], "not an amount of money"],
  [["budget", "set", "0"], "a cap is more than nothing"],
  [["budget", "set", "5", "--at-cap", "hibernat"], 'did you mean "hibernate"?'],
  [["budget", "set", "5", "--fleet", "No Fleet"], "a fleet"],
])(
  "%j is refused as it is typed",
  async (argv, said) => {
    const world = testWorld();
    expect(await spot(world, ...argv)).toMatchObject({ code: 2, stderr: expect.stringContaining(said) });
  },
  60_000,
);

test("an up that a budget has no room for exits 3 and asks the cloud for nothing; several are counted together", async () => {
  const world = await cloudWorld();
  await must(world, "budget", "set", "0.6");
  const two = await spot(world, ...job("a", "--count", "2"), ...work);
  expect([two.code, two.stderr]).toEqual([
    3,
    expect.stringMatching(/the total budget of \$0\.60 would be passed: \$0\.00 spent, \$\d\.\d\d for this/),
  ]);
  const long = await spot(world, ...job("a", "--ttl", "8h", "--json"), ...work);
  expect(long.code).toBe(3);
  expect(JSON.parse(long.stderr).error).toMatchObject({ code: "SPOT_E_BUDGET", next: ["spot budget show", "spot budget set AMOUNT"] });
  expect((await spot(world, ...job("a", "--ttl", "8h", "--dry-run"), ...work)).code).toBe(3);
  expect(await data(world, "ls", "--all")).toEqual([]);
  expect(await machines(world)).toBe(0);
  expect(await data(world, "volumes", "ls")).toEqual([]);
  await must(world, ...job("a", "--ttl", "30m"), ...work);
  // What the first one holds until its time is over counts as well.
  expect((await spot(world, ...job("b", "--ttl", "80m"), ...work)).code).toBe(3);
  expect(await machines(world)).toBe(1);
  await must(world, ...job("b", "--ttl", "30m"), ...work);
}, 60_000);

test("where a budget only warns, the plan says so, scripts read it, and the launch is in the log", async () => {
  const world = await cloudWorld();
  await must(world, "budget", "set", "0.1", "--at-cap", "warn");
  const outcome = await must(world, ...job("a", "--json"), ...work);
  expect(JSON.parse(outcome.stdout).warnings).toEqual([expect.stringMatching(/^the total budget of \$0\.10 would be passed: /)]);
  expect(JSON.parse((await must(world, ...job("b", "--dry-run", "--json"), ...work)).stdout).warnings).toHaveLength(1);
  expect((await must(world, ...job("b", "--dry-run"), ...work)).stderr).toContain("the total budget of $0.10 would be passed");
  const budgets = await budgetEvents(world);
  expect(budgets).toMatchObject([
    { budget: "total", what: "set", atCap: "warn" },
    { budget: "total", what: "would-pass", instance: "a", asked: { currency: "USD" }, message: expect.stringContaining("would be passed") },
  ]);
}, 60_000);

test("of two processes at once only one gets the room that is there for one", async () => {
  const world = await cloudWorld();
  await must(world, "budget", "set", "0.6");
  const both = ["a", "b"].map((name) => startSpot(world.home, [...job(name), ...work]).ended);
  const ended = await Promise.all(both);
  expect(ended.map(({ code }) => code).sort()).toEqual([0, 3]);
  expect(ended.find(({ code }) => code === 3)?.stderr).toMatch(
    /the total budget of \$0\.60 would be passed: .* held for what runs or is to run/,
  );
  expect(await machines(world)).toBe(1);
  expect(await data(world, "ls")).toHaveLength(1);
}, 60_000);

test("at the cap reconcile puts to sleep what runs; it is not woken past the cap, and is with a higher one", async () => {
  const world = await cloudWorld();
  await must(world, ...job("a"), ...work);
  await must(world, "budget", "set", NOTHING, "--at-cap", "hibernate");
  await must(world, "reconcile");
  const [asleep] = await data(world, "ls");
  expect(asleep).toMatchObject({ state: "hibernated", reason: expect.stringMatching(/^the total budget of \$0\.000001 is reached/) });
  const refused = await spot(world, "restore", "a");
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("the total budget of $0.000001 is reached")]);
  expect((await spot(world, ...job("b"), ...work)).code).toBe(3);
  await must(world, "reconcile");
  const budgets = await budgetEvents(world);
  expect(budgets.map(({ what, percent }) => [what, percent])).toEqual([
    ["set", undefined],
    ["crossed", 50],
    ["crossed", 80],
    ["reached", 100],
  ]);
  await must(world, "budget", "set", "100", "--at-cap", "hibernate");
  expect((await data(world, "restore", "a"))[0]).toMatchObject({ state: "running", reason: null });
}, 60_000);

test("a fleet file sets its fleet's budget, and is held to it", async () => {
  const world = await cloudWorld();
  const file = (budget: string) =>
    writeFileSync(
      join(world.home, "spot.yaml"),
      `fleet: night\n${budget}\ninstances:\n  - {name: a, gpu: A10G, volume: none, command: sleep 1000}\n`,
    );
  file("budget: {amount: 0.1, atCap: refuse}");
  const refused = await spot(world, "up", "-f", "spot.yaml", "--yes");
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("the budget of fleet night of $0.10 would be passed")]);
  expect(await data(world, "budget", "show")).toEqual([]);
  file("budget: {amount: 40, perDay: 30CNY, atCap: hibernate}");
  expect((await must(world, "up", "-f", "spot.yaml", "--yes")).stderr).toContain(
    "the day's budget of fleet night is ¥30.00, at the cap: hibernate",
  );
  expect((await data(world, "budget", "show")).map((one: { scope: string; state: string }) => [one.scope, one.state])).toEqual([
    ["fleet:night", "ok"],
    ["fleet:night:day", "ok"],
  ]);
  const [day] = await data(world, "budget", "show", "fleet:night:day");
  expect(day.converted).toMatchObject({
    cnyPerUsd: expect.stringMatching(/^\d/),
    rates: [{ currency: "CNY", perUsd: day.converted.cnyPerUsd, source: day.converted.source }],
  });
  file("budget: {amont: 3}");
  expect((await spot(world, "up", "-f", "spot.yaml", "--yes")).code).toBe(2);
}, 60_000);
