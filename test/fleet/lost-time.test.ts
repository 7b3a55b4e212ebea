import { expect, test } from "vitest";
import { lossEvents, lossesOf } from "../../src/fleet/lost-time.ts";
import { wakeData } from "../../src/fleet/wakes/wake-log.ts";
import type { FleetEvent } from "../../src/model/event.ts";
import type { Wake } from "../../src/model/wake.ts";
import { sampleLedger } from "../state/sample-records.ts";

const MINUTE = 60_000;
const NOW = 1000 * MINUTE;

let seq = 0;
const event = (at: number, type: FleetEvent["type"], data: FleetEvent["data"], instance = "a"): FleetEvent => ({
  ...{ seq: ++seq, at: at * MINUTE, type, instance, provider: "local", data },
});
const taken = (at: number, more: FleetEvent["data"] = {}, instance = "a") =>
  event(
    at,
    "action",
    { action: "lost", taken: true, next: "replace", providerId: "m-1", ranMs: 60 * MINUTE, work: "sealed", ageMs: 10 * MINUTE, ...more },
    instance,
  );
const serves = (at: number, to = "running") => event(at, "state", { from: "provisioning", to });
const losses = (...events: readonly FleetEvent[]) =>
  lossesOf(events, [], NOW).map(({ kind, providerId, from, to }) => `${kind} ${providerId} ${from / MINUTE} ${to / MINUTE}`);

test("a machine that is taken loses what was not sealed, and the time until another one serves", () => {
  expect(losses(taken(100), event(104, "state", { from: "requested", to: "provisioning" }), serves(107), serves(300))).toEqual([
    "work m-1 90 100",
    "restarts null 100 107",
  ]);
});

test.each([
  ["a checkpoint of the machine before", { ageMs: 500 * MINUTE }, "work m-1 40 100"],
  ["one that was sealed on the notice", { ageMs: MINUTE }, "work m-1 99 100"],
])("%s: what was done in vain since it served", (_, more, lost) => {
  expect(losses(taken(100, { ...more, next: "park" }))).toEqual([lost]);
});

test.each([
  ["no volume", { work: undefined }],
  ["a volume, and nothing was sealed on it", { work: "none" }],
])("%s: nobody knows of its work since it served", (_, more) => {
  expect(losses(taken(100, { ...more, ageMs: undefined, next: "let-go" }))).toEqual(["unsealed m-1 40 100"]);
});

test.each([
  ["it never served", { ranMs: null, work: "sealed", next: "park" }],
  ["ended by us or by its owner", { taken: false }],
])("%s, and nothing is counted", (_, more) => {
  expect(losses(taken(100, more))).toEqual([]);
});

test("a restart ends where the next machine is taken, where nobody wants one any more, and else has not ended", () => {
  expect(losses(taken(100, { ranMs: null }), taken(103, { ranMs: null }))).toEqual(["restarts null 100 103", "restarts null 103 1000"]);
  expect(losses(taken(100, { ranMs: null }), serves(105, "gone"))).toEqual(["restarts null 100 105"]);
  expect(losses(taken(100, { ranMs: null }), { ...serves(105), instance: "b" })).toEqual(["restarts null 100 1000"]);
});

const wake = (startedAt: number, endedAt: number, outcome: Wake["outcome"]) => {
  const one: Wake = {
    ...{ startedAt: startedAt * MINUTE, endedAt: endedAt * MINUTE, outcome, during: "boot", rung: null },
    ...{ readyBy: ["started"] as const, provider: "local", zone: "z", phases: [] },
  };
  return event(endedAt, "action", wakeData(one));
};

test("a restore that did not serve costs its machines until they are paid for no more, and never beyond the next one", () => {
  const gpu = (id: string, from: number, to: number | null) =>
    sampleLedger(id, { providerId: id, from: from * MINUTE, to: to === null ? null : to * MINUTE });
  const ledger = [
    gpu("before", 0, 90),
    gpu("slow", 101, 112),
    gpu("second", 105, 111),
    gpu("same", 109, null),
    // Its start could not be broken off.
    gpu("late", 115, 116),
    gpu("after", 300, 400),
    sampleLedger("disk", { kind: "disk", from: 0, to: null }),
    sampleLedger("other", { instance: "b", from: 101 * MINUTE }),
  ];
  const found = lossesOf([wake(100, 110, "asleep"), wake(200, 205, "ready"), wake(210, 211, "ended")], ledger, NOW);
  expect(found.map(({ kind, providerId, from, to }) => [kind, providerId, from / MINUTE, to / MINUTE])).toEqual([
    ["wakes", "slow", 101, 112],
    ["wakes", "second", 105, 111],
    ["wakes", "same", 109, 200],
    ["wakes", "late", 115, 116],
  ]);
});

test("a restore that did not serve costs nothing of the one that is under way", () => {
  const moves = (at: number, from: string, to: string) => event(at, "state", { from, to });
  const gpu = (from: number, to: number | null) => sampleLedger(`${from}`, { from: from * MINUTE, to: to === null ? null : to * MINUTE });
  const found = (...later: readonly FleetEvent[]) => {
    const own = [moves(100, "hibernated", "requested"), wake(100, 105, "asleep"), moves(106, "hibernating", "hibernated"), ...later];
    // The second one came only after the cap, because its start could not be broken off.
    const losses = lossesOf(own, [gpu(101, 106), gpu(111, 113), gpu(221, null)], NOW);
    return losses.map(({ from, to }) => [from / MINUTE, to / MINUTE]);
  };
  const late = [moves(111, "hibernated", "hibernating"), moves(113, "hibernating", "hibernated")];
  const lost = [
    [101, 106],
    [111, 113],
  ];
  expect(found(...late, moves(220, "hibernated", "requested"), moves(221, "requested", "provisioning"))).toEqual(lost);
  expect(found(...late, moves(220, "hibernated", "restoring"))).toEqual(lost);
  // Somebody ends it while that machine still comes.
  expect(found(moves(108, "hibernated", "terminating"), moves(200, "terminating", "gone"))).toEqual(lost);
});

test("a restore that did not serve costs nothing of the next instance of that name", () => {
  const minutes = (from: number, to: number) => sampleLedger(`${from}`, { from: from * MINUTE, to: to * MINUTE });
  const found = lossesOf([wake(100, 110, "asleep"), serves(120, "gone")], [minutes(112, 113), minutes(130, 900)], NOW);
  expect(found.map(({ from, to }) => [from / MINUTE, to / MINUTE])).toEqual([[112, 113]]);
});

test("of a long log every page is read, and only what tells of losses is kept", async () => {
  const all = Array.from({ length: 25_000 }, (_, index) =>
    index % 5000 === 0 ? taken(index) : event(index, index % 2 === 0 ? "action" : "notice", { action: "launch" }),
  );
  const asked: unknown[] = [];
  const found = await lossEvents(
    {
      events: async ({ afterSeq = 0, types = [], limit = 0 }) => {
        asked.push(types);
        return all.filter((one) => one.seq > afterSeq && types.includes(one.type)).slice(0, limit);
      },
    },
    0,
  );
  expect(found.length).toBe(5);
  expect(asked).toEqual([
    ["action", "state"],
    ["action", "state"],
  ]);
});
