import type { ListedPrice, RememberedPrice } from "../../model/listed-price.ts";
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

export function writing({ database, transaction }: BookConnection): Pick<PriceBook, "observe" | "recall"> {
  const machines = numbered(database, "machines", ["model", "provider", "type", "form", "count", "vram_gb", "vcpus", "memory_gb"]);
  const places = numbered(database, "places", ["region", "zone"]);
  const newest = database.prepare(NEWEST);
  const older = database.prepare(OLDER);
  const newestRun = database.prepare(NEWEST_RUN);
  const [firstPart, secondPart] = [database.prepare(FIRST_PART), database.prepare(SECOND_PART)];
  const [lengthened, olderRun, swallowed] = [database.prepare(LENGTHENED), database.prepare(OLDER_RUN), database.prepare(SWALLOWED)];
  const sourceId = ({ name, kind }: Pick<SourceRecord, "name" | "kind">): number => {
    database
      .prepare(
        `INSERT INTO sources (name, kind, url, etag, changed_at, checked_at, read, kept, refused)
          VALUES (?, ?, '', NULL, 0, 0, 0, 0, '{}') ON CONFLICT (name) DO NOTHING`,
      )
      .run([name, kind]);
    return (database.prepare("SELECT id FROM sources WHERE name = ?").get([name]) as { readonly id: number }).id;
  };
  const keyOf = (source: number, { gpu, provider, type, vcpus, memoryGb, region, zone, billing, price }: ListedPrice) => {
    const machine = machines.number([gpu.model, provider, type, gpu.form ?? "", gpu.count, gpu.vramGb, vcpus, memoryGb]);
    return [machine, places.number([region, zone]), source, billing, price.currency, microsColumn(price)];
  };
  const onDemandColumn = ({ onDemandPrice }: ListedPrice) => (onDemandPrice === null ? null : microsColumn(onDemandPrice));
  const keep = (source: number, { price: listed, at }: Observation): void => {
    if (!isKeepable(listed)) return;
    const key = keyOf(source, listed);
    if (newest.run([...key, onDemandColumn(listed), at]).changes === 0) older.run([...key, at]);
  };
  const keepRun = (source: number, { price: listed, from, to }: RememberedPrice): void => {
    if (!isKeepable(listed) || from > to) return;
    const bound = [...keyOf(source, listed), from, to];
    if (firstPart.run(bound.slice(0, 7)).changes > 0) secondPart.run(bound.slice(0, 7));
    const isNewest = newestRun.run([...bound, onDemandColumn(listed)]).changes > 0;
    if (!isNewest && lengthened.run(bound).changes === 0) olderRun.run(bound);
    swallowed.run(bound);
  };
  const inOneTurn = async (work: () => void): Promise<void> => {
    try {
      await transaction(work);
    } catch (error) {
      machines.forget();
      places.forget();
      throw error;
    }
  };
  return {
    observe: (source, observations) =>
      inOneTurn(() => {
        const id = sourceId(source);
        for (const observation of observations) keep(id, observation);
      }),
    recall: (source, remembered) =>
      inOneTurn(() => {
        const id = sourceId(source);
        for (const one of remembered) keepRun(id, one);
      }),
  };
}
