import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { listSealed } from "../../src/checkpoints/catalogue.ts";
import { parseGuestError, parseVolumeResult } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { eventually, KINDS, type MachineOptions } from "./machine.ts";
import { type Disk, diskHead, fileSystem, makeRented, type Rented, VM } from "./rented.ts";

const writer = ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; echo written; sleep 1000'];

/** A machine that ends with its test. */
function made({ onTestFinished }: TestContext, options: MachineOptions = {}): Rented {
  const machine = makeRented(VM, options);
  onTestFinished(() => machine.close());
  return machine;
}

async function waiting(context: TestContext, options: MachineOptions = {}): Promise<Rented> {
  const machine = made(context, options);
  machine.boot({ command: writer });
  await phase(machine, "preparing");
  return machine;
}

async function phase(machine: Rented, wanted: string) {
  return eventually(`phase ${wanted}`, async () => {
    const result = await machine.verb("status");
    const there = result.stdout.includes(`"phase":"${wanted}"`) && (wanted !== "preparing" || result.stdout.includes('"awaits":"volume"'));
    return there ? machine.status() : undefined;
  });
}

/** Its volume has come, and what the workload wrote can be sealed. */
async function working(machine: Rented, name: string, disk: Disk): Promise<void> {
  machine.attach(name, disk);
  expect(parseVolumeResult((await machine.verb("volume", `/dev/${name}`)).stdout)).toMatchObject({ device: `/dev/${name}` });
  await written(machine);
}

async function written(machine: Rented): Promise<void> {
  await phase(machine, "running");
  await eventually("the workload's file", () => (existsSync(join(machine.lib, "checkpoint/STEP")) ? true : undefined));
}

