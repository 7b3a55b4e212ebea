import { expect, test } from "vitest";
import { EACH_CLOUD } from "../wire-sweep/clouds.ts";
import { LOCAL_TEMPO, localCloudOnTheWire } from "../wire-sweep/local.ts";
import { PATHS, sweepPath } from "../wire-sweep/path-sweep.ts";

/** 1 takes every request of every path with both faults; a bounded run takes every so-manyth of these points. */
const STRIDE = Number(process.env["SPOT_WIRE_STRIDE"] ?? "1");

/** A bounded run takes fewer than of a life: there are seven paths at every cloud, and what they do is also in the paper sweeps. */
const BOUNDED = STRIDE === 1 ? 1 : STRIDE * 13;
/** One walk through moto takes seconds. */
const SLOW: Readonly<Record<string, number>> = { aws: 3 };
/** On the real clock: long enough for whoever shares the computer with others. Its paths wait together, since mostly they wait. */
const REAL_TEMPO = { ...LOCAL_TEMPO, noticeSeconds: 5 };

interface Tally {
  readonly path: string;
  readonly points: number;
  readonly requests: number;
  readonly damage: readonly string[];
}

function tell(cloud: string, start: number, tallies: readonly Tally[]): void {
  const seconds = Math.round((performance.now() - start) / 1000);
  for (const { path, points, requests, damage } of tallies)
    process.stdout.write(`  ${cloud}: ${path}: ${points} points over ${requests} requests, ${damage.length} damaged\n`);
  process.stdout.write(`  ${cloud}: ${tallies.reduce((sum, { points }) => sum + points, 0)} points in ${seconds} s\n`);
}

function mustBeWhole(tallies: readonly Tally[]): void {
  expect(tallies.flatMap(({ path, damage }) => damage.map((what) => `${path}: ${what}`))).toEqual([]);
  expect(tallies.every(({ points }) => points > 0)).toBe(true);
}

for (const [cloud, make] of Object.entries(EACH_CLOUD))
  test(`${cloud}: whichever request fails on a path that nobody ordered, nothing is left, lost or rented twice`, async () => {
    const start = performance.now();
    const tallies: Tally[] = [];
    const stride = STRIDE === 1 ? 1 : BOUNDED * (SLOW[cloud] ?? 1);
    for (const path of PATHS) {
      const swept = await sweepPath(path, make, { stride });
      if (swept !== undefined) tallies.push({ path: path.name, ...swept });
    }
    tell(cloud, start, tallies);
    mustBeWhole(tallies);
  });

test("local: whichever request fails on a path that nobody ordered, nothing is left, lost or rented twice", async () => {
  const start = performance.now();
  const swept = await Promise.all(
    PATHS.map(async (path) => ({
      path,
      swept: await sweepPath(path, localCloudOnTheWire, { stride: BOUNDED, tempo: REAL_TEMPO }),
    })),
  );
  const tallies = swept.flatMap(({ path, swept: one }) => (one === undefined ? [] : [{ path: path.name, ...one }]));
  tell("local", start, tallies);
  mustBeWhole(tallies);
});
