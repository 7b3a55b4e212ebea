import { expect, test } from "vitest";
import { LADDER_SCENARIOS } from "./ladder-scenarios.ts";
import { sweep } from "./sweep.ts";

/** Some points of each in every test run; test/sweep/ladder.spec.ts sweeps them all. A prime, so that every way to fail has its turn. */
const STRIDE = 61;

for (const scenario of LADDER_SCENARIOS)
  test(`whatever fails during "${scenario.name}", nothing is rented twice, and no volume or checkpoint is lost (some points)`, async () => {
    const { points, damage } = await sweep(scenario, STRIDE);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });
