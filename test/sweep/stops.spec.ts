import { expect, test } from "vitest";
import { NO_FAULT, STOPS } from "../simulation/faulty-process.ts";
import { brokenWhenQuiet, unknownSpenders } from "../simulation/invariants.ts";
import { paperWorld, untilQuiet } from "../simulation/paper-world.ts";
import { SCENARIOS, type Scenario, watchAndAct } from "../simulation/scenarios.ts";

/** Longer than a lease, a list that settles and a launch take together: the other one has long gone on. */
const STOP_MS = 90_000;
/** 1 stops at every effect in both ways; a bounded run takes every so-manyth of these points. */
const STRIDE = Number(process.env["SPOT_POINT_STRIDE"] ?? "1");

/** One scenario whose process is stopped at its n-th effect, beside one that acts on whatever it leaves lying. */
async function play(scenario: Scenario, plan: Parameters<Awaited<ReturnType<typeof paperWorld>>["start"]>[0]) {
  const world = await paperWorld(scenario.cloud);
  try {
    const before = world.start();
    await world.clock.run(scenario.prepare(world, before.fleet));
    world.bury(before);
    const [process, beside, controller] = [world.start(plan), world.start(), world.start()];
    await world.clock.run(
      Promise.all([
        scenario.act(process.fleet, beside.fleet).catch(() => undefined),
        world.clock.sleep(50).then(() => watchAndAct(controller.fleet, 2 * STOP_MS)),
      ]),
    );
    for (const each of [process, beside, controller]) world.bury(each);
    const broken = [
      ...world.trespasses,
      ...(await unknownSpenders(world)),
      ...(await untilQuiet(world)),
      ...(await brokenWhenQuiet(world)),
    ];
    const records = await world.state.instances({ includeGone: true });
    const end = records[0]?.state ?? "nothing";
    if (!scenario.ends.includes(end)) broken.push(`the instance ended up ${end} (${records[0]?.reason})`);
    return { effects: process.trace.map(({ name }) => name), broken };
  } finally {
    await world.state.close();
  }
}

for (const scenario of SCENARIOS)
  test(`a process that is stopped during "${scenario.name}", at any moment, does nothing that another one must undo`, async () => {
    const { effects } = await play(scenario, NO_FAULT);
    const damage: string[] = [];
    let points = 0;
    let seen = 0;
    for (const [index, name] of effects.entries())
      for (const mode of STOPS) {
        if (seen++ % STRIDE !== 0) continue;
        points++;
        const { broken } = await play(scenario, { at: index + 1, mode, stopMs: STOP_MS });
        damage.push(...broken.map((what) => `effect ${index + 1} (${name}), ${mode}: ${what}`));
      }
    process.stdout.write(`  ${scenario.name}: ${points} stops\n`);
    expect(damage).toEqual([]);
    expect(effects.length).toBeGreaterThan(5);
  });
