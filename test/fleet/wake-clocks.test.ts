import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wakesOf } from "../../src/fleet/wakes/wake-log.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { wakeUntilUp } from "../../src/fleet/waking-until.ts";
import { wish } from "../../src/fleet/wish.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import { wakeTimes } from "../../src/model/wake.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { hibernate, up } from "../simulation/scenarios.ts";

const MINUTE_MS = 60_000;
const signal = new AbortController().signal;
const options = { signal, capMs: 10 * MINUTE_MS, sleepLimitMs: 5 * MINUTE_MS };

async function asleep(): Promise<{ readonly world: PaperWorld; readonly record: InstanceRecord }> {
  const world = await paperWorld({ hibernates: "park" });
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()).then(() => hibernate(fleet)));
  return { world, record: await train(world) };
}

async function train({ state }: PaperWorld): Promise<InstanceRecord> {
  const record = await state.instanceByName("train");
  if (record === undefined) throw new Error("no train");
  return record;
}

/** A process whose wall clock jumps by so much after a while. */
function jumping(world: PaperWorld, afterMs: number, byMs: number): Fleet {
  let off = 0;
  void world.clock.sleep(afterMs).then(() => {
    off = byMs;
  });
  return { ...world.start().fleet, clock: { ...world.clock, now: () => world.clock.now() + off } };
}

const readyAfter = (fleet: Fleet, isReady: () => boolean): Fleet => ({
  ...fleet,
  guest: { ...fleet.guest, isReady: async () => isReady() },
});
const never = () => false;

test.each([false, true])(
  "the wall clock steps an hour ahead in a restore (--until-up: %s): exit 124, and nothing bills",
  async (isPatient) => {
    const { world, record } = await asleep();
    const fleet = readyAfter(jumping(world, MINUTE_MS, 60 * MINUTE_MS), never);
    const waking = isPatient
      ? wakeUntilUp(fleet, record, { ...options, forMs: 20 * MINUTE_MS, maxCost: null })
      : wakeUp(fleet, record, options);
    await expect(world.clock.run(waking)).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT", exit: EXIT.timeout });
    expect(world.cloud.living()).toEqual([]);
    expect(await train(world)).toMatchObject({ state: "hibernated", desired: "hibernated", wakeBy: null });
  },
);

test("a clock that is set back after a restore was killed does not lengthen its cap", async () => {
  const { world, record } = await asleep();
  // All that a restore leaves behind that is killed at once.
  const wakeBy = world.clock.now() + options.capMs;
  await wish(world.start().fleet, record.id, { desired: "running", skipSnapshot: false, wakeBy });
  const fleet = readyAfter(jumping(world, 0, -60 * MINUTE_MS), never);
  for (let minute = 0; minute < 15; minute++) {
    await world.clock.pass(MINUTE_MS);
    await world.clock.run(reconcile(fleet, { signal, limitMs: 5_000 }).catch(() => undefined));
  }
  expect(world.cloud.living()).toEqual([]);
  expect(await train(world)).toMatchObject({ state: "hibernated", desired: "hibernated" });
});

test("a restore that is still alive does not end what a later one waits for", async () => {
  const { world, record } = await asleep();
  const at = world.clock.now();
  const start = () => readyAfter(world.start().fleet, () => world.clock.now() - at > 3 * MINUTE_MS);
  const older = wakeUp(start(), record, { ...options, capMs: MINUTE_MS });
  const later = world.clock.sleep(30_000).then(() => wakeUp(start(), record, options));
  const [first, second] = await world.clock.run(Promise.allSettled([older, later]));
  expect(first).toMatchObject({
    status: "rejected",
    reason: { exit: EXIT.timeout, retryable: false, message: expect.stringContaining("another restore of train goes on") },
  });
  expect(second).toMatchObject({ status: "fulfilled", value: { state: "running" } });
  expect(world.cloud.living()).toHaveLength(1);
});

test("one that comes to serve at the very moment of the cap is left to serve", async () => {
  const { world, record } = await asleep();
  const { fleet } = world.start();
  // Its command hears of no end of the call in which it came to serve.
  const state: typeof world.state = {
    ...world.state,
    commit: async (change) => {
      const done = await world.state.commit(change);
      if (change.instance?.set.readyAt != null) await world.clock.sleep(options.capMs, undefined);
      return done;
    },
  };
  const awake = await world.clock.run(wakeUp({ ...fleet, state }, record, options));
  expect(awake).toMatchObject({ state: "running", desired: "running" });
  expect(world.cloud.living()).toHaveLength(1);
});

test("a wake in which the clock is set back ends no sooner than it began, and nobody says how long it took", async () => {
  const { world, record } = await asleep();
  await world.clock.run(wakeUp(jumping(world, 500, -60 * MINUTE_MS), record, options));
  const wakes = wakesOf(await world.state.events({ instances: ["train"], limit: 10_000 }));
  expect(wakes.map(({ outcome, startedAt, endedAt }) => [outcome, endedAt - startedAt])).toEqual([["ready", 0]]);
  expect(wakes[0]?.phases.every(({ ms }) => ms >= 0)).toBe(true);
  expect(wakeTimes(wakes)).toEqual({ served: 0, failed: 0, p50Ms: null, p95Ms: null });
});
