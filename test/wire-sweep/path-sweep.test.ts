import { expect, test } from "vitest";
import { EACH_CLOUD } from "./clouds.ts";
import { PATHS, sweepPath } from "./path-sweep.ts";

/** One walk without a fault and a few with one; `test/sweep/paths.spec.ts` takes every cloud and every request. */
const STRIDE = 53;
/** A cloud for each: those whose walks are short. */
const WHERE = ["hyperstack", "verda", "verda", "novita", "gcp", "verda", "gcp"];

for (const [index, path] of PATHS.entries()) {
  const cloud = WHERE[index] ?? "verda";
  test(`${path.name}, at ${cloud}: whichever request fails, nothing is left, lost or rented twice (some points)`, async () => {
    const make = EACH_CLOUD[cloud];
    if (make === undefined) throw new Error(`no ${cloud}`);
    const swept = await sweepPath(path, make, { stride: STRIDE });
    expect(swept?.damage).toEqual([]);
    expect(swept?.points).toBeGreaterThan(0);
  });
}
