import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Problem } from "../../src/model/problem.ts";
import { type PostgresLimits, USUAL_LIMITS } from "../../src/platform/postgres.ts";
import { openPostgresState } from "../../src/state/open-postgres.ts";
import type { State } from "../../src/state/records.ts";
import { type StatePlace, statePlace } from "../../src/state/state-place.ts";
import { opensslAvailable, selfSigned } from "../platform/certificates.ts";
import {
  asOwner,
  emptySchema,
  hasPostgres,
  ownersConnection,
  postgresServer,
  schemaUrl,
  startGuarded,
  until,
  waiting,
} from "../postgres.ts";
import { controlPostgres, stopPostgres } from "../postgres-server.ts";
import { temporaryFolder } from "../world.ts";
import { sampleEvent, sampleInstance } from "./sample-records.ts";
import { wireTo } from "./wire.ts";

const PASSWORD = "s3cret-c4nary";

function placeOf(url: string): Extract<StatePlace, { kind: "postgres" }> {
  const place = statePlace("", { SPOT_STATE_URL: url });
  if (place.kind !== "postgres") throw new Error("no PostgreSQL");
  return place;
}

async function opened(url: string, limits: Partial<PostgresLimits> = {}, signal?: AbortSignal): Promise<State> {
  const options = { limits: { ...USUAL_LIMITS, ...limits }, ...(signal === undefined ? {} : { signal }) };
  const state = await openPostgresState(placeOf(url), options);
  onTestFinished(() => state.close());
  return state;
}

/** What opening, or whatever else, is refused with; everything that is said of it is searched for the password. */
async function refusal(work: Promise<unknown>): Promise<Pick<Problem, "code" | "exit" | "retryable" | "message">> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw new Error(`no problem: ${String(error)}`, { cause: error });
  const { code, exit, retryable, message, hint, next } = error;
  expect(JSON.stringify([message, hint, next, error.stack, String(error.cause)])).not.toContain(PASSWORD);
  return { code, exit, retryable, message };
}

const by = (authority: string, database: string, parameters = "") => `postgres://spot:${PASSWORD}@${authority}/${database}?${parameters}`;

describe.skipIf(!hasPostgres())("what goes wrong with a PostgreSQL is named", () => {
  beforeAll(async () => {
    await asOwner(
      "postgres",
      "CREATE DATABASE by_password",
      `CREATE ROLE crowd LOGIN CONNECTION LIMIT 0`,
      "CREATE ROLE reader LOGIN",
    ).catch(
      // Another file of this run was faster.
      () => undefined,
    );
  });

  test("a wrong password, none at all, a database that is not there", async () => {
    const { port } = await postgresServer();
    await asOwner("postgres", "ALTER ROLE spot PASSWORD 'another'");
    expect(await refusal(opened(by(`127.0.0.1:${port}`, "by_password")))).toEqual({
      code: "SPOT_E_STATE_AUTH",
      exit: 4,
      retryable: false,
      message: `the state database by_password at 127.0.0.1:${port} does not let us in: password authentication failed for user "spot"`,
    });
    expect(await refusal(opened(`postgres://spot@127.0.0.1:${port}/by_password`))).toMatchObject({ code: "SPOT_E_STATE_AUTH", exit: 4 });
    expect(await refusal(opened(by(`127.0.0.1:${port}`, "nowhere")))).toMatchObject({
      code: "SPOT_E_STATE_MISSING",
      exit: 1,
      message: expect.stringContaining('database "nowhere" does not exist'),
    });
    const elsewhere = `postgres://spot@127.0.0.1:${port}/postgres?options=${encodeURIComponent("-c search_path=no_such_schema")}`;
    expect(await refusal(opened(elsewhere))).toMatchObject({ code: "SPOT_E_STATE_MISSING" });
  });

  test("a password can lie in PGPASSWORD or in a password file", async () => {
    const { port } = await postgresServer();
    await asOwner("postgres", "ALTER ROLE spot PASSWORD 'another'");
    const url = `postgres://spot@127.0.0.1:${port}/by_password`;
    const open = async (env: Readonly<Record<string, string>>) => {
      const place = statePlace("", { SPOT_STATE_URL: url, ...env });
      if (place.kind !== "postgres") throw new Error("no PostgreSQL");
      const state = await openPostgresState(place);
      await state.close();
    };
    await open({ PGPASSWORD: "another" });
    const file = join(temporaryFolder(), "pgpass");
    writeFileSync(file, `127.0.0.1:${port}:by_password:spot:another\n`, { mode: 0o600 });
    const before = process.env["PGPASSFILE"];
    process.env["PGPASSFILE"] = file;
    onTestFinished(() => {
      if (before === undefined) delete process.env["PGPASSFILE"];
      else process.env["PGPASSFILE"] = before;
    });
    await open({});
  });

  test("nobody at that address, a name that is none, one who never answers", async () => {
    const server = createServer((socket) => socket.on("error", () => undefined).resume());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    expect(await refusal(opened(by(`127.0.0.1:${port}`, "x"), { connectMs: 100 }))).toMatchObject({
      code: "SPOT_E_STATE_UNREACHABLE",
      retryable: true,
    });
    await new Promise((resolve) => server.close(resolve));
    expect(await refusal(opened(by(`127.0.0.1:${port}`, "x")))).toMatchObject({ code: "SPOT_E_STATE_UNREACHABLE", retryable: true });
    expect(await refusal(opened(by("no-such-host.invalid", "x", "sslmode=disable")))).toMatchObject({
      code: "SPOT_E_STATE_UNREACHABLE",
      exit: 1,
    });
  });

  test("too many connections, a schema where we may not write", async () => {
    const { url, schema } = await emptySchema();
    expect(await refusal(opened(url.replace("spot@", "crowd@")))).toMatchObject({ code: "SPOT_E_STATE_BUSY", retryable: true });
    await asOwner("postgres", `GRANT USAGE ON SCHEMA ${schema} TO reader`);
    expect(await refusal(opened(url.replace("spot@", "reader@")))).toMatchObject({ code: "SPOT_E_STATE_UNWRITABLE", retryable: false });
  });

  test("a server that has no TLS, and one that has nothing else", async () => {
    const { port } = await postgresServer();
    // This one was started without a certificate.
    for (const mode of ["require", "verify-full"])
      expect(await refusal(opened(by(`127.0.0.1:${port}`, "postgres", `sslmode=${mode}`)))).toMatchObject({
        code: "SPOT_E_STATE_TLS",
        retryable: false,
      });
    await asOwner("postgres", "CREATE DATABASE tls_only").catch(() => undefined);
    expect(await refusal(opened(by(`127.0.0.1:${port}`, "tls_only")))).toMatchObject({ code: "SPOT_E_STATE_TLS" });
  });

  test("a statement that waits too long is ended, and what waits for it goes on", async () => {
    const { url, schema } = await emptySchema();
    const state = await opened(url, { statementMs: 1_000 });
    const owner = await ownersConnection();
    await owner.query(`BEGIN; LOCK TABLE ${schema}.instances IN EXCLUSIVE MODE`);
    expect(await refusal(state.commit({ addInstance: sampleInstance("a"), events: [sampleEvent()] }))).toMatchObject({
      code: "SPOT_E_STATE_TIMEOUT",
      retryable: true,
    });
    await owner.query("ROLLBACK");
    expect(await state.commit({ addInstance: sampleInstance("a") })).toBe("committed");
    expect(await state.lastSeq()).toBe(0);
  });

  test("Ctrl-C reaches a query that waits; what has to be undone afterwards still gets through", async () => {
    const { url, schema } = await emptySchema();
    const ctrlC = new AbortController();
    const state = await opened(url, { graceMs: 50 }, ctrlC.signal);
    const owner = await ownersConnection();
    await owner.query(`BEGIN; LOCK TABLE ${schema}.instances IN EXCLUSIVE MODE`);
    const waiting = state.commit({ addInstance: sampleInstance("a") });
    ctrlC.abort("SIGINT");
    await expect(waiting).rejects.toBe("SIGINT");
    await owner.query("ROLLBACK");
    expect(await state.instances()).toEqual([]);
    expect(await state.commit({ addInstance: sampleInstance("b") })).toBe("committed");
  });

  test("whoever stands still inside a transaction is ended by the server, and holds nobody up", async () => {
    const { url, schema } = await emptySchema();
    const state = await opened(url);
    const { port } = await postgresServer();
    const wire = await wireTo(port);
    const far = await opened(schemaUrl(schema, "", `127.0.0.1:${wire.port}`), {
      silentTransactionMs: 1_500,
    });
    await far.commit({ addInstance: sampleInstance("counter") });
    const owner = await ownersConnection();
    await owner.query(`BEGIN; LOCK TABLE ${schema}.events IN EXCLUSIVE MODE`);
    const stuck = refusal(far.commit({ addInstance: sampleInstance("far"), events: [sampleEvent()] }));
    await until("it is inside", async () => (await waiting({ schema })) === 1);
    wire.fallSilent();
    await owner.query("ROLLBACK");
    expect(await state.commit({ events: [sampleEvent({ instance: "near" })] })).toBe("committed");
    expect(await stuck).toMatchObject({ code: "SPOT_E_STATE_LOST", retryable: true });
    expect((await state.events({})).map(({ instance }) => instance)).toEqual(["near"]);
  });
});

