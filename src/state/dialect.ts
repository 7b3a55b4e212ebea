import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { SqliteDatabase } from "../platform/sqlite.ts";
import { databaseProblem } from "./problems.ts";

type Bindable = string | number | bigint | null;

/** The binding ends the whole process on a boolean and rounds big integers without a word, so both are refused here. */
function bindable(value: unknown): Bindable {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint" && value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) return value;
  throw new TypeError(`cannot store a ${typeof value} in the database: ${String(value)}`);
}

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

function driver(database: SqliteDatabase, path: string): Driver {
  // One connection: a query of another caller must not slip into a transaction that is under way.
  const gate = turnstile();
  const connection: DatabaseConnection = {
    executeQuery: async <Row>(query: CompiledQuery) => execute<Row>(database, path, query),
    streamQuery() {
      throw new Error("the state database is not streamed");
    },
  };
  const say = async (words: string) => {
    execute(database, path, CompiledQuery.raw(words));
  };
  return {
    init: () => Promise.resolve(),
    async acquireConnection() {
      await gate.enter();
      return connection;
    },
    // A deferred transaction that reads first fails at once (SQLITE_BUSY_SNAPSHOT) when another process has written meanwhile.
    beginTransaction: (_connection, settings) => say(settings.accessMode === "read only" ? "begin" : "begin immediate"),
    commitTransaction: () => say("commit"),
    async rollbackTransaction() {
      // SQLite has already rolled back by itself after some errors (disk full, input/output).
      if (database.inTransaction) await say("rollback");
    },
    async releaseConnection() {
      gate.leave();
    },
    async destroy() {
      database.close();
    },
  };
}

/** Kysely on one open SQLite connection. What SQLite says about the file as a whole arrives as a `Problem`. */
export function sqliteDialect(database: SqliteDatabase, path: string): Dialect {
  return {
    createDriver: () => driver(database, path),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
  };
}
