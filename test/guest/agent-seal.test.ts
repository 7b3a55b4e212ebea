import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listSealed } from "../../src/checkpoints/catalogue.ts";
import { restoreCheckpoint } from "../../src/checkpoints/restore.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { createGuestDoor } from "../../src/fleet/guest-door.ts";
import { parseGuestError, parseSnapshotResult, type SealedSnapshot } from "../../src/guest/protocol.ts";
import { testWorld } from "../world.ts";
import { eventually, KINDS, type Machine } from "./machine.ts";
import { workingMachine, workloadRuns } from "./own-machine.ts";

async function snapshot(machine: Machine): Promise<SealedSnapshot> {
  const result = await machine.verb("snapshot", "manual");
  const parsed = parseSnapshotResult(result.stdout);
  if (parsed.kind !== "sealed") throw new Error("nothing was sealed");
  return parsed.checkpoint;
}

function damage(machine: Machine, id: string, file: string): void {
  const path = join(machine.sealedFolder, id, file);
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Reboots on a new machine: the root is lost, the volume stays. */
async function replace(machine: Machine, settings: Parameters<Machine["boot"]>[0] = {}) {
  await machine.kill();
  machine.newRoot();
  return machine.boot(settings);
}

const write = (machine: Machine, name: string, content: string) => writeFileSync(join(machine.checkpointFolder, name), content);

test("an empty folder is nothing to seal; an unchanged one is sealed once", async () => {
  const machine = await workingMachine();
  expect((await machine.verb("snapshot", "manual")).stdout).toBe('{"empty":true}\n');
  write(machine, "a", "one");
  const first = await snapshot(machine);
  expect(first).toMatchObject({ files: 1, bytes: 3, reason: "manual", step: null, unchanged: false });
  expect(await snapshot(machine)).toEqual({ ...first, unchanged: true });
  write(machine, "a", "two");
  const second = await snapshot(machine);
  expect(second.id > first.id).toBe(true);
  expect((await listSealed(machine.volume)).map(({ id, sha256 }) => ({ id, sha256 }))).toEqual([
    { id: second.id, sha256: second.sha256 },
    { id: first.id, sha256: first.sha256 },
  ]);
});

test("each name comes after every one on the volume: with a clock that is behind, and when the numbers of a second are used up", async () => {
  const machine = await workingMachine();
  const sealedAfter = async (newest: string) => {
    mkdirSync(join(machine.sealedFolder, newest), { recursive: true });
    write(machine, `at ${newest}`, "");
    return (await snapshot(machine)).id;
  };
  const seals = [await sealedAfter("c-20770808T235959Z-fffe0000")];
  seals.push(await sealedAfter(seals[0] ?? ""), await sealedAfter("c-20770809T999999Z-ffffffff"));
  expect(seals.map((id) => id.replace(/....$/, ""))).toEqual([
    "c-20770808T235959Z-ffff",
    "c-20770808T235960Z-0000",
    "c-20770810T000000Z-0000",
  ]);
  expect((await listSealed(machine.volume)).map(({ id }) => id)).toEqual(seals.toReversed());
});

const oddNames = [
  "new\nline",
  "\n",
  "tab\there",
  "back\\slash",
  "\\n",
  "back\\and\nline",
  "ünïcödé-漢字-🚀",
  "-leading-dash",
  " spaces  at both ends ",
  "quote'double\"$(touch x)`y`",
  "carriage\rreturn",
  "*?[a]",
  "é".repeat(127),
  "x".repeat(255),
  "\u0001\u001b[31m",
];

test.each(KINDS)(
  "odd names, empty folders, links, modes and times come through sealing and both ways of restoring with $name",
  async ({ options }) => {
    const machine = await workingMachine({}, options);
    for (const name of oddNames) write(machine, name, `content of ${name}`);
    mkdirSync(join(machine.checkpointFolder, "deep\n/empty"), { recursive: true });
    write(machine, "deep\n/file", "deep");
    symlinkSync("../some\nwhere\twith \\ ", join(machine.checkpointFolder, "link\t"));
    symlinkSync("nowhere", join(machine.checkpointFolder, "plain-link"));
    chmodSync(join(machine.checkpointFolder, "*?[a]"), 0o640);
    utimesSync(join(machine.checkpointFolder, "*?[a]"), 1_000_000_000, 1_000_000_000);
    const { id, files } = await snapshot(machine);
    expect(files).toBe(oddNames.length + 1);
    const sealed = join(machine.sealedFolder, id);
    expect((await verifyCheckpoint(sealed)).problems).toEqual([]);
    const target = `${machine.root}-restored`;
    await restoreCheckpoint(sealed, target);
    await replace(machine);
    await workloadRuns(machine);
    expect((await machine.status()).restoredFrom).toBe(id);
    for (const folder of [target, machine.checkpointFolder]) {
      expect(readdirSync(folder).sort()).toEqual([...oddNames, "deep\n", "link\t", "plain-link"].sort());
      for (const name of oddNames) expect(readFileSync(join(folder, name), "utf8")).toBe(`content of ${name}`);
      expect(readdirSync(join(folder, "deep\n")).sort()).toEqual(["empty", "file"]);
      expect(readlinkSync(join(folder, "link\t"))).toBe("../some\nwhere\twith \\ ");
      expect(statSync(join(folder, "*?[a]"))).toMatchObject({ mode: 0o100640, mtimeMs: 1_000_000_000_000 });
    }
  },
);

test("the newest checkpoint that verifies is put back; what was put back counts as sealed", async () => {
  const machine = await workingMachine();
  write(machine, "a", "first state");
  const first = await snapshot(machine);
  write(machine, "a", "second state");
  const second = await snapshot(machine);
  await replace(machine);
  await workloadRuns(machine);
  expect(await machine.status()).toMatchObject({ restoredFrom: second.id, lastCheckpoint: second.id, passedOver: null });
  expect(readFileSync(join(machine.checkpointFolder, "a"), "utf8")).toBe("second state");
  expect(await snapshot(machine)).toMatchObject({ id: second.id, unchanged: true });
  damage(machine, second.id, "data/a");
  await replace(machine);
  await workloadRuns(machine);
  expect((await machine.status()).restoredFrom).toBe(first.id);
  const report = await createGuestDoor(testWorld()).report(machine.reach, new AbortController().signal);
  expect(report).toMatchObject({ restoredFrom: first.id, passedOver: [second.id] });
  expect(readFileSync(join(machine.checkpointFolder, "a"), "utf8")).toBe("first state");
  expect(machine.log()).toContain(`checkpoint ${second.id} does not verify`);
});

test.each(["data/a", "MANIFEST"])("when only %s of the last checkpoint is damaged the workload is not started", async (file) => {
  const machine = await workingMachine();
  write(machine, "a", "the only state");
  const { id } = await snapshot(machine);
  damage(machine, id, file);
  const child = await replace(machine, { command: ["sh", "-c", 'echo started > "$SPOT_VOLUME_DIR/started"'] });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  expect(code).toBe(7);
  expect(readdirSync(machine.volume)).toEqual(["spot"]);
  expect(machine.log()).toContain(`none verifies: ${id}; the workload is not started`);
  // Whoever asks from outside hears why.
  const door = createGuestDoor(testWorld());
  const { signal } = new AbortController();
  expect(await door.report(machine.reach, signal)).toBeUndefined();
  expect(await door.silence?.(machine.reach, signal)).toContain(
    `the agent is not running: sealed checkpoint(s) of train and none verifies: ${id}`,
  );
});

test("checkpoints of another instance on the same volume are left alone", async () => {
  const machine = await workingMachine({ instance: "other" });
  write(machine, "a", "theirs");
  await snapshot(machine);
  await replace(machine, { instance: "train" });
  await workloadRuns(machine);
  expect(await machine.status()).toMatchObject({ restoredFrom: null, lastCheckpoint: null });
  expect(readdirSync(machine.checkpointFolder)).toEqual([]);
});

test("nothing is put back into a folder that holds something", async () => {
  const machine = await workingMachine();
  write(machine, "a", "sealed");
  await snapshot(machine);
  write(machine, "a", "newer, not sealed");
  await machine.kill();
  machine.boot();
  await workloadRuns(machine);
  expect((await machine.status()).restoredFrom).toBeNull();
  expect(readFileSync(join(machine.checkpointFolder, "a"), "utf8")).toBe("newer, not sealed");
});

test("a volume that is full says so, keeps the older checkpoints and no partial one", async () => {
  const machine = await workingMachine({}, { env: { SPOT_VOLUME_LIMIT_BYTES: "1000000" } });
  write(machine, "a", "x".repeat(600_000));
  const { id } = await snapshot(machine);
  write(machine, "a", "y".repeat(600_000));
  const refused = await machine.verb("snapshot", "manual");
  expect(refused.code).toBe(7);
  expect(parseGuestError(refused.stdout)).toContain("No space left on device");
  expect(readdirSync(machine.sealedFolder)).toEqual([id]);
  expect(await verifyCheckpoint(join(machine.sealedFolder, id))).toMatchObject({ ok: true });
});

test("a file that never stops changing is refused by name; one replaced by rename is sealed", async () => {
  const changing = 'while :; do echo more >> "$SPOT_CHECKPOINT_DIR/odd\nname"; done';
  const machine = await workingMachine({ command: ["sh", "-c", changing] });
  await eventually("the file", () => (readdirSync(machine.checkpointFolder).length > 0 ? true : undefined));
  const { refused, before } = await eventually("a seal while it changes", async () => {
    const sealed = existsSync(machine.sealedFolder) ? readdirSync(machine.sealedFolder) : [];
    const answer = await machine.verb("snapshot", "manual");
    // On a busy machine the writer may have stood still while the file was read, and then it was sealed rightly.
    return answer.code === 0 ? undefined : { refused: answer, before: sealed };
  });
  expect(refused.code).toBe(7);
  expect(parseGuestError(refused.stdout)).toContain("odd\\nname kept changing while it was read");
  expect(readdirSync(machine.sealedFolder)).toEqual(before);
  await machine.verb("stop");
  let count = 0;
  const replacing = setInterval(() => {
    count += 1;
    writeFileSync(join(machine.checkpointFolder, "next"), `state ${count}`);
    renameSync(join(machine.checkpointFolder, "next"), join(machine.checkpointFolder, "state"));
  }, 3);
  try {
    const { id } = await snapshot(machine);
    expect((await verifyCheckpoint(join(machine.sealedFolder, id))).problems).toEqual([]);
  } finally {
    clearInterval(replacing);
  }
});

test("a volume that is not there, and a machine without one, are said", async () => {
  const machine = await workingMachine();
  write(machine, "a", "a");
  renameSync(machine.volume, `${machine.volume}-away`);
  const away = await machine.verb("snapshot", "manual");
  renameSync(`${machine.volume}-away`, machine.volume);
  expect([away.code, parseGuestError(away.stdout)]).toEqual([7, "the volume is not there: /data"]);
  await machine.kill();
  machine.boot({ volumeMount: null, volumeName: null });
  await workloadRuns(machine);
  const without = await machine.verb("snapshot", "manual");
  expect([without.code, parseGuestError(without.stdout)]).toEqual([7, "this instance has no volume to seal a checkpoint on"]);
});

test("many at once: one seals, the others find it sealed", async () => {
  const machine = await workingMachine();
  write(machine, "a", "a");
  const answers = await Promise.all(Array.from({ length: 6 }, () => snapshot(machine)));
  expect(new Set(answers.map((answer) => answer.id)).size).toBe(1);
  expect(answers.filter((answer) => !answer.unchanged)).toHaveLength(1);
  expect(readdirSync(machine.sealedFolder)).toHaveLength(1);
});
