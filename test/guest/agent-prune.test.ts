import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { parseGuestError, parsePruned, parseSnapshotResult } from "../../src/guest/protocol.ts";
import { temporaryFolder } from "../world.ts";
import { eventually, KINDS, type Machine, type MachineOptions } from "./machine.ts";
import { workingMachine, workloadRuns } from "./own-machine.ts";
import { CONTAINER, makeRented } from "./rented.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const start = (options: MachineOptions = {}, instance = "train") => workingMachine({ instance }, options);

async function boot(machine: Machine, instance: string): Promise<void> {
  machine.boot({ instance });
  await workloadRuns(machine);
}

type Verbs = Pick<Machine, "verb">;

async function seal(machine: Verbs): Promise<string> {
  const parsed = parseSnapshotResult((await machine.verb("snapshot", "manual")).stdout);
  if (parsed.kind !== "sealed") throw new Error("nothing was sealed");
  return parsed.checkpoint.id;
}

const write = (machine: Machine, name: string, bytes: number, byte = 1) =>
  writeFileSync(join(machine.checkpointFolder, name), Buffer.alloc(bytes, byte));

async function prune(machine: Verbs, ...words: readonly string[]) {
  const { code, stdout, stderr } = await machine.verb("prune", ...words);
  return code === 0 ? parsePruned(stdout) : { code, error: parseGuestError(stdout), stderr };
}

/** Blocks that the files of the folder take, each inode once, in bytes. */
const taken = (folder: string) =>
  Number(
    execFileSync(
      "sh",
      ["-c", 'find "$0" -type f -printf "%i %b\\n" | sort -u | awk \'{ sum += $2 * 512 } END { print sum + 0 }\'', folder],
      {
        encoding: "utf8",
      },
    ),
  );

test.each(KINDS)("with $name what is pruned is gone, and just that is free", async ({ options }) => {
  const machine = await start(options);
  write(machine, "stays the same", 300_000);
  const ids: string[] = [];
  for (let round = 0; round < 4; round++) {
    write(machine, "odd\nname", 100_000 + round, round);
    ids.push(await seal(machine));
  }
  const [first = "", second = "", third = "", fourth = ""] = ids;
  const before = taken(machine.sealedFolder);
  const planned = await prune(machine, "--dry-run", first, third, first);
  expect(readdirSync(machine.sealedFolder)).toEqual(ids);
  expect(planned).toEqual({ pruned: [first, third], freed: expect.any(Number) });
  expect(await prune(machine, first, third, first)).toEqual(planned);
  expect(readdirSync(machine.sealedFolder)).toEqual([second, fourth]);
  expect(before - taken(machine.sealedFolder)).toBe("freed" in planned ? planned.freed : Number.NaN);
  for (const id of [second, fourth]) expect((await verifyCheckpoint(join(machine.sealedFolder, id))).problems).toEqual([]);
  // What is there no more is passed over.
  expect(await prune(machine, first)).toEqual({ pruned: [], freed: 0 });
  // The next seal still links.
  write(machine, "new", 10);
  const fifth = await seal(machine);
  const inode = (id: string) => statSync(join(machine.sealedFolder, id, "data/stays the same")).ino;
  expect(inode(fifth)).toBe(inode(fourth));
});

test("the newest whole one of each instance stays, and then nothing goes", async () => {
  const machine = await start({}, "other");
  write(machine, "a", 1);
  const theirs = await seal(machine);
  await machine.kill();
  machine.newRoot();
  await boot(machine, "train");
  const ours: string[] = [];
  for (let round = 0; round < 3; round++) {
    write(machine, "a", 2 + round);
    ours.push(await seal(machine));
  }
  const [first = "", second = "", third = ""] = ours;
  expect(await prune(machine, first, theirs)).toMatchObject({
    code: 7,
    error: `${theirs} is the newest sealed checkpoint of other: it stays`,
  });
  expect(await prune(machine, "--dry-run", third)).toMatchObject({ code: 7, error: expect.stringContaining("of train: it stays") });
  expect(readdirSync(machine.sealedFolder)).toEqual([theirs, ...ours]);
  // A damaged one is no sealed one: the one before it is the newest, and it may go itself.
  writeFileSync(join(machine.sealedFolder, third, "MANIFEST"), "damaged");
  expect(await prune(machine, second)).toMatchObject({ code: 7, error: expect.stringContaining(second) });
  expect(await prune(machine, third)).toMatchObject({ pruned: [third] });
});

