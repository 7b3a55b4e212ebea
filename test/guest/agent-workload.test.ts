import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bootScript } from "../../src/guest/boot-script.ts";
import { runAgentVerb } from "../../src/guest/run-verb.ts";
import { agentSource, eventually, KINDS, type Machine, noSettings } from "./machine.ts";
import { bootedMachine, ownMachine, workloadIsOver } from "./own-machine.ts";

async function ended(machine: Machine): Promise<number | null> {
  await workloadIsOver(machine);
  return (await machine.status()).exitCode;
}

const odd = [
  "",
  "'",
  "''\"\"",
  "two\nlines\n",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: text for a shell that must not be read by one
  "$(touch evil) `touch evil` ${HOME} $1",
  "ünïcödé 漢字 🚀 \u0081\u0088ā",
  "tab\t back\\slash \\n",
  "-n",
  "SPOT_END_OF_FILE",
  "\nSPOT_END_OF_FILE\n",
  "* ? [a] ~ ! # & ; | < >",
  "\u0001\u001b[31m\u007f",
];
const report = `require("node:fs").writeFileSync(process.env.OUT, JSON.stringify({ argv: process.argv.slice(1), env: process.env }))`;

test.each(KINDS)("argv and environment arrive unchanged with $name", async ({ options }) => {
  const machine = await ownMachine(options);
  const out = join(machine.root, "out.json");
  const env = Object.fromEntries(odd.map((value, index) => [`ODD_${index}`, value]));
  machine.boot({ command: [process.execPath, "-e", report, "--", ...odd], env: { ...env, OUT: out, HOME: "/own home" } });
  expect(await ended(machine)).toBe(0);
  const seen = JSON.parse(readFileSync(out, "utf8"));
  expect(seen.argv).toEqual(odd);
  expect(seen.env).toMatchObject({ ...env, HOME: "/own home", LANG: "C.UTF-8", SPOT_INSTANCE: "train", SPOT_RESTORED_FROM: "" });
  expect(seen.env).toMatchObject({ SPOT_VOLUME_DIR: join(machine.root, "data"), SPOT_CHECKPOINT_DIR: machine.checkpointFolder });
  expect(seen.env.LC_ALL).toBeUndefined();
});

test("a flood of output, a child left behind and an odd exit code do not disturb the agent", async () => {
  const flood = 'sleep 600 & head -c 20000000 /dev/zero | tr "\\0" "x"; echo; exit 77';
  const machine = await bootedMachine({ command: ["sh", "-c", flood] });
  expect(await ended(machine)).toBe(77);
  expect((await machine.status()).phase).toBe("exited");
});

test("a program that is not there ends with 127, one ended by a signal with 128 and its number", async () => {
  const missing = await bootedMachine({ command: ["no-such-program-here"] });
  expect(await ended(missing)).toBe(127);
  const killed = await bootedMachine({ command: ["sh", "-c", "kill -9 $$"] });
  expect(await ended(killed)).toBe(137);
});

test("stop ends a workload that ignores SIGTERM, with its children", async () => {
  const machine = await bootedMachine({ command: ["sh", "-c", 'trap "" TERM; sleep 600 & echo $! > child; while :; do sleep 1; done'] });
  const child = await eventually("the child", () => {
    const file = join(machine.root, "child");
    return existsSync(file) ? readFileSync(file, "utf8").trim() || undefined : undefined;
  });
  const result = await machine.verb("stop", "1");
  expect(JSON.parse(result.stdout)).toEqual({ stopped: true, exitCode: 137 });
  await eventually("the child's end", () => (existsSync(`/proc/${child}`) ? undefined : true));
  expect(JSON.parse((await machine.verb("stop")).stdout)).toEqual({ stopped: true, exitCode: 137 });
});

test("verbs refuse what they do not understand with one line of JSON", async () => {
  const machine = await bootedMachine();
  await eventually("a status", async () => ((await machine.verb("status")).code === 0 ? true : undefined));
  const cases: readonly (readonly string[])[] = [
    ["snapshot"],
    ["snapshot", "bored"],
    ["notice"],
    ["notice", "soon"],
    ["notice", "12", "odd\n\u001b"],
  ];
  for (const verb of cases) {
    const result = await machine.verb(...verb);
    expect(result.code).toBe(7);
    expect(typeof JSON.parse(result.stdout).error).toBe("string");
  }
  expect((await machine.verb("dance")).code).toBe(2);
});

test("a machine whose disk is gone is said to be gone", async () => {
  const machine = await bootedMachine();
  const reach = { ...machine.reach, cwd: join(machine.root, "nowhere") };
  await expect(runAgentVerb(reach, ["status"], { signal: new AbortController().signal })).rejects.toMatchObject({
    code: "SPOT_E_GUEST_UNREACHABLE",
  });
  const ssh = { kind: "ssh", host: "127.0.0.1", port: 1, user: "u", password: null, alias: "none" } as const;
  await expect(runAgentVerb(ssh, ["status"], { signal: new AbortController().signal })).rejects.toMatchObject({
    code: "SPOT_E_GUEST_UNREACHABLE",
  });
});

test("settings that no shell could carry are refused", () => {
  const boot = (change: object) => () => bootScript({ ...noSettings, ...change }, agentSource);
  expect(boot({ env: { "a-b": "x" } })).toThrow(/cannot be set/);
  expect(boot({ env: { A: "nul\0" } })).toThrow(/NUL/);
  expect(boot({ command: ["a\0"] })).toThrow(/NUL/);
  expect(boot({ command: ["-rf"] })).toThrow(/cannot begin/);
  expect(boot({})).not.toThrow();
});

test("the settings are for their owner only", async () => {
  const machine = await bootedMachine({
    env: { TOKEN: "secret" },
    command: ["sh", "-c", 'stat -c %a "$SPOT_ROOT/var/lib/spot/settings.env" > mode'],
  });
  await ended(machine);
  expect(readFileSync(join(machine.root, "mode"), "utf8")).toBe("600\n");
});
