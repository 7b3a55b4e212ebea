import fc from "fast-check";
import { expect, test } from "vitest";
import { closedIntervals, openedInterval } from "../../src/fleet/ledger.ts";
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
