import { expect, onTestFinished, test } from "vitest";
import { decideBudgets, keepsItsWork, type Spender, watchBudgets } from "../../src/fleet/budgets/budget-watch.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import type { InstanceState } from "../../src/model/instance.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { seededRng } from "../../src/platform/rng.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import type { BudgetRecord, Change, InstanceRecord } from "../../src/state/records.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { restore, up } from "../simulation/scenarios.ts";
import { sampleLedger } from "../state/sample-records.ts";
import { NOW, record } from "./samples.ts";

const usd = (text: string) => moneyFromDecimal(text, "USD");
const HOUR = 3_600_000;
const never = () => new AbortController().signal;

function budget(cap: string, set: Partial<BudgetRecord> = {}): BudgetRecord {
  return { scope: "total", cap: usd(cap), atCap: "refuse", createdAt: 0, said: { percent: 0, at: 0 }, ...set };
}

async function world(budgets: readonly BudgetRecord[]): Promise<PaperWorld> {
  const made = await paperWorld();
  onTestFinished(() => made.state.close());
  await made.state.commit({ budgets });
  return made;
}

const pass = (on: PaperWorld) => on.clock.run(reconcile(on.start().fleet, { signal: never(), limitMs: 60_000 }));
const living = async (on: PaperWorld) => (await on.state.instances()).map(({ name, state, desired }) => [name, state, desired]);
const told = async (on: PaperWorld) => (await on.state.events({})).filter(({ type }) => type === "budget").map(({ data }) => data);

test("each level is told of once, with its figures, whoever looks and however often", async () => {
  const on = await world([budget("10", { atCap: "warn" })]);
  await on.clock.run(up(on.start().fleet, paperSpec()));
  for (let looks = 0; looks < 12; looks++) {
    await on.clock.pass(HOUR);
    await Promise.all([pass(on), pass(on)]).catch(() => pass(on));
  }
  const levels = await told(on);
  expect(levels.map(({ percent, what }) => [percent, what])).toEqual([
    [50, "crossed"],
    [80, "crossed"],
    [100, "reached"],
  ]);
  expect(levels[0]).toMatchObject({
    budget: "total",
    cap: { amount: "10.000000", currency: "USD" },
    burn: { amount: "1.000100", currency: "USD", per: "hour" },
    atCap: "warn",
    basis: "estimated",
  });
  expect(await living(on)).toEqual([["train", "running", "running"]]);
});

test("a day's levels are told of anew each day", async () => {
  const on = await world([budget("20", { scope: "day", atCap: "warn" })]);
  await on.clock.run(up(on.start().fleet, paperSpec()));
  for (let looks = 0; looks < 24; looks++) {
    await on.clock.pass(2 * HOUR);
    await pass(on);
  }
  expect((await told(on)).map(({ percent }) => percent)).toEqual([50, 80, 100, 50, 80, 100]);
});

test("at a cap that says so everything of its scope sleeps, the dearest first, and says why; a reclaim does not bring it back", async () => {
  const night = { fleet: "night", ttlMs: null, onReclaim: "replace" as const };
  const on = await world([budget("6", { scope: "fleet:night", atCap: "hibernate" })]);
  const volume = (name: string) => ({ name, sizeGb: 10, mount: "/data" });
  const [cheapest] = on.cloud.zones;
  if (cheapest !== undefined) cheapest.stock = 1;
  await on.clock.run(up(on.start().fleet, paperSpec({ name: "cheap", ...night, volume: volume("cheap") })));
  await on.clock.run(up(on.start().fleet, paperSpec({ name: "dear", ...night, volume: volume("dear") })));
  await on.clock.run(up(on.start().fleet, paperSpec({ name: "other", volume: volume("other") })));
  for (let looks = 0; looks < 8; looks++) {
    await on.clock.pass(HOUR / 2);
    await pass(on);
  }
  expect(Object.fromEntries((await living(on)).map(([name, state]) => [name, state]))).toEqual({
    cheap: "hibernated",
    dear: "hibernated",
    other: "running",
  });
  const disks = (await on.state.ledger()).filter(({ kind }) => kind === "disk");
  expect(disks.map(({ instance, fleet }) => [instance, fleet])).toEqual([
    ["cheap", "night"],
    ["dear", "night"],
    ["other", null],
  ]);
  const [first, second] = (await on.state.events({})).filter(({ data }) => data["action"] === "wish");
  expect([first?.instance, second?.instance]).toEqual(["dear", "cheap"]);
  const asleep = await on.state.instanceByName("dear");
  expect(asleep?.reason).toMatch(/^the budget of fleet night of \$6\.00 is reached \(\$6\.\d\d spent\)$/);
  const before = await on.state.lastSeq();
  await pass(on);
  expect(await on.state.lastSeq()).toBe(before);

  await expect(on.clock.run(restore(on.start().fleet, "dear"))).rejects.toMatchObject({ code: "SPOT_E_BUDGET", exit: 3 });
  // Refused before anything was written, not tried and taken back.
  expect(await on.state.lastSeq()).toBe(before);
  await on.state.commit({ budgets: [budget("60", { scope: "fleet:night", atCap: "hibernate" })] });
  await on.clock.run(restore(on.start().fleet, "dear"));
  await pass(on);
  expect((await on.state.instanceByName("dear"))?.state).toBe("running");
});

