import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { type AgentSettings, bootScript } from "../../src/guest/boot-script.ts";
import { parseGuestError, parseGuestStatus, parseSealed, parseVolumeResult } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { MachineKind } from "../../src/providers/provider.ts";
import { agentSource, eventually, killMarked, noSettings } from "./machine.ts";
import { CONTAINER, VM } from "./rented.ts";

/**
 * Machines without SPOT_ROOT and with the real mount, blkid and mkfs.ext4: an overlay over this system's own files in a
 * mount namespace of its own, and loop devices for disks. Needs root and a kernel that lets us; skipped aloud otherwise.
 */
const base = realpathSync(mkdtempSync(join(tmpdir(), "spot-real-")));
const loops: string[] = [];
const marks: string[] = [];
let count = 0;

/** Makes the namespace and keeps it, with a process that waits in it. */
const ENTER = `
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /dev "$1/root/dev"
mount --rbind /proc "$1/root/proc"
mount --rbind /sys "$1/root/sys"
mount -t tmpfs tmpfs "$1/root/run"
rm -rf "$1/root/var/lib/spot" "$1/root/root/.ssh"
echo $$ >"$1.pid"
exec sleep 1000`;

interface RealMachine {
  inside(...argv: readonly string[]): { status: number | null; stdout: string; stderr: string };
  verb(...words: readonly string[]): { status: number | null; stdout: string; stderr: string };
  boot(kind: MachineKind, settings: Partial<AgentSettings>): void;
}

async function realMachine(): Promise<RealMachine> {
  const folder = join(base, `machine-${count++}`);
  mkdirSync(folder);
  const mark = `real-${folder}`;
  marks.push(mark);
  const env = { PATH: process.env["PATH"], SPOT_LOCAL_INSTANCE: mark };
  execFileSync("sh", ["-c", 'unshare -m --propagation private sh -c "$0" sh "$1" >"$1.out" 2>&1 &', ENTER, folder], { env });
  await eventually("a namespace", () => (existsSync(`${folder}.pid`) ? true : undefined));
  const pid = execFileSync("cat", [`${folder}.pid`], { encoding: "utf8" }).trim();
  const inside = (...argv: readonly string[]) =>
    spawnSync("nsenter", ["-t", pid, "-m", "chroot", join(folder, "root"), ...argv], { env, encoding: "utf8", timeout: 25_000 });
  return {
    inside,
    verb: (...words) => inside("sh", "/var/lib/spot/agent.sh", ...words),
    boot(kind, settings) {
      const script = join(base, "boot.sh");
      writeFileSync(script, bootScript({ ...noSettings, machine: kind, ...settings }, agentSource));
      const run = `${kind.kind === "container" ? `sh ${script} >/dev/null 2>&1 &` : `sh ${script}`}`;
      expect(inside("sh", "-c", run).status).toBe(0);
    },
  };
}

/** A new disk of 64 MiB, as a file. */
function diskFile(): string {
  const file = join(base, `disk-${count++}`);
  execFileSync("truncate", ["-s", "64M", file]);
  return file;
}

/** It shows up as a loop device, under whatever name is free. */
function plug(file: string): string {
  const device = execFileSync("losetup", ["-f", "--show", file], { encoding: "utf8" }).trim();
  loops.push(device);
  return device;
}

const possible = (() => {
  const folder = join(base, "try");
  mkdirSync(folder);
  const script = `${ENTER.replace("exec sleep 1000", "blkid -V; mkfs.ext4 -V; losetup -f")}`;
  const tried = spawnSync("unshare", ["-m", "--propagation", "private", "sh", "-c", script, "sh", folder], { encoding: "utf8" });
  if (tried.status === 0) return true;
  process.stderr.write(`skipped, no root, loop devices or overlays here: tests with the real mount and mkfs.ext4\n`);
  return false;
})();

