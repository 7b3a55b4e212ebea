import { Kysely } from "kysely";
import { usageProblem } from "../model/problem.ts";
import { hasErrorCode } from "../platform/files.ts";
import { openPostgres, type PostgresLimits } from "../platform/postgres.ts";
import { type TlsWish, tlsWish } from "../platform/postgres-tls.ts";
import { stateOn } from "./assemble.ts";
import { POSTGRES } from "./differences.ts";
import { postgresDialect } from "./postgres-dialect.ts";
import type { State } from "./records.ts";
import { type ServerPlace, STATE_URL, type StatePlace } from "./state-place.ts";
import type { Tables } from "./tables.ts";

export interface OpenPostgresOptions {
  /** Fires when the command is told to stop: from then on nothing is waited for longer than a moment. */
  readonly signal?: AbortSignal;
  readonly limits?: PostgresLimits;
}

function tlsOf({ tlsMode, tlsFiles }: ServerPlace): TlsWish {
  try {
    return tlsWish(tlsMode, tlsFiles);
  } catch (error) {
    if (!hasErrorCode(error, "ENOENT", "EACCES", "EISDIR", "ENOTDIR")) throw error;
    throw usageProblem(`${STATE_URL} names a certificate or key that cannot be read: ${error.path ?? error.message}`);
  }
}

/**
 * The fleet's state in a PostgreSQL database, made and migrated when it is new.
 * @throws Problem `SPOT_E_STATE_UNREACHABLE`, `_LOST`, `_BUSY`, `_TIMEOUT`, `_AUTH`, `_MISSING`, `_TLS`, `_UNWRITABLE`, `_IO`, `_NEWER`, or `SPOT_E_DISK_FULL`.
 */
export async function openPostgresState(
  { name, server }: Extract<StatePlace, { kind: "postgres" }>,
  { signal, limits }: OpenPostgresOptions = {},
): Promise<State> {
  const { tlsMode: _mode, tlsFiles: _files, ...target } = server;
  const postgres = openPostgres({ ...target, tls: tlsOf(server) }, signal, limits);
  return stateOn(new Kysely<Tables>({ dialect: postgresDialect(postgres, name) }), POSTGRES, name);
}
