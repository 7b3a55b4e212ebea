import { expect, test } from "vitest";
import { adopt } from "../../src/fleet/orphans/adopt.ts";
import { forget } from "../../src/fleet/orphans/forget.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { ORPHAN_SCENARIOS, orphans, ours, sweepOrphans } from "./orphan-scenarios.ts";
import { paperSpec, paperWorld, untilQuiet } from "./paper-world.ts";
import { up } from "./scenarios.ts";

/** All of them are swept in `test/sweep/orphans.spec.ts`. */
const STRIDES: Readonly<Record<string, number>> = { reap: 23, adopt: 7 };

for (const scenario of ORPHAN_SCENARIOS)
  test(`whatever fails during ${scenario.name}, nothing else is ended, nothing is made, and a second try finishes it`, async () => {
    const { points, damage } = await sweepOrphans(scenario, STRIDES[scenario.name] ?? 1);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(5);
  });

test("a forgotten machine is left alone by every pass, for as long as it lives", async () => {
  const world = await paperWorld({});
  const before = world.start();
  await world.clock.run(ours(world, before.fleet));
  world.bury(before);
  expect(await untilQuiet(world)).toEqual([]);
  const { fleet } = world.start();
  for (let day = 0; day < 40; day++) {
    await world.clock.pass(86_400_000);
    const { strays } = await world.clock.run(reconcile(fleet, { signal: new AbortController().signal, limitMs: 60_000 }));
    expect(strays).toEqual([]);
  }
  const names = world.cloud.living().map(({ name }) => name);
  expect(names.toSorted()).toEqual(["left", "mine"]);
  expect(await world.clock.run(orphans(fleet))).toMatchObject([{ why: "forgotten", instance: "left", name: "left" }]);
  await world.state.close();
});

test("a machine that was taken back and forgotten again is left alone, as often as that is done", async () => {
  const world = await paperWorld({});
  const never = () => new AbortController().signal;
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()));
  await world.clock.pass(60_000);
  for (let times = 0; times < 3; times++) {
    const [record] = await world.state.instances();
    if (record === undefined) throw new Error("no record");
    await world.clock.run(forget(fleet, record, never()));
    expect(await untilQuiet(world)).toEqual([]);
    const rows = await world.clock.run(orphans(fleet));
    expect(rows).toMatchObject([{ why: "forgotten", instance: "train" }]);
    expect(await world.clock.run(adopt(fleet, rows, never()))).toMatchObject([{ outcome: "adopted", name: "train" }]);
  }
  expect(world.cloud.living().map(({ name }) => name)).toEqual(["train"]);
  await world.state.close();
});
