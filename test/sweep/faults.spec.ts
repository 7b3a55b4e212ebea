import { expect, test } from "vitest";
import { SCENARIOS } from "../simulation/scenarios.ts";
import { sweep } from "../simulation/sweep.ts";

for (const scenario of SCENARIOS)
  test(`whatever fails during "${scenario.name}", reconcile leaves nothing unseen`, async () => {
    const start = performance.now();
    const { points, damage } = await sweep(scenario);
    process.stdout.write(`  ${scenario.name}: ${points} points swept in ${Math.round(performance.now() - start)} ms\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(20);
  });
