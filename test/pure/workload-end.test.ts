import fc from "fast-check";
import { expect, test } from "vitest";
import { endSaid, failedProblem } from "../../src/fleet/workload.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { billsUntil, hasFailed, type WorkloadEnd, workloadEnd, workloadEndText } from "../../src/model/workload-end.ts";
import { eventSentence } from "../../src/output/event-text.ts";
import { paintState, stateText } from "../../src/output/instances-view.ts";
import { eventJson, instanceJson } from "../../src/output/json.ts";
import { plainPainter } from "../../src/output/painter.ts";
import { NOW, record } from "../fleet/samples.ts";

const END: WorkloadEnd = { machine: "m-1", code: 1, at: NOW - 180_000, stamp: 1_000 };
const ended = (set: Partial<WorkloadEnd> = {}, more: Parameters<typeof record>[0] = {}) => {
  const plain = record(more);
  return { ...plain, outlook: { ...plain.outlook, ended: { ...END, ...set } } };
};
const seconds = NOW / 1000;

test.each<[string, Parameters<typeof endSaid>[1], unknown]>([
  ["it works", { phase: "running", exitCode: null }, undefined],
  ["it has ended, by the machine's own clock", { phase: "exited", exitCode: 3, endedAt: 500, saidAt: 560 }, { code: 3, at: NOW - 60_000 }],
  [
    "the agent has not looked yet, and the code is there",
    { phase: "running", exitCode: 0, endedAt: null, saidAt: 560 },
    { code: 0, at: NOW },
  ],
  ["an older agent does not say when", { phase: "exited", exitCode: 2 }, { code: 2, at: NOW, stamp: null }],
  ["one without a time of its own", { phase: "exited", exitCode: 2, endedAt: seconds - 7 }, { code: 2, at: NOW - 7_000 }],
  ["the agent ends it", { phase: "stopping", exitCode: 143, endedAt: 500, saidAt: 560 }, undefined],
  ["its time is over, and the agent has ended it", { phase: "expired", exitCode: 143 }, undefined],
])("an agent's report: %s", (_what, report, expected) => {
  const said = endSaid(record(), report, NOW);
  if (expected === undefined) expect(said).toBeUndefined();
  else expect(said).toMatchObject({ machine: "m-1", ...(expected as object) });
});

test("an end is told once; a workload that was started again has not ended, and its next end is another one", () => {
  const again = { phase: "exited", exitCode: 1, endedAt: 1_000, saidAt: 1_500 } as const;
  expect(endSaid(ended(), again, NOW)).toBeUndefined();
  // The clock of a machine that slept with its memory may say anything.
  expect(endSaid(ended(), { ...again, saidAt: 90_000 }, NOW)).toBeUndefined();
  expect(endSaid(ended(), { phase: "exited", exitCode: 1 }, NOW)).toBeUndefined();
  expect(endSaid(ended(), { phase: "running", exitCode: null }, NOW)).toBeNull();
  expect(endSaid(ended(), { phase: "restoring", exitCode: null }, NOW)).toBeNull();
  expect(endSaid(ended(), { ...again, exitCode: 4, endedAt: 1_400 }, NOW)).toMatchObject({ code: 4, at: NOW - 100_000 });
  expect(endSaid(ended({ machine: "m-0" }), { phase: "running", exitCode: null }, NOW)).toBeUndefined();
  expect(endSaid(ended({ machine: "m-0" }), again, NOW)).toMatchObject({ machine: "m-1" });
  // Heard of before its agent had written down when: the same one, and one of a later start.
  const unstamped = ended({ stamp: null, at: NOW - 600_000 });
  expect(endSaid(unstamped, { ...again, endedAt: 900, saidAt: 1_500 }, NOW)).toBeUndefined();
  expect(endSaid(unstamped, { ...again, endedAt: 1_400, saidAt: 1_500 }, NOW)).toMatchObject({ code: 1, at: NOW - 100_000, stamp: 1_400 });
});

