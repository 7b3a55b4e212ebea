import fc from "fast-check";
import { expect, test } from "vitest";
import { closedIntervals, openedInterval } from "../../src/fleet/ledger.ts";
import { type endedBy, unwatchedLife } from "../../src/fleet/unwatched.ts";
import { summarize } from "../../src/pricing/summary.ts";
import type { LedgerRecord } from "../../src/state/records.ts";
import { NOW, record } from "./samples.ts";

function interval(from: number): LedgerRecord {
  const opened = openedInterval(record(), "m-1", from);
  if (opened === null) throw new Error("no interval");
  return opened;
}

test("an interval carries the price, what it would have cost on demand, and the machine", () => {
  const opened = interval(NOW);
  expect(opened).toMatchObject({ instanceId: "i-1", providerId: "m-1", kind: "gpu", from: NOW, to: null, billed: null });
  expect([opened.rate, opened.onDemandRate]).toEqual([record().price, record().onDemandPrice]);
});

test("opening the same one again is the same interval; a later start or another machine is another", () => {
  expect(interval(NOW).id).toBe(interval(NOW).id);
  expect(interval(NOW).id).not.toBe(interval(NOW + 1).id);
  expect(openedInterval(record({ generation: 2 }), "m-2", NOW)?.id).not.toBe(interval(NOW).id);
});

test("without a price there is nothing to write down: unknown is not zero", () => {
  expect(openedInterval(record({ price: null }), "m-1", NOW)).toBeNull();
});

test("whatever the clock does, an interval never ends before it begins, and an ended one stays as it is", () => {
  const times = fc.integer({ min: 0, max: 2 * NOW });
  fc.assert(
    fc.property(times, times, times, (from, end, again) => {
      const [closed] = closedIntervals([interval(from)], end);
      expect(closed?.to).toBe(Math.max(from, end));
      expect(closed === undefined ? [] : closedIntervals([closed], again)).toEqual([]);
    }),
  );
});

const OWN = { machine: { kind: "vm", notices: "aws", endsItself: true, volumes: "device" }, endsAtTtl: false } as const;
const MINUTE_MS = 60_000;
const had = (set: Parameters<typeof record>[0] = {}) =>
  record({ state: "provisioning", providerId: "m-1", changedAt: NOW, notice: null, ttlEndsAt: null, ...set });
const GONE = { kind: "gone", instance: null } as const;
const HOURS = NOW + 300 * MINUTE_MS;

test("a machine at which nobody looked until it was gone counts from when it was had to when that was seen", () => {
  expect(unwatchedLife(had(), GONE, OWN, [], HOURS)).toMatchObject({ providerId: "m-1", from: NOW, to: HOURS, billed: null });
  expect(unwatchedLife(had({ state: "restoring" }), GONE, OWN, [{ ...interval(NOW - MINUTE_MS), to: NOW - 1 }], HOURS)).not.toBeNull();
});

test("of hours that nobody saw no saving is claimed, also when their bill turns out to be far smaller", () => {
  const life = unwatchedLife(had(), GONE, OWN, [], HOURS);
  if (life === null) throw new Error("no interval");
  const billed = { ...life, billed: { micros: 1n, currency: life.rate.currency } };
  for (const entry of [life, billed])
    expect(summarize([entry], "instance", { since: 0, now: HOURS }).totals).toMatchObject([{ onDemand: null, savings: null }]);
});

test("its end is known where a notice or its time says so, and not where the deadline is assumed", () => {
  const notice = { kind: "reclaim", source: "api", seenAt: NOW, deadline: NOW + 10 * MINUTE_MS } as const;
  const to = (set: Parameters<typeof record>[0], capabilities: Parameters<typeof endedBy>[1] = OWN) =>
    unwatchedLife(had(set), GONE, capabilities, [], HOURS)?.to;
  expect(to({ notice })).toBe(NOW + 10 * MINUTE_MS);
  expect(to({ notice: { ...notice, assumed: true } })).toBe(HOURS);
  expect(to({ ttlEndsAt: NOW + 20 * MINUTE_MS })).toBe(NOW + 23 * MINUTE_MS);
  expect(to({ ttlEndsAt: NOW + 20 * MINUTE_MS }, { ...OWN, machine: { ...OWN.machine, endsItself: false } })).toBe(HOURS);
});

test("what was seen, what came to nothing at once and what sleeps or runs was not unwatched", () => {
  const asleep = { kind: "here", instance: { state: "hibernated", createdAt: null } } as never;
  const cases = [
    unwatchedLife(had({ state: "running" }), GONE, OWN, [], HOURS),
    unwatchedLife(had({ providerId: null }), GONE, OWN, [], HOURS),
    unwatchedLife(had({ price: null }), GONE, OWN, [], HOURS),
    unwatchedLife(had(), GONE, OWN, [interval(NOW)], HOURS),
    unwatchedLife(had(), GONE, OWN, [], NOW + MINUTE_MS),
    unwatchedLife(had({ state: "restoring" }), asleep, OWN, [], HOURS),
  ];
  expect(cases).toEqual(cases.map(() => null));
});
