import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { containerBoot } from "../../src/providers/ppio/boot.ts";
import { containerArgv } from "../clouds/ppio/room.ts";
import { shellWords } from "../clouds/ppio/shell-words.ts";
import { temporaryFolder } from "../world.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
/** Nothing in it compresses, so that it needs many variables. */
const NOISE = randomBytes(45_000).toString("base64");
const SCRIPT = `#!/bin/sh\n# it's "quoted", \\ $(and) $$ \`so\` on\n: ${NOISE}\necho "up in $SPOT_ROOT as $GREETING"\nenv | grep -c SPOT_BOOT_ || true\n`;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a container as the platform would: its argv, its variables, and a folder for a root. */
function start(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  const [program = "", ...rest] = argv;
  return new Promise((resolve) =>
    execFile(program, rest, { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    ),
  );
}

function environment(root: string, envs: readonly { readonly key: string; readonly value: string }[]): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    SPOT_ROOT: root,
    GREETING: "it's",
    ...Object.fromEntries(envs.map(({ key, value }) => [key, value])),
  };
}

test.each(["words", "shell"] as const)("the container becomes the boot script, its command taken as %s", async (commandIs) => {
  const root = temporaryFolder();
  const boot = containerBoot(SCRIPT, KEY);
  const argv = containerArgv(boot, { commandIs });
  const ran = await start(argv, environment(root, boot.envs));
  expect(ran).toEqual({ code: 0, stderr: "", stdout: `up in ${root} as it's\n0\n` });
  expect(readFileSync(join(root, "var/lib/spot/boot.sh"), "utf8")).toBe(SCRIPT);
  expect(readFileSync(join(root, "root/.ssh/authorized_keys"), "utf8")).toBe(`${KEY}\n`);
  expect(statSync(join(root, "root/.ssh")).mode & 0o077).toBe(0);
  expect(statSync(join(root, "var/lib/spot/boot.sh")).mode & 0o077).toBe(0);
  // The same container starts again: a restart, or the platform's own replay.
  expect((await start(argv, environment(root, boot.envs))).code).toBe(0);
  expect(readFileSync(join(root, "root/.ssh/authorized_keys"), "utf8")).toBe(`${KEY}\n`);
});

test("it keeps to the limits of the create call, and to words that nobody on the way expands", () => {
  const { command, entrypoint, envs } = containerBoot(SCRIPT, KEY);
  expect(envs.length).toBeGreaterThan(10);
  expect(command.length).toBeLessThanOrEqual(2047);
  for (const { value } of envs) expect(value.length).toBeLessThanOrEqual(4095);
  expect(entrypoint).toBe("/usr/bin/env");
  const words = shellWords(command);
  expect(words.slice(0, 2)).toEqual(["sh", "-c"]);
  expect(words).toHaveLength(3);
  expect(words[2]).not.toMatch(/['\\]|\$\(|\$\$/);
});

test("without a key nothing is let in", async () => {
  const root = temporaryFolder();
  const boot = containerBoot("echo up", null);
  expect(await start(containerArgv(boot, { commandIs: "words" }), environment(root, boot.envs))).toMatchObject({ code: 0, stdout: "up\n" });
  expect(existsSync(join(root, "root"))).toBe(false);
});

test("a piece that got lost on the way is said, and nothing half is run", async () => {
  const root = temporaryFolder();
  const boot = containerBoot(SCRIPT, null);
  const ran = await start(containerArgv(boot, { commandIs: "words" }), environment(root, boot.envs.slice(0, -1)));
  expect(ran).toMatchObject({ code: 1, stdout: "" });
  expect(ran.stderr).toContain("spot: the boot script could not be unpacked");
});
