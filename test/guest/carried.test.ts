import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type CarriedText, carriedOf, runCarried, type ScriptRunner } from "../../src/guest/carried.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { runLeavingBackground } from "../../src/platform/ssh-process.ts";
import { temporaryFolder } from "../world.ts";
import { makePath } from "./machine.ts";

const ECHO = carriedOf('#!/bin/sh\nprintf "<%s>" "$@"\nexit 7\n');
const DAY_MS = 86_400_000;

/** The way into a machine that is no more than its /var/lib/spot; `asked` has what each script was given on standard input. */
function way(path = process.env["PATH"] ?? "") {
  const root = temporaryFolder();
  const lib = join(root, "var/lib/spot");
  mkdirSync(lib, { recursive: true });
  const asked: (number | undefined)[] = [];
  const run: ScriptRunner = (script, args, input) => {
    asked.push(input?.length);
    const signal = AbortSignal.timeout(20_000);
    return runLeavingBackground(["/bin/sh", "-c", script, "sh", ...args], { env: { PATH: path, SPOT_ROOT: root }, input, signal });
  };
  return { root, lib, asked, run };
}

const odd = ["verify", "", "it's\ntwo", "$(touch evil)", "-n"];
const said = { code: 7, stdout: "<verify><><it's\ntwo><$(touch evil)><-n>" };

test("it is brought when it is missing, and then run in one round trip", async () => {
  const { lib, asked, run } = way();
  expect(await runCarried(ECHO, odd, run)).toMatchObject(said);
  expect(asked).toEqual([undefined, expect.any(Number)]);
  expect(readdirSync(lib)).toEqual([`verbs-${ECHO.hash}.sh`]);
  expect(readFileSync(join(lib, `verbs-${ECHO.hash}.sh`), "utf8")).toBe(ECHO.text);
  expect(statSync(join(lib, `verbs-${ECHO.hash}.sh`)).mode & 0o777).toBe(0o600);
  expect(await runCarried(ECHO, odd, run)).toMatchObject(said);
  expect(asked).toHaveLength(3);
});

test("without a verb it is only brought", async () => {
  const { asked, run } = way();
  for (let time = 0; time < 2; time++) expect(await runCarried(ECHO, [], run)).toMatchObject({ code: 0, stdout: "" });
  expect(asked).toHaveLength(3);
});

test("a machine without gzip gets it as it is", async () => {
  const path = makePath(temporaryFolder(), ["sh"], []);
  const { asked, run } = way(path);
  rmSync(join(path, "gzip"));
  expect(await runCarried(ECHO, odd, run)).toMatchObject(said);
  expect(asked[1]).toBe(Buffer.byteLength(ECHO.text));
});

test("one that nobody has used for a day goes when another one is brought; nothing else is touched", async () => {
  const { lib, run } = way();
  const old = (name: string, days: number) => {
    writeFileSync(join(lib, name), "exit 0\n");
    const at = new Date(systemClock.now() - days * DAY_MS);
    utimesSync(join(lib, name), at, at);
  };
  old("verbs-000000000000.sh", 3);
  old("verbs-111111111111.sh", 0.5);
  old(".verbs.77", 3);
  old("agent.sh", 30);
  mkdirSync(join(lib, "checkpoint"));
  old("checkpoint/verbs-222222222222.sh", 30);
  await runCarried(ECHO, odd, run);
  expect(readdirSync(lib).sort()).toEqual(["agent.sh", "checkpoint", "verbs-111111111111.sh", `verbs-${ECHO.hash}.sh`].sort());
  expect(readdirSync(join(lib, "checkpoint"))).toHaveLength(1);
  // Using it keeps it.
  const at = new Date(systemClock.now() - 3 * DAY_MS);
  utimesSync(join(lib, `verbs-${ECHO.hash}.sh`), at, at);
  await runCarried(ECHO, odd, run);
  const other = carriedOf("#!/bin/sh\necho other\n");
  expect(await runCarried(other, odd, run)).toMatchObject({ code: 0, stdout: "other\n" });
  expect(existsSync(join(lib, `verbs-${ECHO.hash}.sh`))).toBe(true);
});

test("what does not arrive whole is not kept, and is not run", async () => {
  const { lib, run } = way();
  const cut: ScriptRunner = (script, args, input) => run(script, args, input?.subarray(0, input.length - 9));
  const result = await runCarried(ECHO, odd, cut);
  expect(result).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("not all of the agent has arrived") });
  const short: CarriedText = { ...ECHO, text: ECHO.text.slice(0, -3) };
  const swapped: ScriptRunner = (script, args, input) => run(script, [...args.slice(0, 2), "999", ...args.slice(3)], input);
  expect(await runCarried(short, odd, swapped)).toMatchObject({ code: 1, stdout: "" });
  expect(readdirSync(lib)).toEqual([]);
  // An empty file, as a lost power leaves it, is no text.
  writeFileSync(join(lib, `verbs-${ECHO.hash}.sh`), "");
  expect(await runCarried(ECHO, odd, run)).toMatchObject(said);
});

test("where no agent was set up nothing is left", async () => {
  const { root, run } = way();
  const bare = join(root, "bare");
  mkdirSync(bare);
  symlinkSync("/nowhere", join(bare, "var"));
  const inBare: ScriptRunner = (script, args, input) => run(`SPOT_ROOT='${bare}'; ${script}`, args, input);
  expect(await runCarried(ECHO, odd, inBare)).toMatchObject({ code: 1, stderr: expect.stringContaining("not been set up") });
  expect(readdirSync(bare)).toEqual(["var"]);
});
