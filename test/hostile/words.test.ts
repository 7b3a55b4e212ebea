import { stripVTControlCharacters } from "node:util";
import { beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { eventually } from "../guest/machine.ts";
import { type Outcome, spot, type TestWorld, testWorld } from "../world.ts";
import { HOSTILE, type HostileCloud, hostileCloud, LONG_HOSTILE, MARK, unsafeIn } from "./hostile-cloud.ts";

const UP = ["up", "--provider", "ppio", "--name", "job", "--gpu", "RTX4090", "--no-wait", "--yes", "--", "sleep", "100"];
const COLUMNS = 100;

function harmless({ stdout, stderr }: Outcome, what: string): void {
  expect(unsafeIn(stdout), `stdout of ${what}`).toEqual([]);
  expect(unsafeIn(stderr), `stderr of ${what}`).toEqual([]);
}

/** A machine of ours that is on its way and stays so, because its image is never there. */
async function machineAt(cloud: HostileCloud, isTTY: boolean): Promise<TestWorld> {
  const world = testWorld({ env: cloud.env, isTTY, columns: COLUMNS });
  cloud.cloud.set({ pullingMs: 600_000 });
  const { code, stderr } = await spot(world, ...UP);
  if (code !== 8) throw new Error(`up ended with ${code}: ${stderr}`);
  return world;
}

describe.each([
  ["a terminal", true],
  ["a pipe", false],
] as const)("on %s", (_, isTTY) => {
  let cloud: HostileCloud;
  let world: TestWorld;
  beforeEach(async () => {
    cloud = await hostileCloud();
    world = await machineAt(cloud, isTTY);
  });

  test.each([
    ["short", HOSTILE],
    ["long", LONG_HOSTILE],
  ])("reasons with escapes in them, %s: nothing of it reaches the screen", async (_length, words) => {
    cloud.twist(["message"], () => words);
    const lines: Record<string, Outcome> = {};
    for (const line of [
      "ls --refresh",
      "--verbose reconcile --timeout 2s",
      "ls --all",
      "show job",
      "volumes ls",
      "cost",
      "show job -o yaml",
    ])
      lines[line] = await spot(world, ...line.split(" "));
    for (const [line, outcome] of Object.entries(lines)) harmless(outcome, line);
    // It did arrive: what is not shown is not merely absent.
    expect(lines["--verbose reconcile --timeout 2s"]?.stderr).toContain(MARK);
    expect(lines["show job"]?.stdout).toContain(MARK);
    // A line feed in a word makes no line of a table.
    expect(lines["ls --all"]?.stdout.trimEnd().split("\n")).toHaveLength(2);
    for (const { stdout, stderr } of Object.values(lines)) expect(stdout + stderr).not.toMatch(new RegExp(`^${MARK}-line`, "m"));
  });

  test("state words with escapes in them: nothing of it reaches the screen", async () => {
    cloud.cloud.set({ statusWord: LONG_HOSTILE });
    for (const line of [
      "ls --refresh",
      "ls",
      "show job",
      "wait job --for running --timeout 1s",
      "down job --no-snapshot --yes --timeout 2s",
    ])
      harmless(await spot(world, ...line.split(" ")), line);
  });

  test("offers whose names are hostile stay one line each", async () => {
    cloud.twist(["name"], (text) => `${HOSTILE}${text}`);
    const outcome = await spot(world, "offers", "--provider", "ppio");
    harmless(outcome, "offers");
    const rows = outcome.stdout.split("\n").filter((line) => line.startsWith("ppio"));
    expect(rows.length).toBeGreaterThan(0);
    expect(outcome.stdout).not.toMatch(new RegExp(`^${MARK}-line`, "m"));
  });

  test("errors quote a server shortly and harmlessly, in every verb", async () => {
    const all = ["ls --refresh", "offers --provider ppio", "volumes create disk --provider ppio --size 10 --yes", "doctor"];
    const slow = ["down job --no-snapshot --yes --timeout 1s", "reconcile --timeout 1s"];
    for (const [status, body, verbs] of [
      [400, { code: 400, reason: LONG_HOSTILE, message: LONG_HOSTILE, metadata: {} }, [...all, ...slow]],
      [401, { code: 401, reason: HOSTILE, message: LONG_HOSTILE }, all],
      [500, LONG_HOSTILE, all.slice(0, 1)],
      [200, LONG_HOSTILE, all.slice(0, 2)],
    ] as const) {
      cloud.answerWith({ status, body });
      for (const line of verbs) {
        const outcome = await spot(world, ...line.split(" "));
        harmless(outcome, `${line} under ${status}`);
        expect(outcome.stderr.length, `${line} under ${status}: ${outcome.stderr.slice(0, 300)}`).toBeLessThan(3_000);
      }
      cloud.relent();
    }
  });

  test("--verbose writes no word of the cloud's", async () => {
    cloud.answerWith({ status: 400, body: { code: 400, reason: HOSTILE, message: HOSTILE } });
    const outcome = await spot(world, "--verbose", "offers", "--provider", "ppio");
    harmless(outcome, "--verbose");
    expect(outcome.stderr).toContain("ppio.offers failed");
  });

  test("a watch shows what happens without what the cloud wrote into it", async () => {
    cloud.twist(["message"], () => LONG_HOSTILE);
    const own = new AbortController();
    const from = world.written().length;
    const watching = spot({ ...world, signal: own.signal }, "watch", "--act", "--since", "1h");
    await eventually("what the cloud wrote", () => (world.written().slice(from).includes(MARK) ? true : undefined));
    // And what follows it.
    await systemClock.sleep(500);
    own.abort("SIGINT");
    const outcome = await watching;
    // On a terminal the frame is drawn with escapes of our own.
    const shown = isTTY ? stripVTControlCharacters(outcome.stdout).replaceAll("\r", "") : outcome.stdout;
    expect(unsafeIn(shown)).toEqual([]);
    expect(unsafeIn(isTTY ? "" : outcome.stderr)).toEqual([]);
    expect(shown).not.toMatch(new RegExp(`^${MARK}-line`, "m"));
    expect(shown).toContain(MARK);
  });
});

describe("as JSON", () => {
  test("the words are whole and escaped: a document for programs, harmless on a screen", async () => {
    const cloud = await hostileCloud();
    const world = await machineAt(cloud, false);
    cloud.twist(["message"], () => LONG_HOSTILE);
    await spot(world, "reconcile", "--timeout", "2s");
    for (const line of ["show job --json", "ls --refresh --json", "ls --json", "ls -o ndjson", "volumes ls --json", "show job -o yaml"]) {
      const outcome = await spot(world, ...line.split(" "));
      harmless(outcome, line);
      if (line.endsWith("json")) for (const document of outcome.stdout.trimEnd().split("\n")) JSON.parse(document);
    }
    const { data } = JSON.parse((await spot(world, "show", "job", "--json")).stdout);
    expect(JSON.stringify(data)).toContain(JSON.stringify(LONG_HOSTILE).slice(1, -1));
  });

  test("an error is one line of JSON, without what a terminal would obey", async () => {
    const cloud = await hostileCloud();
    const world = testWorld({ env: cloud.env });
    cloud.answerWith({ status: 400, body: { code: 400, reason: HOSTILE, message: HOSTILE } });
    const outcome = await spot(world, "offers", "--provider", "ppio", "--json");
    expect(outcome.code).not.toBe(0);
    harmless(outcome, "offers --json");
    const line = outcome.stderr.trimEnd().split("\n").at(-1) ?? "";
    expect(JSON.parse(line)).toMatchObject({ schema: "spot.error/1" });
  });
});
