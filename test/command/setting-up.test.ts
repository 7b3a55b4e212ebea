import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseFleetFile } from "../../src/fleet/spec/fleet-file.ts";
import { spot, temporaryFolder, testWorld } from "../world.ts";

const TRAIN = ["init", "--name", "train", "--command", "node train.mjs"];

test("init writes a fleet file from flags, and up would take it", async () => {
  const world = testWorld();
  const { code, stdout, stderr } = await spot(world, ...TRAIN, "--gpu", "H100:2", "--max-price", "2.50", "--ttl", "8h");
  expect([code, stderr]).toEqual([0, ""]);
  const text = readFileSync(join(world.cwd, "spot.yaml"), "utf8");
  expect(text).toBe(`# spot up -f spot.yaml brings it up; spot schema > spot.schema.json lets editors complete this file.
# yaml-language-server: $schema=./spot.schema.json
fleet: train
instances:
  - name: train
    provider: local
    gpu: H100:2
    billing: spot
    maxPrice: "2.50"
    ttl: 8h
    volume:
      size: 10
      mount: /data
    onReclaim: replace
    command: node train.mjs
`);
  expect(stdout).toBe(`${text}\nwritten to spot.yaml; next: spot up -f spot.yaml\n`);
  const { specs } = parseFleetFile("spot.yaml", text, world.cwd, { providers: ["local"] });
  expect(specs[0]).toMatchObject({ name: "train", gpu: { model: "H100", count: 2 }, maxPrice: "2.5", ttlMs: 28_800_000 });
});

test("init names the clouds whose credentials it finds, and proposes them; the credentials themselves appear nowhere", async () => {
  const env = { PPIO_API_KEY: "canary-ppio-7f3a", VERDA_CLIENT_ID: "canary-verda-1", VERDA_CLIENT_SECRET: "canary-verda-2" };
  const both = await spot(testWorld({ env }), ...TRAIN, "--dry-run");
  expect([both.code, both.stderr]).toEqual([0, "credentials found: PPIO, Verda\n"]);
  expect(both.stdout).toContain("    provider:\n      - ppio\n      - verda\n");
  const { stdout, stderr } = await spot(testWorld({ env: { PPIO_API_KEY: "canary-ppio-7f3a" } }), ...TRAIN, "--dry-run");
  expect(stdout).toContain("    provider: ppio\n");
  expect(both.stdout + both.stderr + stdout + stderr).not.toContain("canary");
  const chosen = await spot(testWorld({ env }), ...TRAIN, "--dry-run", "--provider", "local");
  expect(chosen.stdout).toContain("    provider: local\n");
});

test("init overwrites only when told, and --dry-run writes nothing", async () => {
  const world = testWorld();
  const file = join(world.cwd, "spot.yaml");
  expect((await spot(world, ...TRAIN, "--dry-run")).stdout).toContain("nothing was written; next: spot up -f spot.yaml\n");
  writeFileSync(file, "mine");
  expect(await spot(world, ...TRAIN)).toEqual({
    code: 2,
    stdout: "",
    stderr:
      "error: cannot ask without a terminal: spot.yaml exists. Overwrite it?\n  add --yes to agree beforehand\n  next: spot init --help\n",
  });
  expect(readFileSync(file, "utf8")).toBe("mine");
  expect((await spot(world, ...TRAIN, "--yes")).code).toBe(0);
  expect(readFileSync(file, "utf8")).toContain("fleet: train");
});

test.each([
  [["init"], "cannot ask for name without a terminal\n  say it with --name\n  next: spot init --name train --command 'node train.mjs'"],
  [
    ["init", "--name", "train"],
    "cannot ask for command without a terminal\n  say it with --command\n  next: spot init --name train --command 'node train.mjs'",
  ],
  [
    [...TRAIN, "--gpu", "H100:0"],
    '--gpu: "H100:0" is not a GPU (expected MODEL or MODEL:COUNT with a count of 1 to 16, e.g. H100:1)\n  next: spot init --help',
  ],
  [[...TRAIN, "--provider", "lcal"], '--provider: "lcal" is not a provider; did you mean "local"?\n  next: spot init --help'],
])("%j is refused", async (argv, message) => {
  expect(await spot(testWorld(), ...argv)).toEqual({ code: 2, stdout: "", stderr: `error: ${message}\n` });
});

test("schema prints JSON Schema on stdout, and nothing else", async () => {
  const { code, stdout, stderr } = await spot(testWorld(), "schema");
  expect([code, stderr]).toEqual([0, ""]);
  expect(JSON.parse(stdout)).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", required: ["fleet", "instances"] });
});

test("doctor finds nothing wrong on a machine that is fit, and starts nothing", async () => {
  const world = testWorld({ columns: 160 });
  const { code, stdout } = await spot(world, "doctor", "--json");
  const found = JSON.parse(stdout).data as { check: string; status: string; detail: string }[];
  expect(found.filter(({ status }) => status === "fail")).toEqual([]);
  expect(code).toBe(0);
  expect(found.map(({ check }) => check)).toEqual([
    ...["node", "home", "disk", "clock", "settings", "database", "controller"],
    ...["embedded cloud", "shell", "hashes", "http", "ssh", "credentials"],
  ]);
  expect(found.find(({ check }) => check === "embedded cloud")?.detail).toBe("not running; it starts when it is first used");
});

test("doctor names each thing that is wrong, goes on, and exits 1", async () => {
  const home = temporaryFolder();
  writeFileSync(join(home, "state.db"), "no database ".repeat(1000));
  writeFileSync(join(home, "config.json"), "{");
  const world = testWorld({ home, env: { PATH: home } });
  const { code, stdout } = await spot({ ...world, clock: { ...world.clock, now: () => 0 } }, "doctor", "--json");
  expect(code).toBe(1);
  const found = JSON.parse(stdout).data as { check: string; status: string; detail: string; hint: string }[];
  expect(found.filter(({ status }) => status === "fail").map(({ check }) => check)).toEqual([
    "clock",
    "settings",
    "database",
    "shell",
    "hashes",
    "http",
  ]);
  expect(found.find(({ check }) => check === "http")).toEqual({
    check: "http",
    status: "fail",
    detail: "not found",
    hint: "the agent inside an instance of the embedded cloud needs one of curl, wget, python3, node",
  });
  const database = found.find(({ check }) => check === "database");
  expect(database?.detail).toBe(`the state database ${join(home, "state.db")} is damaged or is not a database of spot`);
});
