import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { parseGuestError, parseSnapshotResult } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { temporaryFolder } from "../world.ts";
import { eventually, type Machine } from "./machine.ts";
import { ownMachine, workloadRuns } from "./own-machine.ts";

/** A program that stands in the way of the real one: `lines` run first, with the real one as $real. */
function shim(folder: string, name: string, lines: string): void {
  const real = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
  writeFileSync(join(folder, name), `#!/bin/sh\nreal=${real}\n${lines}\nexec ${real} "$@"\n`, { mode: 0o755 });
}

/** A machine in whose PATH a folder stands first, for shims. */
async function shimmed(): Promise<{ machine: Machine; folder: string }> {
  const folder = temporaryFolder();
  const machine = await ownMachine({ env: { PATH: `${folder}:${process.env["PATH"]}` } });
  return { machine, folder };
}

const write = (machine: Machine, name: string, content: string) => writeFileSync(join(machine.checkpointFolder, name), content);

async function seal(machine: Machine) {
  const result = await machine.verb("snapshot", "manual");
  const parsed = parseSnapshotResult(result.stdout);
  if (parsed.kind !== "sealed") throw new Error(`nothing was sealed: ${result.stdout}`);
  return parsed.checkpoint;
}

const problems = async (machine: Machine, id: string) => (await verifyCheckpoint(join(machine.sealedFolder, id))).problems;
const listed = (machine: Machine) => readdirSync(machine.sealedFolder).filter((name) => name.startsWith("c-"));
const there = (what: string, path: string) => eventually(what, () => (existsSync(path) ? true : undefined));

test("nothing that is listed is deleted by an agent that starts while somebody seals", async () => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  for (const name of ["a", "b", "c"]) write(machine, name, name);
  const mark = join(folder, "at-the-end");
  const go = join(folder, "go");
  // The last thing before the name is given: the folder itself is made durable.
  shim(folder, "sync", `case "$*" in *-f* | *MANIFEST*) ;; */.partial-*) : >'${mark}'; while [ ! -e '${go}' ]; do sleep 0.1; done ;; esac`);
  // Deletes as a tree of very many files is deleted: by what it has opened, one file at a time.
  shim(
    folder,
    "rm",
    `case "$*" in
  *.partial-* | *.pruned-*) for last; do :; done
    if cd "$last/data" 2>/dev/null; then
      : >'${go}'
      for file in *; do sleep 0.3; $real -f "$file"; done
    fi ;;
esac`,
  );
  const sealing = machine.verb("snapshot", "manual");
  await there("the seal's last step", mark);
  const [supervisor = ""] = readFileSync(join(machine.root, "run/spot/agent-pid"), "utf8").split("\n");
  process.kill(Number(supervisor), "SIGKILL");
  machine.boot();
  await sealing;
  await workloadRuns(machine);
  await eventually("the leftovers' end", () =>
    readdirSync(machine.sealedFolder).every((name) => name.startsWith("c-")) ? true : undefined,
  );
  for (const id of listed(machine)) expect(await problems(machine, id)).toEqual([]);
  expect(listed(machine)).toEqual([]);
});

test("an unfinished seal's name is taken from it before anything of it is deleted", async () => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  write(machine, "a", "1");
  await seal(machine);
  const left = join(machine.sealedFolder, ".partial-c-20200101T000000Z-00000000");
  mkdirSync(join(left, "data"), { recursive: true });
  const seen = join(folder, "seen");
  shim(folder, "rm", `case "$*" in *.partial-c-2020*) echo "$*" >>'${seen}' ;; esac`);
  await machine.kill();
  machine.boot();
  await workloadRuns(machine);
  expect(existsSync(left)).toBe(false);
  expect(existsSync(seen)).toBe(false);
});