test("an end never lies in the future, whatever a machine's clock says", () => {
  const time = fc.option(fc.integer({ min: 0, max: 4_000_000_000 }));
  fc.assert(
    fc.property(time, time, (endedAt, saidAt) => {
      const said = endSaid(record(), { phase: "exited", exitCode: 1, endedAt, saidAt }, NOW);
      expect(said?.at).toBeLessThanOrEqual(NOW);
    }),
  );
});

test("it holds for the machine that said it, and for none that sleeps, is gone, or may have begun anew", () => {
  expect(workloadEnd(record())).toBeNull();
  expect(workloadEnd(ended())).toMatchObject({ code: 1 });
  expect(workloadEnd(ended({}, { providerId: "m-2" }))).toBeNull();
  for (const state of ["hibernated", "gone", "stopped", "terminating"] as const) expect(workloadEnd(ended({}, { state }))).toBeNull();
  expect(workloadEnd(ended({}, { state: "restoring", changedAt: NOW - 10_000 }))).toBeNull();
  expect(workloadEnd(ended({ at: NOW - 5_000 }, { state: "restoring", changedAt: NOW - 10_000 }))).toMatchObject({ code: 1 });
});

test("a failure is a code that is not 0, since then", () => {
  expect(hasFailed(record())).toBe(false);
  expect(hasFailed(ended({ code: 0 }))).toBe(false);
  expect(hasFailed(ended())).toBe(true);
  expect(hasFailed(ended(), NOW - 200_000)).toBe(true);
  expect(hasFailed(ended(), NOW - 100_000)).toBe(false);
});

test("a list says it beside the state, JSON in a field of its own, an event in one line", () => {
  const row = { record: ended(), cost: undefined, now: NOW };
  expect(stateText(row)).toBe("running, ended 1, 3m ago");
  expect(stateText({ ...row, record: record() })).toBe("running");
  expect(workloadEndText({ code: 0, at: NOW + 5_000 }, NOW)).toBe("ended 0, 0.0s ago");
  expect(instanceJson(ended(), undefined)["workloadEnd"]).toEqual({ exitCode: 1, at: new Date(END.at).toISOString() });
  expect(instanceJson(record(), undefined)["workloadEnd"]).toBeNull();
  const painter = {
    ...plainPainter,
    green: (text: string) => `green ${text}`,
    red: (text: string) => `red ${text}`,
    yellow: (text: string) => `yellow ${text}`,
  };
  expect([ended(), ended({ code: 0 }), record()].map((one) => paintState("x", one, painter))).toEqual(["red x", "yellow x", "green x"]);
  const event = {
    seq: 1,
    at: NOW,
    type: "action",
    instance: "train",
    provider: "paper",
    data: { action: "workload-ended", code: 1, endedAt: NOW },
  } as const;
  expect(eventSentence(event)).toBe("its command ended with exit code 1");
  expect(eventJson(event)).toMatchObject({ type: "action", action: "workload-ended", code: 1, endedAt: new Date(NOW).toISOString() });
});

test("what goes on billing is said, until when, and what ends it", () => {
  const plain = { price: moneyFromDecimal("1", "USD"), ttlEndsAt: null, idleMs: null };
  expect(billsUntil(plain, NOW)).toBe("its machine runs on and bills at about $1.00/hour until you end it");
  expect(billsUntil({ price: null, ttlEndsAt: NOW + 3_600_000, idleMs: 60_000 }, NOW)).toBe(
    "its machine runs on and bills until its TTL is over, in 1h, or it has been idle for 1m",
  );
  const problem = failedProblem([ended({}, { readyAt: null }), ended({ code: 7 }, { name: "other" })], 6, NOW);
  expect([problem.code, problem.exit]).toEqual(["SPOT_E_WORKLOAD_ENDED", 6]);
  expect(problem.message).toBe("train: its command ended with exit code 1 before it was ready; other: its command ended with exit code 7");
  expect(problem.next).toEqual(["spot logs train", "spot logs other", "spot down train other"]);
});
