import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { beginWriting, type SqliteDatabase } from "../platform/sqlite.ts";
import { bindable } from "./bindable.ts";
import { databaseProblem } from "./problems.ts";

function execute<Row>(database: SqliteDatabase, path: string, query: CompiledQuery): QueryResult<Row> {
  const parameters = query.parameters.map(bindable);
  try {
    const statement = database.prepare(query.sql);
    if (statement.reader) return { rows: statement.all(parameters) as Row[] };
    const { changes, lastInsertRowid } = statement.run(parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  } catch (error) {
    throw databaseProblem(error, path);
  }
}

/** Lets one caller at a time through, in the order of asking. */
function turnstile(): { enter(): Promise<void>; leave(): void } {
  const waiting: (() => void)[] = [];
  let isTaken = false;
  return {
    enter() {
      if (!isTaken) {
        isTaken = true;
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
    leave() {
      const next = waiting.shift();
      if (next === undefined) isTaken = false;
      else next();
    },
  };
}

/**
 * The binding keeps statements until they are collected, so that closing does not merge the log into the file as SQLite
 * would. Done here without waiting for anybody: the log is whole either way.
 */
function mergeLog(database: SqliteDatabase): void {
  try {
    database.exec("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // Somebody else is at it; the last one to close merges.
  }
}

function driver(database: SqliteDatabase, path: string, busyTimeoutMs: number | undefined): Driver {
  // One connection: a query of another caller must not slip into a transaction that is under way.
  const gate = turnstile();
  const connection: DatabaseConnection = {
    executeQuery: async <Row>(query: CompiledQuery) => execute<Row>(database, path, query),
    streamQuery() {
      throw new Error("the state database is not streamed");
    },
  };
  // Never as a prepared statement: one that fails as busy stays "in progress" until it is collected, and no later commit works.
  const say = async (words: string) => {
    try {
      database.exec(words);
    } catch (error) {
      throw databaseProblem(error, path);
    }
  };
  let hasWritten = false;
  return {
    init: () => Promise.resolve(),
    async acquireConnection() {
      await gate.enter();
      return connection;
    },
    // A deferred transaction that reads first fails at once (SQLITE_BUSY_SNAPSHOT) when another process has written meanwhile.
    async beginTransaction(_connection, settings) {
      if (settings.accessMode === "read only") return say("begin");
      await beginWriting(database, busyTimeoutMs).catch((error: unknown) => {
        throw databaseProblem(error, path);
      });
      hasWritten = true;
    },
    commitTransaction: () => say("commit"),
    async rollbackTransaction() {
      // SQLite has already rolled back by itself after some errors (disk full, input/output).
      if (database.inTransaction) await say("rollback");
    },
    async releaseConnection() {
      gate.leave();
    },
    async destroy() {
      if (hasWritten) mergeLog(database);
      database.close();
    },
  };
}

/**
 * Kysely on one open SQLite connection. What SQLite says about the file as a whole arrives as a `Problem`. `busyTimeoutMs`: how
 * long a writer waits for other processes, where it is not to be as usual.
 */
export function sqliteDialect(database: SqliteDatabase, path: string, busyTimeoutMs?: number): Dialect {
  return {
    createDriver: () => driver(database, path, busyTimeoutMs),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
  };
}
