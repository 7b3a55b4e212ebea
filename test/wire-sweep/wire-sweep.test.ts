import { expect, test } from "vitest";
import { SWEPT_CLOUDS } from "./clouds.ts";
import { FAULTS, sweepLife } from "./sweep.ts";

/** Left to `npm run sweep`, because they are slow. */
const LATER = new Set(["aws", "aws, reclaimed", "alibaba"]);
/** Here every change of these fails before and after it took effect; of the others it loses its answer, which is the worse half. */
const BOTH = new Set(["novita", "verda, reclaimed"]);
/** Of what only reads, every so many requests; `npm run sweep` takes every one. */
const STRIDE = 25;
const NOTICES = new Set(["ppio", "novita", "alibaba, reclaimed"]);

for (const [name, make] of Object.entries(SWEPT_CLOUDS).filter(([one]) => !LATER.has(one)))
  test(`${name}: whichever request fails in a whole life, reconcile leaves no second machine, no orphan and no lost volume`, async () => {
    const { requests, points, damage, sealed, told } = await sweepLife(make, STRIDE, { faults: BOTH.has(name) ? FAULTS : ["reset-after"] });
    process.stdout.write(`  ${name}: ${points} points over a life of ${requests} requests\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(6);
    // By hand, on the way to sleep and at the end; and where there are notices, its agent heard of one.
    expect(sealed).toBeGreaterThan(name.includes("reclaimed") ? 1 : 2);
    expect(told > 0).toBe(NOTICES.has(name));
  }, 120_000);
