import { EXIT, type ExitCode } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { STATE_URL } from "./state-place.ts";

/** An error's own code: five letters and digits from the server (SQLSTATE), a word of Node's from the way to it. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** No class of the server's begins with E, and Node's words do (EPIPE). */
const IS_SQLSTATE = /^(?!E)[0-9A-Z]{5}$/;

/** The server ended us: shut down, crashed, or the transaction or the session stood still for too long. */
const ENDED = ["57P01", "57P02", "57P05", "25P03"];
const NETWORK = ["ECONNRESET", "EPIPE", "ETIMEDOUT", "ECONNABORTED", "ENETRESET", "ENETDOWN"];
const BROKEN = /^Connection terminated|not queryable|^Client was closed/;

/** The connection is gone, or nobody answers on it any more. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  return ENDED.includes(code) || code.startsWith("08") || NETWORK.includes(code) || BROKEN.test(messageOf(error));
}

/** The server itself said no, and so what was asked for did not happen. */
export function isServersWord(error: unknown): boolean {
  const code = codeOf(error);
  return IS_SQLSTATE.test(code) && !/^(?:08|57|25P03)/.test(code);
}

interface Kind {
  readonly code: `SPOT_E_${string}`;
  /** After "the state database NAME". */
  readonly what: string;
  readonly hint: string;
  readonly exit?: ExitCode;
  readonly retryable?: boolean;
  readonly next?: readonly string[];
}

const UNREACHABLE: Kind = {
  code: "SPOT_E_STATE_UNREACHABLE",
  what: "cannot be reached",
  hint: "see whether the server runs and whether this computer may reach it, then run the command again",
  retryable: true,
};
const LOST: Kind = {
  code: "SPOT_E_STATE_LOST",
  what: "went away while it was being asked",
  hint: "what was being written then was not; run the command again",
  retryable: true,
};
const BUSY: Kind = {
  code: "SPOT_E_STATE_BUSY",
  what: "has no room for us now",
  hint: "the change was not written; run the command again, or raise the server's max_connections",
  retryable: true,
};
const SLOW: Kind = {
  code: "SPOT_E_STATE_TIMEOUT",
  what: "did not answer in time",
  hint: "the statement was ended and nothing of it was kept; something holds a lock or the server is overloaded",
  retryable: true,
};
const DENIED: Kind = {
  code: "SPOT_E_STATE_AUTH",
  what: "does not let us in",
  hint: `look at the user and the password in ${STATE_URL}, PGPASSWORD or ~/.pgpass, and at the server's pg_hba.conf`,
  exit: EXIT.credentials,
};
const MISSING: Kind = {
  code: "SPOT_E_STATE_MISSING",
  what: "is not there",
  hint: "an empty database is enough, spot makes its tables by itself: CREATE DATABASE (or CREATE SCHEMA) on the server, once",
};
const TLS: Kind = {
  code: "SPOT_E_STATE_TLS",
  what: "and we cannot agree on TLS",
  hint: "sslmode at the end of the URL says what is wanted: verify-full (with sslrootcert=FILE for an authority of your own), verify-ca, require (who answers is not checked), disable (only where nobody can listen)",
};
const READ_ONLY: Kind = {
  code: "SPOT_E_STATE_UNWRITABLE",
  what: "cannot be written",
  hint: "the server is a standby or set to read only, or the user may not write in this schema (GRANT USAGE, CREATE ON SCHEMA)",
};
const FULL: Kind = {
  code: "SPOT_E_DISK_FULL",
  what: "has no space left",
  hint: "the change was not written; free some space on the server and run the command again",
  next: ["spot reconcile"],
  retryable: true,
};
const BROKEN_DISK: Kind = {
  code: "SPOT_E_STATE_IO",
  what: "is damaged or cannot be read",
  hint: "the change was not written; the server's log says more",
};
const POOLER: Kind = {
  code: "SPOT_E_STATE_AUTH",
  what: "is behind something that refuses our connection's settings",
  hint: "in PgBouncer: ignore_startup_parameters = statement_timeout, idle_in_transaction_session_timeout, options; or go to the server itself",
};

/** The server's codes by their beginning; the longest that fits counts. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const BY_STATE: Readonly<Record<string, Kind>> = {
  "08": LOST,
  "08P01": POOLER,
  "25006": READ_ONLY,
  "25P03": LOST,
  "28": DENIED,
  "3D000": MISSING,
  "3F000": MISSING,
  "40001": BUSY,
  "40P01": BUSY,
  "42501": READ_ONLY,
  "53100": FULL,
  "53200": BUSY,
  "53300": BUSY,
  "55P03": SLOW,
  "57014": SLOW,
  "57P01": LOST,
  "57P02": LOST,
  "57P03": { ...UNREACHABLE, what: "is starting or stopping" },
  "57P04": MISSING,
  "57P05": LOST,
  "58030": BROKEN_DISK,
  XX001: BROKEN_DISK,
  XX002: BROKEN_DISK,
};

const NOWHERE = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ENOENT", "EACCES", "EADDRNOTAVAIL"];
const CERTIFICATE = /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_MISMATCH)/;
const NO_TLS = /does not support SSL|SSL off|no encryption|server accepts only encrypted|self.signed certificate/i;
const NO_PASSWORD = /password must be a (?:non-empty )?string|no password/i;
const NOT_CONNECTED = /connection timeout|timeout exceeded|timeout expired/;

function kindOf(error: unknown): Kind | undefined {
  const [code, message] = [codeOf(error), messageOf(error)];
  if (CERTIFICATE.test(code) || NO_TLS.test(message)) return TLS;
  if (NO_PASSWORD.test(message)) return DENIED;
  if (NOWHERE.includes(code) || NOT_CONNECTED.test(message)) return UNREACHABLE;
  // One address after another was tried, or both families at once.
  if (error instanceof AggregateError) return UNREACHABLE;
  const found = IS_SQLSTATE.test(code) ? (BY_STATE[code] ?? BY_STATE[code.slice(0, 2)]) : undefined;
  if (found !== undefined) return found;
  return isLost(error) ? LOST : undefined;
}

function problem(kind: Kind, name: string, error: unknown): Problem {
  const said = error instanceof AggregateError ? messageOf(error.errors[0]) : messageOf(error);
  return new Problem({
    code: kind.code,
    message: `the state database ${name} ${kind.what}: ${said}`,
    hint: kind.hint,
    next: kind.next ?? ["spot doctor"],
    exit: kind.exit ?? EXIT.failed,
    retryable: kind.retryable ?? false,
    cause: error,
  });
}

/** What the server or the way to it says about the database as a whole, as a `Problem`; anything else (a bug) unchanged. */
export function serverProblem(error: unknown, name: string): unknown {
  if (error instanceof Problem) return error;
  const kind = kindOf(error);
  return kind === undefined ? error : problem(kind, name, error);
}

/** The commit was sent and nobody said what became of it. */
export function unknownCommitProblem(name: string, error: unknown): Problem {
  return new Problem({
    code: "SPOT_E_STATE_LOST",
    message: `the state database ${name} went away during a commit: whether the change was written is not known (${messageOf(error)})`,
    hint: "run the command again: it looks at what is there before it does anything",
    next: ["spot reconcile"],
    exit: EXIT.failed,
    retryable: true,
    cause: error,
  });
}