test("a volume whose checkpoints cannot be listed is not one without checkpoints: the workload is not started", async () => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  write(machine, "a", "1");
  const { id } = await seal(machine);
  await machine.kill();
  machine.newRoot();
  // A folder that cannot be listed: to a shell its names are not there.
  shim(folder, "ls", `case "$*" in *spot/checkpoints*) echo 'ls: Input/output error' >&2; exit 2 ;; esac`);
  chmodSync(machine.sealedFolder, 0o700);
  const hidden = `${machine.sealedFolder}.hidden`;
  execFileSync("mv", [machine.sealedFolder, hidden]);
  mkdirSync(machine.sealedFolder);
  const child = machine.boot();
  await new Promise((resolve) => child.once("exit", resolve));
  expect((await machine.verb("status")).stdout).toContain("the volume cannot be read; the workload is not started");
  expect(existsSync(join(machine.root, "run/spot/started-at"))).toBe(false);
  rmSync(machine.sealedFolder, { recursive: true });
  execFileSync("mv", [hidden, machine.sealedFolder]);
  rmSync(join(folder, "ls"));
  machine.boot();
  await workloadRuns(machine);
  expect((await machine.status()).restoredFrom).toBe(id);
});

test("a checkpoint that cannot be looked into counts as one that does not verify", async () => {
  const { machine } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  await machine.kill();
  machine.newRoot();
  // As an inode that cannot be read: a name, and nothing that can be said of it.
  mkdirSync(machine.sealedFolder, { recursive: true });
  symlinkSync("nowhere", join(machine.sealedFolder, "c-20261121T053818Z-00000014"));
  writeFileSync(join(machine.sealedFolder, "c-notes"), "somebody's own");
  const child = machine.boot();
  await new Promise((resolve) => child.once("exit", resolve));
  const said = parseGuestError((await machine.verb("status")).stdout);
  expect(said).toContain("none verifies: c-20261121T053818Z-00000014; the workload is not started");
});

test("what has not changed is sealed again when the manifest of its checkpoint no longer holds", async () => {
  const { machine } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  write(machine, "a", "1");
  const first = await seal(machine);
  const manifest = join(machine.sealedFolder, first.id, "MANIFEST");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace("reason manual", "reason Manual"));
  const second = await seal(machine);
  expect(second).toMatchObject({ unchanged: false });
  expect(await problems(machine, second.id)).toEqual([]);
  expect(await seal(machine)).toEqual({ ...second, unchanged: true });
});

test("a workload is not started on a volume that was asked for while the checkpoint was put back", async () => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  write(machine, "a", "1");
  await seal(machine);
  await machine.kill();
  machine.newRoot();
  const mark = join(folder, "putting-back");
  const go = join(folder, "go");
  shim(folder, "cp", `case "$*" in *.restoring*) : >'${mark}'; while [ ! -e '${go}' ]; do sleep 0.1; done ;; esac`);
  machine.boot();
  await there("the copy", mark);
  const agent = join(machine.root, "var/lib/spot/agent.sh");
  const release = spawn("/bin/sh", [agent, "release"], { cwd: machine.root, env: machine.reach.env, stdio: "ignore" });
  await there("the word", join(machine.root, "run/spot/released"));
  // Whoever asked gives up before the copy is over.
  const ended = new Promise((resolve) => release.once("exit", resolve));
  release.kill("SIGKILL");
  await ended;
  writeFileSync(go, "");
  await eventually("the agent's heartbeat", () => (existsSync(join(machine.root, "run/spot/heartbeat")) ? true : undefined));
  expect(existsSync(join(machine.root, "run/spot/started-at"))).toBe(false);
});

/** As a disk that loses a bit: nothing tells but the content. */
function losesABit(file: string): void {
  const { mtime } = statSync(file);
  const bytes = readFileSync(file);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  execFileSync("touch", ["-d", mtime.toISOString(), file]);
}

