import Database from "libsql";

/** Held for as long as this process lives, whatever way it ends. */
export interface ProcessLock {
  release(): void;
}

/**
 * Takes the lock that this file stands for; undefined when another process holds it. It is an exclusive SQLite
 * transaction that is never finished, so the operating system frees it with the process: no stale lock.
 * @throws what SQLite throws when the file cannot be made.
 */
export function takeProcessLock(path: string): ProcessLock | undefined {
  const database = new Database(path);
  try {
    database.exec("PRAGMA busy_timeout = 0");
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "code" in error && error.code === "SQLITE_BUSY") return undefined;
    throw error;
  }
  return {
    release() {
      database.exec("ROLLBACK");
      database.close();
    },
  };
}
