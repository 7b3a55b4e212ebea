import { expect, test } from "vitest";
import { SWEPT_CLOUDS } from "../wire-sweep/clouds.ts";
import { LOCAL_TEMPO, localCloudOnTheWire } from "../wire-sweep/local.ts";
import { sweepLife } from "../wire-sweep/sweep.ts";

/** 1 takes every request of the life; a bounded run takes the changes, and every so many of the others. */
const STRIDE = Number(process.env["SPOT_WIRE_STRIDE"] ?? "1");

/** A life on the real clock takes seconds: of these, a bounded run takes fewer still. */
const REAL_STRIDE = STRIDE === 1 ? 1 : STRIDE * 5;

test("local: every request of a whole life fails once before and once after it took effect", async () => {
  const start = performance.now();
  const { requests, points, damage } = await sweepLife(localCloudOnTheWire, REAL_STRIDE, { tempo: LOCAL_TEMPO });
  const seconds = Math.round((performance.now() - start) / 1000);
  process.stdout.write(`  local: ${points} points over a life of ${requests} requests, ${damage.length} damaged, ${seconds} s\n`);
  expect(damage).toEqual([]);
});

for (const [name, make] of Object.entries(SWEPT_CLOUDS))
  test(`${name}: every request of a whole life fails once before and once after it took effect`, async () => {
    const start = performance.now();
    const { requests, points, damage } = await sweepLife(make, STRIDE);
    const seconds = Math.round((performance.now() - start) / 1000);
    process.stdout.write(`  ${name}: ${points} points over a life of ${requests} requests, ${damage.length} damaged, ${seconds} s\n`);
    expect(damage).toEqual([]);
  });
