import fc from "fast-check";
import { expect, test } from "vitest";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { calendarOf } from "../../src/pricing/calendar.ts";
import { lossBook } from "../../src/pricing/losses.ts";
import { type DiskUser, storageBook } from "../../src/pricing/storage-use.ts";
import { summarize } from "../../src/pricing/summary.ts";
import { sampleLedger } from "../state/sample-records.ts";
import { holdSums, moneyCase } from "./sums.ts";

const HOUR = 3_600_000;
const usd = (text: string) => moneyFromDecimal(text, "USD");

test("every grouping, every slice of time, every day and month adds up to the micro-unit, and to what ls and budgets say", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 40 }), (seed, size) => holdSums(moneyCase(seed, size))),
    { numRuns: 60 },
  );
});

test("an hour on the night of the clock change counts on the day that it was on there", () => {
  // 00:30 to 03:30 UTC on 25 October: in Berlin from 02:30 over the hour that comes twice.
  const begin = Date.parse("2026-10-24T20:00:00Z");
  const ledger = [sampleLedger("a", { from: begin, to: begin + 30 * HOUR, rate: usd("1"), onDemandRate: null })];
  const days = (zone: string) =>
    summarize(ledger, "day", { since: 0, now: begin + 40 * HOUR }, { calendar: calendarOf(zone) }).rows.map(
      ({ key, paid, gpuMs }) => `${key} ${Number(paid.micros) / 1e6} ${gpuMs / HOUR}`,
    );
  expect(days("Europe/Berlin")).toEqual(["2026-10-24 2 2", "2026-10-25 25 25", "2026-10-26 3 3"]);
  expect(days("UTC")).toEqual(["2026-10-24 4 4", "2026-10-25 24 24", "2026-10-26 2 2"]);
});

test("a volume belongs to the instance that has it, asleep or not, and to nobody once that is gone", () => {
  const gpu = sampleLedger("gpu", { instanceId: "i-a", instance: "a", from: HOUR, to: 3 * HOUR, rate: usd("2"), onDemandRate: usd("5") });
  const disk = { kind: "disk", instanceId: null, instance: "data", providerId: "d-1", rate: usd("0.1"), onDemandRate: usd("0.1") } as const;
  const ledger = [gpu, sampleLedger("disk", { ...disk, from: 0, to: null })];
  const user: DiskUser = {
    ...{ id: "i-a", name: "a", provider: "local", createdAt: HOUR / 2, changedAt: 6 * HOUR, rootVolume: null },
    state: "gone",
    volumes: [{ name: "data", id: "v-1", mount: "/data" }],
  };
  const storage = storageBook([user], [{ id: "v-1", provider: "local", providerId: "d-1" }], ledger);
  const { rows, totals } = summarize(ledger, "instance", { since: 0, now: 10 * HOUR }, { storage });
  expect(rows.map(({ key, of, paid, storage: { inUse, asleep, kept } }) => [key, of, paid, inUse, asleep, kept])).toEqual([
    ["a", "instance", usd("4.55"), usd("0.2"), usd("0.35"), usd("0")],
    ["data", "volume", usd("0.45"), usd("0"), usd("0"), usd("0.45")],
  ]);
  expect(totals[0]).toMatchObject({ paid: usd("5"), onDemand: usd("11"), savings: 0.5454 });
});

test("what was lost is a part of what was paid, at its price, and the hours of it are none that on-demand would have needed", () => {
  const ledger = [sampleLedger("gpu", { from: 0, to: 10 * HOUR, rate: usd("1"), onDemandRate: usd("3") })];
  const loss = { instance: "a", providerId: "local-a" };
  const losses = lossBook([
    { ...loss, kind: "work", from: 8 * HOUR, to: 12 * HOUR },
    // What is lost twice is lost once.
    { ...loss, kind: "restarts", from: 9 * HOUR, to: 10 * HOUR },
    { ...loss, kind: "wakes", from: HOUR, to: 1.5 * HOUR },
    { ...loss, kind: "work", from: 0, to: HOUR, providerId: "another" },
    { ...loss, kind: "work", from: 0, to: HOUR, instance: "b" },
  ]);
  const { rows } = summarize(ledger, "day", { since: 0, now: 20 * HOUR }, { losses });
  expect(rows[0]).toMatchObject({
    paid: usd("10"),
    lost: { work: usd("2"), wakes: usd("0.5"), restarts: usd("0") },
    onDemand: usd("30"),
    comparable: { paid: usd("10"), onDemand: usd("30"), onDemandUseful: usd("22.5") },
  });
});

