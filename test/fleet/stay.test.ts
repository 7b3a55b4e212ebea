import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ageGateMs, breakEvenMs, DEAR_MS, LEAST_STAY_MS, SPOT_LOOK_MS } from "../../src/fleet/deciding/policy.ts";
import { decideStay, NOTHING_NEAR, whyNotYet } from "../../src/fleet/deciding/stay.ts";
import { bestSpot, spotLook } from "../../src/fleet/steps/spot-return.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { FRESH_OUTLOOK, type Outlook, type SpotLook } from "../../src/model/outlook.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { paperSpec } from "../simulation/paper-world.ts";
import { machine, NOW, offer, record } from "./samples.ts";

const MINUTE_MS = 60_000;
const usd = (amount: string) => moneyFromDecimal(amount, "USD");
const reach = { kind: "process", cwd: "m-1", env: {}, log: "" } as const;
const outlook = (set: Partial<Outlook>): Pick<InstanceRecord, "outlook"> => ({ outlook: { ...FRESH_OUTLOOK, ...set } });
const pool = "paper/north/north-b/h100.1/spot";
const look = (set: Partial<SpotLook> = {}): SpotLook => ({
  at: NOW,
  nextLook: NOW + SPOT_LOOK_MS,
  since: NOW - 40 * MINUTE_MS,
  best: { pool, ratio: 3 },
  ...set,
});
const fallen = (set: Partial<InstanceRecord> = {}) =>
  record({
    billing: "on-demand",
    spec: paperSpec({ fallbackAfterMs: 15 * MINUTE_MS, returnToSpot: true }),
    readyAt: NOW - 60 * MINUTE_MS,
    ...outlook({ spot: look(), changeoverMs: 2 * MINUTE_MS }),
    ...set,
  });
const does = (of: InstanceRecord, near = NOTHING_NEAR, instance = machine({ reach })) =>
  decideStay(of, near, instance, NOW)?.action.do ?? null;

describe("a neighbour's notice", () => {
  const near = { ...NOTHING_NEAR, neighbour: "other" };
  test.each([
    ["no neighbour", {}, NOTHING_NEAR, null],
    ["sealed long ago", {}, { ...near, sealedAt: NOW - 10 * MINUTE_MS }, "precaution"],
    ["never sealed", {}, near, "precaution"],
    ["sealed a moment ago", {}, { ...near, sealedAt: NOW - MINUTE_MS }, null],
    ["told before", outlook({ precautionAt: NOW - MINUTE_MS }), near, null],
    ["told long ago", outlook({ precautionAt: NOW - 20 * MINUTE_MS }), near, "precaution"],
    ["without a volume", { spec: paperSpec({ volume: null }) }, near, null],
  ] as const)("%s", (_what, set, around, expected) => {
    expect(does(record(set), around)).toBe(expected);
  });
  test("is named", () => {
    expect(decideStay(record(), near, machine({ reach }), NOW)?.why).toBe("a neighbour in the same pool got its notice (other)");
  });
});

describe("a price above what is allowed", () => {
  const near = { ...NOTHING_NEAR, cap: usd("1") };
  const long = outlook({ dearSince: NOW - DEAR_MS });
  test.each([
    ["at the limit", {}, "1", null],
    ["above it", {}, "1.01", "note-dear"],
    ["still above it", outlook({ dearSince: NOW - DEAR_MS + 1 }), "1.01", null],
    ["for a while, to be replaced", long, "1.01", "move"],
    ["for a while, to hibernate", { ...long, spec: paperSpec({ onReclaim: "hibernate" }) }, "1.01", "leave-dear"],
    ["for a while, without a volume", { ...long, spec: paperSpec({ volume: null }) }, "1.01", null],
    ["no more", long, "0.99", "note-dear"],
    ["on demand the price is what it is", { ...long, billing: "on-demand" }, "1.01", "note-dear"],
  ] as const)("%s", (_what, set, price, expected) => {
    expect(does(record(set), near, machine({ reach, price: usd(price) }))).toBe(expected);
  });
  test("nobody says the price", () => expect(does(record(), near)).toBeNull());
});

