import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Problem } from "../../src/model/problem.ts";
import { statePlace } from "../../src/state/state-place.ts";

const place = (url: string, env: Readonly<Record<string, string>> = {}) => statePlace("/home/of/spot", { SPOT_STATE_URL: url, ...env });

function server(url: string, env: Readonly<Record<string, string>> = {}) {
  const found = place(url, env);
  if (found.kind !== "postgres") throw new Error("no server");
  return found.server;
}

function refused(url: string): string {
  try {
    place(url);
  } catch (error) {
    if (error instanceof Problem && error.exit === 2) return JSON.stringify([error.message, error.hint, error.next, error.stack]);
    throw error;
  }
  throw new Error("not refused");
}

test("without a URL the state is a file of the home", () => {
  const path = join("/home/of/spot", "state.db");
  expect(place("")).toEqual({ kind: "sqlite", name: path, path });
  expect(statePlace("/home/of/spot", {})).toEqual({ kind: "sqlite", name: path, path });
});

test("a URL says server, database, user and password; its name for people says no password and no user", () => {
  const url = "postgresql://me:p%40ss%2Fw%3Ard@db.example:6432/fleet?options=-c%20search_path%3Dspot&channel_binding=require";
  expect(place(url)).toMatchObject({ kind: "postgres", name: "fleet at db.example:6432" });
  expect(server(url)).toEqual({
    host: "db.example",
    port: 6432,
    database: "fleet",
    user: "me",
    password: "p@ss/w:rd",
    tlsMode: "verify-full",
    tlsFiles: { rootCert: undefined, cert: undefined, key: undefined },
    options: "-c search_path=spot",
    channelBinding: true,
  });
});

test("what the URL leaves out comes from PostgreSQL's own variables", () => {
  const env = { PGHOST: "h", PGPORT: "1", PGUSER: "u", PGPASSWORD: "p", PGDATABASE: "d", PGSSLMODE: "require", PGSSLROOTCERT: "/ca" };
  expect(server("postgres://", env)).toMatchObject({ host: "h", port: 1, user: "u", password: "p", database: "d", tlsMode: "require" });
  expect(server("postgres:///", { USER: "me" })).toMatchObject({ host: "localhost", port: 5432, user: "me", database: "me" });
  expect(server("postgres://a:b@c:2/e?sslmode=verify-ca", env)).toMatchObject({
    host: "c",
    port: 2,
    user: "a",
    password: "b",
    database: "e",
  });
});

test("a socket is named by its folder", () => {
  for (const url of ["postgres://me@/fleet?host=/run/pg", "postgres:///fleet?host=/run/pg&user=me", "postgres://me@%2Frun%2Fpg/fleet"])
    expect(server(url)).toMatchObject({ host: "/run/pg", user: "me", database: "fleet", tlsMode: "disable" });
  expect(place("postgres://me@/fleet?host=/run/pg").name).toBe("fleet at /run/pg (port 5432)");
});

test("the way to another computer is checked unless the URL says otherwise; to this one it need not be", () => {
  const modes = ["localhost", "127.0.0.1", "[::1]", "db", "10.0.0.3"].map((host) => server(`postgres://${host}/x`).tlsMode);
  expect(modes).toEqual(["disable", "disable", "disable", "verify-full", "verify-full"]);
  expect(server("postgres://db/x?sslmode=disable").tlsMode).toBe("disable");
  expect(refused("postgres://db/x?sslmode=prefer")).toContain("disable, require, verify-ca, verify-full");
  expect(refused("postgres://db/x?ssl=true")).toContain("TLS parameter");
});

test("any other URL is refused with what is accepted, and never repeated", () => {
  const [canary, head] = ["c4nary", "c4"];
  const wrong = [
    `mysql://me:${canary}@h/d`,
    `me:${canary}@h/d`,
    `${canary}`,
    `postgres:me:${canary}@h/d`,
    `postgres://me:${head}#nary@h/d`,
    `postgres://me:${head}/nary@h/d`,
    `postgres://me:${head}?nary@h/d`,
    `postgres://me:4/${canary}@h/d`,
    `postgres://me:4#${canary}@h/d`,
    `postgres://me:4?${canary}@h/d`,
    `postgres://me:%zz${canary}@h/d`,
    `postgres://me@h/d?password=${canary}`,
    `postgres://me:${canary}@h:99999/d`,
    `postgres://me:${canary}@h:0/d`,
    `postgres://me:${canary}@h/d?sslmode=${canary}`,
    `postgres://me:${canary}@h/d/e`,
  ];
  for (const url of wrong) expect(refused(url)).not.toContain(head);
  expect(refused("mysql://h/d")).toContain("postgres://USER:PASSWORD@HOST:PORT/DATABASE (or postgresql://…)");
});

test("whatever a password is made of, it is understood or refused, and is not in the name", () => {
  // Longer than any piece of the rest, so that it is not found there by chance.
  fc.assert(
    fc.property(fc.string({ minLength: 12 }), fc.boolean(), (password, isEncoded) => {
      const url = `postgres://me:${isEncoded ? encodeURIComponent(password) : password}@host.example:5432/fleet`;
      try {
        const found = place(url);
        expect(found.name).toBe("fleet at host.example:5432");
        if (isEncoded) expect(found.kind === "postgres" && found.server.password).toBe(password);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        expect(isEncoded).toBe(false);
        expect(JSON.stringify([error.message, error.hint])).not.toContain(password);
      }
    }),
    { numRuns: 500 },
  );
});
