import { openSqliteForReading, type SqliteDatabase } from "../platform/sqlite.ts";
import { fromBody, newestFirst, type StoredRecord } from "./instance-body.ts";
import { fromLedgerRow, LEDGER_COLUMNS, oldestFirst } from "./ledger-row.ts";
import type { InstanceRecord, LedgerRecord } from "./records.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import type { Tables } from "./tables.ts";

/** What a list of instances asks for: the records and what they have cost. */
export interface Listing {
  instances(filter: { readonly includeGone: boolean }): Promise<readonly InstanceRecord[]>;
  ledger(): Promise<readonly LedgerRecord[]>;
  close(): Promise<void>;
}

// The binding takes five times as long to hand over a thousand rows cell by cell as one text.
const RECORDS = "SELECT '[' || coalesce(group_concat(record_json), '') || ']' AS packed FROM instances";
const LEDGER = `SELECT json_group_array(json_object(${LEDGER_COLUMNS.map((name) => `'${name}', ${name}`).join(", ")})) AS packed FROM ledger`;

function packed<Item>(database: SqliteDatabase, query: string): Item[] {
  return JSON.parse((database.prepare(query).get() as { readonly packed: string }).packed) as Item[];
}

/**
 * The state's two reading questions by the shortest way. `ls` is typed more often than everything else together, and
 * loading the query builder takes it a seventh of its time.
 * @returns undefined when the database is not there, of another version or cannot be read: then `openState` knows what to do.
 */
export function openListing(path: string): Listing | undefined {
  let database: SqliteDatabase;
  try {
    database = openSqliteForReading(path);
  } catch {
    return undefined;
  }
  try {
    const row = database.prepare("SELECT max(version) AS version FROM schema_migrations").get() as { readonly version: number };
    if (row.version !== SCHEMA_VERSION) throw new RangeError("another version");
  } catch {
    database.close();
    return undefined;
  }
  return {
    instances: async ({ includeGone }) =>
      packed<StoredRecord>(database, includeGone ? RECORDS : `${RECORDS} WHERE live_name IS NOT NULL`)
        .map(fromBody)
        .sort(newestFirst),
    ledger: async () => packed<Tables["ledger"]>(database, LEDGER).sort(oldestFirst).map(fromLedgerRow),
    close: async () => void database.close(),
  };
}
