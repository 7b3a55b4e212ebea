import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { forMachine, withShortNames } from "../../src/guest/agent-text.ts";
import { type AgentSettings, agentFor, bootScript } from "../../src/guest/boot-script.ts";
import { CARRIED_VERBS, carriedOf } from "../../src/guest/carried.ts";
import { tightGzip } from "../../src/model/tight-gzip.ts";
import type { MachineKind } from "../../src/providers/provider.ts";
import { agentSource, noSettings } from "./machine.ts";

const AWS: MachineKind = { kind: "vm", notices: "aws", endsItself: true, volumes: "device" };
const KINDS: readonly MachineKind[] = [
  AWS,
  { kind: "vm", notices: "gcp", endsItself: true, volumes: "device" },
  { kind: "vm", notices: "alibaba", endsItself: false, volumes: "device" },
  { kind: "vm", notices: "controller", endsItself: false, volumes: "device" },
  { kind: "container", notices: "controller", endsItself: false, volumes: "mounted" },
];
/** What people ordinarily order. */
const ORDINARY: Partial<AgentSettings> = {
  instance: "llama-finetune-3",
  volumeName: "llama-finetune",
  command: ["python", "train.py", "--model", "meta-llama/Llama-3.1-8B", "--epochs", "3", "--output", "/data/out"],
  env: { WANDB_MODE: "offline", HF_HOME: "/data/hf", CUDA_VISIBLE_DEVICES: "0" },
  workdir: "/root/llama",
  checkpointHook: "kill -USR1 $(cat /run/train.pid)",
  checkpointEverySeconds: 600,
  ttlEndsAt: 1_800_000_000,
  idleSeconds: 900,
};
const script = (machine: MachineKind) => bootScript({ ...noSettings, ...ORDINARY, machine }, agentSource);

test("compressed, it leaves 0.5 kB of EC2's 16,384 bytes of user data for a longer command or environment; 0.4 kB where it is held back", () => {
  expect(tightGzip(script(AWS)).length).toBeLessThanOrEqual(15_850);
  const held = { ...noSettings, ...ORDINARY, machine: AWS, awaits: "c-20261121T053818Z-00000014" };
  expect(tightGzip(bootScript(held, agentSource)).length).toBeLessThanOrEqual(15_980);
});

const defined = (shell: string) => new Set([...shell.matchAll(/^ *([a-z_][a-z0-9_]*)\(\) [({]/gm)].map(([, name = ""]) => name));
/** Where a function is used that some machines do not have, something else asks first whether they do. */
const ASKED_FOR: readonly string[] = ["is_idle", "lacks_volume", "let_go", "marker_is", "keep_listening", "lacks_checkpoint"];

test.each(KINDS)("a machine ($kind, $notices, $volumes) gets no row that it cannot use, and all that it uses", (machine) => {
  const text = forMachine(agentSource, new Set([machine.kind, machine.notices, machine.volumes]));
  const missing = [...defined(agentSource)].filter((name) => !defined(text).has(name));
  const used = missing.filter((name) => new RegExp(`(?<![\\w"-])${name}(?![\\w=-])`).test(text.replaceAll(`${name}()`, "")));
  expect(used.filter((name) => !ASKED_FOR.includes(name))).toEqual([]);
  const rows = [...defined(text)].filter((name) => name.startsWith("read_notice_"));
  expect(rows).toEqual(machine.notices === "controller" ? [] : [`read_notice_${machine.notices}`]);
  expect(defined(text).has("mount_part")).toBe(machine.volumes === "device");
  expect(text).not.toMatch(/^# \[/m);
  for (const shell of [["sh"], ["bash", "--posix"]]) {
    const [program = "", ...rest] = shell;
    const checked = spawnSync(program, [...rest, "-n"], { input: script(machine), encoding: "utf8" });
    expect([checked.status, checked.stderr]).toEqual([0, ""]);
  }
});

test("short names change nothing but names: each has one of its own that nothing else has", () => {
  const words = new Set(["vm", "aws", "alibaba", "gcp", "device", "idle", "ready"]);
  const long = forMachine(agentSource, words);
  const short = withShortNames(long);
  const pieces = (text: string) => text.split(/([A-Za-z0-9_]+)/);
  const [before, after] = [pieces(long), pieces(short)];
  const given = new Map<string, string>();
  expect(after).toHaveLength(before.length);
  for (const [index, name] of before.entries()) {
    const now = after[index] ?? "";
    expect(given.get(name) ?? now, name).toBe(now);
    given.set(name, now);
  }
  expect(new Set(given.values()).size).toBe(given.size);
  const changed = [...given].filter(([name, now]) => name !== now).map(([name]) => name);
  expect(changed.length).toBeGreaterThan(150);
  // Whatever a machine says, writes or is asked keeps its name.
  expect(changed.filter((name) => !new RegExp(`(?<![\\w])${name}(=|\\(\\)| in )`).test(long))).toEqual([]);
  expect([...long.matchAll(/[?&]([a-z_]+)=/g)].map(([, name = ""]) => name).filter((name) => changed.includes(name))).toEqual([]);
  const said = [...long.matchAll(/'[^'\n]*'|"[^"\n]*"/g)].flatMap(([text]) => (/ [a-z]+ [a-z]+ /.test(text) ? [text] : []));
  const prose = said.map((text) => text.replace(/\$\{?\w+|\$\([^)]*\)/g, "")).join("\n");
  expect(changed.filter((name) => new RegExp(`(?<![\\w])${name}(?![\\w=])`).test(prose))).toEqual([]);
});

test("who is idle is looked after only where that was ordered", () => {
  const has = (settings: Partial<AgentSettings>) =>
    agentFor({ ...noSettings, machine: AWS, ...settings }, agentSource).includes("nvidia-smi");
  expect([has({ idleSeconds: null }), has({ idleSeconds: 1 })]).toEqual([false, true]);
});

test("what a controller brings has every function, and just the verbs that no machine gets at boot are those it is brought for", () => {
  const { text } = carriedOf(agentSource);
  expect(defined(text)).toEqual(defined(agentSource));
  const everywhere = new Set(KINDS.flatMap(({ kind, notices, volumes }) => [kind, notices, volumes, "idle"]));
  const atBoot = defined(forMachine(agentSource, everywhere));
  const brought = [...defined(text)].filter((name) => name.startsWith("verb_") && !atBoot.has(name));
  const words = brought.map((name) => name.slice("verb_".length).replaceAll("_", "-")).sort();
  expect(words).toEqual([...CARRIED_VERBS].sort());
  expect(/^CARRIED='(.*)'$/m.exec(text)?.[1]?.split(" ").sort()).toEqual(words);
});

test("nothing ends the shell that should only fail: no redirection stands at a `:`", () => {
  const scripts = KINDS.map((machine) => bootScript({ ...noSettings, machine, authorizedKey: "ssh-ed25519 A" }, agentSource));
  for (const text of [carriedOf(agentSource).text, ...scripts]) expect(text.match(/(?:^|[\s'"({;&|!]):\s*\d?[<>].*/m)?.[0]).toBeUndefined();
});

test("the embedded cloud's machines get the agent as it is", () => {
  expect(bootScript(noSettings, agentSource)).toContain(agentSource);
});