describe.skipIf(!hasPostgres())("a connection that is lost", () => {
  test("while nobody asks is made anew, unnoticed", async () => {
    const { url, schema } = await emptySchema();
    const { port } = await postgresServer();
    const wire = await wireTo(port);
    const state = await opened(schemaUrl(schema, "", `127.0.0.1:${wire.port}`));
    const beside = await opened(url);
    for (const ask of [() => state.instances(), () => state.commit({ events: [sampleEvent()] })]) {
      await state.lastSeq();
      wire.cutAll();
      await ask();
    }
    expect(await beside.lastSeq()).toBe(1);
  });

  test("inside a change loses the change, and says so", async () => {
    const { schema, url } = await emptySchema();
    const { port } = await postgresServer();
    const wire = await wireTo(port);
    const state = await opened(schemaUrl(schema, "", `127.0.0.1:${wire.port}`));
    const beside = await opened(url);
    // A second try of the statement alone would get through, and be a change of its own.
    await state.lastSeq();
    wire.loseTheQuestion('insert into "events"');
    expect(await refusal(state.commit({ addInstance: sampleInstance("a"), events: [sampleEvent()] }))).toMatchObject({
      code: "SPOT_E_STATE_LOST",
      retryable: true,
    });
    expect([await beside.instances(), await beside.lastSeq()]).toEqual([[], 0]);
  });

  test.each(["answer", "question"] as const)("with the %s of a commit is never taken for done", async (what) => {
    const { schema, url } = await emptySchema();
    const { port } = await postgresServer();
    const wire = await wireTo(port);
    const state = await opened(schemaUrl(schema, "", `127.0.0.1:${wire.port}`));
    const beside = await opened(url);
    if (what === "answer") wire.loseTheAnswerTo("commit\0");
    else wire.loseTheQuestion("commit\0");
    expect(await refusal(state.commit({ addInstance: sampleInstance("a") }))).toMatchObject({
      code: "SPOT_E_STATE_LOST",
      retryable: true,
      message: expect.stringContaining("whether the change was written is not known"),
    });
    expect((await beside.instances()).map(({ name }) => name)).toEqual(what === "answer" ? ["a"] : []);
  });
});

describe.skipIf(!hasPostgres() || !opensslAvailable())("with a server of its own", () => {
  let folder = "";
  let port = 0;
  let certificateFile = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "spot-pg-own-"));
    const made = selfSigned("DNS:db.example", folder);
    certificateFile = made.certificateFile;
    port = await startGuarded(folder, made);
  });
  afterAll(async () => {
    await stopPostgres(folder);
    rmSync(folder, { recursive: true, force: true });
  });

  test("that it stops is named, and all is well again once it runs", async () => {
    const state = await opened(`postgres://spot@127.0.0.1:${port}/postgres`);
    await state.commit({ addInstance: sampleInstance("a") });
    await controlPostgres(folder, "restart");
    expect((await state.instances()).length).toBe(1);
    await controlPostgres(folder, "stop");
    expect(await refusal(state.instances())).toMatchObject({ code: "SPOT_E_STATE_UNREACHABLE", retryable: true });
    await controlPostgres(folder, "start");
    expect(await state.commit({ addInstance: sampleInstance("b") })).toBe("committed");
  });

  test("TLS is checked as sslmode says", async () => {
    const asked = (parameters: string) => opened(by(`127.0.0.1:${port}`, "postgres", parameters));
    const ca = `&sslrootcert=${encodeURIComponent(certificateFile)}`;
    // Who signed it is unknown; it is signed by whom we trust but is another's; only the signer matters; nothing is asked.
    expect(await refusal(asked("sslmode=verify-full"))).toMatchObject({ code: "SPOT_E_STATE_TLS", retryable: false });
    expect(await refusal(asked(`sslmode=verify-full${ca}`))).toMatchObject({ code: "SPOT_E_STATE_TLS" });
    expect(await refusal(asked("sslmode=verify-ca"))).toMatchObject({ code: "SPOT_E_STATE_TLS" });
    for (const parameters of [`sslmode=verify-ca${ca}`, "sslmode=require", "sslmode=disable"])
      expect(Array.isArray(await (await asked(parameters)).instances())).toBe(true);
  });
});
