import type { ListedPrice } from "../../model/listed-price.ts";
import { bindable } from "../bindable.ts";
import { microsColumn } from "../columns.ts";
import type { BookConnection, SourceRecord } from "./types.ts";

/** A table whose rows are known by what they say: each of them once, under a number. */
type Numbered = (values: readonly unknown[]) => number;

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

/** What a series is known by, in numbers; numbers that are not there yet are given out, so all of it belongs into a transaction. */
export interface SeriesKeys {
  source(source: Pick<SourceRecord, "name" | "kind">): number;
  /** Machine, place, billing, currency and price, as columns; null for what is no price. */
  columns(listed: ListedPrice): readonly [machine: number, place: number, billing: string, currency: string, micros: number] | null;
  onDemand(listed: ListedPrice): number | null;
  /** Runs `work` in a transaction of its own; when that is undone, so are the numbers. */
  inOneTurn(work: () => void): Promise<void>;
}

export function seriesKeys({ database, transaction }: BookConnection): SeriesKeys {
  const machines = numbered(database, "machines", ["model", "provider", "type", "form", "count", "vram_gb", "vcpus", "memory_gb"]);
  const places = numbered(database, "places", ["region", "zone"]);
  return {
    source({ name, kind }) {
      database
        .prepare(
          `INSERT INTO sources (name, kind, url, etag, changed_at, checked_at, read, kept, refused)
            VALUES (?, ?, '', NULL, 0, 0, 0, 0, '{}') ON CONFLICT (name) DO NOTHING`,
        )
        .run([name, kind]);
      return (database.prepare("SELECT id FROM sources WHERE name = ?").get([name]) as { readonly id: number }).id;
    },
    columns(listed) {
      if (!isKeepable(listed)) return null;
      const { gpu, provider, type, vcpus, memoryGb, region, zone, billing, price } = listed;
      const machine = machines.number([gpu.model, provider, type, gpu.form ?? "", gpu.count, gpu.vramGb, vcpus, memoryGb]);
      return [machine, places.number([region, zone]), billing, price.currency, microsColumn(price)];
    },
    onDemand: ({ onDemandPrice }) => (onDemandPrice === null ? null : microsColumn(onDemandPrice)),
    async inOneTurn(work) {
      try {
        await transaction(work);
      } catch (error) {
        machines.forget();
        places.forget();
        throw error;
      }
    },
  };
}
