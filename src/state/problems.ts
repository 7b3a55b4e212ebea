import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { hasErrorCode } from "../platform/files.ts";

/** SQLite's own number of an error, extended bits included; 0 when `error` is none of SQLite's. */
function sqliteNumber(error: unknown): number {
  if (!(error instanceof Error)) return 0;
  if ("rawCode" in error && typeof error.rawCode === "number") return error.rawCode;
  // The binding reports a failed open only in words: `ConnectionFailed("Unable to open connection to local database /x: 14")`.
  const opening = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(error.message);
  return Number(opening?.[1] ?? 0);
}

/** Busy, locked, and "locking protocol": too many at once while a log was being opened. */
const BUSY = [5, 6, 15];
const READONLY = 8;
const INPUT_OUTPUT = 10;
const CORRUPT = [11, 26];
const FULL = 13;
const CANNOT_OPEN = 14;
const UNIQUE = 2067;
/** The index beside the log could not be made larger: the disk is full. */
const SHARED_MEMORY_SIZE = 4874;

/** True when a unique index other than the primary key refused a row. */
export function isSqliteUnique(error: unknown): boolean {
  return sqliteNumber(error) === UNIQUE;
}

/** True when the file or its folder cannot be written, so that reading may still work. */
export function isUnwritable(error: unknown): boolean {
  return error instanceof Problem && error.code === "SPOT_E_STATE_UNWRITABLE";
}

export function corruptProblem(path: string, cause: unknown): Problem {
  return new Problem({
    code: "SPOT_E_STATE_CORRUPT",
    message: `the state database ${path} is damaged or is not a database of spot`,
    hint: "nothing was changed; move the file away (keep it), then let spot look for what still runs; it carries our tag at the provider",
    next: [`mv ${path} ${path}.damaged`, "spot reconcile"],
    exit: EXIT.failed,
    cause,
  });
}

export function newerProblem(path: string, found: number, known: number): Problem {
  return new Problem({
    code: "SPOT_E_STATE_NEWER",
    message: `the state database ${path} was written by a newer spot (schema ${found}; this one knows up to ${known})`,
    hint: "nothing was changed; use the newer spot, or another SPOT_HOME",
    next: ["spot --version"],
    exit: EXIT.failed,
  });
}

export function unwritableProblem(path: string, cause: unknown): Problem {
  return new Problem({
    code: "SPOT_E_STATE_UNWRITABLE",
    message: `the state database ${path} cannot be written`,
    hint: "the folder is read-only, belongs to another user, or cannot be made; nothing was asked of any provider. SPOT_HOME moves it",
    next: ["spot doctor"],
    exit: EXIT.failed,
    cause,
  });
}

export function diskFullProblem(path: string, cause: unknown): Problem {
  return new Problem({
    code: "SPOT_E_DISK_FULL",
    message: `no space left on the disk of ${path}`,
    hint: "the change was not written; free some space and run the command again",
    next: ["spot reconcile"],
    exit: EXIT.failed,
    retryable: true,
    cause,
  });
}

function busyProblem(path: string, cause: unknown): Problem {
  return new Problem({
    code: "SPOT_E_STATE_BUSY",
    message: `another process keeps the state database ${path} locked`,
    hint: "the change was not written; run the command again",
    exit: EXIT.failed,
    retryable: true,
    cause,
  });
}

function brokenDiskProblem(path: string, cause: unknown): Problem {
  return new Problem({
    code: "SPOT_E_STATE_IO",
    message: `reading or writing the state database ${path} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "the disk, or the file system below it, reported an error; the change was not written",
    next: ["spot doctor"],
    exit: EXIT.failed,
    cause,
  });
}

/** What SQLite or the file system says about the file as a whole, as a `Problem`; anything else (a bug) unchanged. */
export function databaseProblem(error: unknown, path: string): unknown {
  if (hasErrorCode(error, "ENOSPC", "EDQUOT")) return diskFullProblem(path, error);
  if (hasErrorCode(error, "EROFS", "EACCES", "EPERM", "ENOTDIR", "ENOENT", "EISDIR", "EEXIST")) return unwritableProblem(path, error);
  const primary = sqliteNumber(error) & 0xff;
  if (BUSY.includes(primary)) return busyProblem(path, error);
  if (CORRUPT.includes(primary)) return corruptProblem(path, error);
  if (primary === FULL || sqliteNumber(error) === SHARED_MEMORY_SIZE) return diskFullProblem(path, error);
  if (primary === READONLY || primary === CANNOT_OPEN) return unwritableProblem(path, error);
  if (primary === INPUT_OUTPUT) return brokenDiskProblem(path, error);
  return error;
}