test("a verify that finds damage while somebody seals keeps the next seal from sharing it", async () => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  for (const name of ["a", "b"]) write(machine, name, name.repeat(1000));
  const first = await seal(machine);
  losesABit(join(machine.sealedFolder, first.id, "data/a"));
  const mark = join(folder, "at-the-end");
  const go = join(folder, "go");
  shim(folder, "sync", `case "$*" in *-f* | *MANIFEST*) ;; */.partial-*) : >'${mark}'; while [ ! -e '${go}' ]; do sleep 0.1; done ;; esac`);
  write(machine, "c", "more");
  const sealing = machine.verb("snapshot", "manual");
  await there("the seal's last step", mark);
  const verifying = machine.verb("verify", first.id);
  const last = join(machine.root, "var/lib/spot/sealed.last");
  await eventually("that the verify has found it", () => (existsSync(last) ? undefined : true));
  writeFileSync(go, "");
  await sealing;
  const { code, stdout } = await verifying;
  expect([code, JSON.parse(stdout)]).toEqual([7, { error: expect.stringContaining("does not verify: a"), damaged: ["a"] }]);
  expect(existsSync(last)).toBe(false);
  write(machine, "d", "more");
  expect(await problems(machine, (await seal(machine)).id)).toEqual([]);
});

test("a verify says damage of nothing but damage", async () => {
  const { machine } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  write(machine, "a", "1");
  const { id } = await seal(machine);
  const said = async (name: string) => JSON.parse((await machine.verb("verify", name)).stdout);
  expect(await said("c-none")).toEqual({ error: "there is no checkpoint c-none on the volume" });
  const manifest = join(machine.sealedFolder, id, "MANIFEST");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace("reason manual", "reason Manual"));
  expect(await said(id)).toEqual({ error: `checkpoint ${id}: its manifest is damaged`, damaged: ["MANIFEST"] });
});

test("a seal does not wait until what was pruned is deleted", async () => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  write(machine, "a", "1");
  const first = await seal(machine);
  write(machine, "a", "2");
  await seal(machine);
  const mark = join(folder, "deleting");
  const go = join(folder, "go");
  shim(folder, "rm", `case "$*" in *.pruned-*) : >'${mark}'; while [ ! -e '${go}' ]; do sleep 0.1; done ;; esac`);
  const pruning = machine.verb("prune", first.id);
  await there("the deletion", mark);
  write(machine, "a", "3");
  const until = String(Math.floor(systemClock.now() / 1000) + 20);
  const noticed = await machine.verb("snapshot", "notice", until);
  expect(parseSnapshotResult(noticed.stdout)).toMatchObject({ kind: "sealed" });
  expect(existsSync(join(machine.sealedFolder, `.pruned-${first.id}`))).toBe(true);
  writeFileSync(go, "");
  expect(await pruning).toMatchObject({ code: 0, stdout: expect.stringContaining(`"pruned":["${first.id}"]`) });
  expect(readdirSync(machine.sealedFolder).filter((name) => name.startsWith("."))).toEqual([]);
});

test("a volume that hangs keeps no machine: it ends itself when its time is up, and is heard until then", async () => {
  const { machine, folder } = await shimmed();
  const hung = join(folder, "hung");
  const later = join(folder, "later");
  shim(folder, "sync", `case "$*" in */.partial-*) : >'${hung}'; exec sleep 1000 ;; esac`);
  // Its clock goes on by what the file says.
  shim(folder, "date", `case "$*" in +%s) echo $(($($real +%s) + $(cat '${later}' 2>/dev/null || echo 0))); exit ;; esac`);
  machine.boot({ checkpointEverySeconds: 1, ttlEndsAt: Math.floor(systemClock.now() / 1000) + 1000 });
  await workloadRuns(machine);
  write(machine, "a", "1");
  await there("a seal that hangs", hung);
  writeFileSync(later, "1010");
  await eventually("its time", async () => ((await machine.status()).phase === "stopping" ? true : undefined));
  const heard = (await machine.status()).heartbeatAt ?? 0;
  await eventually("a heartbeat", async () => (((await machine.status()).heartbeatAt ?? 0) > heard ? true : undefined));
  expect(machine.metadata.terminated).toBe(0);
  writeFileSync(later, "1320");
  await eventually("its end", () => (machine.metadata.terminated > 0 ? true : undefined));
  expect(existsSync(join(machine.root, "run/spot/exit-code"))).toBe(true);
});

