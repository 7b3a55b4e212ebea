import { expect, test } from "vitest";
import { LADDER_SCENARIOS } from "../simulation/ladder-scenarios.ts";
import { sweep } from "../simulation/sweep.ts";

/** 1 takes every point; a bounded run takes every so-manyth. */
const STRIDE = Number(process.env["SPOT_POINT_STRIDE"] ?? "1");

for (const scenario of LADDER_SCENARIOS)
  test(`whatever fails during "${scenario.name}", nothing is rented twice, and no volume or checkpoint is lost`, async () => {
    const start = performance.now();
    const { points, damage } = await sweep(scenario, STRIDE);
    process.stdout.write(`  ${scenario.name}: ${points} points swept in ${Math.round(performance.now() - start)} ms\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(20 / STRIDE);
  });
