import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { inject, onTestFinished } from "vitest";
import { isMissing } from "./missing-program.ts";
import { postgresPrograms, startPostgres } from "./postgres-server.ts";

/** The first to make the folder does it; the others of this run wait, or leave it be. */
function isFirst(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

/** Whether there is a PostgreSQL to test with. What is left out without one is said once in a run. */
export function hasPostgres(): boolean {
  if (postgresPrograms() !== undefined) return true;
  if ((process.env["CI"] ?? "") !== "" || isFirst(join(inject("postgresFolder"), "said")))
    isMissing("postgresql", "the state on PostgreSQL, and computers that share it");
  return false;
}

export interface TestServer {
  /** The folder of its socket. */
  readonly socket: string;
  readonly port: number;
}

let server: Promise<TestServer> | undefined;

/** The one server of this run, started by whoever asks first, in whatever process. */
export function postgresServer(): Promise<TestServer> {
  server ??= startOrFind();
  return server;
}

/**
 * Starts a server that does not outlive this run, however that ends: a killed run tidies nothing up.
 * @returns its port.
 */
export async function startGuarded(folder: string, tls?: { readonly certificate: string; readonly key: string }): Promise<number> {
  const port = await startPostgres(folder, tls);
  const guard =
    'while kill -0 "$0" 2>/dev/null; do sleep 1; done; read -r server <"$1/data/postmaster.pid" && kill -QUIT "$server"; sleep 1; rm -rf "$1"';
  spawn("/bin/sh", ["-c", guard, String(inject("runPid")), folder], { detached: true, stdio: "ignore" }).unref();
  return port;
}

async function startOrFind(): Promise<TestServer> {
  const folder = inject("postgresFolder");
  const ready = join(folder, "ready");
  if (isFirst(join(folder, "starting"))) {
    const outcome = await startGuarded(folder).then(String, (error: unknown) => `failed: ${String(error)}`);
    writeFileSync(`${ready}.new`, outcome);
    renameSync(`${ready}.new`, ready);
  }
  for (let looks = 0; looks < 1200 && !existsSync(ready); looks++) await new Promise((resolve) => setTimeout(resolve, 50));
  const said = readFileSync(ready, "utf8");
  if (!/^\d+$/.test(said)) throw new Error(`PostgreSQL could not be started: ${said}`);
  return { socket: join(folder, "s"), port: Number(said) };
}

/** Runs SQL beside the program, as the owner of everything. The last answer's rows. */
export async function asOwner(database: string, ...statements: readonly string[]): Promise<readonly Record<string, unknown>[]> {
  const { socket, port } = await postgresServer();
  const client = new pg.Client({ host: socket, port, user: "spot", database });
  await client.connect();
  try {
    let rows: readonly Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query<Record<string, unknown>>(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** A connection that stays, to hold a lock for instance; it is closed after the test. */
export async function ownersConnection(database = "postgres"): Promise<pg.Client> {
  const { socket, port } = await postgresServer();
  const client = new pg.Client({ host: socket, port, user: "spot", database });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

let count = 0;

export interface TestSchema {
  readonly schema: string;
  /** What `SPOT_STATE_URL` would be: by the socket. */
  readonly url: string;
}

/** A schema of its own in the server of this run: as good as a database, and made in a millisecond. */
export async function emptySchema(): Promise<TestSchema> {
  const { socket, port } = await postgresServer();
  const schema = `t_${process.pid}_${count++}`;
  await asOwner("postgres", `CREATE SCHEMA ${schema}`);
  return { schema, url: schemaUrl(schema, `host=${encodeURIComponent(socket)}&port=${port}`) };
}

/** The URL of a schema, with more parameters; `authority` as in `127.0.0.1:5432`. */
export function schemaUrl(schema: string, parameters: string, authority = ""): string {
  // Functions of the schema come before the server's own, so that a test can set its clock.
  const options = encodeURIComponent(`-c search_path=${schema},pg_catalog`);
  return `postgres://spot@${authority}/postgres?options=${options}&${parameters}`;
}

/** How many transactions that have touched this schema wait for a lock. */
export async function waiting({ schema }: Pick<TestSchema, "schema">): Promise<number> {
  const rows = await asOwner(
    "postgres",
    `SELECT pid FROM pg_stat_activity AS a WHERE wait_event_type = 'Lock' AND EXISTS (
      SELECT 1 FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE l.pid = a.pid AND n.nspname = '${schema}')`,
  );
  return rows.length;
}

/** Looks again and again, for a generous while. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < 600; looks++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never came: ${what}`);
}
