import { expect, test } from "vitest";
import { firstSeal, nextSeal } from "../checkpoint-faults/seal-scenarios.ts";
import { walk } from "../checkpoint-faults/walk.ts";

/** 1 strikes every call of every program in every way; a bounded run takes every so-manyth of these points. */
const STRIDE = Number(process.env["SPOT_SEAL_STRIDE"] ?? "1");

for (const scenario of [firstSeal, nextSeal])
  test(`whatever fails during ${scenario.name}, what is listed verifies and what was sealed stays`, async () => {
    const start = performance.now();
    const { points, damage } = await walk(scenario, { stride: STRIDE });
    process.stdout.write(
      `  ${scenario.name}: ${points} fault points, ${damage.length} damaged, ${Math.round((performance.now() - start) / 1000)} s\n`,
    );
    expect(damage).toEqual([]);
  });
