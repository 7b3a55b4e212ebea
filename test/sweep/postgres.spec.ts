import { describe, expect, test } from "vitest";
import { hasPostgres } from "../postgres.ts";
import { SCENARIOS } from "../simulation/scenarios.ts";
import { sweep } from "../simulation/sweep.ts";
import { postgresStore } from "../state/databases.ts";

/** How much of it: a bounded part unless told. */
const STRIDE = Number(process.env["SPOT_POSTGRES_STRIDE"] ?? 4);

describe.skipIf(!hasPostgres())("on a state in PostgreSQL", () => {
  for (const name of ["up", "reclaim with replace"])
    test(`whatever fails during "${name}", reconcile leaves nothing unseen`, async () => {
      const scenario = SCENARIOS.find((one) => one.name === name);
      if (scenario === undefined) throw new Error(`no scenario ${name}`);
      const begun = performance.now();
      const { points, damage } = await sweep(scenario, STRIDE, await postgresStore());
      process.stdout.write(`  ${name}, PostgreSQL: ${points} points swept in ${Math.round(performance.now() - begun)} ms\n`);
      expect(damage).toEqual([]);
      expect(points).toBeGreaterThan(20 / STRIDE);
    });
});
