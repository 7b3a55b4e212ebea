import { expect, test } from "vitest";
import { POLICY_SCENARIOS } from "../simulation/policy-scenarios.ts";
import { sweep } from "../simulation/sweep.ts";

/** 1 takes every point; a bounded run takes every so-manyth. */
const STRIDE = Number(process.env["SPOT_POINT_STRIDE"] ?? "1");

for (const scenario of POLICY_SCENARIOS)
  test(`whatever fails during "${scenario.name}", reconcile leaves nothing unseen`, async () => {
    const start = performance.now();
    const { points, damage } = await sweep(scenario, STRIDE);
    process.stdout.write(`  ${scenario.name}: ${points} points swept in ${Math.round(performance.now() - start)} ms\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(20 / STRIDE);
  });
