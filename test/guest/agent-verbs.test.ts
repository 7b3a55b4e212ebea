import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { listSealed } from "../../src/checkpoints/catalogue.ts";
import type { AgentSettings } from "../../src/guest/boot-script.ts";
import { parseDamaged, parseGuestError, parseReady, parseSealed, parseVerified } from "../../src/guest/protocol.ts";
import { temporaryFolder } from "../world.ts";
import { eventually, KINDS, type MachineOptions } from "./machine.ts";
import { CONTAINER, makeRented, type Rented, VM } from "./rented.ts";

const open: Rented[] = [];
afterEach(() => {
  for (const machine of open.splice(0)) machine.close();
});

const writer = ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; echo written; sleep 1000'];
const volume = (machine: Rented) => join(machine.root, "data");

async function working(settings: Partial<AgentSettings> = {}, options: MachineOptions = {}): Promise<Rented> {
  const machine = makeRented(CONTAINER, options);
  open.push(machine);
  mkdirSync(volume(machine));
  machine.boot({ command: writer, ...settings });
  await eventually("the workload's words", () => (machine.log().includes("written\n") ? true : undefined));
  return machine;
}

/** The verb itself, for input, raw output and exact words. */
function agent(machine: Rented, words: readonly string[], input = "", env: Readonly<Record<string, string>> = {}) {
  return spawnSync("sh", [join(machine.lib, "agent.sh"), ...words], {
    env: { ...machine.env, ...env },
    input,
    maxBuffer: 1 << 28,
    timeout: 20_000,
  });
}

test.each(KINDS)("with $name checkpoints are listed, verified and packed on the machine", async ({ options }) => {
  const machine = await working({}, options);
  expect(parseSealed((await machine.verb("sealed")).stdout)).toEqual([]);
  const odd = "an odd\nname\t\\ 'x' ünï";
  writeFileSync(join(machine.lib, "checkpoint", odd), "odd");
  await machine.verb("snapshot", "manual");
  writeFileSync(join(machine.lib, "checkpoint/STEP"), "8");
  await machine.verb("snapshot", "manual");
  const listed = parseSealed((await machine.verb("sealed")).stdout);
  const onDisk = await listSealed(volume(machine));
  expect(listed).toEqual(
    onDisk.map(({ id, instance, volume: name, createdAt, reason, step, files, bytes, sha256 }) => ({
      id,
      instance,
      volume: name,
      createdAt: createdAt / 1000,
      reason,
      step,
      files,
      bytes,
      sha256,
    })),
  );
  expect(listed.map(({ step }) => step)).toEqual(["8", "7"]);
  const [newest] = listed;
  if (newest === undefined) throw new Error("nothing was sealed");
  const { id, files, bytes, sha256 } = newest;
  expect(parseVerified((await machine.verb("verify", id)).stdout)).toEqual({ id, files, bytes, sha256 });

  const packed = agent(machine, ["pack", id]);
  expect(packed.status).toBe(0);
  const there = join(machine.root, "unpacked");
  mkdirSync(there);
  execFileSync("tar", ["-xf", "-", "-C", there], { input: packed.stdout });
  expect(readFileSync(join(there, "data", odd), "utf8")).toBe("odd");
  expect(readFileSync(join(there, "MANIFEST")).equals(readFileSync(join(volume(machine), "spot/checkpoints", id, "MANIFEST")))).toBe(true);

  // What cannot be noted as read might be pruned meanwhile.
  rmSync(join(machine.root, "run/spot/reading"), { recursive: true });
  symlinkSync("/proc/sys", join(machine.root, "run/spot/reading"));
  expect(parseGuestError((await machine.verb("verify", id)).stdout)).toContain("no space to work in");
});