test("what somebody reads, or puts back, stays until he has ended", async () => {
  const machine = await start();
  write(machine, "a", 1);
  const first = await seal(machine);
  write(machine, "a", 2);
  await seal(machine);
  // A pack that nobody takes from stands still.
  writeFileSync(join(machine.sealedFolder, first, "data/big"), Buffer.alloc(4_000_000));
  const pack = spawn("sh", [join(machine.root, "var/lib/spot/agent.sh"), "pack", first], {
    env: machine.reach.env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  ends.push(() => pack.kill("SIGKILL"));
  const ended = new Promise((resolve) => pack.once("exit", resolve));
  const mark = join(machine.root, "run/spot/reading");
  await eventually("its mark", () => (existsSync(mark) && readdirSync(mark).length > 0 ? true : undefined));
  expect(await prune(machine, first)).toMatchObject({ code: 7, error: `${first} is being read: it stays` });
  expect(existsSync(join(machine.sealedFolder, first, "MANIFEST"))).toBe(true);
  pack.kill("SIGKILL");
  await ended;
  expect(await prune(machine, first)).toMatchObject({ pruned: [first] });
  expect(readdirSync(mark)).toEqual([]);
});

test("one that is being put back stays", async () => {
  const folder = temporaryFolder();
  const held = join(folder, "held");
  const cp = execFileSync("sh", ["-c", "command -v cp"], { encoding: "utf8" }).trim();
  const wait = `while [ -s '${held}' ] && case $* in *"$(cat '${held}')"*.restoring*) ;; *) false ;; esac; do sleep 0.1; done`;
  writeFileSync(join(folder, "cp"), `#!/bin/sh\n${wait}\nexec ${cp} "$@"\n`, { mode: 0o755 });
  const machine = await start({ env: { PATH: `${folder}:${process.env["PATH"]}` } });
  write(machine, "a", 1);
  const first = await seal(machine);
  write(machine, "a", 2);
  const second = await seal(machine);
  // It is listed, and does not verify: the older one is put back.
  writeFileSync(join(machine.sealedFolder, second, "data/a"), "damaged");
  writeFileSync(held, first);
  await machine.kill();
  machine.newRoot();
  machine.boot();
  const marks = join(machine.root, "run/spot/reading");
  await eventually("its mark", () => (existsSync(marks) && readdirSync(marks).some((name) => name.startsWith(first)) ? true : undefined));
  expect(await prune(machine, first)).toMatchObject({ code: 7, error: `${first} is being read: it stays` });
  writeFileSync(held, "");
  await eventually("the older one", async () => ((await machine.status()).restoredFrom === first ? true : undefined));
  expect(readdirSync(marks)).toEqual([]);
  expect(await prune(machine, first)).toMatchObject({ pruned: [first] });
});

test("what a pruning that was killed has left is deleted by the next seal, the next pruning and the next boot", async () => {
  const machine = await start();
  write(machine, "a", 1);
  const kept = await seal(machine);
  const leave = () => {
    const left = join(machine.sealedFolder, ".pruned-c-20200101T000000Z-00000000");
    mkdirSync(join(left, "data/deep"), { recursive: true });
    writeFileSync(join(left, "data/deep/file"), "x");
    return left;
  };
  for (const next of [
    () => prune(machine, "--dry-run", kept),
    () => prune(machine, "c-none"),
    async () => {
      write(machine, "a", 2);
      await seal(machine);
    },
    async () => {
      await machine.kill();
      await boot(machine, "train");
    },
  ]) {
    const left = leave();
    await next();
    const isDry = existsSync(left);
    if (isDry) rmSync(left, { recursive: true });
    else expect(readdirSync(machine.sealedFolder).filter((name) => name.startsWith("."))).toEqual([]);
  }
});

test("on a rented machine it is brought; it waits for a seal, and is refused without a volume", async () => {
  const machine = makeRented(CONTAINER);
  ends.push(() => machine.close());
  mkdirSync(join(machine.root, "data"));
  machine.boot({ command: ["sleep", "1000"] });
  await eventually("the agent", async () => ((await machine.verb("status")).stdout.includes('"running"') ? true : undefined));
  const ids: string[] = [];
  for (const content of ["1", "2"]) {
    writeFileSync(join(machine.lib, "checkpoint/a"), content);
    ids.push(await seal(machine));
  }
  const [first = "", second = ""] = ids;
  const lock = join(machine.root, "run/spot/seal.lock");
  symlinkSync(String(process.pid), lock);
  const pruning = prune(machine, first);
  await eventually("that it waits", () =>
    readdirSync(join(machine.root, "run/spot")).some((name) => name.startsWith("work.")) ? true : undefined,
  );
  expect(existsSync(join(machine.root, "data/spot/checkpoints", first))).toBe(true);
  rmSync(lock);
  expect(await pruning).toMatchObject({ pruned: [first] });
  expect(readdirSync(join(machine.root, "data/spot/checkpoints"))).toEqual([second]);
  renameSync(join(machine.root, "data"), join(machine.root, "away"));
  expect(await prune(machine, first)).toMatchObject({ code: 7, error: "the volume is not there: /data" });
  expect(await prune(machine)).toMatchObject({ code: 7, error: expect.stringContaining("needs the checkpoints") });
});

test("a checkpoint that does not verify is no ground for the next one", async () => {
  const machine = await start();
  for (const name of ["a", "b"]) write(machine, name, 1000);
  const first = await seal(machine);
  const file = join(machine.sealedFolder, first, "data/a");
  const { mtime } = statSync(file);
  const bytes = readFileSync(file);
  bytes[500] = 2;
  writeFileSync(file, bytes);
  // As a disk that loses a bit: nothing tells but the content.
  execFileSync("touch", ["-d", mtime.toISOString(), file]);
  expect((await machine.verb("verify", first)).code).toBe(7);
  write(machine, "b", 2000);
  const second = await seal(machine);
  expect((await verifyCheckpoint(join(machine.sealedFolder, second))).problems).toEqual([]);
});
