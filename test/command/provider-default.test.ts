import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stageEnvironment } from "../../src/commands/demo/stage.ts";
import { specsFromInput } from "../../src/fleet/spec/spec.ts";
import { cloudsWithCredentials, configuredProviders } from "../../src/providers/configured.ts";
import { CLOUD_ACCESS } from "../../src/providers/credentials.ts";
import { knownProviders } from "../../src/providers/registry.ts";
import { spot, testWorld } from "../world.ts";
import { cloudWorld, data, must } from "./cloud.ts";

test("nobody configured is local; with credentials it is those clouds, and only with all of their variables", async () => {
  const world = testWorld();
  expect(await configuredProviders(world)).toEqual(["local"]);
  for (const { provider, variables } of CLOUD_ACCESS.filter(
    (access) => access.chain === undefined && knownProviders().includes(access.provider),
  )) {
    const env = Object.fromEntries(variables.map((name) => [name, "canary-credential"]));
    expect(await configuredProviders({ env, home: world.home })).toEqual([provider]);
    expect(await cloudsWithCredentials({ env: { ...env, [variables.at(-1) ?? ""]: " " }, home: world.home })).toEqual([]);
    writeFileSync(join(world.home, "credentials.json"), JSON.stringify(env));
    expect(await configuredProviders({ env: {}, home: world.home })).toEqual([provider]);
    writeFileSync(join(world.home, "credentials.json"), "{}");
  }
});

test("an input without a provider means what is configured, and what lives stays where it was asked for", () => {
  const source = {
    fault: (_path: unknown, what: string) => new Error(what),
    folder: "/job",
    providers: ["ppio", "verda"],
    providersOf: (name: string) => (name === "w-2" ? ["local"] : undefined),
    fleet: null,
  };
  const specs = specsFromInput({ name: "w", count: 2, command: "make" }, source);
  expect(specs.map(({ name, providers, workdir }) => [name, providers, workdir])).toEqual([
    ["w-1", ["ppio", "verda"], null],
    ["w-2", ["local"], "/job"],
  ]);
  expect(specsFromInput({ name: "w-2", provider: "ppio" }, source)[0]?.providers).toEqual(["ppio"]);
});

test("up again after a login changes nothing for what lives on local", async () => {
  const world = await cloudWorld();
  await must(world, "up", "--name", "a", "--yes", "--", "sleep", "600");
  const env = { ...world.env, PPIO_API_KEY: "canary-credential", PPIO_API_URL: "http://127.0.0.1:9" };
  const again = await spot({ ...world, env }, "up", "--name", "a", "--yes", "--json", "--", "sleep", "600");
  expect([again.code, again.stderr]).toEqual([0, ""]);
  expect((await data(world, "ls")).map((row: { provider: string }) => row.provider)).toEqual(["local"]);
});

test("config says which providers are asked when none is set", async () => {
  const world = testWorld();
  expect((await spot(world, "config", "get", "provider")).stdout).toBe("local\n");
  const shown = JSON.parse((await spot(world, "config", "show", "--json")).stdout).data as { key: string; value: string; origin: string }[];
  expect(shown.find(({ key }) => key === "provider")).toMatchObject({ value: "local", origin: "default" });
});

test("a damaged file of credentials is told as such by whoever needs it", async () => {
  const world = testWorld();
  writeFileSync(join(world.home, "credentials.json"), "{");
  const { code, stderr } = await spot(world, "config", "get", "provider");
  expect(code).toBe(4);
  expect(stderr).toContain("credentials.json cannot be read");
});

test("the demo sees neither credentials nor settings of whoever watches", () => {
  const env = {
    PATH: "/bin",
    PPIO_API_KEY: "canary",
    VERDA_CLIENT_SECRET: "canary",
    SPOT_PROVIDER: "ppio",
    SPOT_CONTEXT: "work",
    SPOT_STATE_URL: "postgres://me:canary@db/fleet",
    SPOT_GPU: "T4",
  };
  expect(stageEnvironment(env)).toEqual({ PATH: "/bin", SPOT_PROVIDER: "local" });
});