// Much of it is waiting.
describe.concurrent("a volume of a machine", { timeout: 120_000 }, () => {
  test.for(KINDS)(
    "with $name the workload waits for its volume; a blank disk is formatted once, and sealed on",
    async ({ options }, context) => {
      const machine = await waiting(context, options);
      expect(await machine.status()).toMatchObject({ phase: "preparing", awaits: "volume", workloadPid: null });
      const disk = machine.disk();
      machine.attach("vdb", disk);
      expect(parseVolumeResult((await machine.verb("volume", "/dev/vdb")).stdout)).toEqual({
        mounted: true,
        device: "/dev/vdb",
        formatted: true,
      });
      await written(machine);
      expect(await machine.status()).toMatchObject({ phase: "running", awaits: null });
      expect(parseVolumeResult((await machine.verb("volume", "vdb")).stdout)).toEqual({
        mounted: true,
        device: "/dev/vdb",
        formatted: false,
      });
      expect((await machine.verb("snapshot", "manual")).code).toBe(0);
      expect((await listSealed(disk.files))[0]).toMatchObject({ step: "7", instance: "train" });
      expect(machine.log()).toContain("written\n");
      expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
      expect(existsSync(join(machine.root, "data/spot"))).toBe(false);
    },
  );

  test("heartbeats and notices go on while the volume is missing, and what comes later is sealed for them", async (context) => {
    const machine = await waiting(context);
    const before = (await machine.status()).heartbeatAt ?? 0;
    const deadline = Math.floor(systemClock.now() / 1000) + 60;
    await machine.verb("notice", String(deadline));
    await eventually("the notice and a later heartbeat", async () => {
      const { notice, heartbeatAt } = await machine.status();
      return notice?.deadline === deadline && (heartbeatAt ?? 0) > before ? true : undefined;
    });
    const disk = machine.disk();
    await working(machine, "vdc", disk);
    await eventually("a checkpoint", async () => (await listSealed(disk.files)).find(({ reason }) => reason === "notice"));
    expect((await machine.verb("notice", "none")).code).toBe(0);
    await eventually("no notice", async () => ((await machine.status()).notice === null ? true : undefined));
  });

  test("a disk may appear after it was announced", async (context) => {
    const machine = await waiting(context);
    const answer = machine.verb("volume", "/dev/vdb");
    await systemClock.sleep(700);
    machine.attach("vdb", machine.disk());
    expect(parseVolumeResult((await answer).stdout).formatted).toBe(true);
    await phase(machine, "running");
  });

  test("a used volume is mounted as it is, and its newest checkpoint is put back", async (context) => {
    const first = await waiting(context);
    const disk = first.disk();
    await working(first, "vdb", disk);
    writeFileSync(join(first.lib, "checkpoint/weights"), "w");
    await first.verb("snapshot", "manual");
    const head = readFileSync(disk.disk);
    await first.verb("release");
    first.powerOff();

    const second = await waiting(context);
    second.attach("vdd", disk);
    expect(parseVolumeResult((await second.verb("volume", "/dev/vdd")).stdout)).toEqual({
      mounted: true,
      device: "/dev/vdd",
      formatted: false,
    });
    const status = await phase(second, "running");
    expect(status.restoredFrom).toBe((await listSealed(disk.files))[0]?.id);
    expect(readFileSync(join(second.lib, "checkpoint/weights"), "utf8")).toBe("w");
    expect(readFileSync(disk.disk).equals(head)).toBe(true);
  });

  const lastMiB = (disk: Disk) => {
    const file = openSync(disk.disk, "r+");
    writeSync(file, "\n", (8 << 20) - 9);
  };
  const refused: readonly [string, (machine: Rented) => Disk, RegExp][] = [
    ["data without a signature", (machine) => machine.disk(`${"\0".repeat(700_000)}photographs`), /not blank/],
    [
      "data at its very end",
      (machine) => {
        const disk = machine.disk();
        lastMiB(disk);
        return disk;
      },
      /not blank/,
    ],
    ["an LVM member", (machine) => machine.disk(diskHead({ TYPE: "LVM2_member", USAGE: "raid", UUID: "a" })), /raid/],
    ["a RAID member", (machine) => machine.disk(diskHead({ TYPE: "linux_raid_member", USAGE: "raid", UUID: "a" })), /raid/],
    ["swap space", (machine) => machine.disk(diskHead({ TYPE: "swap", USAGE: "other", UUID: "a" })), /other/],
    ["a ZFS member", (machine) => machine.disk(diskHead({ TYPE: "zfs_member", USAGE: "filesystem", LABEL: "tank" })), /no UUID/],
    ["a bcache member", (machine) => machine.disk(diskHead({ TYPE: "bcache", USAGE: "other", UUID: "a" })), /other/],
    // Both ends are zeros, and what it is for nobody knows: blkid says a type, and nothing more.
    [
      "a signature of no known use, far from its ends",
      (machine) => machine.disk(`${"\0".repeat(2 << 20)}${diskHead({ TYPE: "unheard-of" })}`),
      /not blank/,
    ],
    [
      "a label alone, far from its ends",
      (machine) => machine.disk(`${"\0".repeat(2 << 20)}${diskHead({ LABEL: "photographs" })}`),
      /not blank/,
    ],
    ["an encrypted disk", (machine) => machine.disk(diskHead({ TYPE: "crypto_LUKS", USAGE: "crypto", UUID: "a" })), /crypto/],
    ["something that blkid is unsure of", (machine) => machine.disk(diskHead({ AMBIVALENT: "1" })), /cannot say/],
    ["an empty partition table", (machine) => machine.disk(diskHead({ PTTYPE: "gpt" })), /partition table \(gpt\) with 0/],
  ];
  test.for(refused)("a disk with %s is refused and not touched", async ([, make, why], context) => {
    const machine = await waiting(context);
    const disk = make(machine);
    writeFileSync(join(disk.files, "kept"), "kept");
    const before = readFileSync(disk.disk);
    machine.attach("vdb", disk);
    const result = await machine.verb("volume", "/dev/vdb");
    expect(result.code).toBe(7);
    expect(parseGuestError(result.stdout)).toMatch(why);
    expect(readFileSync(disk.disk).equals(before)).toBe(true);
    expect(readFileSync(join(disk.files, "kept"), "utf8")).toBe("kept");
    expect(await machine.status()).toMatchObject({ phase: "preparing", awaits: "volume" });
    // It is not the end: the right disk may still come.
    await working(machine, "vdc", machine.disk());
  });

  test("a disk that cannot be read is not taken for a blank one", async (context) => {
    const machine = await waiting(context);
    mkdirSync(join(machine.root, "dev/vdb"));
    expect(parseGuestError((await machine.verb("volume", "/dev/vdb")).stdout)).toMatch(/not blank/);
  });

  test("one partition with a file system is the volume; two are nobody's", async (context) => {
    const machine = await waiting(context);
    const whole = machine.disk(diskHead({ PTTYPE: "dos" }));
    const part = machine.disk(fileSystem("xfs"));
    const other = machine.disk(fileSystem());
    machine.attach("vdb", whole);
    machine.attach("vdb1", part);
    machine.attach("vdb2", other);
    expect(parseGuestError((await machine.verb("volume", "/dev/vdb")).stdout)).toMatch(/with 2 partitions/);
    machine.detach("vdb2");
    expect(parseVolumeResult((await machine.verb("volume", "/dev/vdb")).stdout).formatted).toBe(false);
    await written(machine);
    await machine.verb("snapshot", "manual");
    expect(await listSealed(part.files)).toHaveLength(1);
  });

  test("a partition without a file system is not formatted", async (context) => {
    const machine = await waiting(context);
    machine.attach("nvme1n1", machine.disk(diskHead({ PTTYPE: "gpt" })));
    machine.attach("nvme1n1p1", machine.disk());
    // Another disk, not a partition of this one.
    machine.attach("nvme1n12", machine.disk(fileSystem()));
    const result = await machine.verb("volume", "/dev/nvme1n1");
    expect(parseGuestError(result.stdout)).toMatch(/holds no file system/);
  });

  test.for(["", "/etc/passwd", "/dev/../etc/passwd", "/dev/a b", "vdb;reboot", "$(reboot)"])("%j is no device", async (device, context) => {
    const machine = await waiting(context);
    const result = await machine.verb("volume", device);
    expect(result.code).toBe(7);
    expect(parseGuestError(result.stdout)).toMatch(/not a device/);
  });

  test("after a reboot the file system is found under another device name, and the workload goes on where it was", async (context) => {
    const machine = await waiting(context);
    const disk = machine.disk();
    await working(machine, "vdb", disk);
    machine.powerOff();
    machine.detach("vdb");
    machine.startAgent();
    expect(await phase(machine, "preparing")).toMatchObject({ awaits: "volume" });
    // A stranger's disk comes first, under the old name.
    machine.attach("vdb", machine.disk(fileSystem()));
    await systemClock.sleep(1000);
    expect(await machine.status()).toMatchObject({ phase: "preparing", awaits: "volume" });
    machine.attach("vdc", disk);
    await written(machine);
    expect(parseVolumeResult((await machine.verb("volume", "/dev/vdc")).stdout)).toEqual({
      mounted: true,
      device: "/dev/vdc",
      formatted: false,
    });
    await machine.verb("snapshot", "manual");
    expect(await listSealed(disk.files)).toHaveLength(1);
  });

  test("a machine that comes back for another volume does not take the old one by itself", async (context) => {
    const machine = await waiting(context);
    const disk = machine.disk();
    await working(machine, "vdb", disk);
    machine.powerOff();
    machine.boot({ command: writer, volumeName: "another" });
    await phase(machine, "preparing");
    await systemClock.sleep(1000);
    expect(await machine.status()).toMatchObject({ phase: "preparing", awaits: "volume" });
    expect((await machine.verb("volume", "/dev/vdb")).code).toBe(0);
    await phase(machine, "running");
  });

  test("where two disks claim to be the volume, it waits to be told", async (context) => {
    const machine = await waiting(context);
    const disk = machine.disk();
    await working(machine, "vdb", disk);
    machine.powerOff();
    machine.attach("vdc", machine.disk(readFileSync(disk.disk)));
    machine.startAgent();
    await phase(machine, "preparing");
    await systemClock.sleep(1000);
    expect(await machine.status()).toMatchObject({ phase: "preparing", awaits: "volume" });
    expect(parseVolumeResult((await machine.verb("volume", "/dev/vdb")).stdout).device).toBe("/dev/vdb");
  });

  test("an agent that is started again finds its volume still mounted", async (context) => {
    const machine = await waiting(context);
    const disk = machine.disk();
    await working(machine, "vdb", disk);
    const pid = readFileSync(join(machine.root, "run/spot/agent-pid"), "utf8").trim();
    process.kill(Number(pid), "SIGKILL");
    await eventually("the agent's end", async () => ((await machine.verb("status")).code === 7 ? true : undefined));
    machine.startAgent();
    await phase(machine, "running");
    expect((await machine.verb("snapshot", "manual")).code).toBe(0);
    expect(await listSealed(disk.files)).toHaveLength(1);
  });

  test("a volume that was pulled without a release is taken again under its new name", async (context) => {
    const machine = await waiting(context);
    const disk = machine.disk();
    await working(machine, "vdb", disk);
    machine.detach("vdb");
    machine.attach("vdc", disk);
    expect(parseVolumeResult((await machine.verb("volume", "/dev/vdc")).stdout).device).toBe("/dev/vdc");
    expect((await machine.verb("snapshot", "manual")).code).toBe(0);
  });

  test("nothing is sealed at the mount point while nothing is mounted there", async (context) => {
    const machine = await waiting(context);
    const disk = machine.disk();
    await working(machine, "vdb", disk);
    // As an unmount behind the agent's back.
    execFileSync("umount", ["-l", join(machine.root, "data")], { env: machine.env });
    const result = await machine.verb("snapshot", "manual");
    expect(result.code).toBe(7);
    expect(parseGuestError(result.stdout)).toMatch(/the volume is not there/);
    expect(readdirSync(join(machine.root, "data"))).toEqual([]);
    expect(parseGuestError((await machine.verb("sealed")).stdout)).toMatch(/the volume is not there/);
  });

  test("release ends the workload, lets go of the volume, and nothing is sealed afterwards; a reboot takes it again", async (context) => {
    const machine = await waiting(context);
    const disk = machine.disk();
    await working(machine, "vdb", disk);
    expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
    expect(await machine.status()).toMatchObject({ phase: "stopping", awaits: null, exitCode: 143 });
    expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
    const result = await machine.verb("snapshot", "manual");
    expect(parseGuestError(result.stdout)).toMatch(/was released/);
    expect(parseGuestError((await machine.verb("volume", "/dev/vdb")).stdout)).toMatch(/was released/);
    await systemClock.sleep(1000);
    expect(await machine.status()).toMatchObject({ phase: "stopping", awaits: null });
    expect(await listSealed(disk.files)).toEqual([]);
    machine.powerOff();
    machine.startAgent();
    await written(machine);
    expect((await machine.verb("snapshot", "manual")).code).toBe(0);
  });

  test("a release waits for whoever still reads from the volume", async (context) => {
    const machine = await waiting(context);
    const disk = machine.disk();
    await working(machine, "vdb", disk);
    const reader = spawn("sleep", ["1.5"], { cwd: join(machine.root, "data"), env: machine.env });
    expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
    expect(reader.exitCode).toBe(0);
  });

  test("a release while the volume is still missing begins nothing later", async (context) => {
    const machine = await waiting(context);
    expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
    machine.attach("vdb", machine.disk());
    expect((await machine.verb("volume", "/dev/vdb")).code).toBe(7);
    expect(await machine.status()).toMatchObject({ phase: "stopping", awaits: null, workloadPid: null });
  });

  test("a mount point that is a symbolic link of the image does not fool it", async (context) => {
    const machine = made(context);
    mkdirSync(join(machine.root, "elsewhere/spot"), { recursive: true });
    symlinkSync(join(machine.root, "elsewhere"), join(machine.root, "data"));
    machine.boot({ command: writer });
    expect(await phase(machine, "preparing")).toMatchObject({ awaits: "volume" });
  });

  test("a disk of another size is another disk: it is refused, blank as it is, and the right one is taken", async (context) => {
    const machine = await waiting(context);
    const scratch = machine.disk();
    truncateSync(scratch.disk, 1_200_000_000);
    machine.attach("vdb", scratch);
    const refused = await machine.verb("volume", "/dev/vdb", "20");
    expect(refused.code).toBe(7);
    expect(parseGuestError(refused.stdout)).toBe("/dev/vdb has 1 GB and the volume 20 GB: it is another disk; nothing was changed");
    const head = Buffer.alloc(4096, "x");
    const file = openSync(scratch.disk, "r");
    readSync(file, head);
    closeSync(file);
    expect(head.every((byte) => byte === 0)).toBe(true);
    const taken = await machine.verb("volume", "/dev/vdb", "1");
    expect(parseGuestError(taken.stdout)).toContain("another disk");
    truncateSync(scratch.disk, 1_073_741_824);
    expect(parseVolumeResult((await machine.verb("volume", "/dev/vdb", "1")).stdout)).toMatchObject({ mounted: true, formatted: true });
  });
});
