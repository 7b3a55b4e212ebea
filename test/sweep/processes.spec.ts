import { describe, test } from "vitest";
import { DATABASES } from "../state/databases.ts";
import { fillTogether, killInTheMiddle, openTogether, writersOfThisFile } from "../state/writers.ts";

const KILLS = Number(process.env["SPOT_KILLS"] ?? 40);
/** A PostgreSQL has connections to give away; a file has a lock. */
const OPENERS = { SQLite: 20, PostgreSQL: 50 };
const start = writersOfThisFile();

describe.each(DATABASES)("on %s", (kind) => {
  test(`${OPENERS[kind]} processes that open a database that is not there yet all get it`, () => openTogether(kind, start, OPENERS[kind]));

  test("twenty processes that make and fill one database at once lose nothing", () => fillTogether(kind, start, 20, 10));

  test(`kill -9 in the middle of changes, ${KILLS} times: the database opens and every change is whole`, () =>
    killInTheMiddle(kind, start, KILLS));
});