test("what a machine did of which nothing was sealed may be lost: it is told apart, and counts as useful until somebody knows", () => {
  const machine = (id: string) =>
    sampleLedger(id, { providerId: id, from: 0, to: 2 * HOUR, rate: usd("1"), onDemandRate: usd("3"), billed: null });
  const unsealed = { kind: "unsealed", instance: "a", from: HOUR, to: 2 * HOUR } as const;
  const losses = lossBook([
    { ...unsealed, providerId: "m-1" },
    { ...unsealed, providerId: "m-2" },
    // What is lost for certain is no doubt any more.
    { ...unsealed, kind: "restarts", providerId: null, from: 1.5 * HOUR },
  ]);
  const { totals } = summarize([machine("m-1"), machine("m-2"), machine("m-3")], "day", { since: 0, now: 20 * HOUR }, { losses });
  expect(totals[0]).toMatchObject({
    lost: { work: usd("0"), wakes: usd("0"), restarts: usd("1.5") },
    mayBeLost: { paid: usd("1"), machines: 2 },
    comparable: { paid: usd("6"), onDemand: usd("18"), onDemandUseful: usd("13.5") },
  });
  expect([...(totals[0]?.unbilled ?? [])]).toContain("unsealed");
});

test("what was billed is held against price × time, and a bill without any length is in the sum", () => {
  const ledger = [
    sampleLedger("a", { from: 0, to: HOUR, rate: usd("1"), billed: usd("1.05") }),
    // Its bill is a whole cent more than a price says of no time at all.
    sampleLedger("b", { from: HOUR, to: HOUR, rate: usd("36"), billed: usd("0.01") }),
    sampleLedger("c", { from: HOUR, to: 2 * HOUR, rate: usd("1") }),
    // A sleeping machine's own disk: its rate was made from its bill.
    sampleLedger("d", { kind: "disk", from: HOUR, to: 2 * HOUR, rate: usd("0.3"), billed: usd("0.5") }),
  ];
  const { totals } = summarize(ledger, "provider", { since: 0, now: 5 * HOUR });
  expect(totals[0]).toMatchObject({ paid: usd("2.56"), billed: usd("1.56"), estimated: usd("1"), difference: usd("0.06") });
  expect(summarize([ledger[2] as (typeof ledger)[0]], "provider", { since: 0, now: 5 * HOUR }).totals[0]?.difference).toBeNull();
});

test("what was rented on demand is its own counterfactual; of a spot machine without one the rest is still compared", () => {
  const spot = sampleLedger("a", { from: 0, to: HOUR, rate: usd("1"), onDemandRate: usd("4") });
  const onDemand = sampleLedger("b", { from: 0, to: HOUR, billing: "on-demand", rate: usd("3"), onDemandRate: null });
  const billed = { ...onDemand, onDemandRate: usd("3"), billed: usd("3.3") };
  const unknown = sampleLedger("c", { from: 0, to: HOUR, rate: usd("2"), onDemandRate: null });
  const total = (...ledger: readonly (typeof spot)[]) => summarize(ledger, "provider", { since: 0, now: HOUR }).totals[0];
  expect(total(spot, onDemand)).toMatchObject({ onDemand: usd("7"), savings: 0.4285 });
  expect(total(billed)).toMatchObject({ paid: usd("3.3"), onDemand: usd("3.3"), savings: 0 });
  expect(total(spot, onDemand, unknown)).toMatchObject({
    ...{ paid: usd("6"), onDemand: null, savings: null },
    comparable: { paid: usd("4"), onDemand: usd("7") },
  });
});

test("what is not billed is remembered by what it was paid for, also where it comes to nothing", () => {
  const gpu = sampleLedger("gpu", { instanceId: "i-a", from: 0, to: 2 * HOUR, rate: usd("1"), onDemandRate: usd("2"), billed: usd("2") });
  const free = sampleLedger("disk", { kind: "disk", instanceId: null, from: 0, to: null, rate: usd("0"), onDemandRate: usd("0") });
  const runs = sampleLedger("runs", { ...gpu, id: "runs", from: 2 * HOUR, to: null, billed: null, onDemandRate: null });
  const losses = lossBook([{ kind: "work", instance: "a", providerId: "local-a", from: HOUR, to: 3 * HOUR }]);
  const total = (until: number, ...ledger: readonly (typeof gpu)[]) =>
    summarize(ledger, "provider", { since: 0, until, now: 4 * HOUR }, { losses }).totals[0];
  expect(total(4 * HOUR, gpu)).toMatchObject({ unbilled: new Set(), open: false, gpuRunning: false });
  expect(total(4 * HOUR, gpu, free)).toMatchObject({ unbilled: new Set(["kept", "comparable"]), open: true, gpuRunning: false });
  expect(total(4 * HOUR, gpu, runs)).toMatchObject({ unbilled: new Set(["gpu", "work"]), open: true, gpuRunning: true });
  // It runs still, and what is looked at is over.
  expect(total(3 * HOUR, gpu, runs)).toMatchObject({ open: true, gpuRunning: false });
});
