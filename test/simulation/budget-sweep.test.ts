import { expect, test } from "vitest";
import { BUDGET_SCENARIOS } from "./budget-scenarios.ts";
import { sweep } from "./sweep.ts";

/** A few points of each in every test run; test/sweep/budgets.spec.ts sweeps them all. */
const STRIDE = 64;

for (const scenario of BUDGET_SCENARIOS)
  test(`whatever fails at "${scenario.name}", it ends where the budget wants it (some points)`, async () => {
    const { points, damage } = await sweep(scenario, STRIDE);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });
