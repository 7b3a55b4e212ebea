import type { BookConnection, PriceBook } from "./types.ts";

/** Written into the statements: bound as a number, it would make the divisions those of fractions. */
const HOUR_MS = 3_600_000;

/**
 * What an hour is remembered by: the run that was there first, the one that was there last, and the first of those with the
 * lowest and the highest price. Runs are counted to the hour in which they begin.
 */
const NOT_NEEDED = `SELECT from_at FROM (
    SELECT from_at,
      row_number() OVER (PARTITION BY from_at / ${HOUR_MS} ORDER BY from_at) AS first,
      row_number() OVER (PARTITION BY from_at / ${HOUR_MS} ORDER BY from_at DESC) AS last,
      row_number() OVER (PARTITION BY from_at / ${HOUR_MS} ORDER BY micros, from_at) AS lowest,
      row_number() OVER (PARTITION BY from_at / ${HOUR_MS} ORDER BY micros DESC, from_at) AS highest
    FROM runs WHERE series = ?1 AND from_at < ?2)
  WHERE first > 1 AND last > 1 AND lowest > 1 AND highest > 1`;

export function compacting({ database, transaction, guarded }: BookConnection): Pick<PriceBook, "compact"> {
  return {
    async compact(until) {
      const before = Math.floor(until / HOUR_MS) * HOUR_MS;
      const series = guarded(
        () =>
          database
            .prepare(`SELECT series FROM runs WHERE from_at < ? GROUP BY series, from_at / ${HOUR_MS} HAVING count(*) > 4`)
            .all([before]) as { readonly series: number }[],
      );
      let removed = 0;
      // Series by series, so that nobody waits for all of them.
      for (const id of new Set(series.map((row) => row.series)))
        removed += await transaction(
          () => database.prepare(`DELETE FROM runs WHERE series = ?1 AND from_at IN (${NOT_NEEDED})`).run([id, before]).changes,
        );
      return removed;
    },
  };
}
