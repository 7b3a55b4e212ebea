import { expect, test } from "vitest";
import { ORPHAN_SCENARIOS, sweepOrphans } from "../simulation/orphan-scenarios.ts";

/** 1 takes every point; a bounded run takes every so-manyth. */
const STRIDE = Number(process.env["SPOT_POINT_STRIDE"] ?? "1");

for (const scenario of ORPHAN_SCENARIOS)
  test(`whatever fails during ${scenario.name}, wherever it fails`, async () => {
    const { points, damage } = await sweepOrphans(scenario, STRIDE);
    process.stdout.write(`  ${scenario.name}: ${points} points swept\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(40 / STRIDE);
  });
