import fc from "fast-check";
import { expect, test } from "vitest";
import {
  burntZones,
  expectedRunMs,
  neighbourhoodOf,
  shakenNeighbour,
  withoutReclaim,
  withReclaim,
} from "../../src/fleet/deciding/history.ts";
import { CHURN, SHAKEN_MS, USUAL_RUN_MS } from "../../src/fleet/deciding/policy.ts";
import { FRESH_OUTLOOK, type Reclaim } from "../../src/model/outlook.ts";
import { NOW, record } from "./samples.ts";

const MINUTE_MS = 60_000;
let serial = 0;
const reclaim = (minutesAgo: number, zone = "north-a", set: Partial<Reclaim> = {}): Reclaim => ({
  machine: `m-${++serial}`,
  pool: `paper/north/${zone}/h100.1/spot`,
  at: NOW - minutesAgo * MINUTE_MS,
  ranMs: 10 * MINUTE_MS,
  ...set,
});
const zone = (name: string) => `paper/north/${name}`;

test.each([
  ["two reclaims", [reclaim(50), reclaim(1)], []],
  ["three within the hour", [reclaim(50), reclaim(20), reclaim(1)], ["north-a"]],
  ["three in more than an hour", [reclaim(90), reclaim(20), reclaim(1)], []],
  ["three in two zones", [reclaim(50), reclaim(20, "north-b"), reclaim(1)], ["north-a", "north-b"]],
  ["the breaker stays open for an hour after the third", [reclaim(110), reclaim(80), reclaim(59)], ["north-a"]],
  ["and no longer", [reclaim(110), reclaim(80), reclaim(60)], []],
  ["a fourth one elsewhere, while it is open", [reclaim(70), reclaim(50), reclaim(40), reclaim(5, "north-b")], ["north-a", "north-b"]],
  [
    "on-demand machines do not count",
    [reclaim(50), reclaim(20), reclaim(1, "north-a", { pool: "paper/north/north-a/h100.1/on-demand" })],
    [],
  ],
] as const)("%s", (_what, reclaims, zones) => {
  expect([...burntZones(reclaims, NOW).keys()].sort()).toEqual(zones.map(zone));
});

const series = fc
  .array(fc.record({ gap: fc.integer({ min: 0, max: 60 * MINUTE_MS }), zone: fc.constantFrom("north-a", "north-b", "north-c") }), {
    maxLength: 12,
  })
  .map((steps) => {
    let at = NOW;
    return steps.map(({ gap, zone: name }, index): Reclaim => {
      at += gap;
      return { machine: `m-${index}`, pool: `paper/north/${name}/h100.1/spot`, at, ranMs: gap };
    });
  });

test("a zone is burnt exactly while an hour is not over since the third of three reclaims within an hour", () => {
  fc.assert(
    fc.property(series, fc.integer({ min: 0, max: 4 * 60 * MINUTE_MS }), (reclaims, later) => {
      const now = (reclaims.at(-1)?.at ?? NOW) + later;
      const burnt = burntZones(reclaims, now);
      const expected = new Set<string>();
      reclaims.forEach((third, index) => {
        const within = reclaims.filter((other, at) => at <= index && third.at - other.at < CHURN.withinMs);
        const same = reclaims.filter((other, at) => at > index && other.at === third.at && third.at - other.at < CHURN.withinMs);
        if (within.length + same.length >= CHURN.reclaims && third.at + CHURN.passOverMs > now)
          for (const { pool } of [...within, ...same]) expected.add(pool.split("/").slice(0, 3).join("/"));
      });
      expect(new Set(burnt.keys())).toEqual(expected);
      for (const until of burnt.values()) {
        expect(until).toBeGreaterThan(now);
        expect(until - now).toBeLessThanOrEqual(CHURN.passOverMs);
      }
    }),
  );
});

test("a notice and the loss that follows it are one reclaim; a withdrawn one is none", () => {
  const first = reclaim(2);
  const noticed = withReclaim(FRESH_OUTLOOK, first);
  expect(withReclaim(noticed, { ...first, at: NOW })).toBe(noticed);
  expect(withoutReclaim(noticed, first.machine).reclaims).toEqual([]);
  let outlook = FRESH_OUTLOOK;
  for (let index = 0; index < 40; index++) outlook = withReclaim(outlook, reclaim(40 - index));
  expect(outlook.reclaims).toHaveLength(16);
  expect(outlook.reclaims.at(-1)?.at).toBe(NOW - MINUTE_MS);
});

test("what is expected of the next run shrinks with short ones, and is the usual one where none is known", () => {
  expect(expectedRunMs([])).toBe(USUAL_RUN_MS);
  expect(expectedRunMs([reclaim(1), reclaim(2), reclaim(3)])).toBe((USUAL_RUN_MS + 30 * MINUTE_MS) / 4);
  expect(expectedRunMs([reclaim(1, "north-a", { ranMs: null })])).toBe(USUAL_RUN_MS);
});

test("a neighbour is another instance of ours, of the same provider, zone and type, on spot, and only for a few minutes", () => {
  const outlook = (minutesAgo: number) => ({ ...FRESH_OUTLOOK, reclaims: [reclaim(minutesAgo)] });
  const taken = record({ id: "i-2", name: "other", outlook: outlook(1) });
  const near = (of: ReturnType<typeof record>, others = [taken]) => shakenNeighbour(of, neighbourhoodOf(others, NOW));
  expect(near(record())).toBe("other");
  expect(near(record({ zone: "north-b" }))).toBeNull();
  expect(near(record({ type: "a100.1" }))).toBeNull();
  expect(near(record({ billing: "on-demand" }))).toBeNull();
  expect(near(record({ providerId: null }))).toBeNull();
  expect(near(record({ name: "other" }))).toBeNull();
  expect(near(record(), [record({ name: "other", outlook: outlook(SHAKEN_MS / MINUTE_MS) })])).toBeNull();
});
