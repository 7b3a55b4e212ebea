import { describe, expect, test } from "vitest";
import { DATABASES, emptyStates } from "./databases.ts";
import { fillTogether, killInTheMiddle, openTogether, writersOfThisFile } from "./writers.ts";

const start = writersOfThisFile();

// The whole of it is in test/sweep/processes.spec.ts.
const SIZES = { SQLite: { writers: 10, rounds: 5, openers: 10, kills: 12 }, PostgreSQL: { writers: 6, rounds: 5, openers: 6, kills: 8 } };

describe.each(DATABASES)("on %s", (kind) => {
  const { writers, rounds, openers, kills } = SIZES[kind];

  test(
    `${writers} processes that make and fill one database at once lose nothing`,
    () => fillTogether(kind, start, writers, rounds),
    120_000,
  );

  test(`${openers} processes that open a database that is not there yet all get it`, () => openTogether(kind, start, openers), 120_000);

  test(
    `kill -9 in the middle of changes, ${kills} times: the database opens and every change is whole`,
    () => killInTheMiddle(kind, start, kills),
    120_000,
  );

  test("two connections that ask for one lease, again and again: one gets it, whoever asks first", async () => {
    const [one, two] = await emptyStates(kind, 2);
    if (one === undefined || two === undefined) throw new Error("no states");
    for (let round = 0; round < (kind === "SQLite" ? 50 : 10); round++) {
      // One after the other: two connections of one process would wait for each other on one thread.
      const first = await (round % 2 === 0 ? one : two).acquireLease("fleet", round % 2 === 0 ? "one" : "two", round * 10, 10);
      const second = await (round % 2 === 0 ? two : one).acquireLease("fleet", round % 2 === 0 ? "two" : "one", round * 10, 10);
      expect([first, second]).toEqual([true, false]);
    }
  });
});
