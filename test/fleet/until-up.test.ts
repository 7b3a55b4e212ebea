import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { changeRecord } from "../../src/fleet/record-change.ts";
import { moneyMeter } from "../../src/fleet/wakes/money-meter.ts";
import { type UntilUpOptions, wakeUntilUp } from "../../src/fleet/waking-until.ts";
import { USUAL_RUNGS } from "../../src/model/comeback.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import type { Provider, ProviderInstance } from "../../src/providers/provider.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, hibernate, up } from "../simulation/scenarios.ts";
import { usd } from "../state/sample-records.ts";

const MINUTE_MS = 60_000;
const CAP_MS = 10_000;

/** Asleep, and nothing to be had anywhere. */
async function asleep(): Promise<{ readonly world: PaperWorld; readonly record: InstanceRecord }> {
  const world = await paperWorld({ hibernates: "park" });
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()).then(() => hibernate(fleet)));
  stock(world, 0);
  const record = await world.state.instanceByName("train");
  if (record === undefined) throw new Error("no train");
  return { world, record };
}

function stock({ cloud }: PaperWorld, count: number): void {
  for (const zone of cloud.zones) zone.stock = count;
}

const options = (set: Partial<UntilUpOptions> = {}): UntilUpOptions => ({
  signal: new AbortController().signal,
  capMs: CAP_MS,
  sleepLimitMs: MINUTE_MS,
  forMs: null,
  maxCost: null,
  ...set,
});

const stateOf = async (world: PaperWorld) => (await world.state.instanceByName("train"))?.state;

test("it is tried again until there is a machine, and sleeps in between", async () => {
  const { world, record } = await asleep();
  const seen = new Set<string>();
  const looking = (async () => {
    for (let looks = 0; looks < 60; looks++) {
      await world.clock.sleep(30_000);
      const now = await world.state.instanceByName("train");
      if (now?.desired === "hibernated") seen.add(`${now.state}, ${world.cloud.living().length} machines`);
      if (looks === 50) stock(world, 1);
    }
  })();
  const awake = await world.clock.run(Promise.all([wakeUntilUp(world.start().fleet, record, options()), looking]));
  expect(awake[0]).toMatchObject({ state: "running" });
  expect([...seen]).toEqual(["hibernated, 0 machines"]);
  const wishes = (await world.state.events({ limit: 10_000 })).filter(
    ({ data }) => data["action"] === "wish" && data["desired"] === "running",
  );
  expect(wishes.length).toBeGreaterThan(2);
});

test("without a machine in all its time: exit 5, and nothing was paid", async () => {
  const { world, record } = await asleep();
  const start = world.clock.now();
  const trying = world.clock.run(wakeUntilUp(world.start().fleet, record, options({ forMs: 10 * MINUTE_MS })));
  await expect(trying).rejects.toMatchObject({
    code: "SPOT_E_NO_CAPACITY",
    exit: EXIT.noCapacity,
    message: expect.stringContaining("in 10m"),
  });
  expect(world.clock.now() - start).toBeLessThanOrEqual(11 * MINUTE_MS);
  expect(await stateOf(world)).toBe("hibernated");
  expect((await world.state.ledger()).filter(({ kind, from }) => kind === "gpu" && from >= start)).toEqual([]);
});

test("with machines that never serve: exit 124 when the time, or the money, is used up, and no more was paid than said", async () => {
  for (const limit of [{ forMs: 5 * MINUTE_MS }, { maxCost: usd(20_000) }]) {
    const { world, record } = await asleep();
    stock(world, 3);
    const { fleet } = world.start();
    const deaf = { ...fleet, guest: { ...fleet.guest, isReady: async () => false } };
    const start = world.clock.now();
    const trying = world.clock.run(wakeUntilUp(deaf, record, options(limit)));
    await expect(trying).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT", exit: EXIT.timeout });
    expect(await stateOf(world)).toBe("hibernated");
    expect(world.cloud.living()).toEqual([]);
    const paid = (await world.state.ledger()).filter(({ kind, from }) => kind === "gpu" && from >= start);
    const micros = paid.reduce(
      (sum, { rate, from, to }) => sum + (rate.micros * BigInt((to ?? world.clock.now()) - from)) / 3_600_000n,
      0n,
    );
    expect(micros).toBeGreaterThan(0n);
    // Putting it back to sleep is paid for as well.
    if ("maxCost" in limit) expect(micros).toBeLessThan(25_000n);
  }
});

