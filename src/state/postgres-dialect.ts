import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from "kysely";
import type { Postgres, PostgresAnswer, PostgresSession } from "../platform/postgres.ts";
import { bindable } from "./bindable.ts";
import { isLost, isServersWord, serverProblem, unknownCommitProblem } from "./postgres-problems.ts";

/** A connection as Kysely holds it, and what it stands on now. */
interface Line extends DatabaseConnection {
  session: PostgresSession;
  inTransaction: boolean;
}

/** PostgreSQL refuses a fraction for a whole number, and jitter makes fractions of milliseconds. Sizes come as text. */
function whole<Value>(value: Value): Value | number {
  return typeof value === "number" ? Math.round(value) : value;
}

const IS_READING = /^\s*select\b/i;

function driver(server: Postgres, name: string): Driver {
  /** Says it, and once more on a new connection when the other end has gone while this one was idle, and nothing hangs on it. */
  const say = async (line: Line, text: string, values: readonly unknown[], mayRepeat: boolean): Promise<PostgresAnswer> => {
    try {
      return await line.session.query(text, values);
    } catch (error) {
      if (isLost(error)) line.session.spoil();
      if (!mayRepeat || !line.session.wasIdle || !isLost(error)) throw error;
      line.session.release();
      // Should there be no other one, the old one must not be given back twice.
      line.session = NOBODY;
      line.session = await server.session();
      return say(line, text, values, mayRepeat);
    }
  };
  const known = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } catch (error) {
      throw serverProblem(error, name);
    }
  };
  const lines = new WeakMap<DatabaseConnection, Line>();
  const lineOf = (connection: DatabaseConnection): Line => {
    const line = lines.get(connection);
    if (line === undefined) throw new Error("a connection of another driver");
    return line;
  };
  return {
    init: () => Promise.resolve(),
    async acquireConnection() {
      const line: Line = {
        session: await known(server.session()),
        inTransaction: false,
        async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
          const values = query.parameters.map((value) => whole(bindable(value)));
          const mayRepeat = !line.inTransaction && IS_READING.test(query.sql);
          const { rows, rowCount } = await known(say(line, query.sql, values, mayRepeat));
          return { rows: rows as Row[], numAffectedRows: BigInt(rowCount) };
        },
        streamQuery() {
          throw new Error("the state database is not streamed");
        },
      };
      lines.set(line, line);
      return line;
    },
    async beginTransaction(connection) {
      const line = lineOf(connection);
      // A row that is changed under the version it was read with needs no more than this; a server may be set to another one.
      await known(say(line, "begin isolation level read committed", [], true));
      line.inTransaction = true;
    },
    async commitTransaction(connection) {
      const line = lineOf(connection);
      let answer: PostgresAnswer;
      try {
        answer = await line.session.query("commit", []);
      } catch (error) {
        line.session.spoil();
        throw isServersWord(error) ? serverProblem(error, name) : unknownCommitProblem(name, error);
      }
      // A transaction that the server has given up is ended by a commit without an error.
      if (answer.command !== "COMMIT") throw new Error(`the server answered a commit with ${answer.command}`);
    },
    async rollbackTransaction(connection) {
      const { session } = lineOf(connection);
      try {
        await session.query("rollback", []);
      } catch {
        // It is undone with the connection, and why that was lost has been thrown already.
        session.spoil();
      }
    },
    async releaseConnection(connection) {
      lineOf(connection).session.release();
    },
    destroy: () => server.close(),
  };
}

/** In the place of a connection that was given back. */
const NOBODY: PostgresSession = {
  wasIdle: false,
  query: () => Promise.reject(new Error("there is no connection")),
  spoil: () => undefined,
  release: () => undefined,
};

/** Kysely on PostgreSQL. What the server or the way to it says about the database as a whole arrives as a `Problem`. */
export function postgresDialect(server: Postgres, name: string): Dialect {
  return {
    createDriver: () => driver(server, name),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (kysely) => new PostgresIntrospector(kysely),
  };
}
