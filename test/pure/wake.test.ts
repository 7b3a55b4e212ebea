import fc from "fast-check";
import { expect, test } from "vitest";
import {
  percentile,
  type Wake,
  type WakeUnderWay,
  wakeAccepted,
  wakeBegun,
  wakeMs,
  wakePhases,
  wakePhasesText,
  wakeSeen,
  wakeTimes,
} from "../../src/model/wake.ts";
import { wakeText, wakeTimesText } from "../../src/output/wake-text.ts";

const S = 1000;
const mark = (phase: string, seconds: number) => ({ phase, at: seconds * S });

const FULL: WakeUnderWay = {
  startedAt: 0,
  acceptedAt: 2 * S,
  upAt: 14 * S,
  told: 5,
  marks: [mark("boot", 17), mark("mount", 18), mark("restore", 19), mark("weights", 35), mark("compile", 37)],
};

const spans = (wake: WakeUnderWay, end: number, isReady = true, hasVolume = true) => {
  const { phases, during } = wakePhases(wake, end * S, isReady, hasVolume);
  return `${phases.map(({ phase, ms }) => `${phase} ${ms / S}`).join(", ")}${during === null ? "" : ` | ${during}`}`;
};

test("each phase ends with its mark, and the last one when it serves", () => {
  expect(spans(FULL, 41)).toBe("ask 2, provider 12, boot 3, mount 1, restore 1, weights 16, compile 2, ready 4");
});

test("what was not seen is part of what came after it", () => {
  expect(spans({ ...FULL, marks: [] }, 41)).toBe("ask 2, provider 12, ready 27");
  expect(spans({ ...FULL, upAt: null, marks: [mark("boot", 17)] }, 20)).toBe("ask 2, boot 15, ready 3");
});

test.each([
  [wakeBegun(0), "ask 60 | ask"],
  [wakeAccepted(wakeBegun(0), 2 * S), "ask 2, provider 58 | provider"],
  [{ ...FULL, marks: [] }, "ask 2, provider 12, boot 46 | boot"],
  [{ ...FULL, marks: FULL.marks.slice(0, 1) }, "ask 2, provider 12, boot 3, mount 43 | mount"],
  [{ ...FULL, marks: FULL.marks.slice(0, 2) }, "ask 2, provider 12, boot 3, mount 1, restore 42 | restore"],
  [FULL, "ask 2, provider 12, boot 3, mount 1, restore 1, weights 16, compile 2, ready 23 | ready"],
])("one that is given up says during what: %#", (wake, text) => {
  expect(spans(wake, 60, false)).toBe(text);
});

test("without a volume nothing is mounted", () => {
  expect(spans({ ...FULL, marks: FULL.marks.slice(0, 1) }, 60, false, false)).toBe("ask 2, provider 12, boot 3, restore 43 | restore");
});

test("a machine that is seen up late was up when its agent began", () => {
  expect(spans({ ...FULL, upAt: 18 * S, marks: [mark("boot", 15)] }, 20)).toBe("ask 2, provider 13, boot 0, ready 5");
});

test("asked for again, what came before counts as asking", () => {
  expect(spans(wakeAccepted(FULL, 50 * S), 60, false)).toBe("ask 50, provider 10 | provider");
});

test("phases are never negative and together are the whole, whatever the clocks say", () => {
  const time = fc.integer({ min: -1e7, max: 1e7 });
  fc.assert(
    fc.property(
      fc.record({
        startedAt: time,
        acceptedAt: fc.option(time),
        upAt: fc.option(time),
        told: fc.nat(9),
        marks: fc.array(fc.record({ phase: fc.constantFrom("boot", "mount", "restore", "weights"), at: time }), { maxLength: 6 }),
      }),
      fc.nat(1e7),
      fc.boolean(),
      (wake, took, isReady) => {
        const { phases } = wakePhases(wake, wake.startedAt + took, isReady, true);
        expect(phases.every(({ ms }) => ms >= 0)).toBe(true);
        expect(phases.reduce((sum, { ms }) => sum + ms, 0)).toBe(took);
      },
    ),
  );
});

