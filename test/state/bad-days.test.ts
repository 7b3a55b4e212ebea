import { copyFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Kysely, sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { openSqlite } from "../../src/platform/sqlite.ts";
import { sqliteDialect } from "../../src/state/dialect.ts";
import { SQLITE } from "../../src/state/differences.ts";
import { migrate } from "../../src/state/migrations.ts";
import { openState } from "../../src/state/open.ts";
import { databaseProblem } from "../../src/state/problems.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "../../src/state/schema.ts";
import type { Tables } from "../../src/state/tables.ts";
import { sampleEvent, sampleInstance } from "./sample-records.ts";
import { temporaryFolder } from "./temporary-folder.ts";

function rawDatabase(path: string): Kysely<Tables> {
  const database = new Kysely<Tables>({ dialect: sqliteDialect(openSqlite(path), path) });
  onTestFinished(() => database.destroy());
  return database;
}

test("a new database is made with its folder, for its owner only", async () => {
  const path = join(temporaryFolder(), "a", "b", "state.db");
  const state = await openState(path);
  await state.commit({ addInstance: sampleInstance("a") });
  expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
  expect((statSync(`${path}-wal`).mode & 0o777).toString(8)).toBe("600");
  expect((statSync(join(path, "..")).mode & 0o777).toString(8)).toBe("700");
  await state.close();
  expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
});

test("what one process wrote the next one reads, and migrations run once", async () => {
  const path = join(temporaryFolder(), "state.db");
  const first = await openState(path);
  await first.commit({ addInstance: sampleInstance("a") });
  await first.close();
  const database = rawDatabase(path);
  await migrate(database, SQLITE, path);
  const versions = await database.selectFrom("schema_migrations").selectAll().execute();
  expect(versions).toEqual(MIGRATIONS.map((_, index) => ({ version: index + 1 })));
  const second = await openState(path);
  expect(await second.instances()).toEqual([sampleInstance("a")]);
  await second.close();
});

test("a later migration is added to a database in use, and a broken one changes nothing", async () => {
  const path = join(temporaryFolder(), "state.db");
  const state = await openState(path);
  await state.commit({ addInstance: sampleInstance("a") });
  await state.close();
  const database = rawDatabase(path);
  const broken = [...MIGRATIONS, ["CREATE TABLE extra (a TEXT)", "CREATE TABLE nonsense ("]];
  await expect(migrate(database, SQLITE, path, broken)).rejects.toThrow("incomplete input");
  const tables = await sql<{ name: string }>`SELECT name FROM sqlite_master WHERE name = 'extra'`.execute(database);
  expect(tables.rows).toEqual([]);
  await migrate(database, SQLITE, path, [...MIGRATIONS, ["CREATE TABLE extra (a TEXT)"]]);
  expect(await database.selectFrom("instances").select("id").execute()).toEqual([{ id: "i-a" }]);
});

test("a database of a newer version is refused and left alone", async () => {
  const path = join(temporaryFolder(), "state.db");
  await (await openState(path)).close();
  const database = rawDatabase(path);
  await database
    .insertInto("schema_migrations")
    .values({ version: SCHEMA_VERSION + 1 })
    .execute();
  await expect(openState(path)).rejects.toMatchObject({
    code: "SPOT_E_STATE_NEWER",
    exit: 1,
    message: `the state database ${path} was written by a newer spot (schema ${SCHEMA_VERSION + 1}; this one knows up to ${SCHEMA_VERSION})`,
  });
});

const corrupt = (path: string) => ({
  code: "SPOT_E_STATE_CORRUPT",
  exit: 1,
  message: `the state database ${path} is damaged or is not a database of spot`,
  next: [`mv ${path} ${path}.damaged`, "spot reconcile"],
});

test("a file that is no database is refused and left alone", async () => {
  const path = join(temporaryFolder(), "state.db");
  const content = "fleet: mine\n".repeat(1000);
  writeFileSync(path, content);
  await expect(openState(path)).rejects.toMatchObject(corrupt(path));
  expect(readFileSync(path, "utf8")).toBe(content);
});

test("a database that was cut short or overwritten is said to be damaged", async () => {
  for (const damage of ["cut", "overwritten"]) {
    const path = join(temporaryFolder(), "state.db");
    const state = await openState(path);
    for (let i = 0; i < 40; i++) await state.commit({ addInstance: sampleInstance(`n-${i}`), events: [sampleEvent()] });
    await state.close();
    if (damage === "cut") truncateSync(path, Math.floor(statSync(path).size / 2 / 4096) * 4096);
    else {
      const bytes = readFileSync(path);
      bytes.fill(0xa5, 4096);
      writeFileSync(path, bytes);
    }
    const readAll = async () => {
      const opened = await openState(path);
      try {
        await opened.instances({ includeGone: true });
        await opened.events({});
        await opened.ledger();
      } finally {
        await opened.close();
      }
    };
    await expect(readAll()).rejects.toMatchObject(corrupt(path));
  }
});

test("a folder that cannot be made is said to be unwritable", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  const path = join(folder, "file", "state.db");
  await expect(openState(path)).rejects.toMatchObject({
    code: "SPOT_E_STATE_UNWRITABLE",
    exit: 1,
    message: `the state database ${path} cannot be written`,
  });
  const directory = join(folder, "state.db");
  mkdirSync(directory);
  await expect(openState(directory)).rejects.toMatchObject({ code: "SPOT_E_STATE_UNWRITABLE" });
});

