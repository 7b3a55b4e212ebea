import { expect, test } from "vitest";
import { ownPastOf } from "../../src/fleet/own-past.ts";
import { FRESH_OUTLOOK, type Outlook } from "../../src/model/outlook.ts";
import { rateByHistory } from "../../src/pricing/interruption-rate.ts";

const HOUR = 3_600_000;
const NOW = 10_000 * HOUR;

const record = (
  id: string,
  set: { readonly zone?: string; readonly type?: string; readonly billing?: "spot" | "on-demand" },
  outlook: Partial<Outlook> = {},
) => ({
  id,
  provider: "x",
  providerId: `${id}-now`,
  region: "north",
  zone: set.zone ?? "a",
  type: set.type ?? "gpu-1",
  billing: set.billing ?? ("spot" as const),
  outlook: { ...FRESH_OUTLOOK, ...outlook },
});
const reclaim = (machine: string, hoursAgo: number, pool = "x/north/a/gpu-1/spot") => ({
  machine,
  pool,
  at: NOW - hoursAgo * HOUR,
  ranMs: 1,
});
const paid = (instanceId: string, providerId: string, fromAgo: number, toAgo: number | null, set = {}) => ({
  instanceId,
  provider: "x",
  providerId,
  kind: "gpu" as const,
  billing: "spot" as const,
  from: NOW - fromAgo * HOUR,
  to: toAgo === null ? null : NOW - toAgo * HOUR,
  seenAt: NOW - (toAgo ?? 0) * HOUR,
  ...set,
});

test("history: the hours that were paid for, machine by machine, and the reclaims among them; zones together, types apart", () => {
  const records = [
    record("i-1", {}, { reclaims: [reclaim("m-1", 90), reclaim("m-2", 50, "x/north/b/gpu/8/spot"), reclaim("m-0", 800)] }),
    record("i-2", { zone: "b" }),
    // It runs on demand at present, and was once taken back.
    record("i-3", { billing: "on-demand", type: "gpu-9" }, { reclaims: [reclaim("m-3", 20)] }),
  ];
  const ledger = [
    paid("i-1", "m-1", 100, 95),
    // The price changed: one machine, two intervals.
    paid("i-1", "m-1", 95, 90),
    paid("i-1", "m-2", 60, 50),
    paid("i-2", "i-2-now", 7, null),
    paid("i-3", "m-3", 23, 20),
    paid("i-3", "i-3-now", 20, null, { billing: "on-demand" }),
    paid("i-2", "v-1", 500, null, { kind: "disk" }),
    // Before the thirty days only what reaches into them counts; of a record that is not there nothing is known.
    paid("i-2", "m-old", 730, 718),
    paid("i-9", "m-9", 5, 1),
  ];
  expect(ownPastOf(records, ledger, NOW).history).toEqual([
    { provider: "x", region: "north", type: "gpu-1", reclaims: 2, runs: [10, 7, 3, 2] },
    { provider: "x", region: "north", type: "gpu/8", reclaims: 1, runs: [10] },
  ]);
});

test("of an instance that was taken back so often that the oldest are forgotten, only the time since counts", () => {
  const reclaims = Array.from({ length: 16 }, (_, index) => reclaim(`m-${index}`, 160 - 10 * index));
  const moments = reclaims.map(({ machine }, index) => paid("i-1", machine, 160 - 10 * index, 160 - 10 * index));
  const ledger = [paid("i-1", "m-x", 600, 200), ...moments, paid("i-1", "m-1", 170, 150)];
  const [own] = ownPastOf([record("i-1", {}, { reclaims })], ledger, NOW).history;
  expect(own).toMatchObject({ reclaims: 15, runs: [10] });
});

