import type { ListedPrice } from "../../model/listed-price.ts";
import { bindable } from "../bindable.ts";
import { microsColumn } from "../columns.ts";
import type { BookConnection, Observation, PriceBook, SourceRecord } from "./types.ts";

/** A table whose rows are known by what they say: each of them once, under a number. */
type Numbered = (values: readonly unknown[]) => number;

/**
 * A newer observation takes the place of the known one; the trigger keeps what it replaces. An older one (a history that was
 * fetched later, a clock that was set back) changes nothing here.
 */
const NEWEST = `INSERT INTO series (machine, place, source, billing, currency, micros, on_demand_micros, since_at, seen_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?8, ?8)
  ON CONFLICT (machine, place, source, billing, currency) DO UPDATE SET
    since_at = CASE WHEN micros = excluded.micros THEN since_at ELSE excluded.since_at END,
    micros = excluded.micros, on_demand_micros = excluded.on_demand_micros, seen_at = excluded.seen_at
  WHERE excluded.seen_at >= seen_at`;

/** An observation older than the known one is a run of its own; within the run that lasts it says nothing new. */
const OLDER = `INSERT OR IGNORE INTO runs (series, from_at, to_at, micros)
  SELECT id, ?7, ?7, ?6 FROM series
  WHERE machine = ?1 AND place = ?2 AND source = ?3 AND billing = ?4 AND currency = ?5 AND (since_at > ?7 OR micros <> ?6)`;

/** Remembers the numbers that it has given out; `forget` them when the transaction that gave them is undone. */
function numbered(database: BookConnection["database"], table: string, columns: readonly string[]) {
  const known = new Map<string, number>();
  const find = database.prepare(`SELECT id FROM ${table} WHERE ${columns.map((column) => `${column} = ?`).join(" AND ")}`);
  const add = database.prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`);
  const number: Numbered = (values) => {
    const key = JSON.stringify(values);
    const found = known.get(key);
    if (found !== undefined) return found;
    const bound = values.map(bindable);
    const row = find.get(bound) as { readonly id: number } | undefined;
    const id = row?.id ?? Number(add.run(bound).lastInsertRowid);
    known.set(key, id);
    return id;
  };
  return { number, forget: () => known.clear() };
}

function isKeepable({ price, onDemandPrice }: ListedPrice): boolean {
  return price.micros > 0n && (onDemandPrice === null || onDemandPrice.currency === price.currency);
}

export function writing({ database, transaction }: BookConnection): Pick<PriceBook, "observe"> {
  const machines = numbered(database, "machines", ["model", "provider", "type", "form", "count", "vram_gb", "vcpus", "memory_gb"]);
  const places = numbered(database, "places", ["region", "zone"]);
  const newest = database.prepare(NEWEST);
  const older = database.prepare(OLDER);
  const sourceId = ({ name, kind }: Pick<SourceRecord, "name" | "kind">): number => {
    database
      .prepare(
        `INSERT INTO sources (name, kind, url, etag, changed_at, checked_at, read, kept, refused)
          VALUES (?, ?, '', NULL, 0, 0, 0, 0, '{}') ON CONFLICT (name) DO NOTHING`,
      )
      .run([name, kind]);
    return (database.prepare("SELECT id FROM sources WHERE name = ?").get([name]) as { readonly id: number }).id;
  };
  const keep = (source: number, { price: listed, at }: Observation): void => {
    if (!isKeepable(listed)) return;
    const { gpu, price, onDemandPrice } = listed;
    const machine = machines.number([
      ...[gpu.model, listed.provider, listed.type, gpu.form ?? "", gpu.count, gpu.vramGb, listed.vcpus, listed.memoryGb],
    ]);
    const key = [machine, places.number([listed.region, listed.zone]), source, listed.billing, price.currency];
    const micros = microsColumn(price);
    const onDemand = onDemandPrice === null ? null : microsColumn(onDemandPrice);
    if (newest.run([...key, micros, onDemand, at]).changes === 0) older.run([...key, micros, at]);
  };
  return {
    async observe(source, observations) {
      try {
        await transaction(() => {
          const id = sourceId(source);
          for (const observation of observations) keep(id, observation);
        });
      } catch (error) {
        machines.forget();
        places.forget();
        throw error;
      }
    },
  };
}