afterEach(() => {
  for (const mark of marks.splice(0)) for (let round = 0; round < 3; round++) killMarked(mark);
  for (const device of loops.splice(0)) spawnSync("losetup", ["-d", device]);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

async function status(machine: RealMachine, phase: string) {
  return eventually(`phase ${phase}`, () => {
    const { stdout } = machine.verb("status");
    const there = stdout.includes(`"phase":"${phase}"`) && (phase !== "preparing" || stdout.includes('"awaits":"volume"'));
    return there ? parseGuestStatus(stdout) : undefined;
  });
}

const writer = ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; sleep 1000'];
const mounted = (machine: RealMachine) => machine.inside("sh", "-c", "grep -c ' /data ' /proc/mounts").stdout.trim();

test.runIf(possible)(
  "a blank disk gets a real ext4, is sealed on, let go of, and found again by its UUID",
  { timeout: 60_000 },
  async () => {
    const machine = await realMachine();
    const file = diskFile();
    const device = plug(file);
    machine.boot(VM, { command: writer });
    expect(await status(machine, "preparing")).toMatchObject({ awaits: "volume" });
    expect(parseVolumeResult(machine.verb("volume", device).stdout)).toEqual({ mounted: true, device, formatted: true });
    const made = execFileSync("blkid", ["-p", "-o", "export", device], { encoding: "utf8" });
    expect(made).toMatch(/^TYPE=ext4$/m);
    expect(made).toMatch(/^LABEL=spot$/m);
    await status(machine, "running");
    await eventually("a checkpoint", () => (machine.verb("snapshot", "manual").stdout.includes('"unchanged"') ? true : undefined));
    expect(parseSealed(machine.verb("sealed").stdout)).toHaveLength(1);
    expect(mounted(machine)).toBe("1");
    expect(machine.verb("release").stdout).toBe('{"released":true}\n');
    expect(mounted(machine)).toBe("0");
    execFileSync("losetup", ["-d", device]);
    // Whatever takes the name meanwhile.
    plug(diskFile());
    const other = plug(file);
    expect(other).not.toBe(device);

    // A reboot of that machine: /run is empty, nothing is mounted, and it needs no word.
    machine.inside("sh", "-c", "kill -TERM $(cat /run/spot/agent-pid)");
    await eventually("the agent's end", () => (machine.verb("status").status === 7 ? true : undefined));
    machine.inside("rm", "-rf", "/run/spot");
    machine.inside("sh", "-c", "sh /var/lib/spot/agent.sh run >/dev/null 2>&1 &");
    await status(machine, "running");
    expect(parseVolumeResult(machine.verb("volume", device).stdout)).toEqual({ mounted: true, device: other, formatted: false });
    machine.verb("release");

    // Another machine with the same volume.
    const second = await realMachine();
    second.boot(VM, { command: writer });
    await status(second, "preparing");
    expect(parseVolumeResult(second.verb("volume", other).stdout)).toEqual({ mounted: true, device: other, formatted: false });
    expect(await status(second, "running")).toMatchObject({ restoredFrom: expect.stringMatching(/^c-/) });
  },
);

test.runIf(possible)("real disks that hold something are refused and not touched", { timeout: 60_000 }, async () => {
  const machine = await realMachine();
  machine.boot(VM, { command: writer });
  await status(machine, "preparing");
  const cases: readonly [string, RegExp][] = [
    ["mkswap -q", /other|swap/],
    ["sh -c 'printf x | dd of=\"$0\" bs=1 seek=700000 conv=notrunc status=none'", /not blank/],
    ["sh -c 'printf x | dd of=\"$0\" bs=1 seek=67108000 conv=notrunc status=none'", /not blank/],
    ['sh -c \'printf "label: gpt\\n" | sfdisk -q "$0"\'', /partition table/],
    ['sh -c \'mkfs.ext4 -q "$0" && mkdir -p /mnt && mount "$0" /mnt\'', /is mounted at \/mnt/],
  ];
  for (const [spoil, why] of cases) {
    const device = plug(diskFile());
    expect(machine.inside("sh", "-c", `${spoil} ${device}`).status, spoil).toBe(0);
    const before = execFileSync("sha256sum", [device], { encoding: "utf8" });
    const result = machine.verb("volume", device);
    expect(result.status, spoil).toBe(7);
    expect(parseGuestError(result.stdout)).toMatch(why);
    if (!spoil.includes("mount")) expect(execFileSync("sha256sum", [device], { encoding: "utf8" }), spoil).toBe(before);
  }
  expect(await status(machine, "preparing")).toMatchObject({ awaits: "volume" });
});

test.runIf(possible)(
  "a real container knows its volume from the disk below, and the controller's way in",
  { timeout: 60_000 },
  async () => {
    const machine = await realMachine();
    machine.inside("mkdir", "-p", "/data");
    machine.boot(CONTAINER, { command: writer, authorizedKey: "ssh-ed25519 AAAA ours" });
    const refused = await eventually("a refusal", () => {
      const { stdout } = machine.verb("status");
      return parseGuestError(stdout)?.includes("not mounted") === true ? stdout : undefined;
    });
    expect(parseGuestError(refused)).toMatch(/not mounted at \/data/);
    expect(machine.inside("stat", "-c", "%a", "/root/.ssh", "/root/.ssh/authorized_keys").stdout).toBe("700\n600\n");

    machine.inside("mount", "-t", "tmpfs", "tmpfs", "/data");
    machine.boot(CONTAINER, { command: writer });
    await status(machine, "running");
    await systemClock.sleep(300);
    expect(machine.verb("snapshot", "manual").status).toBe(0);
    machine.inside("umount", "-l", "/data");
    expect(parseGuestError(machine.verb("snapshot", "manual").stdout)).toMatch(/the volume is not there/);
    expect(machine.inside("ls", "-A", "/data").stdout).toBe("");
  },
);