test("where nothing can be written beside the database it can still be read, and changes are refused", async () => {
  const folder = temporaryFolder();
  const writer = await openState(join(folder, "written.db"));
  await writer.commit({ addInstance: sampleInstance("a") });
  await writer.close();
  const path = join(folder, "state.db");
  copyFileSync(join(folder, "written.db"), path);
  // A folder in the place of the index file refuses even root, as a read-only file system would.
  mkdirSync(`${path}-shm`);
  const reader = await openState(path);
  expect(await reader.instances()).toEqual([sampleInstance("a")]);
  await expect(reader.commit({ events: [sampleEvent()] })).rejects.toMatchObject({ code: "SPOT_E_STATE_UNWRITABLE" });
  await expect(reader.acquireLease("fleet", "me", 0, 1)).rejects.toMatchObject({ code: "SPOT_E_STATE_UNWRITABLE" });
  await reader.close();
});

test("a writer that waits too long says so, and that it may be tried again", async () => {
  const path = join(temporaryFolder(), "state.db");
  const state = await openState(path, { busyTimeoutMs: 50 });
  const other = openSqlite(path);
  other.exec("BEGIN IMMEDIATE");
  await expect(state.commit({ events: [sampleEvent()] })).rejects.toMatchObject({ code: "SPOT_E_STATE_BUSY", retryable: true });
  other.exec("ROLLBACK");
  other.close();
  expect(await state.commit({ events: [sampleEvent()] })).toBe("committed");
  await state.close();
});

test("a full disk fails the change, keeps what was there, and is named", async () => {
  const path = join(temporaryFolder(), "state.db");
  await (await openState(path)).close();
  const connection = openSqlite(path);
  // The same error as from a full disk, at a size of our choosing.
  connection.exec("PRAGMA max_page_count = 40");
  const database = new Kysely<Tables>({ dialect: sqliteDialect(connection, path) });
  const insert = (seq: number) =>
    database.transaction().execute(async (transaction) => {
      const event = { ...sampleEvent(), data_json: "x".repeat(20_000) };
      const { data, ...row } = event;
      await transaction
        .insertInto("events")
        .values({ seq, ...row })
        .execute();
    });
  let stored = 0;
  const fill = async () => {
    for (; stored < 100; stored++) await insert(stored + 1);
  };
  await expect(fill()).rejects.toMatchObject({ code: "SPOT_E_DISK_FULL", exit: 1, retryable: true });
  await database.destroy();
  const state = await openState(path);
  expect(await state.lastSeq()).toBe(stored);
  await state.close();
});

test("errors of the file system carry the same codes", () => {
  const failure = (code: string) => Object.assign(new Error(code), { code });
  const codeOf = (code: string) => (databaseProblem(failure(code), "/x/state.db") as { code: string }).code;
  expect(["EROFS", "EACCES", "EPERM", "ENOSPC", "EDQUOT"].map(codeOf)).toEqual([
    "SPOT_E_STATE_UNWRITABLE",
    "SPOT_E_STATE_UNWRITABLE",
    "SPOT_E_STATE_UNWRITABLE",
    "SPOT_E_DISK_FULL",
    "SPOT_E_DISK_FULL",
  ]);
  const bug = new TypeError("a bug stays a bug");
  expect(databaseProblem(bug, "/x/state.db")).toBe(bug);
});

test("values that the binding would spoil are refused before they reach it", async () => {
  const database = rawDatabase(join(temporaryFolder(), "state.db"));
  for (const value of [true, undefined, Number.NaN, 2n ** 53n, {}])
    await expect(sql`SELECT ${sql.value(value)}`.execute(database)).rejects.toThrow("cannot store a ");
});
