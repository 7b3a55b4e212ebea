import type { SeriesKeys } from "./keys.ts";
import { newestRecord, replaceRecord } from "./sources.ts";
import { type BookConnection, NAMED_TWICE, type PriceBook } from "./types.ts";
import { REPLACED } from "./write.ts";

const COLUMNS = "machine INTEGER, place INTEGER, billing TEXT, currency TEXT, micros INTEGER, on_demand_micros INTEGER";

/** In the order of the index of `series`. SQLite takes what stands beside a `min` from the row that has it. */
const published = (
  table: string,
) => `INSERT INTO series (machine, place, source, billing, currency, micros, on_demand_micros, since_at, seen_at)
  SELECT machine, place, ?1, billing, currency, min(micros), on_demand_micros, ?2, ?2 FROM ${table}
  GROUP BY machine, place, billing, currency ${REPLACED}`;

/**
 * Documents on their way into the price book. Each lies in a table of this connection alone until it was read to its end: a
 * process that is killed leaves nothing of it behind.
 */
export function readings({ database, transaction, guarded }: BookConnection, keys: SeriesKeys): Pick<PriceBook, "reading"> {
  let begun = 0;
  return {
    reading(source) {
      begun += 1;
      const table = `temp.reading_${begun}`;
      guarded(() => database.exec(`CREATE TABLE ${table} (${COLUMNS})`));
      const insert = guarded(() => database.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?, ?, ?)`));
      let stated = 0;
      return {
        add: (prices) =>
          keys.inOneTurn(() => {
            for (const price of prices) {
              const columns = keys.columns(price);
              if (columns === null) continue;
              insert.run([...columns, keys.onDemand(price)]);
              stated += 1;
            }
          }),
        publish: (record) =>
          transaction(() => {
            const newest = newestRecord(database, source.name);
            if (newest !== undefined && newest.checkedAt > record.checkedAt) return newest;
            const kept = database.prepare(published(table)).run([keys.source(source), record.changedAt]).changes;
            const twice = stated - kept;
            const whole = { ...record, kept, refused: { ...record.refused, ...(twice === 0 ? {} : { [NAMED_TWICE]: twice }) } };
            replaceRecord(database, whole);
            return whole;
          }),
        drop: () => guarded(() => database.exec(`DROP TABLE ${table}`)),
      };
    },
  };
}
