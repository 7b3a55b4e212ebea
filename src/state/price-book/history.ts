import type { PriceRun, PriceSeries } from "../../model/listed-price.ts";
import type { SqliteDatabase } from "../../platform/sqlite.ts";
import { moneyOrNull } from "../columns.ts";
import { conditions, described, machinesOf, OF_MACHINES, SERIES, type SeriesRow } from "./machines.ts";
import { knownTo } from "./schema.ts";
import type { BookConnection, PriceBook } from "./types.ts";

interface KnownSeries extends SeriesRow {
  readonly known_to: number;
}

const RUNS = `SELECT from_at, to_at, micros FROM runs WHERE series = ?1
  AND to_at >= coalesce((SELECT max(to_at) FROM runs WHERE series = ?1 AND to_at < ?2), ?2) ORDER BY from_at`;

/** The runs of a series, with the last one that ended before `since`: its price held then. */
function runsOf(statement: ReturnType<SqliteDatabase["prepare"]>, series: KnownSeries, since: number): readonly PriceRun[] {
  const rows = statement.all([series.id, since]) as { readonly from_at: number; readonly to_at: number; readonly micros: number }[];
  const runs = rows.map(({ from_at, to_at, micros }) => ({ from: from_at, to: to_at, micros: BigInt(micros) }));
  return [...runs, { from: series.since_at, to: series.known_to, micros: BigInt(series.micros) }].toSorted((a, b) => a.from - b.from);
}

export function priceHistory({ database, guarded }: BookConnection): Pick<PriceBook, "history" | "seriesCount"> {
  return {
    async seriesCount(query) {
      return guarded(() => {
        const { sql, values } = conditions(query);
        const bound = [JSON.stringify([...machinesOf(database, query).keys()]), ...values];
        return (database.prepare(`SELECT count(*) AS count ${OF_MACHINES}${sql}`).get(bound) as { readonly count: number }).count;
      });
    },
    async history(query, since) {
      return guarded(() => {
        const machines = machinesOf(database, query);
        const { sql, values } = conditions(query);
        const rows = database
          .prepare(`${SERIES}, ${knownTo("s")} AS known_to ${OF_MACHINES}${sql} ORDER BY s.id`)
          .all([JSON.stringify([...machines.keys()]), ...values]) as KnownSeries[];
        const runs = database.prepare(RUNS);
        return rows.flatMap((row): PriceSeries[] => {
          const machine = machines.get(row.machine);
          if (machine === undefined) return [];
          const onDemandPrice = moneyOrNull(row.on_demand_micros, row.currency);
          return [{ ...described(machine, row), currency: row.currency, onDemandPrice, runs: runsOf(runs, row, since) }];
        });
      });
    },
  };
}
