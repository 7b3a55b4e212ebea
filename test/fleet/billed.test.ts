import { expect, test } from "vitest";
import { billedIntervals, sleepingDisks, unmatchedItems } from "../../src/fleet/billed.ts";
import type { BilledItem } from "../../src/providers/provider.ts";
import type { LedgerRecord } from "../../src/state/records.ts";

const usd = (micros: bigint) => ({ micros, currency: "USD" });

const interval = (id: string, from: number, to: number | null, more: Partial<LedgerRecord> = {}): LedgerRecord => ({
  id,
  instanceId: "i-1",
  instance: "trainer",
  fleet: null,
  provider: "local",
  providerId: "m-1",
  kind: "gpu",
  billing: "spot",
  from,
  to,
  rate: usd(1_000_000n),
  onDemandRate: null,
  billed: null,
  ...more,
});

const item = (from: number, to: number, micros: bigint, more: Partial<BilledItem> = {}): BilledItem => ({
  resourceId: "m-1",
  kind: "gpu",
  from,
  to,
  amount: usd(micros),
  ...more,
});

test("a machine that slept for a moment has two intervals, and each item counts in one of them", () => {
  const entries = [interval("a", 1000, 5000), interval("b", 6200, 9000)];
  // The provider's clock differs a little: both items come near both intervals.
  const billed = billedIntervals(entries, [item(900, 5100, 40n), item(6100, 9050, 30n)]);
  expect(billed.map(({ id, billed: amount }) => [id, amount])).toEqual([
    ["a", usd(40n)],
    ["b", usd(30n)],
  ]);
});

test("several items of one interval are added; what runs and what is another's is left alone; what was known otherwise is corrected", () => {
  const entries = [
    interval("closed", 0, 4000),
    interval("running", 10_000, null),
    interval("known", 20_000, 24_000, { providerId: "m-2", billed: usd(7n) }),
    interval("same", 20_000, 24_000, { providerId: "m-3", billed: usd(8n) }),
  ];
  const items = [
    item(0, 2000, 5n),
    item(2000, 4000, 6n),
    item(10_000, 12_000, 9n),
    item(20_000, 24_000, 8n, { resourceId: "m-2" }),
    item(20_000, 24_000, 8n, { resourceId: "m-3" }),
    item(0, 4000, 99n, { resourceId: "somebody-else" }),
    item(0, 4000, 99n, { kind: "disk" }),
  ];
  expect(billedIntervals(entries, items)).toEqual([
    { ...entries[0], billed: usd(11n) },
    { ...entries[2], billed: usd(8n) },
  ]);
});

test("an item over several prices of a machine is divided by the time that each of them held, to the millionth", () => {
  const hour = 3_600_000;
  const entries = [interval("a", 0, 4 * hour), interval("b", 4 * hour, 10 * hour), interval("c", 10 * hour, null)];
  const billed = (...items: readonly BilledItem[]) => billedIntervals(entries, items).map(({ id, billed: amount }) => [id, amount?.micros]);
  expect(billed(item(0, 10 * hour, 10_000_001n))).toEqual([
    ["a", 4_000_000n],
    ["b", 6_000_001n],
  ]);
  // By the day: the rest of the second day is for what has not ended.
  expect(billed(item(-1000, 5 * hour, 50n), item(5 * hour, 12 * hour, 700n))).toEqual([
    ["a", 40n],
    ["b", 510n],
  ]);
  expect(unmatchedItems(entries, [item(0, 10 * hour, 10n)])).toEqual([]);
});

test("an item beside all intervals of its machine is for the nearest of them", () => {
  const entries = [interval("a", 0, 1000), interval("b", 9000, 9000), interval("c", 20_000, 30_000)];
  expect(billedIntervals(entries, [item(8000, 9000, 7n)])).toEqual([{ ...entries[1], billed: usd(7n) }]);
});

test("the disk of a sleeping machine becomes one interval, the same one however often it is asked for", () => {
  const entries = [interval("a", 0, 3_600_000)];
  const items = [item(3_600_000, 7_200_000, 50n, { kind: "disk" }), item(0, 1000, 3n, { kind: "disk", resourceId: "volume" })];
  const [disk, ...others] = sleepingDisks(entries, items);
  expect(others).toEqual([]);
  expect(disk).toMatchObject({ id: "m-1/disk/3600000", kind: "disk", instance: "trainer", billed: usd(50n), rate: usd(50n) });
  expect(sleepingDisks(entries, items)[0]?.id).toBe(disk?.id);
});

test("the disk of a sleeping machine is never taken for one of its other disks, and is explained", () => {
  const asleep = interval("m-1/disk/3600000", 3_600_000, 7_200_000, { kind: "disk", billed: usd(50n) });
  const entries = [interval("a", 0, 3_600_000), asleep];
  // It slept once more: a second item, near the first one.
  const items = [item(7_300_000, 7_400_000, 2n, { kind: "disk" })];
  expect(billedIntervals(entries, items)).toEqual([]);
  expect(sleepingDisks(entries, items).map(({ id }) => id)).toEqual(["m-1/disk/7300000"]);
  expect(unmatchedItems(entries, items)).toEqual([]);
  const strange = item(0, 1000, 3n, { resourceId: "volume", kind: "disk" });
  expect(unmatchedItems(entries, [...items, strange])).toEqual([strange]);
});

test("each interval is looked at for its own resource only, however long the bill is", () => {
  const ids = Array.from({ length: 1000 }, (_, index) => `m-${index}`);
  let looks = 0;
  const counting: ProxyHandler<LedgerRecord> = {
    get(target, key) {
      looks += 1;
      return Reflect.get(target, key);
    },
  };
  const entries = ids.map((id) => new Proxy(interval(id, 1000, 5000, { providerId: id }), counting));
  const items = ids.map((id) => item(1000, 5000, 7n, { resourceId: id }));
  expect(billedIntervals(entries, items).length).toBe(1000);
  expect(unmatchedItems(entries, items)).toEqual([]);
  expect(looks).toBeLessThan(1000 * 100);
});
