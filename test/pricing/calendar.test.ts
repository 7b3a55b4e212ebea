import fc from "fast-check";
import { expect, test } from "vitest";
import { calendarOf } from "../../src/pricing/calendar.ts";
import { ZONES } from "./zones.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** What the wall clock there says, by another way than the calendar's own. */
function wall(zone: string, at: number): string {
  return clocks[zone]?.format(at) ?? "";
}

const clocks = Object.fromEntries(
  ZONES.map((timeZone) => [timeZone, new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" })]),
);

const hours = (zone: string, date: string) => {
  const calendar = calendarOf(zone);
  const { from, to } = calendar.dayOf(calendar.beginOf(date));
  return (to - from) / HOUR;
};

test.each([
  ["Europe/Berlin", "2026-03-29", 23],
  ["Europe/Berlin", "2026-10-25", 25],
  ["Europe/Berlin", "2026-10-26", 24],
  ["America/New_York", "2026-03-08", 23],
  ["America/New_York", "2026-11-01", 25],
  ["Australia/Lord_Howe", "2026-04-05", 24.5],
  ["Australia/Lord_Howe", "2026-10-04", 23.5],
  // Their clocks go forward at midnight: the day begins at one.
  ["America/Havana", "2026-03-08", 23],
  ["America/Santiago", "2025-09-07", 23],
  ["America/Santiago", "2026-04-04", 25],
  ["Asia/Shanghai", "2026-03-29", 24],
])("in %s the %s has %d hours", (zone, date, length) => {
  expect(hours(zone, date)).toBe(length);
});

test("Samoa left out a day when it crossed the date line", () => {
  const calendar = calendarOf("Pacific/Apia");
  const before = calendar.dayOf(Date.UTC(2011, 11, 30, 9, 59));
  expect(before.date).toBe("2011-12-29");
  expect(calendar.dayOf(before.to).date).toBe("2011-12-31");
  expect(calendar.beginOf("2011-12-30")).toBe(before.to);
});

test.each([
  ["Europe/Berlin", "2026-02", 28 * 24],
  ["Europe/Berlin", "2028-02", 29 * 24],
  ["Europe/Berlin", "2026-03", 31 * 24 - 1],
  ["Europe/Berlin", "2026-10", 31 * 24 + 1],
  ["America/New_York", "2026-11", 30 * 24 + 1],
  ["UTC", "2026-12", 31 * 24],
])("in %s %s has %d hours", (zone, month, length) => {
  const found = calendarOf(zone).monthOf(Date.parse(`${month}-15T12:00:00Z`));
  expect(found.month).toBe(month);
  expect((found.to - found.from) / HOUR).toBe(length);
  expect(wall(zone, found.from)).toBe(`${month}-01 00:00:00`);
});

test("a day is every moment of its date and no other, and the next one begins where it ends, in every zone and order of asking", () => {
  const moment = fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2028, 0, 1) });
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), fc.array(moment, { minLength: 1, maxLength: 4 }), (zone, moments) => {
      const calendar = calendarOf(zone);
      for (const at of moments) {
        const { date, from, to } = calendar.dayOf(at);
        expect(from <= at && at < to).toBe(true);
        expect(wall(zone, at).slice(0, 10)).toBe(date);
        expect([wall(zone, from).slice(0, 10), wall(zone, to - 1).slice(0, 10)]).toEqual([date, date]);
        expect(wall(zone, from - 1).slice(0, 10) < date && wall(zone, to).slice(0, 10) > date).toBe(true);
        expect(calendar.midnights(from, to)).toEqual([]);
        expect(calendar.midnights(from - 1, to + 1)).toEqual([from, to]);
        expect(calendar.beginOf(date)).toBe(from);
      }
    }),
    { numRuns: 60 },
  );
});

test("a zone that does not exist is refused", () => {
  expect(() => calendarOf("Europe/Atlantis")).toThrow(RangeError);
  expect(() => calendarOf("UTC").beginOf("2026-13-01")).toThrow(RangeError);
});

test("midnights of months of days are those of each day", () => {
  for (const zone of ZONES) {
    const [from, to] = [Date.UTC(2026, 0, 10, 5), Date.UTC(2026, 11, 20, 7)];
    const midnights = calendarOf(zone).midnights(from, to);
    expect(midnights.length).toBeGreaterThan(340);
    const lengths = midnights.slice(1).map((at, index) => at - (midnights[index] ?? 0));
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(DAY - HOUR);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(DAY + HOUR);
  }
});

test.each(["2026-02-30", "2026-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-1-1", "today"])("%s is no date", (date) => {
  for (const zone of ["UTC", "Europe/Berlin"]) expect(() => calendarOf(zone).beginOf(date)).toThrow(RangeError);
  expect(calendarOf("UTC").beginOf("2028-02-29")).toBe(Date.parse("2028-02-29"));
});
