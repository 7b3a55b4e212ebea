import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeCommands } from "../../src/describe-commands.ts";
import { type CommandTree, completionScript, SHELLS } from "../../src/output/completion-script.ts";
import { spot, temporaryFolder, testWorld } from "../world.ts";

const leaf = { flags: [], commands: [], takes: "nothing" as const };
const tree: CommandTree = {
  ...leaf,
  name: "spot",
  summary: "",
  flags: [{ long: "--output", short: "-o", summary: "the format", values: ["json", "yaml"], isFile: false }],
  commands: [
    {
      ...leaf,
      name: "up",
      summary: "rent it",
      flags: [
        { long: "--gpu", short: null, summary: "a model", values: [], isFile: false },
        { long: "--file", short: "-f", summary: "it's a file", values: [], isFile: true },
      ],
    },
    {
      ...leaf,
      name: "logs",
      summary: "what it says",
      takes: "instances",
      flags: [{ long: "--follow", short: "-f", summary: "go on", values: null, isFile: false }],
    },
    {
      ...leaf,
      name: "checkpoints",
      summary: "sealed files",
      commands: [
        { ...leaf, name: "ls", summary: "list them" },
        { ...leaf, name: "verify", summary: "check one" },
      ],
    },
  ],
};

/** What bash offers for these words, by a `spot` that knows two instances. */
function offered(...words: readonly string[]): readonly string[] {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "spot"), '#!/bin/sh\n[ "$*" = "ls -o columns=name --no-header" ] && printf "train\\nserve\\n"\n');
  chmodSync(join(folder, "spot"), 0o755);
  writeFileSync(join(folder, "script"), completionScript("bash", tree));
  writeFileSync(join(folder, "spot.yaml"), "");
  const list = words.map((word) => `'${word}'`).join(" ");
  const ask = `. ./script; COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _spot; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", ask], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: `${folder}:${process.env["PATH"]}` },
  });
  expect(stderr).toBe("");
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}

test("bash completes verbs, flags, values, names and files where each belongs", () => {
  expect(offered("spot", "")).toEqual(["checkpoints", "logs", "up"]);
  expect(offered("spot", "ch")).toEqual(["checkpoints"]);
  expect(offered("spot", "checkpoints", "")).toEqual(["ls", "verify"]);
  expect(offered("spot", "-o", "json", "checkpoints", "v")).toEqual(["verify"]);
  expect(offered("spot", "up", "--")).toEqual(["--file", "--gpu", "--output"]);
  expect(offered("spot", "up", "-o", "")).toEqual(["json", "yaml"]);
  expect(offered("spot", "up", "--gpu", "")).toEqual([]);
  expect(offered("spot", "up", "-f", "spot.")).toEqual(["spot.yaml"]);
  expect(offered("spot", "logs", "-f", "")).toEqual(["serve", "train"]);
  expect(offered("spot", "logs", "t")).toEqual(["train"]);
  expect(offered("spot", "up", "--", "")).toEqual([]);
});

test("fish gets one line for each verb and flag", () => {
  const lines = completionScript("fish", tree).split("\n");
  expect(lines.filter((line) => line.startsWith("complete"))).toEqual([
    "complete -c spot -f",
    "complete -c spot -l output -s o -x -a 'json yaml' -d 'the format'",
    "complete -c spot -n '__spot_at \\'\\'' -a up -d 'rent it'",
    "complete -c spot -n '__spot_at \\'\\'' -a logs -d 'what it says'",
    "complete -c spot -n '__spot_at \\'\\'' -a checkpoints -d 'sealed files'",
    "complete -c spot -n '__spot_at \\'up\\'' -l gpu -x -a '' -d 'a model'",
    "complete -c spot -n '__spot_at \\'up\\'' -l file -s f -rF -d 'it\\'s a file'",
    "complete -c spot -n '__spot_at \\'logs\\'' -l follow -s f -d 'go on'",
    "complete -c spot -n '__spot_at \\'logs\\'' -a '(spot ls -o columns=name --no-header 2>/dev/null)'",
    "complete -c spot -n '__spot_at \\'checkpoints\\'' -a ls -d 'list them'",
    "complete -c spot -n '__spot_at \\'checkpoints\\'' -a verify -d 'check one'",
  ]);
});

test("zsh gets the same words with their summaries", () => {
  const script = completionScript("zsh", tree);
  expect(script.startsWith("#compdef spot\n")).toBe(true);
  expect(script).toContain("words_=('up:rent it' 'logs:what it says' 'checkpoints:sealed files')");
  expect(script).toContain(`flags_=('--gpu:a model' '--file:it'\\''s a file' '-f:it'\\''s a file' '--output:the format' '-o:the format')`);
  expect(script).toContain("'up:--file'|'up:-f') _files; return 0 ;;");
});

test("the real tree knows the flags of every verb, hides what is hidden, and loads on request only", async () => {
  const real = await describeCommands();
  const names = real.commands.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["up", "ls", "config", "completion"]));
  expect(names).not.toContain("overview");
  const up = real.commands.find(({ name }) => name === "up");
  expect(up?.flags.find(({ long }) => long === "--on-reclaim")?.values).toEqual(["replace", "hibernate", "checkpoint", "wait", "let-go"]);
  expect(up?.flags.find(({ long }) => long === "--no-wait")?.values).toBeNull();
  expect(real.commands.find(({ name }) => name === "show")?.takes).toBe("instances");
});

test("every shell gets its script; another one is refused with the nearest", async () => {
  const world = testWorld();
  for (const shell of SHELLS) {
    const { code, stdout, stderr } = await spot(world, "completion", shell);
    expect([shell, code, stderr]).toEqual([shell, 0, ""]);
    expect(stdout).toContain(`${shell} completion of spot`);
  }
  expect(await spot(world, "completion", "bsh")).toEqual({
    code: 2,
    stdout: "",
    stderr: 'error: there is no completion for "bsh"\n  did you mean "bash"?\n  next: spot completion --help\n',
  });
});
