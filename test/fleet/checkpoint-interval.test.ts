import { expect, test } from "vitest";
import { betweenReclaims, checkpointClock, interruptionsFor, interruptionsOf } from "../../src/fleet/deciding/checkpoint-interval.ts";
import { sealSaid } from "../../src/fleet/measured-seal.ts";
import { type MeasuredSeal, sealMeasured } from "../../src/model/measured-seal.ts";
import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import { clockJson, clockText } from "../../src/output/checkpoint-clock-text.ts";

const volume = { name: "a", sizeGb: 10, mount: "/data" };
const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;
const assumed = { betweenSeconds: 72_000, basis: "assumed" } as const;
const spotAt = (zone: string) => ({ provider: "x", region: "north", zone, type: "gpu-1", billing: "spot" as const });

const reclaim = (zone: string, at: number, ranMs: number | null, type = "gpu-1") => ({
  machine: `m-${zone}-${at}`,
  pool: `x/north/${zone}/${type}/spot`,
  at,
  ranMs,
});
const record = (zone: string, reclaims: readonly ReturnType<typeof reclaim>[], readyAt: number | null = null) => ({
  ...spotAt(zone),
  providerId: "m-now",
  readyAt,
  outlook: { ...FRESH_OUTLOOK, reclaims },
});

test.each([
  ["named, whatever the notice", { checkpointEveryMs: 60_000, volume }, { kind: "ordered", everySeconds: 60 }],
  ["nobody said", { checkpointEveryMs: null, volume }, { kind: "daly", interruptions: assumed }],
  ["none is wanted", { checkpointEveryMs: 0, volume }, { kind: "never" }],
  ["nothing to seal onto", { checkpointEveryMs: null, volume: null }, { kind: "never" }],
  ["an order without a volume", { checkpointEveryMs: 60_000, volume: null }, { kind: "never" }],
] as const)("%s", (_, spec, clock) => {
  expect(checkpointClock(spec, assumed)).toEqual(clock);
});

test("the provider's own data comes first, then our own history, then an assumption; on demand only a fault", () => {
  const history = [
    record(
      "a",
      [1, 2, 3, 4].map((hours) => reclaim("a", NOW - hours * HOUR, 2 * HOUR)),
    ),
  ];
  expect(interruptionsOf({ ...spotAt("a"), interruptionsPerHour: 0.5 }, history, NOW)).toEqual({
    betweenSeconds: 7_200,
    basis: "provider",
  });
  expect(interruptionsOf({ ...spotAt("a"), interruptionsPerHour: null }, history, NOW)).toEqual({
    betweenSeconds: 7_200,
    basis: "history",
  });
  expect(interruptionsOf({ ...spotAt("a"), interruptionsPerHour: null }, [], NOW)).toEqual(assumed);
  const onDemand = { ...spotAt("a"), billing: "on-demand" as const, interruptionsPerHour: null };
  expect(interruptionsOf(onDemand, history, NOW)).toEqual({ betweenSeconds: 2_592_000, basis: "uninterrupted" });
  // None in an hour is no promise of none: a month is the most that is believed.
  expect(interruptionsOf({ ...spotAt("a"), interruptionsPerHour: 1e-9 }, [], NOW)).toEqual({
    betweenSeconds: 2_592_000,
    basis: "provider",
  });
  expect(interruptionsOf({ ...spotAt("a"), interruptionsPerHour: 0 }, [], NOW)).toEqual(assumed);
});

