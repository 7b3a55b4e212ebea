/** A calendar day of a time zone: from its first moment to the next day's, epoch milliseconds. */
export interface LocalDay {
  /** `2026-03-29` */
  readonly date: string;
  readonly from: number;
  readonly to: number;
}

/** The days of one time zone. A day lasts 23 or 25 hours where the clocks change, and is not there where a zone left it out. */
export interface Calendar {
  /** `Europe/Berlin` */
  readonly zone: string;
  /** The day that a moment lies in. */
  dayOf(at: number): LocalDay;
  /** The moments after `from` and before `to` at which days, or months, begin. */
  midnights(from: number, to: number, of?: "day" | "month"): readonly number[];
  /** When a date begins; of a day that was left out, when the next one does. @throws RangeError when no calendar has it. */
  beginOf(date: string): number;
  /** How far the clocks there are ahead of UTC at a moment, in milliseconds. */
  aheadOfUtc(at: number): number;
  /** The calendar month that a moment lies in. */
  monthOf(at: number): { readonly month: string; readonly from: number; readonly to: number };
}

const HOUR_MS = 3_600_000;
/** No zone's clock is further from UTC than this, and none was ever changed by more than a day. */
const FURTHEST_MS = 50 * HOUR_MS;

/** @throws RangeError when there is no such time zone. */
export function calendarOf(zone: string): Calendar {
  const dateAt = zone === "UTC" ? dateInUtc : dateReader(zone);
  /** Days that were found, in order and without gaps. */
  const days: LocalDay[] = [];

  /** The first moment after `after` whose date is past `date`. What is guessed is right unless the clocks change just then. */
  function turn(after: number, date: string): number {
    const guess = after + 24 * HOUR_MS;
    if (dateAt(guess) > date && dateAt(guess - 1) <= date) return guess;
    return firstPast(date, after, after + FURTHEST_MS);
  }

  /** Of a clock that is set back over midnight (a minute past it, in St. John's) either turn is one; the same one is always found. */
  function firstPast(date: string, low: number, high: number): number {
    let [before, past] = [low, high];
    while (past - before > 1) {
      const middle = Math.floor((before + past) / 2);
      if (dateAt(middle) > date) past = middle;
      else before = middle;
    }
    return past;
  }

  const beginOf = (date: string) => {
    const noon = Date.parse(`${date}T12:00:00Z`);
    // A 30 February would be taken for a day of March.
    if (Number.isNaN(noon) || dateInUtc(noon) !== date) throw new RangeError(`not a date: ${JSON.stringify(date)}`);
    const before = new Date(noon - 24 * HOUR_MS).toISOString().slice(0, 10);
    return firstPast(before, noon - FURTHEST_MS, noon + FURTHEST_MS);
  };

  function dayAfter({ to }: LocalDay): LocalDay {
    const date = dateAt(to);
    return { date, from: to, to: turn(to, date) };
  }

  function dayFrom(date: string): LocalDay {
    const from = beginOf(date);
    return dayAfter({ date, from, to: from });
  }

  /** Makes sure that the days from one moment to another are known, each beginning where the one before it ends. */
  function reach(from: number, to: number): void {
    const [first] = days;
    const until = Math.max(to, (days.at(-1)?.to ?? to) - 1);
    if (first === undefined || from < first.from) {
      days.length = 0;
      const day = dayFrom(dateAt(from));
      // A minute past midnight from which the clock is set back to before it belongs to either day.
      days.push(day.from <= from ? day : dayFrom(dateBefore(day.date)));
    }
    for (let last = days.at(-1); last !== undefined && last.to <= until; last = days.at(-1)) days.push(dayAfter(last));
  }

  function dayOf(at: number): LocalDay {
    reach(at, at);
    return days[indexOf(days, at)] as LocalDay;
  }

  return {
    zone,
    dayOf,
    beginOf,
    aheadOfUtc: (at) => (zone === "UTC" ? 0 : wallClock(zone, at) - Math.floor(at / 1000) * 1000),
    midnights(from, to, of = "day") {
      if (to <= from) return [];
      reach(from, to);
      const begun = days.slice(indexOf(days, from), indexOf(days, to - 1) + 1);
      const month = ({ date }: LocalDay) => date.slice(0, 7);
      return begun.flatMap((day, index) => {
        const before = begun[index - 1];
        const isWanted = before !== undefined && (of === "day" || month(day) !== month(before));
        return isWanted ? [day.from] : [];
      });
    },
    monthOf(at) {
      const month = dayOf(at).date.slice(0, 7);
      return { month, from: beginOf(`${month}-01`), to: beginOf(`${monthAfter(month)}-01`) };
    },
  };
}

const DAY = 24 * HOUR_MS;

/** The last of the days that has begun by then. */
function indexOf(days: readonly LocalDay[], at: number): number {
  let [low, high] = [0, days.length];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if ((days[middle]?.from ?? 0) <= at) low = middle;
    else high = middle;
  }
  return low;
}

function dateBefore(date: string): string {
  return new Date(Date.parse(`${date}T12:00:00Z`) - DAY).toISOString().slice(0, 10);
}

function monthAfter(month: string): string {
  const [year = 0, number = 1] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number, 1, 12)).toISOString().slice(0, 7);
}

function dateInUtc(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** What the clocks there say, as if they were UTC's, to the second. */
function wallClock(zone: string, at: number): number {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  return Date.parse(`${format.format(at).replace(" ", "T")}Z`);
}

function dateReader(zone: string): (at: number) => string {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    calendar: "gregory",
    numberingSystem: "latn",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
    return `${(parts.get("year") ?? "").padStart(4, "0")}-${parts.get("month")}-${parts.get("day")}`;
  };
}
