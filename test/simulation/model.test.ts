import fc from "fast-check";
import { expect, test } from "vitest";
import { LIFE, live, nothingLived } from "./model.ts";

/** A few short lives in every test run; test/sweep/model.spec.ts plays many. */
test("whatever happens in whatever order, the fleet is what its model says it may be (a few lives)", async () => {
  const lived = nothingLived();
  await fc.assert(
    fc.asyncProperty(LIFE(8), (life) => live(life, lived)),
    { numRuns: 6, seed: 5, endOnFailure: true },
  );
  expect(lived.checks).toBeGreaterThan(50);
});
