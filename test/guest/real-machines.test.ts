import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { parseGuestError, parseSealed, parseVolumeResult } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { eventually } from "./machine.ts";
import {
  base,
  diskFile,
  endRealMachines,
  plug,
  possible,
  type RealMachine,
  realMachine,
  status,
  systemdMachine,
  takeRealMachinesAway,
} from "./real.ts";
import { CONTAINER, VM } from "./rented.ts";

afterEach(endRealMachines);
afterAll(takeRealMachinesAway);

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

test.runIf(possible)(
  "a real file system is held still: what is written waits, until it is let go or a checkpoint is sealed",
  { timeout: 60_000 },
  async () => {
    const machine = await realMachine();
    machine.boot(VM, { command: writer });
    await status(machine, "preparing");
    const device = plug(diskFile());
    expect(machine.verb("volume", device).stdout).toContain('"mounted":true');
    await status(machine, "running");
    const write = (name: string) => machine.inside("sh", "-c", `(echo x >/data/${name}; : >/run/${name}) </dev/null >/dev/null 2>&1 &`);
    const isWritten = (name: string) => machine.inside("test", "-e", `/run/${name}`).status === 0;
    expect(machine.verb("freeze", "30").stdout).toBe('{"frozen":true,"synced":true}\n');
    write("first");
    expect(machine.verb("status").status).toBe(0);
    expect(isWritten("first")).toBe(false);
    expect(machine.verb("thaw").stdout).toBe('{"thawed":true,"held":true}\n');
    await eventually("what was written", () => (isWritten("first") ? true : undefined));

    expect(machine.verb("freeze", "30").stdout).toContain('"frozen":true');
    write("second");
    machine.inside("sh", "-c", "echo 8 >/var/lib/spot/checkpoint/STEP");
    expect(machine.verb("snapshot", "manual").stdout).toContain('"unchanged":false');
    await eventually("what was written", () => (isWritten("second") ? true : undefined));
    expect(machine.verb("thaw").stdout).toContain('"held":false');
    expect(machine.verb("release").stdout).toBe('{"released":true}\n');
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
