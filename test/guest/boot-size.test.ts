import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { forMachine, withShortNames } from "../../src/guest/agent-text.ts";
import { type AgentSettings, agentFor, bootScript } from "../../src/guest/boot-script.ts";
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
  // `--ready-http` costs 280 bytes more.
  asksReadyHttp: false,
};
const script = (machine: MachineKind) => bootScript({ ...noSettings, ...ORDINARY, machine }, agentSource);

test("compressed, it leaves a kilobyte of EC2's 16,384 bytes of user data for a longer command or environment", () => {
  expect(tightGzip(script(AWS)).length).toBeLessThanOrEqual(15_200);
});

const defined = (shell: string) => new Set([...shell.matchAll(/^ *([a-z_][a-z0-9_]*)\(\) [({]/gm)].map(([, name = ""]) => name));
/** Where a function is used that some machines do not have, something else asks first whether they do. */
const ASKED_FOR: readonly string[] = ["verb_ready_http", "is_idle", "lacks_volume", "take_volume", "let_go", "marker_is", "keep_listening"];

test.each(KINDS)("a machine ($kind, $notices, $volumes) gets no row that it cannot use, and all that it uses", (machine) => {
  const text = forMachine(agentSource, new Set([machine.kind, machine.notices, machine.volumes]));
  const missing = [...defined(agentSource)].filter((name) => !defined(text).has(name));
  const used = missing.filter((name) => new RegExp(`(?<![\\w"-])${name}(?![\\w=-])`).test(text.replaceAll(`${name}()`, "")));
  expect(used.filter((name) => !ASKED_FOR.includes(name))).toEqual([]);
  const rows = [...defined(text)].filter((name) => name.startsWith("read_notice_"));
  expect(rows).toEqual(machine.notices === "controller" ? [] : [`read_notice_${machine.notices}`]);
  expect(defined(text).has("by_serial")).toBe(machine.volumes === "device");
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

test("who is idle and who is asked by HTTP are looked after only where that was ordered", () => {
  const has = (settings: Partial<AgentSettings>) => {
    const text = agentFor({ ...noSettings, machine: AWS, ...settings }, agentSource);
    return [text.includes("nvidia-smi"), text.includes("/dev/tcp/")];
  };
  expect(has({ idleSeconds: null, asksReadyHttp: false })).toEqual([false, false]);
  expect(has({ idleSeconds: 1 })).toEqual([true, true]);
});

test("the embedded cloud's machines get the agent as it is", () => {
  expect(bootScript(noSettings, agentSource)).toContain(agentSource);
});
