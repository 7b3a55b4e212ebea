import { type RawBuilder, sql } from "kysely";
import { Problem } from "../model/problem.ts";
import { isSqliteUnique } from "./problems.ts";

/** All in which the two databases differ for the queries of this folder; everything else is the same for both. */
export interface Differences {
  /** A statement of the migrations, which are written as SQLite has it. */
  schema(statement: string): string;
  /** The values of a column that holds JSON, as one JSON array. */
  textsAsOne(column: string): RawBuilder<string>;
  /** Whole rows, as one JSON array of objects. */
  rowsAsOne(columns: readonly string[]): RawBuilder<string>;
  /**
   * The clock that leases are measured with, in epoch milliseconds: the caller's on SQLite, where all are on one computer, and
   * the server's on PostgreSQL, because the clocks of two computers differ.
   */
  clock(callers: number): RawBuilder<number>;
  /** Rows must be locked to stay as they were read until the transaction ends; elsewhere nobody else writes meanwhile. */
  readonly locksRows: boolean;
  /** Only one transaction writes at a time, and its end waits for the disk. */
  readonly writesOneByOne: boolean;
  /** Makes whoever else comes here wait until this transaction is over; null where a write transaction is alone anyway. */
  alone(on: "migrations" | "events"): RawBuilder<unknown> | null;
  /** A row was refused by a unique index other than the primary key. */
  isUniqueViolation(error: unknown): boolean;
  /** The table that was asked for is not there. */
  isMissingTable(error: unknown): boolean;
  /** The server has undone the transaction because it and another one waited for each other: at once it may be tried again. */
  isUndone(error: unknown): boolean;
}

const COUNTED = "INTEGER PRIMARY KEY AUTOINCREMENT";

const named = (columns: readonly string[]) => sql.join(columns.flatMap((name) => [sql.lit(name), sql.ref(name)]));

export const SQLITE: Differences = {
  schema: (statement) => statement,
  textsAsOne: (column) => sql`'[' || coalesce(group_concat(${sql.ref(column)}), '') || ']'`,
  rowsAsOne: (columns) => sql`json_group_array(json_object(${named(columns)}))`,
  clock: (callers) => sql`${callers}`,
  locksRows: false,
  writesOneByOne: true,
  alone: () => null,
  isUniqueViolation: isSqliteUnique,
  isMissingTable: (error) => error instanceof Error && error.message.includes("no such table"),
  isUndone: () => false,
};

/** The server's code of what it refused, also of what has become a `Problem`. */
function sqlState(thrown: unknown): string {
  const error = thrown instanceof Problem ? thrown.cause : thrown;
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

const UNIQUE_VIOLATION = "23505";
const UNDEFINED_TABLE = "42P01";
const SERIALIZATION_FAILURE = "40001";
const DEADLOCK = "40P01";

/** The first of the two numbers of our advisory locks: "spot" in ASCII. The second tells apart what is locked, and in which schema. */
const OUR_LOCKS = 0x73706f74;

export const POSTGRES: Differences = {
  schema: (statement) => statement.replace(COUNTED, "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
  textsAsOne: (column) => sql`'[' || coalesce(string_agg(${sql.ref(column)}, ','), '') || ']'`,
  rowsAsOne: (columns) => sql`coalesce(json_agg(json_build_object(${named(columns)})), '[]')::text`,
  locksRows: true,
  writesOneByOne: false,
  // Not now(), which stands still while the transaction waits for a lock.
  clock: () => sql`(extract(epoch from clock_timestamp()) * 1000)::bigint`,
  alone: (on) =>
    sql`select pg_advisory_xact_lock(${sql.lit(OUR_LOCKS)}, hashtext(${sql.lit(`${on} of `)} || coalesce(current_schema(), '')))`,
  // A name that is taken, and not an id of ours that comes a second time.
  isUniqueViolation: (error) =>
    sqlState(error) === UNIQUE_VIOLATION && !(error as { readonly constraint?: string }).constraint?.endsWith("_pkey"),
  isMissingTable: (error) => sqlState(error) === UNDEFINED_TABLE,
  isUndone: (error) => [SERIALIZATION_FAILURE, DEADLOCK].includes(sqlState(error)),
};
