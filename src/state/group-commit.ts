import { type Kysely, sql } from "kysely";
import type { Differences } from "./differences.ts";
import type { Executor, Tables } from "./tables.ts";

/** Runs `work` in a transaction of its own: all of it or nothing, and on the disk when the promise resolves. */
export type Write = <Result>(work: (transaction: Executor) => Promise<Result>) => Promise<Result>;

/** So many at most end together: the first of them shall not wait for ever, nor another process for our transaction. */
const MOST_TOGETHER = 100;

/**
 * Writing, as it is cheapest on this database. Where only one transaction writes at a time, those that wait while another
 * one's end is on its way to the disk go together in the next one, so that a thousand of them do not wait for the disk a
 * thousand times. Each has a savepoint: what fails or is refused undoes itself and nobody else. None of them is told that it
 * is done before all of them are on the disk.
 */
export function writesOn(database: Kysely<Tables>, differs: Differences): Write {
  if (!differs.writesOneByOne) return (work) => database.transaction().execute(work);
  const waiting: Member[] = [];
  let isAtIt = false;
  const drain = async () => {
    isAtIt = true;
    while (waiting.length > 0) await writeTogether(database, waiting.splice(0, MOST_TOGETHER));
    isAtIt = false;
  };
  return (work) =>
    new Promise((resolve, reject) => {
      waiting.push(memberOf(work, resolve, reject));
      if (!isAtIt) void drain();
    });
}

/** One of those that are written together. */
interface Member {
  /** @throws what has ended the whole transaction; what fails by itself is kept until the end. */
  apply(transaction: Executor): Promise<void>;
  /** It is on the disk, or it was undone by itself. */
  end(): void;
  /** Nothing of any of them was done. */
  fail(error: unknown): void;
}

function memberOf<Result>(
  work: (transaction: Executor) => Promise<Result>,
  resolve: (result: Result) => void,
  reject: (error: unknown) => void,
): Member {
  let end = () => reject(new Error("it was never written"));
  return {
    async apply(transaction) {
      await sql`savepoint member`.execute(transaction);
      try {
        const result = await work(transaction);
        end = () => resolve(result);
      } catch (error) {
        end = () => reject(error);
        await undo(transaction, error);
      }
      await sql`release member`.execute(transaction);
    },
    end: () => end(),
    fail: reject,
  };
}

/** SQLite has already undone everything by itself after some errors (disk full, input/output): then all of them have failed. */
async function undo(transaction: Executor, error: unknown): Promise<void> {
  try {
    await sql`rollback to member`.execute(transaction);
  } catch {
    throw error;
  }
}

async function writeTogether(database: Kysely<Tables>, members: readonly Member[]): Promise<void> {
  try {
    await database.transaction().execute(async (transaction) => {
      for (const member of members) await member.apply(transaction);
    });
  } catch (error) {
    for (const member of members) member.fail(error);
    return;
  }
  for (const member of members) member.end();
}