test("a look that has nothing new changes nothing; what was told before keeps its time", () => {
  const told = [mark("boot", 17), mark("mount", 18)];
  const first = wakeSeen(wakeAccepted(wakeBegun(0), S), 20 * S, true, told);
  expect(first).toMatchObject({ upAt: 20 * S, told: 2, marks: told });
  expect(wakeSeen(first, 25 * S, true, told)).toBe(first);
  expect(wakeSeen(first, 25 * S, false, undefined)).toBe(first);
  // The machine's clock counts whole seconds, so that the same mark may look a second later.
  const later = wakeSeen(first, 30 * S, true, [mark("boot", 18), mark("mount", 19), mark("restore", 29)]);
  expect(later.marks).toEqual([...told, mark("restore", 29)]);
  // Its agent was started anew.
  expect(wakeSeen(later, 40 * S, true, [mark("boot", 39)]).marks).toEqual([mark("boot", 39)]);
  const many = Array.from({ length: 500 }, (_, index) => mark(`p${index}`, index));
  expect(wakeSeen(first, 40 * S, true, many).marks).toHaveLength(40);
});

test.each([
  [[], 50, undefined],
  [[7], 50, 7],
  [[7], 95, 7],
  [[4, 1, 3, 2], 50, 2],
  [[4, 1, 3, 2], 95, 4],
  [Array.from({ length: 20 }, (_, index) => index + 1), 95, 19],
  [Array.from({ length: 100 }, (_, index) => 100 - index), 50, 50],
])("percentile of %j at %d is %s", (values, percent, expected) => {
  expect(percentile(values, percent)).toBe(expected);
});

test("a percentile is one of the values, and the share that it promises does not pass it", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 100 }), (values, percent) => {
      const found = percentile(values, percent) ?? Number.NaN;
      expect(values).toContain(found);
      expect(values.filter((value) => value <= found).length).toBeGreaterThanOrEqual((values.length * percent) / 100);
      expect(values.filter((value) => value < found).length).toBeLessThan((values.length * percent) / 100);
    }),
  );
});

const wake = (seconds: number, outcome: Wake["outcome"] = "ready"): Wake => ({
  startedAt: 0,
  endedAt: seconds * S,
  outcome,
  during: outcome === "ready" ? null : "boot",
  rung: "same-zone",
  readyBy: ["http"],
  provider: "local",
  zone: "here-a",
  phases: [
    { phase: "ask", ms: S },
    { phase: outcome === "ready" ? "ready" : "boot", ms: (seconds - 1) * S },
  ],
});

test.each([
  [[], ""],
  [[wake(41)], "41s, the only one so far"],
  [[wake(41), wake(60), wake(50)], "p50 50s, p95 1m of 3 (so few: p95 is the slowest)"],
  [[wake(41), wake(600, "asleep")], "41s, the only one so far; 1 did not come to serve"],
  [[wake(600, "asleep"), wake(5, "ended")], "2 did not come to serve"],
  [Array.from({ length: 20 }, (_, index) => wake(index + 1)), "p50 10s, p95 19s of 20"],
])("of how many wakes it is said: %#", (wakes, text) => {
  expect(wakeTimesText(wakeTimes(wakes))).toBe(text);
});

test("what was never a wake, and one that took no time, are not counted among the wakes that served", () => {
  const neverSlept = { ...wake(3), phases: [{ phase: "ready", ms: 3 * S }] };
  const setBack = { ...wake(1), endedAt: 0 };
  expect([wakeMs(wake(41)), wakeMs(neverSlept), wakeMs(setBack), wakeMs(wake(600, "asleep"))]).toEqual([41 * S, null, null, null]);
  expect(wakeTimes([wake(41), neverSlept, setBack, wake(600, "asleep")])).toEqual({ served: 1, failed: 1, p50Ms: 41 * S, p95Ms: 41 * S });
});

test("a wake in words says how it ended and where its time went", () => {
  expect(wakeText(wake(41))).toBe("serving on another machine in its zone after 41s: ask 1.0s, ready 40s");
  expect(wakeText(wake(600, "asleep"))).toBe(
    "put back to sleep during boot on another machine in its zone after 10m: ask 1.0s, boot 9m 59s (not done)",
  );
  expect(wakePhasesText({ ...wake(1), phases: [{ phase: "ready", ms: S }] })).toBe("1.0s: ready 1.0s");
});
