import { expect, test } from "vitest";
import { POLICY_SCENARIOS } from "./policy-scenarios.ts";
import { sweep } from "./sweep.ts";

/** A few points of each in every test run; test/sweep/policies.spec.ts sweeps them all. */
const STRIDE = 64;

for (const scenario of POLICY_SCENARIOS)
  test(`whatever fails during "${scenario.name}", reconcile leaves nothing unseen (some points)`, async () => {
    const start = performance.now();
    const { points, damage } = await sweep(scenario, STRIDE);
    process.stdout.write(`  ${scenario.name}: ${points} points swept in ${Math.round(performance.now() - start)} ms\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });
