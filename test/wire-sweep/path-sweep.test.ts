import { expect, test } from "vitest";
import { EACH_CLOUD } from "./clouds.ts";
import { adoptPath, reapPath } from "./orphan-paths.ts";
import { sweepPath } from "./path-sweep.ts";
import { climbed, endsWithItsVolume, reclaimedAndReplaced, takenBack } from "./paths.ts";

/** One walk without a fault and one or two with one; `test/sweep/paths.spec.ts` takes every path, cloud and request. */
const STRIDE = 20;
const CHOSEN = [
  { path: reapPath, cloud: "verda", from: 15 },
  { path: adoptPath, cloud: "verda", from: 3 },
  { path: reclaimedAndReplaced, cloud: "verda", from: 31 },
  { path: takenBack, cloud: "novita", from: 5 },
  { path: climbed, cloud: "gcp", from: 7 },
  { path: climbed, cloud: "alibaba", from: 9 },
  { path: endsWithItsVolume, cloud: "gcp", from: 9 },
];

for (const { path, cloud, from } of CHOSEN)
  test(`${path.name}, at ${cloud}: whichever request fails, nothing is left, lost or rented twice (some points)`, async () => {
    const make = EACH_CLOUD[cloud];
    if (make === undefined) throw new Error(`no ${cloud}`);
    const swept = await sweepPath(path, make, { stride: STRIDE, from });
    expect(swept?.damage).toEqual([]);
    expect(swept?.points).toBeGreaterThan(0);
  });
