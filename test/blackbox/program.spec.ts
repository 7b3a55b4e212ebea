import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { PACKAGE_ROOT, temporaryFolder } from "../world.ts";

const SPOT = join(PACKAGE_ROOT, "bin", "spot");

/** Writes the address of every module that is loaded to stderr. */
const LOAD_LOG = `data:text/javascript,${encodeURIComponent(
  `import { register } from "node:module";
   register("data:text/javascript," + encodeURIComponent('import { writeSync } from "node:fs"; export async function load(url, context, next) { writeSync(2, url + "\\\\n"); return next(url, context); }'));`,
)}`;

function environment(home: string): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], HOME: home, SPOT_HOME: home, NO_COLOR: "1" };
}

function run(home: string, argv: readonly string[], nodeFlags: readonly string[] = []): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [...nodeFlags, SPOT, ...argv], { env: environment(home), encoding: "utf8", timeout: 60_000 });
}

/** Bytes of our own code that a command line loads. */
function loadedBytes(argv: readonly string[]): number {
  const { stderr, status } = run(temporaryFolder(), argv, ["--no-warnings", "--import", LOAD_LOG]);
  expect(status).toBe(0);
  const files = stderr.split("\n").filter((line) => line.startsWith("file://") && line.includes("/dist/"));
  expect(files.length).toBeGreaterThan(0);
  return files.reduce((sum, url) => sum + statSync(fileURLToPath(url)).size, 0);
}

test("--version loads no heavy chunk, --help only the parser, ls --json neither tables nor prompts nor HTTP", () => {
  expect(loadedBytes(["--version"])).toBeLessThan(21_000);
  expect(loadedBytes(["--help"])).toBeLessThan(200_000);
  // The parser and the database layer; undici alone is a million bytes, prompts are 400,000, ora and tables 100,000 each.
  expect(loadedBytes(["ls", "--json"])).toBeLessThan(480_000);
});

test("every way to answer works in the bundle: table, colours, YAML, columns, help in full", () => {
  const home = temporaryFolder();
  const colored = spawnSync(process.execPath, [SPOT, "config", "show"], {
    env: { ...environment(home), NO_COLOR: "", FORCE_COLOR: "1" },
    encoding: "utf8",
  });
  expect([colored.status, colored.stderr]).toEqual([0, ""]);
  expect(colored.stdout).toContain("\u001b[2m");
  for (const format of ["table", "json", "ndjson", "yaml", "columns=name"]) {
    const { status, stderr } = run(home, ["ls", "-o", format]);
    expect([format, status, stderr]).toEqual([format, 0, ""]);
  }
  expect(run(home, ["ls", "-o", "yaml"]).stdout).toBe("schema: spot.instances/1\ndata: []\n");
});

test("a closed pipe ends a command quietly", () => {
  const home = temporaryFolder();
  const command = `"${process.execPath}" "${SPOT}" --help | head -c 1; echo "$PIPESTATUS"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", command], { env: environment(home), encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toBe("U0\n");
  const closed = spawnSync("sh", ["-c", `"${process.execPath}" "${SPOT}" ls --json 1>&-`], { env: environment(home), encoding: "utf8" });
  expect(closed.stderr).toBe("");
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s ends watch with %d", async (signal, code) => {
  const home = temporaryFolder();
  const child = spawn(process.execPath, [SPOT, "watch", "--json"], { env: environment(home), stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  // The handlers stand before anything else is loaded; the database is made after them.
  for (let looks = 0; looks < 200 && statSync(join(home, "state.db"), { throwIfNoEntry: false }) === undefined; looks++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill(signal);
  expect(await ended).toBe(code);
});

test("a copy that was never built says how to build it", () => {
  const copy = temporaryFolder();
  mkdirSync(join(copy, "bin"));
  cpSync(SPOT, join(copy, "bin", "spot"));
  cpSync(join(PACKAGE_ROOT, "package.json"), join(copy, "package.json"));
  const { status, stderr } = spawnSync(process.execPath, [join(copy, "bin", "spot"), "ls"], { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toContain("npm ci");
});

test("without a terminal nothing is asked: the flag is named and nothing is done", () => {
  const { status, stdout, stderr } = run(temporaryFolder(), ["up", "--name", "trainer", "--", "true"]);
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("--yes");
});
