import fc from "fast-check";
import { expect, test } from "vitest";
import { LIFE, live, nothingLived } from "../simulation/model.ts";

const RUNS = Number(process.env["SPOT_MODEL_RUNS"] ?? "150");
const SEED = Number(process.env["SPOT_MODEL_SEED"] ?? "1");

test(`${RUNS} lives of a fleet agree with their model`, async () => {
  const lived = nothingLived();
  try {
    await fc.assert(
      fc.asyncProperty(LIFE(40), (life) => live(life, lived)),
      // A failing life is told with its seed and path; to shrink it, run it again with SPOT_MODEL_SHRINK=1.
      { numRuns: RUNS, seed: SEED, endOnFailure: process.env["SPOT_MODEL_SHRINK"] !== "1" },
    );
  } finally {
    process.stdout.write(`  ${RUNS} lives: ${JSON.stringify({ ...lived, days: Math.round(lived.days) })}\n`);
  }
  expect(lived.kills).toBeGreaterThan(RUNS / 2);
  expect(lived.days).toBeGreaterThan(RUNS);
});
