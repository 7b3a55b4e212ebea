import { openSqliteForReading, type SqliteDatabase } from "../platform/sqlite.ts";
import { moneyFromColumns, moneyOrNull } from "./columns.ts";
import { fromBody, newestFirst, type StoredRecord } from "./instance-body.ts";
import type { GuardRecord, LedgerRecord, ListedRecord } from "./records.ts";
import { SCHEMA_VERSION } from "./schema.ts";

/** What a list of instances asks for: the records, what they have cost, and who guards them. */
export interface Listing {
  instances(filter: { readonly includeGone: boolean }): Promise<readonly ListedRecord[]>;
  /** What instances of these ids were paid for; perhaps others as well. */
  ledger(instances: readonly string[]): Promise<readonly ListedInterval[]>;
  guards(): Promise<readonly ListedGuard[]>;
  close(): Promise<void>;
}

// The binding takes five times as long to hand over a thousand rows cell by cell as one text.
const RECORDS = "SELECT '[' || coalesce(group_concat(record_json), '') || ']' AS packed FROM instances";
const LEDGER = `SELECT json_group_array(json_array(instance_id, from_at, to_at, rate_micros, rate_currency, billed_micros, billed_currency)) AS packed
  FROM ledger WHERE instance_id IS NOT NULL`;
const LEDGER_OF = `${LEDGER} AND instance_id IN (SELECT value FROM json_each(?))`;
/** Of more instances than these all intervals are read: that is quicker than to look each of them up. */
const MANY = 100;

const GUARDS = "SELECT json_group_array(json_array(instance_id, provider_id, heartbeat_at, asked_at, silent_at)) AS packed FROM guards";

type GuardCells = readonly [string, string, number | null, number, number | null];

/** What a list says of a guard. */
export type ListedGuard = Pick<GuardRecord, "instanceId" | "providerId" | "heartbeatAt" | "askedAt" | "silentAt">;

type LedgerCells = readonly [string, number, number | null, number, string, number | null, string | null];

/** What a cost is reckoned from. */
export type ListedInterval = Pick<LedgerRecord, "instanceId" | "from" | "to" | "rate" | "billed">;

function fromCells([instanceId, from, to, rate, currency, billed, billedCurrency]: LedgerCells): ListedInterval {
  return { instanceId, from, to, rate: moneyFromColumns(rate, currency), billed: moneyOrNull(billed, billedCurrency) };
}

function packed<Item>(database: SqliteDatabase, query: string, ...values: readonly string[]): Item[] {
  return JSON.parse((database.prepare(query).get(...values) as { readonly packed: string }).packed) as Item[];
}

/**
 * The state's three reading questions by the shortest way. `ls` is typed more often than everything else together, and
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
    ledger: async (instances) =>
      (instances.length > MANY
        ? packed<LedgerCells>(database, LEDGER)
        : packed<LedgerCells>(database, LEDGER_OF, JSON.stringify(instances))
      ).map(fromCells),
    guards: async () =>
      packed<GuardCells>(database, GUARDS).map(([instanceId, providerId, heartbeatAt, askedAt, silentAt]) => ({
        instanceId,
        providerId,
        heartbeatAt,
        askedAt,
        silentAt,
      })),
    close: async () => void database.close(),
  };
}
