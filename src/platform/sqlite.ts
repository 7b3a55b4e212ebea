import Database from "libsql";
import { systemClock } from "./clock.ts";

export type SqliteDatabase = InstanceType<typeof Database>;

/** How long SQLite itself waits for whoever has the file before it gives up; meanwhile this process does nothing else. */
const BUSY_TIMEOUT_MS = 10_000;
/** How long a writer waits for its turn among other processes, which it does without keeping this one from anything. */
const TURN_MS = 30_000;
/** The longest pause between two tries. */
const PAUSE_MS = 20;

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

/**
 * Begins a transaction that writes. SQLite's own waiting keeps the thread, asks ever more seldom and is not fair: beside a
 * process that writes all the time nobody else may get a turn within it. So it is tried again and again, at moments that
 * are left to chance. Throws what SQLite throws, when it was busy for so long as well.
 */
export async function beginWriting(database: SqliteDatabase, busyTimeoutMs: number | undefined): Promise<void> {
  const giveUpAt = performance.now() + (busyTimeoutMs ?? TURN_MS);
  for (;;) {
    // The binding ends the whole process when it is asked anything of a file that was closed meanwhile.
    if (!database.open) throw new Error("the database was closed while somebody waited to write into it");
    try {
      database.exec("PRAGMA busy_timeout = 0");
      // Never as a prepared statement: one that fails as busy stays "in progress" until it is collected, and no later commit works.
      database.exec("begin immediate");
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error;
    } finally {
      database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs ?? BUSY_TIMEOUT_MS}`);
    }
    await systemClock.sleep(1 + Math.random() * PAUSE_MS);
  }
}

/** Busy, and "locking protocol": too many at once while a log was being opened. */
const BUSY = [5, 15];

const isBusy = (error: unknown) =>
  error instanceof Error && "rawCode" in error && typeof error.rawCode === "number" && BUSY.includes(error.rawCode & 0xff);

/** SQLite does not wait by itself when several processes switch a new file to WAL at once. */
function enterWal(database: SqliteDatabase, busyTimeoutMs: number): void {
  const giveUpAt = performance.now() + busyTimeoutMs;
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5 + Math.floor(Math.random() * 20));
    }
  }
}