test("Ctrl-C in a pause leaves it asleep: exit 130", async () => {
  const { world, record } = await asleep();
  const controller = new AbortController();
  void world.clock.sleep(CAP_MS + 10_000).then(() => controller.abort("SIGINT"));
  const trying = world.clock.run(wakeUntilUp(world.start().fleet, record, options({ signal: controller.signal })));
  await expect(trying).rejects.toMatchObject({
    code: "SPOT_E_INTERRUPTED",
    exit: EXIT.interrupted,
    message: expect.stringContaining("asleep"),
  });
  expect(await stateOf(world)).toBe("hibernated");
});

test("what another command wants meanwhile stands, and a budget without room ends it at once", async () => {
  const { world, record } = await asleep();
  const ending = world.clock.sleep(CAP_MS + 10_000).then(() => down(world.start().fleet));
  const [trying] = await world.clock.run(Promise.allSettled([wakeUntilUp(world.start().fleet, record, options()), ending]));
  expect(trying).toMatchObject({ status: "rejected", reason: { code: "SPOT_E_CONFLICT" } });
  const other = await asleep();
  const budget = { scope: "total", cap: usd(1), atCap: "refuse", createdAt: 0, said: { percent: 0, at: 0 } } as const;
  await other.world.state.commit({ budgets: [budget] });
  const refused = other.world.clock.run(wakeUntilUp(other.world.start().fleet, other.record, options()));
  await expect(refused).rejects.toMatchObject({ code: "SPOT_E_BUDGET", exit: EXIT.refused });
  expect(await stateOf(other.world)).toBe("hibernated");
});

/** Asleep, in a world with more than one zone; the spot of its own is sold out. */
async function asleepZonal(): Promise<{ readonly world: PaperWorld; readonly record: InstanceRecord }> {
  const world = await paperWorld({ hibernates: "park", zonal: true, readable: true });
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()).then(() => hibernate(fleet)));
  const record = await world.state.instanceByName("train");
  if (record === undefined) throw new Error("no train");
  return { world, record };
}

/** What the machines of it have cost since then, in USD. */
async function paid({ state, clock }: PaperWorld, start: number): Promise<number> {
  const entries = (await state.ledger()).filter(({ kind, from }) => kind === "gpu" && from >= start);
  return entries.reduce((sum, { rate, from, to }) => sum + (Number(rate.micros) / 1e6) * (((to ?? clock.now()) - from) / 3_600_000), 0);
}

test("a pause costs nothing: little money does not end the waiting for a machine", async () => {
  const { world, record } = await asleep();
  const start = world.clock.now();
  const later = world.clock.sleep(30 * MINUTE_MS).then(() => stock(world, 1));
  const trying = wakeUntilUp(world.start().fleet, record, options({ maxCost: usd(50_000) }));
  const [awake] = await world.clock.run(Promise.all([trying, later]));
  expect(awake).toMatchObject({ state: "running" });
  expect(world.clock.now() - start).toBeGreaterThanOrEqual(30 * MINUTE_MS);
});

