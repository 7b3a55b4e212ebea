import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { parseGuestError } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { eventually, KINDS, type MachineOptions } from "./machine.ts";
import { CONTAINER, type Disk, makeRented, type Rented, VM } from "./rented.ts";

/** A machine whose volume is a disk of its own, mounted, with something to seal. */
async function working({ onTestFinished }: TestContext, options: MachineOptions = {}): Promise<{ machine: Rented; disk: Disk }> {
  const machine = makeRented(VM, options);
  onTestFinished(() => machine.close());
  machine.boot({ command: ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; sleep 1000'] });
  await eventually("its wait for the volume", async () =>
    (await machine.verb("status")).stdout.includes('"awaits":"volume"') ? true : undefined,
  );
  const disk = machine.disk();
  machine.attach("vdb", disk);
  expect((await machine.verb("volume", "/dev/vdb")).code).toBe(0);
  await eventually("the workload's file", () => (existsSync(join(machine.lib, "checkpoint/STEP")) ? true : undefined));
  return { machine, disk };
}

const isFrozen = ({ folder }: Disk) => existsSync(join(folder, "frozen"));
const calls = ({ root }: Rented) => readFileSync(join(root, ".fsfreeze"), "utf8").trim().split("\n");
const thawed = (disk: Disk) => eventually("a file system that is let go", () => (isFrozen(disk) ? undefined : true));

describe.concurrent("a volume that is held still", { timeout: 60_000 }, () => {
  test.for(KINDS)("with $name it is frozen until it is let go, and said to have been", async ({ options }, context) => {
    const { machine, disk } = await working(context, options);
    expect((await machine.verb("freeze", "60")).stdout).toBe('{"frozen":true,"synced":true}\n');
    expect(isFrozen(disk)).toBe(true);
    expect((await machine.verb("thaw")).stdout).toBe('{"thawed":true,"held":true}\n');
    expect([isFrozen(disk), calls(machine)]).toEqual([false, ["-f", "-u"]]);
    // Once more, and the first one's own end does not let go of the second.
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    expect((await machine.verb("thaw")).stdout).toContain('"held":true');
    expect((await machine.verb("thaw")).stdout).toContain('"held":false');
  });

  test("it lets go by itself when the time is over, and says so", async (context) => {
    const { machine, disk } = await working(context);
    expect((await machine.verb("freeze", "1")).stdout).toContain('"frozen":true');
    await thawed(disk);
    expect((await machine.verb("thaw")).stdout).toBe('{"thawed":true,"held":false}\n');
  });

  test.for([0, 1])("of the two that hold it number %d is killed: the other lets go at once, and says so", async (which, context) => {
    const { machine, disk } = await working(context);
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    end([keepers(machine)[which]]);
    await thawed(disk);
    await eventually("the end of the other", () => (keepers(machine).length === 0 ? true : undefined));
    expect((await machine.verb("thaw")).stdout).toContain('"held":false');
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    expect((await machine.verb("thaw")).stdout).toContain('"held":true');
  });

  test("both are killed: whoever is done lets it go, so does the next snapshot, and so does a release", async (context) => {
    const { machine, disk } = await working(context);
    const orphaned = async () => {
      expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
      end(keepers(machine));
      expect([isFrozen(disk), keepers(machine)]).toEqual([true, []]);
    };
    await orphaned();
    expect((await machine.verb("thaw")).stdout).toBe('{"thawed":true,"held":true}\n');
    expect(isFrozen(disk)).toBe(false);
    await orphaned();
    await orphaned();
    // Nothing but the kernel remembers it.
    rmSync(join(machine.root, "run/spot/frozen"));
    expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
    expect(isFrozen(disk)).toBe(false);
  });

  test("a release lets it go, and ends who holds it", async (context) => {
    const { machine, disk } = await working(context);
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    expect((await machine.verb("release")).stdout).toBe('{"released":true}\n');
    expect([isFrozen(disk), keepers(machine)]).toEqual([false, []]);
    expect((await machine.verb("thaw")).stdout).not.toContain('"held":true');
  });

  test("an agent that begins anew and forgets it leaves nothing frozen", async (context) => {
    const { machine, disk } = await working(context);
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    rmSync(join(machine.root, "run/spot/frozen"));
    await thawed(disk);
    await eventually("the end of both", () => (keepers(machine).length === 0 ? true : undefined));
  });

  test("what is killed while the kernel still freezes leaves nothing frozen", async (context) => {
    const { machine, disk } = await working(context);
    const waits = join(machine.root, ".fsfreeze-waits");
    writeFileSync(waits, "");
    const verb = machine.verb("freeze", "60");
    await eventually("both of them", () =>
      existsSync(join(machine.root, "run/spot/frozen-by")) && keepers(machine).length === 3 ? true : undefined,
    );
    const [watcher] = readFileSync(join(machine.root, "run/spot/frozen-by"), "utf8").trim().split(" ");
    end([Number(watcher)]);
    expect((await verb).stdout).toBe('{"frozen":false,"synced":true}\n');
    expect(parseGuestError((await machine.verb("freeze", "60")).stdout)).toMatch(/another snapshot/);
    rmSync(waits);
    await eventually("an end of it", () => (existsSync(join(machine.root, "run/spot/frozen")) ? undefined : true));
    expect([isFrozen(disk), calls(machine)]).toEqual([false, ["-f", "-u"]]);
  });

  test("what somebody else lets go of was not held", async (context) => {
    const { machine, disk } = await working(context);
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    rmSync(join(disk.folder, "frozen"));
    expect((await machine.verb("thaw")).stdout).toBe('{"thawed":true,"held":false}\n');
  });

  test("a seal lets it go, and is sealed", async (context) => {
    const { machine, disk } = await working(context);
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    writeFileSync(join(machine.lib, "checkpoint/weights"), "newer");
    expect((await machine.verb("snapshot", "manual")).stdout).toContain('"unchanged":false');
    await thawed(disk);
    expect((await machine.verb("thaw")).stdout).toContain('"held":false');
  });

  test("a notice lets it go, and while there is one nothing is frozen", async (context) => {
    const { machine, disk } = await working(context);
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    expect((await machine.verb("notice", String(Math.floor(systemClock.now() / 1000) + 300))).code).toBe(0);
    await thawed(disk);
    expect((await machine.verb("freeze", "60")).stdout).toBe('{"frozen":false,"synced":true}\n');
    expect(isFrozen(disk)).toBe(false);
  });

  test("while a checkpoint is being sealed nothing is frozen under it", async (context) => {
    const { machine, disk } = await working(context);
    // Whoever has the lock lives.
    const lock = join(machine.root, "run/spot/seal.lock");
    const pid = readFileSync(join(machine.root, "run/spot/agent-pid"), "utf8").trim();
    symlinkSync(pid, lock);
    expect((await machine.verb("freeze", "60")).stdout).toBe('{"frozen":false,"synced":true}\n');
    expect(isFrozen(disk)).toBe(false);
    rmSync(lock);
  });

  test("two snapshots at once: the second one is refused, and the first one's stands", async (context) => {
    const { machine, disk } = await working(context);
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    expect(parseGuestError((await machine.verb("freeze", "60")).stdout)).toMatch(/another snapshot/);
    expect(isFrozen(disk)).toBe(true);
    expect((await machine.verb("thaw")).stdout).toContain('"held":true');
  });

  test("where it cannot be frozen it is synced, and that is said", async (context) => {
    const { machine, disk } = await working(context);
    writeFileSync(join(machine.root, ".fsfreeze-fails"), "");
    expect((await machine.verb("freeze", "60")).stdout).toBe('{"frozen":false,"synced":true}\n');
    expect(isFrozen(disk)).toBe(false);
    rmSync(join(machine.root, ".fsfreeze-fails"));
    expect((await machine.verb("freeze", "60")).stdout).toContain('"frozen":true');
    expect((await machine.verb("thaw")).stdout).toContain('"held":true');
  });

  test("no other time than 1 to 60 seconds is one to hold a file system still", async (context) => {
    const { machine } = await working(context);
    for (const words of ["", "0", "61", "-1", "1;reboot"])
      expect(parseGuestError((await machine.verb("freeze", words)).stdout), words).toMatch(/not a time/);
  });
});

function end(pids: readonly (number | undefined)[]): void {
  expect(pids).not.toContain(undefined);
  for (const pid of pids) process.kill(pid ?? Number.NaN, "SIGKILL");
}

/** The processes that hold the file system: the one that looks, and the one that lets go should that be killed. */
function keepers({ root }: Rented): readonly number[] {
  const found = execFileSync("sh", ["-c", `grep -lsaF 'SPOT_ROOT=${root}' /proc/[0-9]*/environ || :`], { encoding: "utf8" });
  const pids = [...found.matchAll(/\/proc\/(\d+)\//g)].map(([, pid = ""]) => Number(pid));
  const verbs = pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("\0freeze\0");
    } catch {
      return false;
    }
  });
  return verbs.toSorted((a, b) => a - b);
}

test("a volume that its cloud mounts is only synced: its file system may be somebody else's too", { timeout: 60_000 }, async ({
  onTestFinished,
}) => {
  const machine = makeRented(CONTAINER);
  onTestFinished(() => machine.close());
  mkdirSync(join(machine.root, "data"), { recursive: true });
  machine.boot({ command: ["sleep", "1000"] });
  await eventually("a running workload", async () => ((await machine.verb("status")).stdout.includes('"running"') ? true : undefined));
  expect((await machine.verb("freeze", "60")).stdout).toBe('{"frozen":false,"synced":true}\n');
  expect(existsSync(join(machine.root, ".fsfreeze"))).toBe(false);
});
