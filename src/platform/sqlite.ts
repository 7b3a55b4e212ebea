import Database from "libsql";

export type SqliteDatabase = InstanceType<typeof Database>;

/** How long a writer waits for another one before it gives up. */
const BUSY_TIMEOUT_MS = 10_000;

/** Opens (and makes, 0600 by the folder's 0700) an SQLite file in WAL mode. Throws what SQLite throws. */
export function openSqlite(path: string): SqliteDatabase {
  const database = new Database(path);
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}
