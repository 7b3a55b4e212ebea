import Database from "libsql";

export type SqliteDatabase = InstanceType<typeof Database>;

/** How long a writer waits for another one before it gives up. */
const BUSY_TIMEOUT_MS = 10_000;

/** Opens (and makes, 0600 by the folder's 0700) an SQLite file in WAL mode. Throws what SQLite throws. */
export function openSqlite(path: string, busyTimeoutMs = BUSY_TIMEOUT_MS): SqliteDatabase {
  const database = new Database(path);
  try {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    enterWal(database, busyTimeoutMs);
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** Opens a file that must be there, for queries; waits for a writer as `openSqlite` does. Throws what SQLite throws. */
export function openSqliteForReading(path: string): SqliteDatabase {
  const database = new Database(path, { fileMustExist: true });
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  return database;
}

/**
 * Opens a file that cannot be written, by its `file:` URL. SQLite is told that nobody else writes it either (`immutable`),
 * because in WAL mode even a reader needs to write beside it. Throws what SQLite throws.
 */
export function openSqliteReadOnly(url: string): SqliteDatabase {
  return new Database(`${url}?mode=ro&immutable=1`);
}

/** SQLite does not wait by itself when several processes switch a new file to WAL at once. */
function enterWal(database: SqliteDatabase, busyTimeoutMs: number): void {
  const giveUpAt = performance.now() + busyTimeoutMs;
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      const isBusy = error instanceof Error && "rawCode" in error && typeof error.rawCode === "number" && (error.rawCode & 0xff) === 5;
      if (!isBusy || performance.now() > giveUpAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5 + Math.floor(Math.random() * 20));
    }
  }
}