test("history: hours served for each reclaim, those that still serve included; other types, old ones and what never served are not", () => {
  const few = record(
    "a",
    [1, 2, 3].map((hours) => reclaim("b", NOW - hours * HOUR, HOUR)),
  );
  expect(betweenReclaims(spotAt("c"), [few], NOW)).toBeNull();
  const other = record("b", [
    reclaim("b", NOW - 5 * HOUR, 3 * HOUR),
    reclaim("b", NOW - 6 * HOUR, null),
    reclaim("b", NOW - 7 * HOUR, HOUR, "gpu-8"),
    reclaim("b", NOW - 800 * HOUR, HOUR),
  ]);
  expect(betweenReclaims(spotAt("c"), [few, other], NOW)).toBe((6 / 4) * 3_600);
  const serving = record("d", [], NOW - 18 * HOUR);
  expect(betweenReclaims(spotAt("c"), [few, other, serving], NOW)).toBe((24 / 4) * 3_600);
  // A machine under notice is counted with its reclaim, and not once more.
  const doomed = { ...record("d", [{ ...reclaim("d", NOW, 2 * HOUR), machine: "m-now" }], NOW - 2 * HOUR) };
  expect(betweenReclaims(spotAt("c"), [few, other, doomed], NOW)).toBe((8 / 5) * 3_600);
});

test("what was said when it was ordered stands; an older record is assumed about", () => {
  const said = { betweenSeconds: 7_200, basis: "provider" } as const;
  expect(interruptionsFor({ ...record("a", []), outlook: { ...FRESH_OUTLOOK, interruptions: said } }, NOW)).toEqual(said);
  expect(interruptionsFor(record("a", []), NOW)).toEqual(assumed);
});

test.each([
  [{ kind: "never" }, undefined, "never by the clock", null],
  [{ kind: "ordered", everySeconds: 90 }, undefined, "every 1m 30s, as ordered", 90],
  [
    { kind: "daly", interruptions: assumed },
    undefined,
    "every 14m 5s (Daly: a checkpoint is assumed to take 5s, an interruption every 20h is assumed; --checkpoint-every overrides)",
    845,
  ],
  [
    { kind: "daly", interruptions: { betweenSeconds: 21_600, basis: "provider" } },
    { checkpointSeconds: 300, everySeconds: 3402 },
    "every 56m 42s (Daly: a checkpoint takes 5m, an interruption every 6h by the provider's data; --checkpoint-every overrides)",
    3402,
  ],
  [
    { kind: "daly", interruptions: { betweenSeconds: 21_600, basis: "provider" } },
    { checkpointSeconds: 300, everySeconds: 3402, at: NOW - 3 * HOUR },
    "every 56m 42s (Daly: a checkpoint takes 5m, as its agent said 3h ago, an interruption every 6h by the provider's data; --checkpoint-every overrides)",
    3402,
  ],
] as const)("%j is told with its reason", (clock, measured, text, seconds) => {
  expect(clockText(clock, measured, NOW)).toBe(text);
  expect(clockJson(clock, measured)).toMatchObject({ rule: clock.kind, everySeconds: seconds });
});

test("what an agent has measured is kept with its time, anew when it is another word, another machine's or old", () => {
  const at = (providerId: string | null, sealing?: MeasuredSeal) => ({
    providerId,
    outlook: { ...FRESH_OUTLOOK, ...(sealing === undefined ? {} : { sealing }) },
  });
  const said = { checkpointSeconds: 9, everySeconds: 700 };
  const kept = { machine: "m-1", at: NOW, ...said };
  expect(sealSaid(at("m-1"), said, NOW)).toEqual(kept);
  expect(sealSaid(at("m-1"), { checkpointSeconds: null, everySeconds: 845 }, NOW)).toBeUndefined();
  expect(sealSaid(at(null), said, NOW)).toBeUndefined();
  expect(sealSaid(at("m-1", kept), said, NOW + 60_000)).toBeUndefined();
  expect(sealSaid(at("m-1", kept), said, NOW + HOUR)).toEqual({ ...kept, at: NOW + HOUR });
  expect(sealSaid(at("m-1", kept), { ...said, checkpointSeconds: 10 }, NOW + 1)).toEqual({ ...kept, at: NOW + 1, checkpointSeconds: 10 });
  expect(sealSaid(at("m-2", kept), said, NOW + 1)).toEqual({ ...kept, at: NOW + 1, machine: "m-2" });
  // One that sleeps without a machine shows its last one's, another machine has measured nothing yet.
  expect([at("m-1", kept), at(null, kept), at("m-2", kept), at("m-1")].map(sealMeasured)).toEqual([kept, kept, null, null]);
});
