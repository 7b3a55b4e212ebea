import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
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
const groups = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/mounts", "utf8"))?.[1] ?? base;
const loops: string[] = [];
const marks: string[] = [];
let count = 0;

/** Makes the root of a machine below $1. Its process number out here goes to $1.pid. */
const MAKE_ROOT = `
set -e
read -r pid rest </proc/self/stat
mount -t tmpfs tmpfs "\${1:?}"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /sys "$1/root/sys"
mount -t tmpfs tmpfs "$1/root/run"
rm -rf "$1/root/var/lib/spot" "$1/root/root/.ssh"
`;

/** A process that waits in it. */
const WAIT = `${MAKE_ROOT}
mount --rbind /dev "$1/root/dev"
mount --rbind /proc "$1/root/proc"
echo "$pid" >"$1.pid"
exec sleep 1000`;

/** systemd as its first process, with a /dev of its own, nothing of the kernel to write to, and none but the usual targets. */
const SYSTEMD = `${MAKE_ROOT}
mount -t proc proc "$1/root/proc"
mount --bind "$1/root/proc/sys" "$1/root/proc/sys"
mount -o remount,bind,ro "$1/root/proc/sys"
mount -o remount,bind,ro "$1/root/sys"
mount -t cgroup2 cgroup2 "$1/root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$1/root/dev"
mkdir "$1/root/dev/pts" "$1/root/dev/shm"
for node in null zero random urandom tty loop-control $(cd /dev && ls -d loop[0-9]*); do
  touch "$1/root/dev/$node"
  mount --bind "/dev/$node" "$1/root/dev/$node"
done
rm -f "$1"/root/etc/systemd/system/*.wants/*
echo "$pid" >"$1.pid"
exec chroot "$1/root" env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin SPOT_LOCAL_INSTANCE="$SPOT_LOCAL_INSTANCE" /lib/systemd/systemd --unit=multi-user.target`;

interface RealMachine {
  inside(...argv: readonly string[]): { status: number | null; stdout: string; stderr: string };
  verb(...words: readonly string[]): { status: number | null; stdout: string; stderr: string };
  boot(kind: MachineKind, settings: Partial<AgentSettings>): void;
}

