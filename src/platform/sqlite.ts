import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import type Database from "libsql";

export type SqliteDatabase = InstanceType<typeof Database>;

/** Where musl keeps its loader, by Node's name of the processor. */
const MUSL_LOADERS: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", arm: "armhf" };

function isSurelyGlibc(): boolean {
  const processor = MUSL_LOADERS[process.arch];
  return process.platform === "linux" && processor !== undefined && !existsSync(`/lib/ld-musl-${processor}.so.1`);
}

/**
 * Loads the binding when a file is opened. While it loads it asks three times for Node's diagnostic report, only to see
 * which libc this is. A report takes 4 ms, on a busy machine 100: where no musl is installed, it is told the answer.
 */
function binding(): typeof Database {
  const { report } = process;
  const { getReport } = report;
  if (isSurelyGlibc()) report.getReport = () => ({ header: { glibcVersionRuntime: "2" }, sharedObjects: [] });
  try {
    return createRequire(import.meta.url)("libsql");
  } finally {
    report.getReport = getReport;
  }
}

/** How long a writer waits for another one before it gives up. */
const BUSY_TIMEOUT_MS = 10_000;

/** Opens (and makes, 0600 by the folder's 0700) an SQLite file in WAL mode. Throws what SQLite throws. */
export function openSqlite(path: string, busyTimeoutMs = BUSY_TIMEOUT_MS): SqliteDatabase {
  const Binding = binding();
  const database = new Binding(path);
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

/**
 * Opens a file that cannot be written, by its `file:` URL. SQLite is told that nobody else writes it either (`immutable`),
 * because in WAL mode even a reader needs to write beside it. Throws what SQLite throws.
 */
export function openSqliteReadOnly(url: string): SqliteDatabase {
  const Binding = binding();
  return new Binding(`${url}?mode=ro&immutable=1`);
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
