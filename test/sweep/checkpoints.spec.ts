import { expect, test } from "vitest";
import { packed, restoreAtBoot } from "../checkpoint-faults/boot-scenarios.ts";
import { copyHere, pruneHere, restoreNew, restoreThere } from "../checkpoint-faults/file-scenarios.ts";
import { prunedInside } from "../checkpoint-faults/prune-scenario.ts";
import { receivedInside } from "../checkpoint-faults/receive-scenario.ts";
import { diskSeal, firstSeal, nextSeal, noticeSeal } from "../checkpoint-faults/seal-scenarios.ts";
import { type Scenario, walk } from "../checkpoint-faults/walk.ts";

/** 1 strikes every step in every way; a bounded run takes every so-manyth of these points. */
const STRIDE = Number(process.env["SPOT_SEAL_STRIDE"] ?? "1");

/** All points of one scenario on a busy computer. */
const LONG_MS = 7_200_000;

const total = { points: 0, damaged: 0 };

function walkThrough<Fault extends string>(scenario: Scenario<Fault>): void {
  test(`whatever fails during ${scenario.name}, what is listed verifies and what was sealed stays`, { timeout: LONG_MS }, async () => {
    const start = performance.now();
    const { points, damage } = await walk(scenario, STRIDE);
    total.points += points;
    total.damaged += damage.length;
    const seconds = Math.round((performance.now() - start) / 1000);
    process.stdout.write(`  ${scenario.name}: ${points} fault points, ${damage.length} damaged, ${seconds} s\n`);
    expect(damage).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });
}

walkThrough(restoreNew);
walkThrough(restoreThere);
walkThrough(pruneHere);
walkThrough(copyHere);
walkThrough(firstSeal);
walkThrough(nextSeal);
walkThrough(noticeSeal);
walkThrough(diskSeal);
walkThrough(restoreAtBoot);
walkThrough(packed);
walkThrough(prunedInside);
for (const part of ["begin", "files", "seal"] as const) walkThrough(receivedInside(part));

test("all of them", () => {
  process.stdout.write(`  ${total.points} fault points, ${total.damaged} damaged\n`);
  expect(total.damaged).toBe(0);
});