describe("back to spot", () => {
  test.each([
    ["spot is back", {}, "move"],
    ["on spot already", { billing: "spot" }, null],
    ["on demand was asked for", { spec: paperSpec({ billing: "on-demand", returnToSpot: true }) }, null],
    ["it is to stay", { spec: paperSpec({ fallbackAfterMs: 1, returnToSpot: false }) }, null],
    ["nothing would come along", { spec: paperSpec({ returnToSpot: true, volume: null }) }, null],
    ["never looked", outlook({}), "look-for-spot"],
    ["never looked, and just begun", { ...outlook({}), readyAt: NOW - MINUTE_MS }, null],
    ["time for a look", outlook({ spot: look({ nextLook: NOW }) }), "look-for-spot"],
    ["served for half an hour less a second", { readyAt: NOW - LEAST_STAY_MS + 1_000 }, null],
    ["not on offer", outlook({ spot: look({ since: null, best: null }) }), null],
    ["nobody answered the last look", outlook({ spot: look({ best: null }) }), null],
    ["slow changes, on offer for long enough", outlook({ spot: look(), changeoverMs: 12 * MINUTE_MS }), "move"],
    [
      "slow changes, on offer for too short a time",
      outlook({ spot: look({ since: NOW - 23 * MINUTE_MS }), changeoverMs: 12 * MINUTE_MS }),
      null,
    ],
    ["the time is nearly up", { ttlEndsAt: NOW + 5 * MINUTE_MS }, null],
    ["hardly cheaper", outlook({ spot: look({ best: { pool, ratio: 1.01 } }) }), null],
  ] as const)("%s", (_what, set, expected) => {
    expect(does(fallen(set))).toBe(expected);
  });

  test("the gate and the break-even are those of the literature", () => {
    expect([5, 6, 11, 12, 30].map((minutes) => ageGateMs(minutes * MINUTE_MS) / MINUTE_MS)).toEqual([0, 6, 11, 24, 60]);
    expect(breakEvenMs(10 * MINUTE_MS, 3.06 / 0.9731) / (10 * MINUTE_MS)).toBeCloseTo(2.933, 3);
    expect(breakEvenMs(1, 1)).toBe(Number.POSITIVE_INFINITY);
  });

  test("the best is the first spot offer that is cheaper than what is paid", () => {
    const dear = offer({ zone: "north-a", price: usd("3") });
    const cheap = offer({ zone: "north-b", price: usd("1.5") });
    expect(bestSpot({ price: usd("3") }, [dear, cheap], BUNDLED_RATE)).toEqual({ pool, ratio: 2 });
    expect(bestSpot({ price: usd("3") }, [dear, offer({ price: usd("1"), billing: "on-demand" })], BUNDLED_RATE)).toBeNull();
    expect(bestSpot({ price: null }, [cheap], BUNDLED_RATE)).toBeNull();
    expect(bestSpot({ price: moneyFromDecimal("20.31", "CNY") }, [cheap], BUNDLED_RATE)?.ratio).toBeCloseTo(2, 1);
  });

  /** A record under any series of looks and reclaims, driven by the very functions that drive the real one. */
  test("whatever spot does, on-demand is never left twice within half an hour, and never for spot that is not on offer", () => {
    const market = fc.array(
      fc.record({
        minutes: fc.integer({ min: 1, max: 20 }),
        ratio: fc.option(fc.double({ min: 0.5, max: 6, noNaN: true }), { freq: 3 }),
        silent: fc.boolean(),
        taken: fc.boolean(),
      }),
      { minLength: 5, maxLength: 120 },
    );
    fc.assert(
      fc.property(market, fc.integer({ min: 10_000, max: 30 * MINUTE_MS }), (steps, changeoverMs) => {
        let now = NOW;
        let current = fallen({ readyAt: NOW, ...outlook({ changeoverMs }) });
        let left = Number.NEGATIVE_INFINITY;
        for (const { minutes, ratio, silent, taken } of steps) {
          now += minutes * MINUTE_MS;
          if (current.billing === "spot") {
            // Taken back, and at once on demand again: the worst there is.
            if (taken) current = fallen({ readyAt: now, outlook: { ...current.outlook, spot: null } });
            continue;
          }
          const best = silent ? undefined : ratio === null ? null : { pool, ratio };
          for (let looks = 0; looks < 3; looks++) {
            const decided = decideStay(current, NOTHING_NEAR, machine({ reach }), now)?.action.do;
            if (decided === "look-for-spot")
              current = {
                ...current,
                outlook: {
                  ...current.outlook,
                  spot: spotLook(current.outlook.spot, best && best.ratio > 1 ? best : best && null, now, 0.5),
                },
              };
            if (decided !== "move") continue;
            expect(now - left).toBeGreaterThanOrEqual(LEAST_STAY_MS);
            expect(whyNotYet(current, now)).toBeNull();
            expect(current.outlook.spot?.best).not.toBeNull();
            left = now;
            current = { ...current, billing: "spot", readyAt: now };
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