async function realMachine(init: "none" | "systemd" = "none"): Promise<RealMachine> {
  const folder = join(base, `machine-${count++}`);
  mkdirSync(folder);
  const mark = `real-${folder}`;
  marks.push(mark);
  const env = { PATH: process.env["PATH"], SPOT_LOCAL_INSTANCE: mark };
  const [spaces, script] = init === "none" ? ["-m", WAIT] : ["-m -p -C --kill-child", SYSTEMD];
  // systemd makes control groups, in one that can be taken away afterwards.
  const group = join(groups, `${basename(base)}-${count}`);
  const aside = init === "none" ? "" : `mkdir ${group} && echo 0 >${group}/cgroup.procs || exit 1; `;
  execFileSync("sh", ["-c", `(${aside}exec unshare ${spaces} --propagation private sh -c "$0" sh "$1") >"$1.out" 2>&1 &`, script, folder], {
    env,
  });
  await eventually("a namespace", () => (existsSync(`${folder}.pid`) ? true : undefined));
  const pid = readFileSync(`${folder}.pid`, "utf8").trim();
  const into = ["-t", pid, "-m", ...(init === "none" ? [] : ["-p", "-C"]), "chroot", join(folder, "root")];
  const inside = (...argv: readonly string[]) => spawnSync("nsenter", [...into, ...argv], { env, encoding: "utf8", timeout: 25_000 });
  return {
    inside,
    verb: (...words) => inside("sh", "/var/lib/spot/agent.sh", ...words),
    boot(kind, settings) {
      const script = bootScript({ ...noSettings, machine: kind, ...settings }, agentSource);
      const run = `cat >/boot.sh && ${kind.kind === "container" ? "{ sh /boot.sh >/dev/null 2>&1 </dev/null & }" : "sh /boot.sh"}`;
      const booted = spawnSync("nsenter", [...into, "sh", "-c", run], { env, input: script, encoding: "utf8", timeout: 25_000 });
      expect([booted.status, booted.error]).toEqual([0, undefined]);
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
  const script = `${WAIT.replace("exec sleep 1000", "blkid -V; mkfs.ext4 -V; losetup -f")}`;
  const tried = spawnSync("unshare", ["-m", "--propagation", "private", "sh", "-c", script, "sh", folder], { encoding: "utf8" });
  if (tried.status === 0) return true;
  process.stderr.write(`skipped, no root, loop devices or overlays here: tests with the real mount and mkfs.ext4\n`);
  return false;
})();

/** As soon as the last process in it is gone. */
const TAKE_AWAY = `
for group in "$0/$1"-*; do
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -d "$group" ] || break
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.2
  done
done`;

afterEach(() => {
  for (const mark of marks.splice(0)) for (let round = 0; round < 3; round++) killMarked(mark);
  for (const device of loops.splice(0)) spawnSync("losetup", ["-d", device]);
});
afterAll(() => {
  spawnSync("sh", ["-c", TAKE_AWAY, groups, basename(base)]);
  rmSync(base, { recursive: true, force: true });
});

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
    // Its cache now knows the names as they are.
    machine.inside("blkid");
    // Its cache now knows the names as they are.
    machine.inside("blkid");
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

/** Undefined, and said, where systemd does not come up. */
async function systemdMachine(test: string): Promise<RealMachine | undefined> {
  if (possible && existsSync("/lib/systemd/systemd")) {
    const machine = await realMachine("systemd").catch(() => undefined);
    for (let tries = 0; machine !== undefined && tries < 80; tries++) {
      if (/^(?:running|degraded)$/m.test(machine.inside("systemctl", "is-system-running").stdout)) return machine;
      await systemClock.sleep(100);
    }
  }
  process.stderr.write(`skipped, systemd cannot be started here: ${test}\n`);
  return undefined;
}

test("under systemd a stop and a power-off seal, a killed agent comes back, other settings restart it", {
  timeout: 90_000,
}, async (context) => {
  const machine = await systemdMachine(context.task.name);
  if (machine === undefined) return context.skip();
  const file = diskFile();
  const device = plug(file);
  const ask = (...words: readonly string[]) => machine.inside("systemctl", ...words).stdout;
  const mainPid = () => ask("show", "-p", "MainPID", "--value", "spot-agent").trim();
  const reasons = () => parseSealed(machine.verb("sealed").stdout).map(({ reason }) => reason);
  machine.boot(VM, { command: writer });
  await status(machine, "preparing");
  expect(parseVolumeResult(machine.verb("volume", device).stdout)).toMatchObject({ formatted: true });
  await status(machine, "running");
  await eventually("the workload's file", () =>
    machine.inside("cat", "/var/lib/spot/checkpoint/STEP").stdout === "7\n" ? true : undefined,
  );

  ask("stop", "spot-agent");
  expect(ask("is-active", "spot-agent")).toBe("inactive\n");
  expect(reasons()).toEqual(["down"]);
  ask("start", "spot-agent");
  await status(machine, "running");

  const first = mainPid();
  machine.inside("kill", "-KILL", first);
  await eventually("another agent", () => (mainPid() !== first && mainPid() !== "0" ? true : undefined));
  await status(machine, "running");
  expect(machine.inside("pgrep", "-xc", "sleep").stdout.trim()).toMatch(/^[12]$/);

  const second = mainPid();
  machine.boot(VM, { command: writer });
  expect(mainPid()).toBe(second);
  machine.boot(VM, { command: writer, ttlEndsAt: 5_000_000_000 });
  await eventually("a restart", () => (mainPid() !== second && mainPid() !== "0" ? true : undefined));
  expect((await status(machine, "running")).ttlEndsAt).toBe(5_000_000_000);

  machine.inside("sh", "-c", "echo late >/var/lib/spot/checkpoint/late");
  machine.inside("systemctl", "poweroff");
  // What is on the disk when the machine is off.
  const mountPoint = join(base, "after");
  mkdirSync(mountPoint);
  await eventually("the last file on the disk", () => {
    const look = 'mount -o ro,noload "$0" "$1" && cat "$1"/spot/checkpoints/*/data/late';
    return spawnSync("unshare", ["-m", "sh", "-c", look, device, mountPoint], { encoding: "utf8" }).stdout === "late\n" ? true : undefined;
  });
});
