import { expect, test } from "vitest";
import { SCENARIOS } from "./scenarios.ts";
import { sweep } from "./sweep.ts";

/** Some points of each in every test run; test/sweep/faults.spec.ts sweeps them all. A prime, so that every way to fail has its turn. */
const STRIDE = 7;

for (const scenario of SCENARIOS)
  test(`whatever fails during "${scenario.name}", reconcile leaves nothing unseen (some points)`, async () => {
    const start = performance.now();
    const { points, damage } = await sweep(scenario, STRIDE);
    process.stdout.write(`  ${scenario.name}: ${points} points swept in ${Math.round(performance.now() - start)} ms\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(2);
  });
