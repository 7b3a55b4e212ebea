import { expect, test } from "vitest";
import { reconcile } from "../../src/fleet/pass.ts";
import { ORPHAN_SCENARIOS, orphans, ours, sweepOrphans } from "./orphan-scenarios.ts";
import { paperWorld, untilQuiet } from "./paper-world.ts";

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
