import { expect, test } from "vitest";
import { ORPHAN_SCENARIOS, sweepOrphans } from "../simulation/orphan-scenarios.ts";

for (const scenario of ORPHAN_SCENARIOS)
  test(`whatever fails during ${scenario.name}, wherever it fails`, async () => {
    const { points, damage } = await sweepOrphans(scenario, 1);
    process.stdout.write(`  ${scenario.name}: ${points} points swept\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(40);
  });