test("a reclaimed instance gets no other machine past a cap, says so once, and gets it when there is room again", async () => {
  const on = await world([budget("3")]);
  await on.clock.run(up(on.start().fleet, paperSpec()));
  await on.clock.pass(2.5 * HOUR);
  const [machine] = on.cloud.living();
  on.cloud.reclaim(machine?.id ?? "", 1_000);
  await on.clock.pass(2_000);
  const stuck = await pass(on);
  expect(stuck.items).toMatchObject([{ outcome: "stuck", problem: { code: "SPOT_E_BUDGET", exit: 3 } }]);
  expect(stuck.items[0]?.why).toMatch(/^the total budget of \$3\.00 would be passed: \$2\.\d\d spent, \$1\.00 for this$/);
  await pass(on);
  expect(on.cloud.living()).toEqual([]);
  expect((await on.state.events({})).filter(({ data }) => data["action"] === "launch-refused")).toHaveLength(1);
  expect((await on.state.instanceByName("train"))?.reason).toBe("there is no room for its machine in the budget");
  await on.state.commit({ budgets: [budget("30")] });
  await pass(on);
  expect(await living(on)).toEqual([["train", "running", "running"]]);
});

test("of two that lose their machines at once, and of which one fits, one gets another machine", async () => {
  const on = await world([budget("30")]);
  const process = on.start();
  for (const name of ["a", "b"]) await on.clock.run(up(process.fleet, paperSpec({ name, volume: null })));
  await on.clock.pass(4 * HOUR + HOUR / 4);
  for (const machine of on.cloud.living()) on.cloud.reclaim(machine.id, 1_000);
  await on.clock.pass(2_000);
  await on.state.commit({ budgets: [budget("10")] });
  for (let looks = 0; looks < 3; looks++) await pass(on);
  expect((await living(on)).map(([, state]) => state).sort()).toEqual(["requested", "running"]);
  expect(on.cloud.living()).toHaveLength(1);
});

test("one that is too dear for the room that is left keeps nobody from it that came later", async () => {
  const on = await world([budget("30")]);
  const process = on.start();
  for (const name of ["a", "b"]) await on.clock.run(up(process.fleet, paperSpec({ name, volume: null })));
  await on.clock.pass(2 * HOUR);
  const [machine] = on.cloud.living();
  on.cloud.reclaim(machine?.id ?? "", 1_000);
  await on.clock.pass(2_000);
  await on.state.commit({ budgets: [budget("4.5")] });
  await pass(on);
  const dear = (await on.state.instances()).find(({ providerId }) => providerId === null);
  expect(dear?.reason).toBe("there is no room for its machine in the budget");
  await on.clock.run(up(on.start().fleet, paperSpec({ name: "short", volume: null, ttlMs: HOUR / 10 })));
  expect((await on.state.instanceByName("short"))?.state).toBe("running");
});

