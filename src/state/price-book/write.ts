import type { ListedPrice, RememberedPrice } from "../../model/listed-price.ts";
import type { SeriesKeys } from "./keys.ts";
import type { BookConnection, Observation, PriceBook } from "./types.ts";

/** What is known of a series by its newest observation; the trigger keeps what that replaces. */
export const REPLACED = `ON CONFLICT (machine, place, source, billing, currency) DO UPDATE SET
    since_at = CASE WHEN micros = excluded.micros THEN since_at ELSE excluded.since_at END,
    micros = excluded.micros, on_demand_micros = excluded.on_demand_micros, seen_at = excluded.seen_at`;

/**
 * A newer observation takes the place of the known one, and of two of the same moment the cheaper one. An older one (a history
 * that was fetched later, a clock that was set back) changes nothing here.
 */
const NEWEST = `INSERT INTO series (machine, place, source, billing, currency, micros, on_demand_micros, since_at, seen_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?8, ?8) ${REPLACED}
  WHERE excluded.seen_at > seen_at OR (excluded.seen_at = seen_at AND excluded.micros <= micros)`;

/** An observation older than the known one is a run of its own; within the run that lasts it says nothing new. */
const OLDER = `INSERT OR IGNORE INTO runs (series, from_at, to_at, micros)
  SELECT id, ?7, ?7, ?6 FROM series
  WHERE machine = ?1 AND place = ?2 AND source = ?3 AND billing = ?4 AND currency = ?5
    AND (since_at > ?7 OR (micros <> ?6 AND seen_at > ?7))`;

/**
 * A run that a provider remembers (?7 to ?8). The newest one takes the place of the known one, as an observation does, but it
 * began when the provider says.
 */
const NEWEST_RUN = `INSERT INTO series (machine, place, source, billing, currency, micros, on_demand_micros, since_at, seen_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?9, ?7, ?8)
  ON CONFLICT (machine, place, source, billing, currency) DO UPDATE SET
    since_at = CASE WHEN micros = excluded.micros THEN min(since_at, excluded.since_at) ELSE excluded.since_at END,
    micros = excluded.micros, on_demand_micros = coalesce(excluded.on_demand_micros, on_demand_micros), seen_at = excluded.seen_at
  WHERE excluded.seen_at >= seen_at`;

/**
 * Observations of one price are one run, whatever it was between them. Where a provider says that the price began within that
 * run, it is two of them: ?7 is when the second one begins.
 */
const BEGAN_WITHIN = `machine = ?1 AND place = ?2 AND source = ?3 AND billing = ?4 AND currency = ?5 AND micros = ?6
  AND since_at < ?7 AND seen_at >= ?7`;
const FIRST_PART = `INSERT OR IGNORE INTO runs (series, from_at, to_at, micros) SELECT id, since_at, ?7 - 1, micros FROM series WHERE ${BEGAN_WITHIN}`;
const SECOND_PART = `UPDATE series SET since_at = ?7 WHERE ${BEGAN_WITHIN}`;

/** One that reaches up to what is known now lengthens it. */
const LENGTHENED = `UPDATE series SET since_at = ?7
  WHERE machine = ?1 AND place = ?2 AND source = ?3 AND billing = ?4 AND currency = ?5 AND micros = ?6
    AND since_at > ?7 AND since_at <= ?8`;

/** Any other is a run of its own, or a longer one than it was known to be. */
const OLDER_RUN = `INSERT INTO runs (series, from_at, to_at, micros)
  SELECT id, ?7, ?8, ?6 FROM series
  WHERE machine = ?1 AND place = ?2 AND source = ?3 AND billing = ?4 AND currency = ?5 AND (since_at > ?7 OR micros <> ?6)
  ON CONFLICT (series, from_at) DO UPDATE SET to_at = max(to_at, excluded.to_at) WHERE micros = excluded.micros`;

/** What had been observed of it before says nothing that it does not say. */
const SWALLOWED = `DELETE FROM runs WHERE from_at >= ?7 AND to_at <= ?8 AND to_at - from_at < ?8 - ?7 AND micros = ?6 AND series =
  (SELECT id FROM series WHERE machine = ?1 AND place = ?2 AND source = ?3 AND billing = ?4 AND currency = ?5)`;

export function writing({ database }: BookConnection, keys: SeriesKeys): Pick<PriceBook, "observe" | "recall"> {
  const newest = database.prepare(NEWEST);
  const older = database.prepare(OLDER);
  const newestRun = database.prepare(NEWEST_RUN);
  const [firstPart, secondPart] = [database.prepare(FIRST_PART), database.prepare(SECOND_PART)];
  const [lengthened, olderRun, swallowed] = [database.prepare(LENGTHENED), database.prepare(OLDER_RUN), database.prepare(SWALLOWED)];
  const keyOf = (source: number, listed: ListedPrice) => {
    const columns = keys.columns(listed);
    return columns === null ? null : [...columns.slice(0, 2), source, ...columns.slice(2)];
  };
  const keep = (source: number, { price: listed, at }: Observation): void => {
    const key = keyOf(source, listed);
    if (key !== null && newest.run([...key, keys.onDemand(listed), at]).changes === 0) older.run([...key, at]);
  };
  const keepRun = (source: number, { price: listed, from, to }: RememberedPrice): void => {
    const key = from > to ? null : keyOf(source, listed);
    if (key === null) return;
    const bound = [...key, from, to];
    if (firstPart.run(bound.slice(0, 7)).changes > 0) secondPart.run(bound.slice(0, 7));
    const isNewest = newestRun.run([...bound, keys.onDemand(listed)]).changes > 0;
    if (!isNewest && lengthened.run(bound).changes === 0) olderRun.run(bound);
    swallowed.run(bound);
  };
  return {
    observe: (source, observations) =>
      keys.inOneTurn(() => {
        const id = keys.source(source);
        for (const observation of observations) keep(id, observation);
      }),
    recall: (source, remembered) =>
      keys.inOneTurn(() => {
        const id = keys.source(source);
        for (const one of remembered) keepRun(id, one);
      }),
  };
}