test.each([
  ["it runs, and nobody has looked for twenty days", paid("i-1", "m-1", 480, null, { seenAt: NOW - 480 * HOUR }), []],
  ["it runs, and was found two days after it began", paid("i-1", "m-1", 480, null, { seenAt: NOW - 432 * HOUR }), [48]],
  ["it had ended when nobody had looked for ten days", paid("i-1", "m-1", 240, 0, { seenAt: NOW - 239 * HOUR }), [1]],
  ["its end was learnt within an hour", paid("i-1", "m-1", 10, 1, { seenAt: NOW - 1.9 * HOUR }), [9]],
  ["nobody ever looked, and it counts as paid for until its end", paid("i-1", "m-1", 26, 1, { seenAt: undefined }), []],
])("only time in which somebody found it counts: %s", (_, { seenAt, ...interval }, runs) => {
  const ledger = [{ ...interval, ...(seenAt === undefined ? {} : { seenAt }) }];
  const own = ownPastOf([record("i-1", {})], ledger, NOW).history;
  expect(own.flatMap(({ runs: counted }) => counted.map((hours) => Math.round(hours * 1e6) / 1e6))).toEqual(runs);
  expect(own.every(({ reclaims }) => reclaims === 0)).toBe(true);
});

test("one that was taken after an hour, which was learnt ten days later, is a reclaim and an hour", () => {
  const taken = record("i-1", {}, { reclaims: [reclaim("m-1", 0)] });
  const [own] = ownPastOf([taken], [paid("i-1", "m-1", 240, 0, { seenAt: NOW - 239 * HOUR })], NOW).history;
  expect(own).toMatchObject({ reclaims: 1, runs: [1] });
  expect(own && rateByHistory(own, 0.05)).toBeCloseTo(2 / 21, 10);
});

test("what was taken back counts only where its hours do: of machines that nobody found, or whose price nobody told, nothing is known", () => {
  const machines = Array.from({ length: 10 }, (_, index) => ({ name: `m-${index}`, ago: 60 * (10 - index) }));
  const taken = record("i-1", {}, { reclaims: machines.map(({ name, ago }) => reclaim(name, ago)) });
  const ledger = machines.map(({ name, ago }) => paid("i-1", name, ago + 59, ago));
  const unseen = ledger.map(({ seenAt: _, ...interval }) => interval);
  const rate = (paidFor: Parameters<typeof ownPastOf>[1]) =>
    ownPastOf([taken], paidFor, NOW).history.map((own) => rateByHistory(own, 0.05)?.toFixed(4));
  expect(rate(ledger)).toEqual(["0.0180"]);
  expect(rate(unseen)).toEqual([]);
  expect(rate([])).toEqual([]);
  // One whose hundred hours were watched, and nine of which none was.
  expect(rate([paid("i-1", "m-0", 700, 600), ...unseen])).toEqual([(2 / 120).toFixed(4)]);
});

test("starts and checkpoints are believed from three measurements on, each provider for itself", () => {
  const of = (id: string, changeoverMs: number | null, tookMs: number | null, { provider = "x", daysAgo = 1 } = {}) => {
    const at = NOW - daysAgo * 24 * HOUR;
    const seen = { changeoverMs, ...(changeoverMs === null ? {} : { changeoverOf: { provider, at } }) };
    return record(id, {}, { ...seen, early: { machine: "m", at, tookMs, worksUntil: null } });
  };
  // What was measured of a machine of another provider stays that one's, wherever its instance is now.
  const three = [of("a", 30_000, 4_000), of("b", 50_000, 9_000), of("c", 40_000, null), of("d", 1_000, null, { provider: "y" })];
  expect(ownPastOf(three, [], NOW)).toEqual({ history: [], restarts: [{ provider: "x", seconds: 40 }], checkpointSeconds: null });
  expect(ownPastOf([...three, of("e", null, 5_000)], [], NOW).checkpointSeconds).toBe(5);
  expect(ownPastOf([...three, of("e", null, 5_000, { daysAgo: 31 })], [], NOW).checkpointSeconds).toBeNull();
  expect(ownPastOf([...three.slice(1), of("e", 30_000, null, { daysAgo: 31 })], [], NOW).restarts).toEqual([]);
});

test("a rehearsal on this computer says nothing of the checkpoints of rented machines, nor does a start of which nobody knows when it was seen", () => {
  const early = { machine: "m", at: NOW, tookMs: 200, worksUntil: null };
  const records = ["a", "b", "c"].map((id) => ({ ...record(id, {}, { early, changeoverMs: 28_800_000 }), provider: "local" }));
  expect(ownPastOf(records, [], NOW)).toMatchObject({ checkpointSeconds: null, restarts: [] });
});
