import { expect, test } from "vitest";
import { crossWake } from "../../src/fleet/wakes/crossing.ts";
import { type Wake, wakeBegun, wakeTimes } from "../../src/model/wake.ts";
import { sampleInstance } from "../state/sample-records.ts";

const underWay = () => {
  const record = sampleInstance("a", { state: "restoring", desired: "running" });
  return { ...record, outlook: { ...record.outlook, wake: wakeBegun(1_000) } };
};

test.each([
  ["is to be gone", { desired: "gone" }, "ended"],
  ["is gone", { state: "gone" }, "ended"],
  ["is to sleep again", { desired: "hibernated" }, "asleep"],
  ["serves", { state: "running", readyAt: 9_000 }, "ready"],
  ["serves under a notice", { state: "reclaiming", readyAt: 9_000 }, "ready"],
] as const)("a wake of what %s is over", (_, set, outcome) => {
  const { wake, outlook } = crossWake(underWay(), set, 9_000);
  expect(wake).toMatchObject({ outcome, startedAt: 1_000, endedAt: 9_000 });
  expect(outlook).not.toHaveProperty("wake");
});

test("one that runs and does not serve yet wakes on", () => {
  expect(crossWake(underWay(), { state: "running" }, 9_000).wake).toBeUndefined();
});

test("of a wake in which the clock was set back nobody knows how long it took", () => {
  const wake = (startedAt: number, endedAt: number): Wake => ({
    ...{ startedAt, endedAt, outcome: "ready", during: null, rung: null, readyBy: [] },
    ...{ provider: "paper", zone: "north-a", phases: [{ phase: "ask", ms: 1 }] },
  });
  expect(wakeTimes([wake(0, 30_000), wake(50_000, 50_000), wake(0, 10_000)])).toEqual({
    served: 2,
    failed: 0,
    p50Ms: 10_000,
    p95Ms: 30_000,
  });
});