test("--max-cost counts what its machine costs on a dearer rung, also when the wall clock is set back", async () => {
  for (const jumps of [false, true]) {
    const { world, record } = await asleepZonal();
    stock(world, 0);
    const { fleet } = world.start();
    const start = world.clock.now();
    let off = 0;
    const clock = { ...world.clock, now: () => world.clock.now() + off };
    if (jumps) void world.clock.sleep(30_000).then(() => (off = -3_600_000));
    const deaf = { ...fleet, clock, guest: { ...fleet.guest, isReady: async () => false } };
    const comeback = { allow: [...USUAL_RUNGS, "on-demand" as const], ceiling: null };
    const set = { capMs: 10 * MINUTE_MS, maxCost: usd(100_000), comeback };
    const trying = world.clock.run(wakeUntilUp(deaf, record, options(set)));
    await expect(trying).rejects.toMatchObject({
      code: "SPOT_E_WAKE_TIMEOUT",
      exit: EXIT.timeout,
      message: expect.stringContaining("0.10"),
    });
    expect(world.cloud.living()).toEqual([]);
    expect(await stateOf(world)).toBe("hibernated");
    const minutes = (world.clock.now() - start) / MINUTE_MS;
    if (jumps) expect(minutes).toBeLessThan(4);
    else {
      expect(await paid(world, start)).toBeGreaterThan(0.09);
      expect(await paid(world, start)).toBeLessThan(0.115);
    }
  }
});

test("a machine that was there before counts from the moment of asking", async () => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()));
  const record = await world.state.instanceByName("train");
  await world.clock.pass(60 * MINUTE_MS);
  const most = usd(10_000_000);
  const meter = await moneyMeter(fleet, record?.id ?? "", most);
  expect(await meter.left()).toBe(most.micros);
  await world.clock.pass(6 * MINUTE_MS);
  const spent = Number(most.micros - (await meter.left()));
  expect(spent / Number(record?.price?.micros)).toBeCloseTo(0.1, 3);
});

test("a machine that costs nobody knows what is not woken for limited money", async () => {
  const world = await paperWorld({});
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()).then(() => hibernate(fleet)));
  const before = await world.state.instanceByName("train");
  if (before === undefined) throw new Error("no train");
  const record = await world.clock.run(changeRecord(fleet, before, { price: null }));
  const unpriced = <Machine extends ProviderInstance | undefined>(machine: Machine) => machine && { ...machine, price: null };
  const paper = world.cloud.provider;
  const provider: Provider = {
    ...paper,
    get: async (id, context) => unpriced(await paper.get(id, context)),
    list: async (context) => (await paper.list(context)).map(unpriced),
  };
  const deaf = { ...fleet, provider: async () => provider, guest: { ...fleet.guest, isReady: async () => false } };
  const start = world.clock.now();
  const trying = world.clock.run(wakeUntilUp(deaf, record, options({ capMs: 10 * MINUTE_MS, maxCost: usd(1_000_000) })));
  await expect(trying).rejects.toMatchObject({ exit: EXIT.timeout });
  expect(world.clock.now() - start).toBeLessThan(2 * MINUTE_MS);
  expect(await stateOf(world)).toBe("hibernated");
});

test("a workload that never serves leaves one copy behind, however often it is tried, and the copy is named", async () => {
  const { world, record } = await asleepZonal();
  const { fleet } = world.start();
  const deaf: Fleet = { ...fleet, guest: { ...fleet.guest, isReady: async () => false } };
  const { travel: _, ...still } = deaf;
  // Each zone is sold out after a try in it.
  let last = "north-a";
  let isOver = false;
  const selling = (async () => {
    while (!isOver) {
      last = world.cloud.living()[0]?.zone.zone ?? last;
      if (world.cloud.living().length === 0) for (const zone of world.cloud.zones) zone.stock = zone.zone === last ? 0 : 5;
      await world.clock.sleep(5_000);
    }
  })();
  const trying = wakeUntilUp(still, record, options({ capMs: 2 * MINUTE_MS, forMs: 60 * MINUTE_MS })).finally(() => {
    isOver = true;
  });
  const [ended] = await world.clock.run(Promise.allSettled([trying, selling]));
  expect(ended).toMatchObject({
    status: "rejected",
    reason: {
      exit: EXIT.timeout,
      hint: expect.stringMatching(/left on its way, and billed: the volume train-north-a \(spot volumes rm train-north-a\)$/),
    },
  });
  expect(world.cloud.living()).toEqual([]);
  expect((await world.state.volumes()).map(({ name }) => name).sort()).toEqual(["train", "train-north-a"]);
  expect(world.cloud.snapshots.size).toBe(0);
});