test("a list reads each manifest once, by one program, and finds what was damaged since the last one", async () => {
  const folder = temporaryFolder();
  for (const name of ["openssl", "sha256sum"]) {
    const real = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    writeFileSync(
      join(folder, name),
      `#!/bin/sh\necho "$*" >>'${folder}/calls'\n[ ! -e '${folder}/then' ] || . '${folder}/then'\nexec ${real} "$@"\n`,
      { mode: 0o755 },
    );
  }
  const machine = await working({}, { env: { PATH: `${folder}:${process.env["PATH"]}` } });
  const listed = async () => {
    rmSync(join(folder, "calls"), { force: true });
    const { stdout } = await machine.verb("sealed");
    const ids = parseSealed(stdout).map(({ id }) => id);
    const calls = readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
    return { ids, damaged: parseDamaged(stdout).map(({ id }) => id), hashed: calls.filter((words) => !words.endsWith("/dev/null")) };
  };
  for (const step of ["1", "2", "3"]) {
    writeFileSync(join(machine.lib, "checkpoint/STEP"), step);
    await machine.verb("snapshot", "manual");
  }
  const first = await listed();
  expect([first.ids.length, first.damaged, first.hashed.length]).toEqual([3, [], 4]);
  const again = await listed();
  expect([again.ids, again.hashed]).toEqual([first.ids, [expect.stringMatching(/^(\S+ )*(c-\S+\/MANIFEST ?){3}$/)]]);
  const [newest = "", middle = "", oldest = ""] = first.ids;
  appendFileSync(join(volume(machine), "spot/checkpoints", middle, "MANIFEST"), "\n");
  expect(await listed()).toMatchObject({ ids: [newest, oldest], damaged: [middle] });
  rmSync(join(volume(machine), "spot/checkpoints", oldest, "MANIFEST"));
  expect(await listed()).toMatchObject({ ids: [newest], damaged: [middle, oldest] });
  writeFileSync(join(folder, "then"), `case $* in *MANIFEST*) mv '${volume(machine)}' '${volume(machine)} away' ;; esac\n`);
  expect(parseGuestError((await machine.verb("sealed")).stdout)).toBe("the volume is not there: /data");
  rmSync(join(folder, "then"));
  renameSync(`${volume(machine)} away`, volume(machine));
  rmSync(join(volume(machine), "spot/checkpoints"), { recursive: true });
  expect(parseSealed((await machine.verb("sealed")).stdout)).toEqual([]);
});

test("damage is named by verify, and a damaged manifest is listed apart", async () => {
  const machine = await working();
  for (let file = 0; file < 8; file++) writeFileSync(join(machine.lib, "checkpoint", `file ${file}`), "as it was");
  await machine.verb("snapshot", "manual");
  const [sealed] = parseSealed((await machine.verb("sealed")).stdout);
  const folder = join(volume(machine), "spot/checkpoints", sealed?.id ?? "");
  for (let file = 0; file < 7; file++) writeFileSync(join(folder, "data", `file ${file}`), "as it is");
  const result = await machine.verb("verify", sealed?.id ?? "");
  expect(result.code).toBe(7);
  expect(parseGuestError(result.stdout)).toMatch(/does not verify: file 0, file 1, file 2, file 3, file 4$/);
  expect(parseDamaged((await machine.verb("sealed")).stdout)).toEqual([]);
  appendFileSync(join(folder, "MANIFEST"), "\n");
  const listed = await machine.verb("sealed");
  expect(parseSealed(listed.stdout)).toEqual([]);
  expect(parseDamaged(listed.stdout)).toEqual([{ id: sealed?.id, instance: "train" }]);
  expect(parseGuestError((await machine.verb("verify", sealed?.id ?? "")).stdout)).toMatch(/manifest is damaged/);
  const packed = agent(machine, ["pack", sealed?.id ?? ""]);
  expect([packed.status, packed.stdout.length]).toEqual([7, 0]);
  expect(packed.stderr.toString()).toMatch(/manifest is damaged/);
});

test.each([[""], ["c-../.."], ["../c-1"], ["c-1/../x"], ["c/../../x"], ["c-"], ["-rf"], ["c-1\nc-2"]])(
  "%j is no checkpoint",
  async (id) => {
    const machine = await working();
    // Where nobody has brought them yet.
    expect(agent(machine, ["verify", id]).stderr.toString()).toMatch(/not a verb: verify/);
    await machine.verb("sealed");
    for (const verb of ["verify", "pack", "prune"]) {
      const result = agent(machine, [verb, id]);
      expect(result.status).toBe(7);
      expect(result.stderr.toString()).toMatch(/not a checkpoint/);
    }
  },
);

// biome-ignore lint/suspicious/noTemplateCurlyInString: text for a shell that must not be read by one
const odd = ["", "'", "two\nlines\n", "$(touch evil) `touch evil` ${HOME}", "ünï 🚀", "-n", "* ?", "\u0001\u001b[31m"];
const report = "process.stdout.write(JSON.stringify({ argv: process.argv.slice(1), env: process.env, cwd: process.cwd() }))";

