import { describe, expect, test } from "vitest";
import { hasPostgres } from "../postgres.ts";
import { SCENARIOS } from "../simulation/scenarios.ts";
import { sweep } from "../simulation/sweep.ts";
import { postgresStore } from "../state/databases.ts";
import { fillTogether, killInTheMiddle, openTogether, writersOfThisFile } from "../state/writers.ts";

// How much of it: a bounded part unless told.
const STRIDE = Number(process.env["SPOT_POSTGRES_STRIDE"] ?? 4);
const KILLS = Number(process.env["SPOT_KILLS"] ?? 40);

describe.skipIf(!hasPostgres())("on a state in PostgreSQL", () => {
  const start = writersOfThisFile();

  test("fifty processes that open a database that is not there yet all get it", () => openTogether("PostgreSQL", start, 50));

  test("twenty processes that make and fill one database at once lose nothing", () => fillTogether("PostgreSQL", start, 20, 10));

  test(`kill -9 in the middle of changes, ${KILLS} times: the database opens and every change is whole`, () =>
    killInTheMiddle("PostgreSQL", start, KILLS));

  for (const name of ["up", "reclaim with replace"])
    test(`whatever fails during "${name}", reconcile leaves nothing unseen`, async () => {
      const scenario = SCENARIOS.find((one) => one.name === name);
      if (scenario === undefined) throw new Error(`no scenario ${name}`);
      const begun = performance.now();
      const { points, damage } = await sweep(scenario, STRIDE, await postgresStore());
      process.stdout.write(`  ${name}, PostgreSQL: ${points} points swept in ${Math.round(performance.now() - begun)} ms\n`);
      expect(damage).toEqual([]);
      expect(points).toBeGreaterThan(5);
    });
});