test.each<[string, Change]>([
  ["another cap is set", { budgets: [budget("100", { createdAt: 7 })] }],
  ["it is removed", { removeBudgets: ["total"] }],
])("while a watch looks at a budget %s: so it stays", async (_what, change) => {
  const on = await world([budget("1.5")]);
  const { fleet } = on.start();
  await on.clock.run(up(fleet, paperSpec()));
  await on.clock.pass(HOUR);
  // The whole ledger is read meanwhile, and that takes a while.
  const slow = { ...fleet, state: { ...fleet.state, ledger: () => fleet.state.ledger().finally(() => on.state.commit(change)) } };
  await on.clock.run(watchBudgets(slow, await fleet.state.instances(), new Map(), { at: 0 }, never()));
  expect((await told(on)).map(({ percent }) => percent)).toEqual([50]);
  expect(await on.state.budgets()).toEqual(change.budgets ?? []);
});

test("a watch looks again as soon as a level can be reached, and not at every pass", async () => {
  const on = await world([budget("10", { atCap: "warn" })]);
  const { fleet } = on.start();
  await on.clock.run(up(fleet, paperSpec()));
  const pace = ownPace(on.clock, seededRng(1));
  let reads = 0;
  const counting = { ...fleet, state: { ...fleet.state, budgets: () => fleet.state.budgets().finally(() => reads++) } };
  for (let passes = 0; passes < 30; passes++) {
    await on.clock.run(reconcile(counting, { signal: never(), limitMs: 1_000, pace }));
    await on.clock.pass(1_000);
  }
  expect(reads).toBeLessThan(8);
});

const spender = (state: InstanceState, set: Partial<InstanceRecord> = {}, canSleep: boolean | null = true): Spender => ({
  record: record({ id: `i-${state}`, name: state, state, ...set }),
  canSleep,
});
const spent = [sampleLedger("a", { from: NOW - 10 * HOUR, to: NOW, rate: usd("1") })];
const asleepNames = (budgets: readonly BudgetRecord[], spenders: readonly Spender[]) =>
  decideBudgets(budgets, spent, spenders, NOW, BUNDLED_RATE).sleeps.map(({ record: one }) => one.name);

test("what is on its way down, is being reclaimed, or is being rented for the first time is left alone", () => {
  const reached = [budget("10", { atCap: "hibernate" })];
  const all = (["provisioning", "running", "restoring", "reclaiming", "hibernating", "terminating", "stopped", "gone"] as const).map(
    (state) => spender(state),
  );
  expect(asleepNames(reached, all)).toEqual(["provisioning", "restoring", "running"]);
  expect(asleepNames(reached, [spender("running", { desired: "gone" }), spender("running", { desired: "hibernated" })])).toEqual([]);
  expect(asleepNames(reached, [spender("requested", { providerId: null })])).toEqual([]);
  expect(asleepNames(reached, [spender("requested", { providerId: null, generation: 2 })])).toEqual(["requested"]);
  expect(asleepNames([budget("10.000001", { atCap: "hibernate" })], all)).toEqual([]);
  for (const atCap of ["warn", "refuse"] as const) expect(asleepNames([budget("10", { atCap })], all)).toEqual([]);
});

test("what would lose its work stays, and is named; what is not known is looked at again soon", () => {
  const reached = [budget("10", { atCap: "hibernate" })];
  const decided = decideBudgets(reached, spent, [spender("running", {}, false)], NOW, BUNDLED_RATE);
  expect(decided.sleeps).toEqual([]);
  expect(decided.events.at(-1)?.data).toMatchObject({ percent: 100, staying: ["running"] });
  expect(decided.said).toMatchObject([{ scope: "total", said: { percent: 100, at: NOW } }]);
  expect(decideBudgets(reached, spent, [spender("running", {}, null)], NOW, BUNDLED_RATE)).toMatchObject({ sleeps: [], againMs: 1_000 });
  expect(decideBudgets(decided.said, spent, [], NOW, BUNDLED_RATE)).toMatchObject({ events: [], said: [], againMs: 15_000 });
});

test("without a volume only a cloud's own hibernation, or a root disk that stays, keeps the work", () => {
  const able = { canHibernate: true, rootVolumeId: null };
  expect(keepsItsWork({ parkOnly: false }, "native", able)).toBe(true);
  expect(keepsItsWork({ parkOnly: true }, "native", able)).toBe(false);
  expect(keepsItsWork({ parkOnly: false }, "native", { canHibernate: false, rootVolumeId: null })).toBe(false);
  expect(keepsItsWork({ parkOnly: false }, "park", able)).toBe(false);
  expect(keepsItsWork({ parkOnly: false }, "park", { canHibernate: false, rootVolumeId: "v" })).toBe(true);
});
