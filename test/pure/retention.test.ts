import fc from "fast-check";
import { expect, test } from "vitest";
import { hasRule, type Retainable, type RetentionRules, retain } from "../../src/checkpoints/retention.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOON = Date.UTC(2026, 10, 22, 12);

const made = (id: string, createdAt: number, group = "train"): Retainable => ({ id, createdAt, group });

/** The ids that are kept, newest first. */
function keptOf(items: readonly Retainable[], rules: RetentionRules, inUse?: ReadonlyMap<string, string>): readonly string[] {
  return retain(items, rules, NOON, inUse)
    .filter(({ kept }) => kept)
    .map(({ item }) => item.id);
}

/** Every 20 minutes for three days back from noon: c-000 is the newest. */
const EVERY_TWENTY_MINUTES = Array.from({ length: 216 }, (_, index) =>
  made(`c-${String(index).padStart(3, "0")}`, NOON - index * 20 * 60_000),
);

test("keep-last keeps the newest so many of each group", () => {
  const items = [...EVERY_TWENTY_MINUTES, made("other-1", NOON - 40 * DAY, "other"), made("other-2", NOON - 41 * DAY, "other")];
  expect(keptOf(items, { keepLast: 2 })).toEqual(["c-000", "c-001", "other-1", "other-2"]);
  expect(keptOf(items, { keepLast: 1 })).toEqual(["c-000", "other-1"]);
});

test("keep-hourly keeps the newest of each of the last hours that have any", () => {
  // 12:00 is an hour of its own; 11:40 is the newest of eleven, 10:40 of ten.
  expect(keptOf(EVERY_TWENTY_MINUTES, { keepHourly: 3 })).toEqual(["c-000", "c-001", "c-004"]);
  const sparse = [made("a", NOON), made("b", NOON - 5 * DAY), made("c", NOON - 5 * DAY - 60_000), made("d", NOON - 9 * DAY)];
  expect(keptOf(sparse, { keepHourly: 2 })).toEqual(["a", "b"]);
});

test("keep-daily keeps the newest of each day of UTC", () => {
  // The newest of the day before is that of 23:40.
  expect(keptOf(EVERY_TWENTY_MINUTES, { keepDaily: 3 })).toEqual(["c-000", "c-037", "c-109"]);
  const rows = retain(EVERY_TWENTY_MINUTES, { keepDaily: 2 }, NOON);
  expect(rows[37]).toMatchObject({ kept: true, because: ["day 2026-11-21"] });
  expect(rows[0]?.because).toEqual(["newest", "day 2026-11-22"]);
  expect(rows[1]).toMatchObject({ kept: false, because: [] });
});

test("each rule counts for itself, and what any of them keeps is kept", () => {
  const rules = { keepLast: 2, keepHourly: 2, keepDaily: 2, keepWithinMs: HOUR };
  expect(keptOf(EVERY_TWENTY_MINUTES, rules)).toEqual(["c-000", "c-001", "c-002", "c-003", "c-037"]);
  expect(retain(EVERY_TWENTY_MINUTES, rules, NOON)[1]?.because).toEqual(["last 2", "hour 2026-11-22T11Z", "within 1h"]);
});

test("keep-within reckons from the newest of the group, but never from the future", () => {
  const resting = [made("a", NOON - 30 * DAY), made("b", NOON - 31 * DAY), made("c", NOON - 40 * DAY)];
  expect(keptOf(resting, { keepWithinMs: 7 * DAY })).toEqual(["a", "b"]);
  const ahead = [made("z", NOON + 300 * DAY), made("a", NOON - HOUR), made("b", NOON - 9 * DAY)];
  expect(keptOf(ahead, { keepWithinMs: 7 * DAY })).toEqual(["z", "a"]);
});

test("what is in use stays, and says for what", () => {
  const inUse = new Map([["c-100", "being restored"]]);
  expect(keptOf(EVERY_TWENTY_MINUTES, { keepLast: 1 }, inUse)).toEqual(["c-000", "c-100"]);
  expect(retain(EVERY_TWENTY_MINUTES, { keepLast: 1 }, NOON, inUse)[100]?.because).toEqual(["in use: being restored"]);
});

