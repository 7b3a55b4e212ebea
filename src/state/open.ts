import { closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Kysely } from "kysely";
import { openSqlite, openSqliteReadOnly, type SqliteDatabase } from "../platform/sqlite.ts";
import { stateOn } from "./assemble.ts";
import { sqliteDialect } from "./dialect.ts";
import { SQLITE } from "./differences.ts";
import { databaseProblem, isUnwritable } from "./problems.ts";
import type { State } from "./records.ts";
import type { Tables } from "./tables.ts";

export interface OpenStateOptions {
  /** How long a writer waits for another process before it gives up with a retryable problem; 30 s unless told. */
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

/**
 * Opens (and makes, and migrates) the fleet's database; `:memory:` for one that ends with the process.
 * When file or folder cannot be written but the file can be read, reading works and every change is refused.
 * @throws Problem `SPOT_E_STATE_CORRUPT`, `SPOT_E_STATE_NEWER`, `SPOT_E_STATE_UNWRITABLE`, `SPOT_E_DISK_FULL`, or a retryable `SPOT_E_STATE_BUSY`.
 */
export async function openState(path: string, options: OpenStateOptions = {}): Promise<State> {
  const database = new Kysely<Tables>({ dialect: sqliteDialect(openFile(path, options), path, options.busyTimeoutMs) });
  return stateOn(database, SQLITE, path);
}
