import { expect, test } from "vitest";
import { COMMANDS } from "../../src/command-table.ts";
import { visibleNames } from "../../src/command-tree.ts";
import { spotHome } from "../../src/world.ts";
import { spot, testWorld } from "../world.ts";

test("--version says the version and nothing else", async () => {
  const { code, stdout, stderr } = await spot(testWorld(), "--version");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("help lists every command that is not hidden, and help of a command is its --help", async () => {
  const world = testWorld();
  const { code, stdout } = await spot(world, "--help");
  expect(code).toBe(0);
  for (const name of visibleNames(COMMANDS)) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  expect(stdout).not.toContain("overview");
  expect(await spot(world, "help", "ls")).toEqual(await spot(world, "ls", "--help"));
  expect((await spot(world, "help")).stdout).toBe(stdout);
  expect((await spot(world, "help", "local")).stdout).toContain("reclaim");
});

test("every command has help that fits its summary, and exits 0", async () => {
  const world = testWorld();
  for (const [name, entry] of Object.entries(COMMANDS)) {
    const verbs = "commands" in entry ? Object.keys(entry.commands).map((verb) => [name, verb]) : [[name]];
    for (const words of verbs) {
      const { code, stdout, stderr } = await spot(world, ...words, "--help");
      expect([words, code, stderr]).toEqual([words, 0, ""]);
      expect(stdout).toContain(`Usage: spot ${words.join(" ")}`);
    }
  }
});

test.each([
  [["lss"], 'error: spot has no command "lss"\n  did you mean "ls"?\n  next: spot --help\n'],
  [["local", "strat"], 'error: spot local has no command "strat"\n  did you mean "start"?\n  next: spot local --help\n'],
  [["local"], "error: spot local needs a command\n  next: spot local --help\n"],
  [["ls", "--refesh"], "error: unknown option '--refesh'\n  did you mean --refresh?\n  next: spot ls --help\n"],
  [["constructor"], expect.stringContaining('spot has no command "constructor"')],
  [["ls", "-o", "jsn"], 'error: there is no output format "jsn"\n  did you mean "json"?\n  next: spot ls --help\n'],
  [["ls", "--timeout", "soon"], expect.stringContaining("--timeout: not a duration")],
  [["ls", "-o"], expect.stringContaining("argument missing")],
  [["ls", "--json", "-o", "yaml"], expect.stringContaining("SPOT_E_USAGE")],
])("%j is a usage error: exit 2, nothing on stdout", async (argv, message) => {
  expect(await spot(testWorld(), ...argv)).toEqual({ code: 2, stdout: "", stderr: message });
});

test("with machine output an error is one line of JSON on stderr, wherever the flag stands", async () => {
  for (const argv of [
    ["--json", "lss"],
    ["lss", "--json"],
    ["lss", "-o", "ndjson"],
    ["lss", "--output=yaml"],
    ["show", "nobody", "-ojson"],
  ]) {
    const { code, stdout, stderr } = await spot(testWorld(), ...argv);
    expect([stdout, code === 2 || code === 9]).toEqual(["", true]);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(stderr)).toMatchObject({ schema: "spot.error/1", error: { retryable: false } });
  }
});

test("spot alone shows the fleet and what to type next; as JSON an empty list", async () => {
  const world = testWorld();
  const alone = await spot(world);
  expect(alone.code).toBe(0);
  expect(alone.stdout).toContain("spot demo");
  const json = await spot(world, "--json");
  expect(JSON.parse(json.stdout)).toEqual({ schema: "spot.instances/1", data: [] });
});

test("a missing name is 9, with what to run next", async () => {
  const { code, stdout, stderr } = await spot(testWorld(), "show", "nobody");
  expect([code, stdout]).toEqual([9, ""]);
  expect(stderr).toContain('no instance named "nobody"');
  expect(stderr).toContain("next: spot up");
});

test("no question without a terminal: the flag is named", async () => {
  const { code, stderr } = await spot(testWorld(), "volumes", "rm", "data");
  expect([code === 2 || code === 9, stderr.length > 0]).toEqual([true, true]);
});

test("a signal that has fired before the command makes it exit by that signal", async () => {
  const interrupted = await spot(testWorld({ signal: AbortSignal.abort("SIGINT") }), "ls");
  expect(interrupted.code).toBe(130);
  const terminated = await spot(testWorld({ signal: AbortSignal.abort("SIGTERM") }), "ls");
  expect(terminated.code).toBe(143);
});

test.each([
  [{ SPOT_HOME: "/x/y" }, "linux", "/x/y"],
  [{ SPOT_HOME: "rel", HOME: "/h" }, "linux", "/cwd/rel"],
  [{ HOME: "/h" }, "linux", "/h/.local/share/spot"],
  [{ HOME: "/h", XDG_DATA_HOME: "/data" }, "linux", "/data/spot"],
  [{ HOME: "/h", XDG_DATA_HOME: "data" }, "linux", "/h/.local/share/spot"],
  [{ HOME: "/h" }, "darwin", "/h/Library/Application Support/spot"],
] as const)("the home of %j on %s is %s", (env, platform, home) => {
  expect(spotHome(env, platform, "/cwd")).toBe(home);
});
