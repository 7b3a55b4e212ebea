import { closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Kysely } from "kysely";
import { openSqlite, openSqliteReadOnly, type SqliteDatabase } from "../platform/sqlite.ts";
import { blockedOfferQueries } from "./blocked-offers.ts";
import { budgetQueries } from "./budgets.ts";
import { checkpointQueries } from "./checkpoints.ts";
import { commitChange } from "./commit.ts";
import { cursorQueries } from "./cursors.ts";
import { sqliteDialect } from "./dialect.ts";
import { eventQueries } from "./events.ts";
import { instanceQueries } from "./instances.ts";
import { intentQueries } from "./intents.ts";
import { leaseQueries } from "./leases.ts";
import { ledgerQueries } from "./ledger.ts";
import { migrate } from "./migrations.ts";
import { peerQueries } from "./peers.ts";
import { databaseProblem, isUnwritable, newerProblem } from "./problems.ts";
import type { State } from "./records.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import type { Tables } from "./tables.ts";
import { volumeQueries } from "./volumes.ts";

export interface OpenStateOptions {
  /** How long a writer waits for another process before it gives up with a retryable problem; 10 s unless told. */
  readonly busyTimeoutMs?: number;
}

/** Makes the folder and an empty file that only their owner can read, before SQLite would make them by the umask. */
function prepareFile(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
}

function hasUnmergedLog(path: string): boolean {
  const log = `${path}-wal`;
  return existsSync(log) && statSync(log).size > 0;
}

function openFile(path: string, options: OpenStateOptions): SqliteDatabase {
  try {
    if (path !== ":memory:") prepareFile(path);
    return openSqlite(path, options.busyTimeoutMs);
  } catch (error) {
    const problem = databaseProblem(error, path);
    // In a read-only home what lies in the file can still be shown, as long as no log beside it holds newer rows.
    if (!isUnwritable(problem) || !existsSync(path) || !statSync(path).isFile() || hasUnmergedLog(path)) throw problem;
    return openUnwritable(path);
  }
}

function openUnwritable(path: string): SqliteDatabase {
  try {
    return openSqliteReadOnly(pathToFileURL(path).href);
  } catch (error) {
    throw databaseProblem(error, path);
  }
}

/** The schema's version; 0 for a database without any table of ours. */
async function versionOf(database: Kysely<Tables>): Promise<number> {
  try {
    const row = await database
      .selectFrom("schema_migrations")
      .select((select) => select.fn.max("version").as("version"))
      .executeTakeFirst();
    return row?.version ?? 0;
  } catch (error) {
    if (error instanceof Error && error.message.includes("no such table")) return 0;
    throw error;
  }
}

/**
 * Opens (and makes, and migrates) the fleet's database; `:memory:` for one that ends with the process.
 * When file or folder cannot be written but the file can be read, reading works and every change is refused.
 * @throws Problem `SPOT_E_STATE_CORRUPT`, `SPOT_E_STATE_NEWER`, `SPOT_E_STATE_UNWRITABLE`, `SPOT_E_DISK_FULL`, or a retryable `SPOT_E_STATE_BUSY`.
 */
export async function openState(path: string, options: OpenStateOptions = {}): Promise<State> {
  const database = new Kysely<Tables>({ dialect: sqliteDialect(openFile(path, options), path) });
  try {
    const version = await versionOf(database);
    if (version > SCHEMA_VERSION) throw newerProblem(path, version, SCHEMA_VERSION);
    if (version < SCHEMA_VERSION) await migrate(database, path);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return {
    commit: (change) => commitChange(database, change),
    ...instanceQueries(database),
    ...intentQueries(database),
    ...volumeQueries(database),
    ...checkpointQueries(database),
    ...ledgerQueries(database),
    ...eventQueries(database),
    ...blockedOfferQueries(database),
    ...budgetQueries(database),
    ...cursorQueries(database),
    ...peerQueries(database),
    ...leaseQueries(database),
    close: () => database.destroy(),
  };
}