test("of two of the same second the later id is the newer", () => {
  expect(keptOf([made("c-1", NOON), made("c-2", NOON)], { keepLast: 1 })).toEqual(["c-2"]);
});

test("without a rule there is none", () => {
  expect(hasRule({})).toBe(false);
  expect(hasRule({ keepDaily: 1 })).toBe(true);
});

const items = fc.uniqueArray(
  fc.record({
    id: fc.integer({ min: 0, max: 999 }).map((number) => `c-${number}`),
    // Often the same hour or second.
    createdAt: fc.oneof(
      fc.integer({ min: NOON - 20 * DAY, max: NOON + DAY }),
      fc.integer({ min: 0, max: 9 }).map((hours) => NOON - hours * HOUR),
    ),
    group: fc.constantFrom("a", "b", "c"),
  }),
  { selector: ({ id }) => id, maxLength: 60 },
);
const count = fc.integer({ min: 1, max: 20 });
const rules: fc.Arbitrary<RetentionRules> = fc.record(
  { keepLast: count, keepHourly: count, keepDaily: count, keepWithinMs: fc.integer({ min: 1, max: 30 * DAY }) },
  { requiredKeys: [] },
);
const inUse = fc
  .array(fc.integer({ min: 0, max: 999 }), { maxLength: 8 })
  .map((ids) => new Map(ids.map((id) => [`c-${id}`, "being copied"])));

test("whatever the rules: one row an item, the newest of each group and what is in use are kept, and each row says why", () => {
  fc.assert(
    fc.property(items, rules, inUse, (all, wanted, used) => {
      const rows = retain(all, wanted, NOON, used);
      expect(rows.map(({ item }) => item.id).sort()).toEqual(all.map(({ id }) => id).sort());
      for (const { item, kept, because } of rows) expect([item.id, kept]).toEqual([item.id, because.length > 0]);
      for (const { item, kept } of rows) if (used.has(item.id)) expect(kept).toBe(true);
      for (const group of new Set(all.map((item) => item.group))) expect(rows.find(({ item }) => item.group === group)?.kept).toBe(true);
      const times = rows.map(({ item }) => item.createdAt);
      expect(times).toEqual(times.toSorted((a, b) => b - a));
    }),
  );
});

test("more rules and greater numbers never remove more; the order of the items does not matter", () => {
  fc.assert(
    fc.property(items, rules, count, inUse, (all, wanted, more, used) => {
      const kept = new Set(keptOf(all, wanted, used));
      const larger = {
        ...wanted,
        keepLast: (wanted.keepLast ?? 0) + more,
        keepHourly: (wanted.keepHourly ?? 0) + more,
        keepDaily: (wanted.keepDaily ?? 0) + more,
        keepWithinMs: (wanted.keepWithinMs ?? 0) + more * HOUR,
      };
      const keptMore = new Set(keptOf(all, larger, used));
      for (const id of kept) expect(keptMore).toContain(id);
      expect(keptOf(all.toReversed(), wanted, used)).toEqual([...kept]);
    }),
  );
});

test("to prune again removes nothing more", () => {
  fc.assert(
    fc.property(items, rules, inUse, (all, wanted, used) => {
      const kept = keptOf(all, wanted, used);
      const left = all.filter(({ id }) => kept.includes(id));
      expect(keptOf(left, wanted, used)).toEqual(kept);
    }),
  );
});

test("each rule keeps what it promises, counted apart", () => {
  fc.assert(
    fc.property(items, count, (all, number) => {
      for (const group of new Set(all.map((item) => item.group))) {
        const own = all.filter((item) => item.group === group);
        expect(keptOf(own, { keepLast: number })).toHaveLength(Math.min(number, own.length));
        const periods = (length: number) => new Set(own.map(({ createdAt }) => new Date(createdAt).toISOString().slice(0, length))).size;
        expect(keptOf(own, { keepHourly: number })).toHaveLength(Math.min(number, periods(13)));
        expect(keptOf(own, { keepDaily: number })).toHaveLength(Math.min(number, periods(10)));
        const newest = Math.max(...own.map(({ createdAt }) => createdAt));
        const from = Math.min(newest, NOON) - number * HOUR;
        expect(keptOf(own, { keepWithinMs: number * HOUR })).toHaveLength(own.filter(({ createdAt }) => createdAt >= from).length);
      }
    }),
  );
});
