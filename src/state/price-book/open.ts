import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beginWriting, openSqlite, type SqliteDatabase } from "../../platform/sqlite.ts";
import { newerProblem } from "../problems.ts";
import { compacting } from "./compact.ts";
import { currentPrices } from "./current.ts";
import { priceHistory } from "./history.ts";
import { seriesKeys } from "./keys.ts";
import { bookProblem } from "./problems.ts";
import { readings } from "./readings.ts";
import { PRICE_BOOK_MIGRATIONS } from "./schema.ts";
import { sourceQueries } from "./sources.ts";
import type { PriceBook } from "./types.ts";
import { writing } from "./write.ts";

/**
 * Opens (and makes, and migrates) the price book below `home`: what was observed of prices, in a file of its own, so that a
 * catalogue of millions of rows neither swells the fleet's state nor keeps its writers waiting. It can be made again by asking
 * the sources again, but for its history.
 * @param turnMs how long a writer waits for its turn, in milliseconds; as long as every writer does when not given.
 * @throws Problem as `openState` does.
 */
export async function openPriceBook(home: string, turnMs?: number): Promise<PriceBook> {
  const path = join(home, "prices.db");
  const guarded = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw bookProblem(error, path);
    }
  };
  const database = guarded(() => {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    return openSqlite(path, turnMs);
  });
  try {
    // What the last second before a power cut was told can be asked for again.
    database.exec("PRAGMA synchronous = NORMAL");
    await migrate(database, path, turnMs);
  } catch (error) {
    database.close();
    throw bookProblem(error, path);
  }
  const once = async <Result>(work: () => Result): Promise<Result> => {
    try {
      await beginWriting(database, turnMs);
      const result = work();
      database.exec("commit");
      return result;
    } catch (error) {
      // Asked of a database that was closed meanwhile, that would end the process.
      if (database.open && database.inTransaction) database.exec("rollback");
      throw bookProblem(error, path);
    }
  };
  // One connection: a transaction begins when the one before it is over.
  let last: Promise<unknown> = Promise.resolve();
  const transaction = <Result>(work: () => Result): Promise<Result> => {
    const own = last.then(() => once(work));
    last = own.catch(() => undefined);
    return own;
  };
  const connection = { database, transaction, guarded };
  const keys = seriesKeys(connection);
  return {
    ...sourceQueries(connection),
    ...writing(connection, keys),
    ...readings(connection, keys),
    ...currentPrices(connection),
    ...priceHistory(connection),
    ...compacting(connection),
    close: () => database.close(),
  };
}

async function migrate(database: SqliteDatabase, path: string, turnMs: number | undefined): Promise<void> {
  const version = () => (database.prepare("PRAGMA user_version").get() as { readonly user_version: number }).user_version;
  if (version() === PRICE_BOOK_MIGRATIONS.length) return;
  await beginWriting(database, turnMs);
  try {
    const found = version();
    if (found > PRICE_BOOK_MIGRATIONS.length) throw newerProblem(path, found, PRICE_BOOK_MIGRATIONS.length);
    for (const statement of PRICE_BOOK_MIGRATIONS.slice(found).flat()) database.exec(statement);
    database.exec(`PRAGMA user_version = ${PRICE_BOOK_MIGRATIONS.length}`);
    database.exec("commit");
  } catch (error) {
    if (database.inTransaction) database.exec("rollback");
    throw error;
  }
}
