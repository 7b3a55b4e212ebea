import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MIGRATIONS } from "../../src/state/schema.ts";
import { asOwner, emptySchema, hasPostgres, ownersConnection, postgresServer, schemaUrl, until, waiting } from "../postgres.ts";
import { PACKAGE_ROOT, temporaryFolder } from "../world.ts";

const SPOT = join(PACKAGE_ROOT, "bin", "spot");
const PASSWORD = "s3cret-c4nary";

const environment = (home: string, url: string) => ({
  PATH: process.env["PATH"],
  HOME: home,
  SPOT_HOME: home,
  NO_COLOR: "1",
  SPOT_STATE_URL: url,
});

describe.skipIf(!hasPostgres())("the bundle on a state in PostgreSQL", () => {
  test("reads and writes it, makes no file, and never says the password", async () => {
    const [{ port }, { schema }] = [await postgresServer(), await emptySchema()];
    const url = schemaUrl(schema, "", `127.0.0.1:${port}`).replace("spot@", `spot:${PASSWORD}@`);
    const home = temporaryFolder();
    const run = (...argv: readonly string[]) =>
      spawnSync(process.execPath, [SPOT, ...argv], { env: environment(home, url), encoding: "utf8", timeout: 60_000 });
    for (const argv of [["ls", "--json"], ["reconcile", "--verbose"], ["doctor", "--json"], ["config", "show"], ["cost"]]) {
      const { status, stdout, stderr } = run(...argv);
      expect([argv, status, stderr.includes("SPOT_E_")]).toEqual([argv, 0, false]);
      expect(stdout + stderr).not.toContain(PASSWORD);
    }
    expect(existsSync(join(home, "state.db"))).toBe(false);
    expect(await asOwner("postgres", `SELECT max(version)::int AS version FROM ${schema}.schema_migrations`)).toEqual([
      { version: MIGRATIONS.length },
    ]);
  });

  test("Ctrl-C ends a command that waits for the database", async () => {
    const { schema, url } = await emptySchema();
    const home = temporaryFolder();
    expect(spawnSync(process.execPath, [SPOT, "ls"], { env: environment(home, url), timeout: 60_000 }).status).toBe(0);
    const owner = await ownersConnection();
    await owner.query(`BEGIN; LOCK TABLE ${schema}.instances IN ACCESS EXCLUSIVE MODE`);
    const child = spawn(process.execPath, [SPOT, "ls"], { env: environment(home, url), stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += String(chunk);
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    await until("it waits", async () => (await waiting({ schema })) === 1);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(said).toContain("interrupted");
  });
});
