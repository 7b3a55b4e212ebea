import { expect, test } from "vitest";
import { becameOf, gapBetween, gapEvent, wereUp } from "../../src/fleet/hearing/gap.ts";
import type { Notice } from "../../src/model/notice.ts";
import { machine, NOW, record } from "./samples.ts";

const at = (wall: number, monotonic: number) => ({ wall, monotonic });

test.each([
  ["an ordinary second", at(1_000, 0), at(2_000, 1_000), null],
  ["a busy machine", at(0, 0), at(15_000, 15_000), null],
  ["a sleep during which the monotonic clock stood still", at(0, 0), at(3_600_000, 1_000), { from: 0, to: 3_600_000 }],
  ["a sleep during which it went on", at(0, 0), at(3_600_000, 3_600_000), { from: 0, to: 3_600_000 }],
  ["a wall clock that was put back meanwhile", at(0, 0), at(-60_000, 1_000), null],
  ["one that was put back while the process was stopped", at(0, 0), at(-60_000, 600_000), { from: -660_000, to: -60_000 }],
])("%s", (_what, before, after, gap) => {
  expect(gapBetween(before, after, 1_000)).toEqual(gap);
});

const GAP = { from: NOW - 3_600_000, to: NOW };
const notice = (deadline: number): Notice => ({ kind: "reclaim", source: "api", seenAt: deadline - 120_000, deadline });

test("a gap says from when to when nobody listened", () => {
  expect(gapEvent(GAP)).toMatchObject({
    type: "warning",
    data: { gap: { seconds: 3600, from: new Date(GAP.from).toISOString() }, message: expect.stringContaining("nobody listened for 1h") },
  });
});

test.each([
  ["it runs on as before", record(), machine(), null, null],
  ["it is gone without a word", record(), undefined, null, ["gone", "no notice of it was heard; no sealed checkpoint of it is known here"]],
  [
    "it is gone, and had notice",
    record({ notice: notice(NOW - 1_800_000) }),
    machine({ state: "gone" }),
    NOW - 2_000_000,
    ["gone", "its notice ran out at"],
  ],
  ["it was stopped", record(), machine({ state: "stopped", endedBy: "provider" }), null, ["gone", "its machine was stopped"]],
  ["its time ran out and it runs on", record({ notice: notice(NOW - 1_000) }), machine(), null, ["runs", "its machine runs on"]],
  ["a notice came and its time ran out", record(), machine({ notice: notice(NOW - 1_000) }), null, ["runs", "while nobody listened"]],
  ["a notice came and there is time", record(), machine({ notice: notice(NOW + 60_000) }), null, null],
] as const)("%s: that is said in one line, or nothing", (_what, before, listed, sealedAt, expected) => {
  const event = becameOf(GAP, before, listed, sealedAt);
  if (expected === null) expect(event).toBeNull();
  else
    expect(event).toMatchObject({
      type: "warning",
      instance: "train",
      data: { outcome: expected[0], message: expect.stringContaining(expected[1]) },
    });
});

test("only what was up, or under notice, is looked after", () => {
  const records = [record(), record({ providerId: null }), record({ desired: "gone" }), record({ state: "hibernated" })];
  expect(wereUp(records)).toEqual([records[0]]);
});
