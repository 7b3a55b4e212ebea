import { expect, onTestFinished, test } from "vitest";
import { type UntilUpOptions, wakeUntilUp } from "../../src/fleet/waking-until.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
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