test.each(KINDS)("exec with $name gives the workload's environment and folder, and every word as it is", async ({ options }) => {
  const env = { ...Object.fromEntries(odd.map((value, index) => [`ODD_${index}`, value])), HOME: "/own home", LC_ALL: "C.UTF-8" };
  const machine = await working({ env, workdir: "/usr/lib" }, { ...options, env: { FROM_THE_IMAGE: "one 'two'", TERM: "dumb" } });
  // Where nobody can note that somebody is here, he is here all the same.
  symlinkSync("/proc/sys", join(machine.root, "run/spot/sessions"));
  const ran = agent(machine, ["exec", "--", process.execPath, "-e", report, "--", ...odd], "", {
    FROM_THE_IMAGE: "another",
    TERM: "xterm",
    HOME: "/root",
    ONLY_HERE: "kept",
  });
  expect(ran.stderr.toString()).toBe("");
  const seen = JSON.parse(ran.stdout.toString());
  expect(seen.argv).toEqual(odd);
  expect(seen.cwd).toBe(realFolder("/usr/lib"));
  expect(seen.env).toMatchObject({
    ...env,
    FROM_THE_IMAGE: "one 'two'",
    TERM: "xterm",
    ONLY_HERE: "kept",
    SPOT_INSTANCE: "train",
    SPOT_VOLUME_DIR: volume(machine),
  });
  expect(existsSync("/usr/lib/evil")).toBe(false);
});

const realFolder = (path: string) => execFileSync("readlink", ["-f", path], { encoding: "utf8" }).trim();

test("exec passes input and exit code on; what is no program's name is refused", async () => {
  const machine = await working();
  const ran = agent(machine, ["exec", "--", "sh", "-c", "cat; exit 42"], "through");
  expect([ran.status, ran.stdout.toString()]).toEqual([42, "through"]);
  expect(agent(machine, ["exec", "no-such-program-here"]).status).toBe(127);
  for (const words of [[], ["--"], ["-a", "x"], [""]]) {
    const result = agent(machine, ["exec", ...words]);
    expect(result.status).toBe(7);
    expect(parseGuestError(result.stdout.toString())).toMatch(/not a program's name/);
  }
  expect(statSync(join(machine.root, "run/spot/environment")).mode & 0o777).toBe(0o600);
});

test("exec works before the workload does, while a vm waits for its volume", async () => {
  const machine = makeRented(VM);
  open.push(machine);
  machine.boot({ env: { GREETING: "hello" } });
  await eventually("a status", async () => ((await machine.verb("status")).code === 0 ? true : undefined));
  const ran = agent(machine, ["exec", "sh", "-c", 'echo "$GREETING $SPOT_INSTANCE $LC_ALL"; pwd']);
  expect(ran.stdout.toString()).toBe(`hello train \n${join(machine.root, "root")}\n`);
});

test.each([...KINDS, { name: "no program of its own to ask with", options: { path: [] } }])(
  "ready-http with $name asks the machine itself",
  async ({ name, options }) => {
    if (name.startsWith("no program") && spawnSync("bash", ["-c", ":"]).status !== 0) return;
    const machine = await working({}, name.startsWith("no program") ? { path: ["bash"] } : options);
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(request.url === "/ready?a=b" ? 200 : 503).end("words\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      expect(parseReady((await machine.verb("ready-http", String(port), "/ready?a=b")).stdout)).toBe(true);
      expect(parseReady((await machine.verb("ready-http", String(port), "/health")).stdout)).toBe(false);
      expect(asked).toEqual(["/ready?a=b", "/health"]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    expect(parseReady((await machine.verb("ready-http", String(port), "/")).stdout)).toBe(false);
    for (const words of [[], ["0"], ["65536"], ["8x"], ["80", "health"], ["80", "/a b"], ["80", "/\r\nX: y"], ["80", "/ü"]])
      expect((await machine.verb("ready-http", ...words)).code).toBe(7);
  },
);

test("verbs that need a volume say so where there is none", async () => {
  const machine = makeRented(CONTAINER);
  open.push(machine);
  machine.boot({ volumeMount: null, volumeName: null });
  await eventually("a status", async () => ((await machine.verb("status")).code === 0 ? true : undefined));
  for (const words of [["sealed"], ["verify", "c-1"], ["pack", "c-1"], ["volume", "/dev/vdb"]]) {
    const result = await machine.verb(...words);
    expect(result.code).toBe(7);
    expect(result.stderr).toMatch(/has no volume/);
  }
  expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
  expect(readdirSync(machine.root)).not.toContain("data");
});

test("a machine whose cloud mounts its volume lets go of it without unmounting", async () => {
  const machine = await working();
  expect(parseGuestError((await machine.verb("volume", "/dev/vdb")).stdout)).toMatch(/mounted by the cloud/);
  expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
  expect(await machine.status()).toMatchObject({ phase: "stopping", exitCode: 143 });
  expect(parseGuestError((await machine.verb("snapshot", "manual")).stdout)).toMatch(/was released/);
});
