import { spawnSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type AgentSettings, bootScript } from "../../src/guest/boot-script.ts";
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

test("compressed, it leaves a kilobyte of EC2's 16,384 bytes of user data for a longer command or environment", () => {
  expect(gzipSync(script(AWS), { level: 9 }).length).toBeLessThanOrEqual(15_200);
});

const defined = (shell: string) => new Set([...shell.matchAll(/^ *([a-z_][a-z0-9_]*)\(\) [({]/gm)].map(([, name = ""]) => name));
/** Where a function is used that some machines do not have, something else asks first whether they do. */
const ASKED_FOR: readonly string[] = ["lacks_volume", "take_volume", "let_go", "marker_is", "keep_listening"];

test.each(KINDS)("a machine ($kind, $notices, $volumes) gets no row that it cannot use, and all that it uses", (machine) => {
  const text = script(machine);
  const missing = [...defined(agentSource)].filter((name) => !defined(text).has(name));
  const used = missing.filter((name) => new RegExp(`(?<![\\w"-])${name}(?![\\w=-])`).test(text.replaceAll(`${name}()`, "")));
  expect(used.filter((name) => !ASKED_FOR.includes(name))).toEqual([]);
  const rows = [...defined(text)].filter((name) => name.startsWith("read_notice_"));
  expect(rows).toEqual(machine.notices === "controller" ? [] : [`read_notice_${machine.notices}`]);
  expect(defined(text).has("by_serial")).toBe(machine.volumes === "device");
  expect(text).not.toMatch(/^# \[/m);
  for (const shell of [["sh"], ["bash", "--posix"]]) {
    const [program = "", ...rest] = shell;
    const checked = spawnSync(program, [...rest, "-n"], { input: text, encoding: "utf8" });
    expect([checked.status, checked.stderr]).toEqual([0, ""]);
  }
});

test("the embedded cloud's machines get the agent as it is", () => {
  expect(bootScript(noSettings, agentSource)).toContain(agentSource);
});
