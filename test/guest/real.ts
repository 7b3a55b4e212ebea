import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect } from "vitest";
import { type AgentSettings, bootScript } from "../../src/guest/boot-script.ts";
import { CARRIED_VERBS, carriedOf } from "../../src/guest/carried.ts";
import { parseGuestStatus } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { MachineKind } from "../../src/providers/provider.ts";
import { agentSource, eventually, killMarked, noSettings } from "./machine.ts";

/**
 * Machines without SPOT_ROOT and with the real mount, blkid and mkfs.ext4: an overlay over this system's own files in a
 * mount namespace of its own, and loop devices for disks. Needs root and a kernel that lets us; skipped aloud otherwise.
 * With systemd they have a network of their own as well, without any way out.
 */
export const base = realpathSync(mkdtempSync(join(tmpdir(), "spot-real-")));
const brought = carriedOf(agentSource);
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

export interface RealMachine {
  /** Of a process that lives as long as it does, out here. */
  readonly pid: string;
  inside(...argv: readonly string[]): { status: number | null; stdout: string; stderr: string };
  verb(...words: readonly string[]): { status: number | null; stdout: string; stderr: string };
  boot(kind: MachineKind, settings: Partial<AgentSettings>): void;
}

export async function realMachine(init: "none" | "systemd" = "none"): Promise<RealMachine> {
  const folder = join(base, `machine-${count++}`);
  mkdirSync(folder);
  const mark = `real-${folder}`;
  marks.push(mark);
  const env = { PATH: process.env["PATH"], SPOT_LOCAL_INSTANCE: mark };
  const [spaces, script] = init === "none" ? ["-m", WAIT] : ["-m -p -C -n --kill-child", SYSTEMD];
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
    pid,
    inside,
    verb(...words) {
      // Brought beforehand: who comes in by hand is passed on to it.
      const bring = ["sh", "-c", 'umask 077; cat >"/var/lib/spot/verbs-$0.sh"', brought.hash];
      if (CARRIED_VERBS.has(words[0] ?? "")) spawnSync("nsenter", [...into, ...bring], { env, input: brought.text });
      return inside("sh", "/var/lib/spot/agent.sh", ...words);
    },
    boot(kind, settings) {
      const script = bootScript({ ...noSettings, machine: kind, ...settings }, agentSource);
      const run = `cat >/boot.sh && ${kind.kind === "container" ? "{ sh /boot.sh >/dev/null 2>&1 </dev/null & }" : "sh /boot.sh"}`;
      const booted = spawnSync("nsenter", [...into, "sh", "-c", run], { env, input: script, encoding: "utf8", timeout: 25_000 });
      expect([booted.status, booted.error]).toEqual([0, undefined]);
    },
  };
}

/** A new disk of 64 MiB, as a file. */
export function diskFile(): string {
  const file = join(base, `disk-${count++}`);
  execFileSync("truncate", ["-s", "64M", file]);
  return file;
}

/** It shows up as a loop device, under whatever name is free. */
export function plug(file: string): string {
  const device = execFileSync("losetup", ["-f", "--show", file], { encoding: "utf8" }).trim();
  loops.push(device);
  return device;
}

export const possible = (() => {
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

/** For `afterEach`. */
export function endRealMachines(): void {
  for (const mark of marks.splice(0)) for (let round = 0; round < 3; round++) killMarked(mark);
  for (const device of loops.splice(0)) spawnSync("losetup", ["-d", device]);
}

/** For `afterAll`. */
export function takeRealMachinesAway(): void {
  spawnSync("sh", ["-c", TAKE_AWAY, groups, basename(base)]);
  rmSync(base, { recursive: true, force: true });
}

export async function status(machine: RealMachine, phase: string) {
  return eventually(`phase ${phase}`, () => {
    const { stdout } = machine.verb("status");
    const there = stdout.includes(`"phase":"${phase}"`) && (phase !== "preparing" || stdout.includes('"awaits":"volume"'));
    return there ? parseGuestStatus(stdout) : undefined;
  });
}

/** Undefined, and said, where systemd does not come up. */
export async function systemdMachine(test: string): Promise<RealMachine | undefined> {
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
