import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openState } from "../../src/state/open.ts";
import { openPostgresState } from "../../src/state/open-postgres.ts";
import type { State } from "../../src/state/records.ts";
import { statePlace } from "../../src/state/state-place.ts";
import { asOwner, emptySchema, hasPostgres, ownersConnection } from "../postgres.ts";
import type { PaperStore } from "../simulation/paper-world.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export type DatabaseKind = "SQLite" | "PostgreSQL";

/** Both, where both are there: for `describe.each`. */
export const DATABASES: readonly DatabaseKind[] = hasPostgres() ? ["SQLite", "PostgreSQL"] : ["SQLite"];

/** Opens what a path, or the URL of a PostgreSQL, names. */
export async function openAt(place: string): Promise<State> {
  const found = statePlace("", place.includes("://") ? { SPOT_STATE_URL: place } : {});
  return found.kind === "postgres" ? openPostgresState(found) : openState(place);
}

/** A database that nothing has opened yet: a path or a URL. */
export async function newPlace(kind: DatabaseKind): Promise<string> {
  return kind === "SQLite" ? join(temporaryFolder(), "home", "state.db") : (await emptySchema()).url;
}

/** An empty state. Leases go by the `now` of each call on both: on PostgreSQL the server's clock is set to it first. */
export async function emptyState(kind: DatabaseKind): Promise<State> {
  const [state] = await emptyStates(kind, 1);
  if (state === undefined) throw new Error("no state");
  return state;
}

/** The same for so many who share one database. */
export async function emptyStates(kind: DatabaseKind, count: number): Promise<readonly State[]> {
  const { place, at } = kind === "SQLite" ? await onSqlite(count) : await onPostgres();
  const states: State[] = [];
  for (let index = 0; index < count; index++) {
    const state = await openAt(place);
    onTestFinished(() => state.close());
    states.push(kind === "SQLite" ? state : byItsCallers(state, at));
  }
  return states;
}

async function onSqlite(count: number) {
  return { place: count === 1 ? ":memory:" : await newPlace("SQLite"), at: async () => undefined };
}

async function onPostgres() {
  const { schema, url } = await emptySchema();
  await makeClock(schema);
  return { place: url, at: (now: number) => setClock(schema, now) };
}

/** Empty states in PostgreSQL for one simulated world after the other; leases go by virtual time. */
export async function postgresStore(): Promise<() => Promise<PaperStore>> {
  const { schema, url } = await emptySchema();
  await makeClock(schema);
  const state = await openAt(url);
  onTestFinished(() => state.close());
  const owner = await ownersConnection();
  const tables = await owner.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = '${schema}' AND tablename NOT IN ('schema_migrations', 'test_clock')`,
  );
  const names = tables.rows.map(({ name }) => `${schema}.${name}`).join(", ");
  let asked = 0;
  const counted = byItsCallers(state, async (now) => void (await owner.query(`UPDATE ${schema}.test_clock SET ms = ${now}`)));
  const watched = Object.fromEntries(
    Object.entries(counted).map(([name, ask]: [string, (...args: unknown[]) => Promise<unknown>]) => [
      name,
      (...args: unknown[]) => {
        asked++;
        return ask(...args).finally(() => asked--);
      },
    ]),
  ) as unknown as State;
  return async () => {
    await owner.query(`TRUNCATE ${names} RESTART IDENTITY`);
    return { state: { ...watched, close: async () => undefined }, busy: () => asked > 0 };
  };
}

/** The server's clock follows whoever asks. */
function byItsCallers(state: State, at: (now: number) => Promise<void>): State {
  const after = async <Result>(now: number, ask: () => Promise<Result>): Promise<Result> => {
    await at(now);
    return ask();
  };
  return {
    ...state,
    commit: (change) => (change.under === undefined ? state.commit(change) : after(change.under.now, () => state.commit(change))),
    acquireLease: (name, owner, now, ttlMs) => after(now, () => state.acquireLease(name, owner, now, ttlMs)),
    renewLeases: (owner, now, ttlMs) => after(now, () => state.renewLeases(owner, now, ttlMs)),
    leaseHolder: (name, now) => after(now, () => state.leaseHolder(name, now)),
    leasesUnder: (prefix, now) => after(now, () => state.leasesUnder(prefix, now)),
    lease: (name, now) => after(now, () => state.lease(name, now)),
  };
}

/** A clock in the place of the server's own, for whoever works in this schema. */
export async function makeClock(schema: string): Promise<void> {
  await asOwner(
    "postgres",
    `CREATE TABLE ${schema}.test_clock (ms double precision)`,
    `INSERT INTO ${schema}.test_clock VALUES (0)`,
    `CREATE FUNCTION ${schema}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
      AS 'SELECT to_timestamp(ms / 1000.0) FROM ${schema}.test_clock'`,
  );
}

export async function setClock(schema: string, ms: number): Promise<void> {
  await asOwner("postgres", `UPDATE ${schema}.test_clock SET ms = ${ms}`);
}
