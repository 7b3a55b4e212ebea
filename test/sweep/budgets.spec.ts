import { expect, test } from "vitest";
import { BUDGET_SCENARIOS } from "../simulation/budget-scenarios.ts";
import { sweep } from "../simulation/sweep.ts";

/** 1 takes every point; a bounded run takes every so-manyth. */
const STRIDE = Number(process.env["SPOT_POINT_STRIDE"] ?? "1");

for (const scenario of BUDGET_SCENARIOS)
  test(`whatever fails during "${scenario.name}", it ends where the budget wants it`, async () => {
    const start = performance.now();
    const { points, damage } = await sweep(scenario, STRIDE);
    process.stdout.write(`  ${scenario.name}: ${points} points swept in ${Math.round(performance.now() - start)} ms\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });
