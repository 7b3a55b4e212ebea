import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { EXIT } from "../../src/model/exit-codes.ts";
import { asOwner, emptySchema, hasPostgres, postgresServer, schemaUrl } from "../postgres.ts";
import { spot, testWorld } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

const PASSWORD = "s3cret-c4nary";

/** A URL with a password in it, of an empty database. */
async function secretUrl(): Promise<{ readonly url: string; readonly schema: string; readonly name: string }> {
  const [{ port }, { schema }] = [await postgresServer(), await emptySchema()];
  const url = schemaUrl(schema, "", `127.0.0.1:${port}`).replace("spot@", `spot:${PASSWORD}@`);
  return { url, schema, name: `postgres at 127.0.0.1:${port}` };
}

describe.skipIf(!hasPostgres())("with SPOT_STATE_URL", () => {
  test("a whole life: up, ls, reconcile, watch, down; the state lies in PostgreSQL alone, and another computer sees it", async () => {
    const { url, schema } = await secretUrl();
    const world = await cloudWorld({ env: { SPOT_STATE_URL: url } });
    await must(
      world,
      "up",
      "--name",
      "trainer",
      "--gpu",
      "A10G",
      "--volume",
      "trainer:1:/data",
      "--yes",
      "--verbose",
      "--",
      "sleep",
      "600",
    );
    expect(await data(world, "ls")).toMatchObject([{ name: "trainer", state: "running", provider: "local" }]);
    const elsewhere = testWorld({ env: { SPOT_STATE_URL: url } });
    expect(await data(elsewhere, "ls")).toMatchObject([{ name: "trainer", state: "running", ssh: null }]);
    expect((await data(elsewhere, "show", "trainer")).spec.command).toEqual(["sleep", "600"]);
    expect(await data(world, "reconcile")).toMatchObject([{ what: "trainer", outcome: "settled" }]);
    const watched = await spot(world, "watch", "--since", "0", "-o", "ndjson", "--timeout", "1s");
    expect(watched.code).toBe(124);
    const events = watched.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
    expect(events.filter(({ instance }) => instance === "trainer").length).toBeGreaterThan(3);
    expect(events.map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq).toSorted((a, b) => a - b));
    // Whoever works on the fleet has said by which key it comes into machines, and nothing else of it.
    const [peer, ...more] = await asOwner("postgres", `SELECT host, public_key FROM ${schema}.peers`);
    expect([peer?.["host"], more]).toEqual([`${hostname()}:${world.home}`, []]);
    expect(peer?.["public_key"]).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+$/);
    await must(world, "down", "trainer", "--yes");
    expect(await data(world, "ls")).toEqual([]);
    expect(await machines(world)).toBe(0);
    expect(await data(elsewhere, "ls", "--all")).toMatchObject([{ name: "trainer", state: "gone" }]);
    expect(existsSync(join(world.home, "state.db"))).toBe(false);
    expect((await asOwner("postgres", `SELECT count(*)::int AS count FROM ${schema}.instances`))[0]).toEqual({ count: 1 });
    for (const { written, said } of [world, elsewhere]) expect(written() + said()).not.toContain(PASSWORD);
  }, 120_000);

  test("another computer with an embedded cloud of its own leaves this one's instances alone", async () => {
    const { url } = await secretUrl();
    const here = await cloudWorld({ env: { SPOT_STATE_URL: url } });
    await must(here, "up", "--name", "trainer", "--gpu", "A10G", "--volume", "trainer:1:/data", "--yes", "--", "sleep", "600");
    const there = await cloudWorld({ env: { SPOT_STATE_URL: url } });
    const passed = await spot(there, "reconcile", "--json");
    expect(JSON.parse(passed.stdout).data).toMatchObject([
      { what: "trainer", outcome: "stuck", why: expect.stringContaining("it belongs to account") },
    ]);
    expect((await spot(there, "volumes", "rm", "trainer", "--yes")).code).not.toBe(0);
    expect(await data(here, "reconcile")).toMatchObject([{ what: "trainer", outcome: "settled" }]);
    expect([await machines(here), await machines(there)]).toEqual([1, 0]);
    // The wish is everybody's; it comes true where the machine is.
    expect((await spot(there, "down", "trainer", "--yes")).code).toBe(EXIT.credentials);
    expect([await machines(here), await machines(there)]).toEqual([1, 0]);
    await must(here, "reconcile");
    expect(await machines(here)).toBe(0);
  }, 120_000);

  test("doctor and config show say which state is in use, without the password", async () => {
    const { url, name } = await secretUrl();
    const world = testWorld({ env: { SPOT_STATE_URL: url } });
    const checks = JSON.parse((await spot(world, "doctor", "--json", "--verbose")).stdout).data as { check: string }[];
    expect(checks.find(({ check }) => check === "database")).toMatchObject({
      status: "ok",
      detail: `PostgreSQL, ${name}: 0 instances, 0 events`,
    });
    const settings = (await data(world, "config", "show")) as { key: string }[];
    expect(settings.find(({ key }) => key === "state")).toEqual({
      key: "state",
      value: name,
      origin: "environment",
      where: "SPOT_STATE_URL",
    });
    const file = testWorld();
    expect(((await data(file, "config", "show")) as { key: string }[]).find(({ key }) => key === "state")).toEqual({
      key: "state",
      value: join(file.home, "state.db"),
      origin: "default",
      where: "",
    });
    expect(world.written() + world.said()).not.toContain(PASSWORD);
  });

  test("a server that is not there fails the command and names the place; a URL of another kind is refused", async () => {
    const world = testWorld({ env: { SPOT_STATE_URL: `postgres://me:${PASSWORD}@127.0.0.1:1/fleet` } });
    const away = await spot(world, "ls", "--json", "--verbose");
    expect(away.code).toBe(1);
    expect(JSON.parse(away.stderr).error).toMatchObject({
      code: "SPOT_E_STATE_UNREACHABLE",
      message: expect.stringContaining("the state database fleet at 127.0.0.1:1 cannot be reached"),
      retryable: true,
    });
    const failing = JSON.parse((await spot(world, "doctor", "--json")).stdout).data as { check: string }[];
    expect(failing.find(({ check }) => check === "database")).toMatchObject({ status: "fail" });
    const other = testWorld({ env: { SPOT_STATE_URL: `mysql://me:${PASSWORD}@h/d` } });
    for (const verb of ["ls", "reconcile"]) {
      const refused = await spot(other, verb);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("SPOT_STATE_URL is no postgres:// or postgresql:// URL")]);
    }
    for (const { written, said } of [world, other]) expect(written() + said()).not.toContain(PASSWORD);
  });
});