/** In whatever order names are read: one that is renamed right afterwards is not found, and its other name was not read. */
const RENAMES = (folder: string, times: number) => `
rename_step() {
  echo >>'${folder}/renames'
  count=$(wc -l <'${folder}/renames')
  [ "$count" -gt ${times} ] || mv "$1"/step-* "$1/step-$count"
}
for last; do :; done
case "$*" in
  */.freeze)
    at=$PWD; cd "$2" && names=$(ls) && cd "$at" && mkdir "$last" && rename_step "$2"
    set -- ; for name in $names; do set -- "$@" "$CKPT_FOLDER/$name"; done
    exec "$real" -pPRl "$@" "$last" ;;
  *.partial-*) rename_step "$CKPT_FOLDER" ;;
esac`;

test.each([
  ["one that is renamed at each try is refused", 1000],
  ["one that is renamed until the workload rests is sealed", 9],
])("nothing is sealed without a file that was there all the time, under one name or the next: %s", async (_, times) => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  write(machine, "other", "1");
  write(machine, "step-0", "work");
  shim(folder, "cp", `CKPT_FOLDER='${machine.checkpointFolder}'\n${RENAMES(folder, times)}`);
  const { code, stdout } = await machine.verb("snapshot", "manual");
  if (times === 1000) expect([code, stdout]).toEqual([7, expect.stringContaining("kept changing while it was read")]);
  else expect([code, stdout]).toEqual([0, expect.stringContaining('"unchanged":false')]);
  for (const id of listed(machine)) {
    expect(await problems(machine, id)).toEqual([]);
    expect(readdirSync(join(machine.sealedFolder, id, "data"))).toEqual(["other", expect.stringMatching(/^step-/)]);
  }
  expect(readFileSync(join(folder, "renames"), "utf8").length).toBeGreaterThan(9);
});

test("links and a look that both miss a file agree on nothing", async () => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  write(machine, "other", "1");
  write(machine, "step-0", "work");
  shim(folder, "cp", `CKPT_FOLDER='${machine.checkpointFolder}'\n${RENAMES(folder, 1000)}`);
  // The first look sees it.
  shim(
    folder,
    "find",
    `case $1,$PWD in .*,'${machine.checkpointFolder}')
  if [ -e '${folder}/looked' ]; then
    $real "$@" | grep -v step-
    echo "find: './/./step-0': No such file or directory" >&2
    exit 1
  fi
  echo >'${folder}/looked' ;;
esac`,
  );
  const { code, stdout } = await machine.verb("snapshot", "manual");
  expect([code, stdout]).toEqual([7, expect.stringContaining("could not be read")]);
  expect(listed(machine)).toEqual([]);
});

test.each([
  ["all that lies there", "at the first look", 1, '"unchanged":false'],
  ["all that lies there", "at each look", 1000, "could not be read"],
  ["what was added since the last seal", "at the first look", 1, '"unchanged":false'],
  ["what was added since the last seal", "at each look", 1000, "could not be read"],
])("a look that misses %s, renamed %s, never makes it nothing to seal", async (what, _, times, says) => {
  const { machine, folder } = await shimmed();
  machine.boot();
  await workloadRuns(machine);
  if (what !== "all that lies there") {
    write(machine, "a", "1");
    await seal(machine);
  }
  const { mtime } = statSync(machine.checkpointFolder);
  write(machine, "step-1", "work");
  execFileSync("touch", ["-d", mtime.toISOString(), machine.checkpointFolder]);
  const looks = join(folder, "looks");
  shim(
    folder,
    "find",
    `case $1,$PWD in .*,'${machine.checkpointFolder}')
  echo >>'${looks}'
  if [ "$(wc -l <'${looks}')" -le ${times} ]; then
    $real "$@" | grep -v step-
    echo "find: './/./step-1': No such file or directory" >&2
    exit 1
  fi ;;
esac`,
  );
  const { stdout } = await machine.verb("snapshot", "down");
  expect(existsSync(looks)).toBe(true);
  expect(stdout).toContain(says);
  for (const id of listed(machine).slice(what === "all that lies there" ? 0 : 1)) {
    expect(readdirSync(join(machine.sealedFolder, id, "data"))).toContain("step-1");
  }
});
