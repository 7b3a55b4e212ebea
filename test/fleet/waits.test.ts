import fc from "fast-check";
import { expect, test } from "vitest";
import { decide } from "../../src/fleet/deciding/decide.ts";
import { NO_PREFERENCES } from "../../src/fleet/deciding/offer-choice.ts";
import { RAREST_LOOK_MS } from "../../src/fleet/deciding/policy.ts";
import { preferencesOf } from "../../src/fleet/deciding/preferences.ts";
import { launchReason, onDemandFrom, waitFor } from "../../src/fleet/deciding/waiting.ts";
import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import { paperSpec } from "../simulation/paper-world.ts";
import { NOW, offer, record, seen } from "./samples.ts";

const MINUTE_MS = 60_000;
const nowhere = { state: "requested", providerId: null, readyAt: null } as const;
const nobody = { records: [], shaken: new Map() };

test("looks for capacity become rarer up to a minute, and begin anew with another reason", () => {
  let needy = record({ ...nowhere, outlook: { ...FRESH_OUTLOOK, needsSince: NOW } });
  const pauses: number[] = [];
  let now = NOW;
  for (let look = 0; look < 30; look++) {
    const waiting = waitFor(needy, "sold out", now, 0.5);
    pauses.push(waiting.nextLook - now);
    now = waiting.nextLook;
    needy = { ...needy, outlook: { ...needy.outlook, waiting } };
  }
  expect(pauses[0]).toBe(1_000);
  expect(pauses.at(-1)).toBe(RAREST_LOOK_MS);
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
  // In the first ten minutes a fleet without capacity asks a score of times, not six hundred.
  let at = 0;
  const asked = pauses.filter((pause) => {
    at += pause;
    return at <= 10 * MINUTE_MS;
  });
  expect(asked.length).toBeLessThan(25);
  expect(waitFor(needy, "every offer that fits costs more", now, 0.5).nextLook - now).toBe(1_000);
});

test("the moment of the fallback is not slept through, and on-demand is had from then on and never before", () => {
  const minutes = fc.integer({ min: 1, max: 180 });
  fc.assert(
    fc.property(
      minutes,
      fc.integer({ min: 0, max: 200 * MINUTE_MS }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (after, elapsed, chance) => {
        const spec = paperSpec({ fallbackAfterMs: after * MINUTE_MS });
        const since = NOW - elapsed;
        const waiting = { reason: "sold out", since, nextLook: NOW };
        const needy = record({ ...nowhere, spec, outlook: { ...FRESH_OUTLOOK, needsSince: since, waiting } });
        const from = since + after * MINUTE_MS;
        expect(onDemandFrom(needy)).toBe(from);
        expect(preferencesOf(spec, needy, nobody, NOW).onDemand).toBe(NOW >= from);
        const { nextLook } = waitFor(needy, "sold out", NOW, chance);
        expect(nextLook).toBeGreaterThan(NOW);
        expect(nextLook - NOW).toBeLessThanOrEqual(RAREST_LOOK_MS * 1.25);
        if (from > NOW) expect(nextLook).toBeLessThanOrEqual(from);
      },
    ),
  );
  expect(onDemandFrom(record({ spec: paperSpec() }))).toBeNull();
  expect(onDemandFrom(record({ spec: paperSpec({ billing: "auto", fallbackAfterMs: 1_000 }) }))).toBeNull();
});

test.each([
  ["too early for another look", NOW + 5_000, "await-capacity"],
  ["time for another look", NOW, "launch"],
  ["a clock that was set back by a day", NOW + 86_400_000, "await-capacity"],
] as const)("%s", (_what, nextLook, expected) => {
  const needy = record({ ...nowhere, outlook: { ...FRESH_OUTLOOK, waiting: { reason: "sold out", since: NOW - 60_000, nextLook } } });
  expect(decide(needy, seen({ cloud: { kind: "none" } })).action.do).toBe(expected);
});

test("the reason of a launch says what was weighed", () => {
  const spot = offer();
  const needy = record({ outlook: { ...FRESH_OUTLOOK, needsSince: NOW - 15 * MINUTE_MS } });
  expect(launchReason(needy, spot, NO_PREFERENCES, NOW)).toBeNull();
  expect(launchReason(needy, offer({ billing: "on-demand" }), { ...NO_PREFERENCES, onDemand: true }, NOW)).toBe(
    "spot was not to be had for 15m: on demand, as --fallback-after says",
  );
  expect(launchReason(needy, spot, { ...NO_PREFERENCES, burnt: new Map([["paper/north/north-b", NOW + 1]]) }, NOW)).toBe(
    "it was taken back too often in paper/north/north-b, passed over for now",
  );
});
