import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, type TestContext, test } from "vitest";
import type { AgentSettings } from "../../src/guest/boot-script.ts";
import { RUN_CARRIED } from "../../src/guest/carried.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { idAt, sealSample } from "../checkpoints/sealing.ts";
import { eventually, KINDS, killGroup, type MachineOptions, makeMachine, makePath } from "./machine.ts";
import { CONTAINER, makeRented, type Rented } from "./rented.ts";

const shims = fileURLToPath(new URL("../clouds/shims", import.meta.url));

/** A machine with a `who`, an `nvidia-smi` and a `date` that say what a test wants. */
interface Idle {
  readonly machine: Rented;
  /** What nvidia-smi says, one GPU a line; a shell's words, in which $n is how often it was asked. */
  gpus(script: string): void;
  people(lines: string): void;
  /** The wall clock is so many seconds off. */
  clock(seconds: number): void;
  /** Resolves after it has looked at the GPUs so many times more. */
  looks(count: number): Promise<void>;
  phase(): Promise<string>;
  expired(): Promise<void>;
}

const program = (text: string) => `#!/bin/sh\n${text}\n`;

async function start(
  context: TestContext,
  settings: Partial<AgentSettings> = {},
  { shell = ["sh"], path }: MachineOptions = {},
  before = 'echo "0"',
  whoBefore = "",
): Promise<Idle> {
  const folder = mkdtempSync(join(tmpdir(), "spot-idle-"));
  const bin = join(folder, "fakes");
  mkdirSync(bin);
  const put = (name: string, text: string) => writeFileSync(join(bin, name), text, { mode: 0o755 });
  const asked = join(folder, "asked");
  const count = () => (existsSync(asked) ? readFileSync(asked, "utf8").length : 0);
  const gpus = (script: string) => put("nvidia-smi", program(`printf . >>'${asked}'\nread -r all <'${asked}'\nn=\${#all}\n${script}`));
  const people = (lines: string) => put("who", program(`printf %s '${lines}'`));
  const clock = (seconds: number) =>
    put("date", program(`[ "$*" != +%s ] || exec echo $(($(${realDate()} +%s) + ${seconds}))\nexec ${realDate()} "$@"`));
  gpus(before);
  people(whoBefore);
  const rest = path === undefined ? (process.env["PATH"] ?? "") : makePath(folder, shell, path);
  const machine = makeRented(CONTAINER, { env: { PATH: `${bin}:${shims}:${rest}` } });
  context.onTestFinished(() => {
    machine.close();
    rmSync(folder, { recursive: true, force: true });
  });
  mkdirSync(join(machine.root, "data"));
  machine.boot({ command: ["true"], idleSeconds: 2, ...settings });
  await eventually("a status", async () => ((await machine.verb("status")).code === 0 ? true : undefined));
  const phase = async () => (await machine.status()).phase;
  return {
    machine,
    gpus,
    people,
    clock,
    async looks(more) {
      const until = count() + more;
      await eventually(`${more} looks`, () => (count() >= until ? true : undefined));
    },
    phase,
    expired: () => eventually("its end", async () => ((await phase()) === "expired" ? true : undefined)).then(() => undefined),
  };
}

const realDate = () => ["/bin/date", "/usr/bin/date"].find(existsSync) ?? "date";
/** More looks than the idle time has. */
const LONG = 5;
/** GPUs that work: nothing is idle until the test has made what it needs. */
const BUSY = "echo 95";

// Much of it is waiting.
describe.concurrent("idle", { timeout: 120_000 }, () => {
  test.for(KINDS)(
    "with $name a machine whose workload is over is kept while a GPU works, and ends when none does",
    async ({ options }, context) => {
      const { machine, gpus, looks, phase, expired } = await start(context, {}, options, "echo 0; echo 95");
      await looks(LONG);
      expect(await phase()).toBe("exited");
      expect((await machine.status()).idle).toEqual({
        since: null,
        gpuUtil: 95,
        logins: 0,
        workload: "over",
        basis: ["exit", "logins", "gpu"],
      });
      gpus("echo 4; echo 0");
      await expired();
      const { idle, saidAt, heartbeatAt } = await machine.status();
      expect(idle?.gpuUtil).toBe(4);
      expect(idle?.since).toBeLessThanOrEqual(systemClock.now() / 1000);
      expect(Math.abs((saidAt ?? 0) - (heartbeatAt ?? 0))).toBeLessThanOrEqual(60);
      expect(machine.log()).toContain("it has been idle: sealing a last checkpoint");
    },
  );

  test("one burst in three looks keeps it", async (context) => {
    const { looks, phase, gpus, expired } = await start(context, {}, {}, "if [ $((n % 3)) = 0 ]; then echo 60; else echo 0; fi");
    await looks(2 * LONG);
    expect(await phase()).toBe("exited");
    gpus("echo 0");
    await expired();
  });

  test("without a GPU to ask, its exit and the logins tell", async (context) => {
    const { machine, people, expired, phase } = await start(context, {}, {}, "exit 9", "ada pts/0 2026-11-21 17:00\n");
    await eventually("that somebody is seen", async () => ((await machine.status()).idle?.logins === 1 ? true : undefined));
    await systemClock.sleep(3_500);
    expect(await phase()).toBe("exited");
    people("");
    await expired();
    expect((await machine.status()).idle).toMatchObject({ gpuUtil: null, basis: ["exit", "logins"], logins: 0 });
  });

  test.for([
    ["a running workload that leaves the GPU alone", {}, "echo 0", "running"],
    ["one of which the GPU shall tell, while it works", { idleBy: "gpu" }, "echo 5", "running"],
    ["one of which the GPU shall tell, and does not", { idleBy: "gpu" }, "echo '[N/A]'; echo 0", "running"],
    ["one of which the GPU shall tell, and nvidia-smi fails", { idleBy: "gpu" }, "echo 'no devices'; exit 6", "running"],
  ] as const)("%s is not idle", async ([, settings, says, is], context) => {
    const { looks, phase } = await start(context, { command: ["sleep", "1000"], ...settings }, {}, says);
    await looks(LONG);
    expect(await phase()).toBe(is);
  });

  test.for([
    [
      "a running workload of which the GPU shall tell",
      { command: ["sh", "-c", 'echo 7 >"$SPOT_CHECKPOINT_DIR/STEP"; sleep 1000'], idleBy: "gpu" },
    ],
    ["a machine without a workload", { command: [] }],
  ] as const)("%s is idle when no GPU works", async ([, settings], context) => {
    const { machine, expired } = await start(context, settings);
    await expired();
    const { idle, lastCheckpoint } = await machine.status();
    expect(idle).toMatchObject({ workload: "running", gpuUtil: 0 });
    // What it has done is sealed first.
    expect(lastCheckpoint === null).toBe(settings.command.length === 0);
  });

  test("a machine is not idle while its checkpoint is on its way to it, and is counted from its workload's start on", async (context) => {
    const awaits = idAt(2);
    const { machine, looks, phase, expired } = await start(context, { command: ["sleep", "1000"], idleBy: "gpu", awaits });
    await looks(2 * LONG);
    expect(await machine.status()).toMatchObject({ phase: "preparing", awaits });
    sealSample(join(machine.root, "data"), { id: awaits, files: { STEP: "7\n" } });
    await eventually("its workload", async () => ((await phase()) === "running" ? true : undefined));
    await expired();
    expect((await machine.status()).restoredFrom).toBe(awaits);
  });

  test("nvidia-smi that hangs holds nothing up, and is one process", async (context) => {
    const { machine, expired } = await start(context, {}, {}, "exec sleep 1000");
    await expired();
    expect((await machine.status()).idle).toMatchObject({ gpuUtil: null });
  });

  test("an open exec keeps it, and so does whoever came by SSH for more than a verb of ours", async (context) => {
    const { machine, gpus, looks, phase, expired } = await start(context, {}, {}, BUSY);
    const session: ChildProcess = spawn("sh", [join(machine.lib, "agent.sh"), "exec", "--", "sleep", "1000"], {
      env: machine.env,
      detached: true,
      stdio: "ignore",
    });
    context.onTestFinished(() => killGroup(session.pid ?? 0));
    await looks(LONG);
    gpus("echo 0");
    await looks(LONG);
    expect(await phase()).toBe("exited");
    const process = (pid: number, words: string) => {
      mkdirSync(join(machine.root, `proc/${pid}/task/${pid}`), { recursive: true });
      writeFileSync(join(machine.root, `proc/${pid}/cmdline`), words);
    };
    process(71, "sshd: root@pts/3");
    writeFileSync(join(machine.root, "proc/71/task/71/children"), "72 ");
    process(72, "/bin/bash\0-l\0");
    process(81, "sshd-session: root@notty");
    writeFileSync(join(machine.root, "proc/81/task/81/children"), "82 ");
    process(82, "sh\0/var/lib/spot/agent.sh\0listen\0");
    killGroup(session.pid ?? 0);
    await looks(LONG);
    expect(await phase()).toBe("exited");
    expect((await machine.status()).idle?.logins).toBe(1);
    process(72, `sudo\0-n\0sh\0-c\0${RUN_CARRIED}\0sh\0abc\0verify\0`);
    await expired();
  });

  test("nothing ends while a checkpoint is being sealed; a lock that a dead process left does not count", async (context) => {
    const { machine, gpus, looks, phase, expired } = await start(context, {}, {}, BUSY);
    const lock = join(machine.root, "run/spot/seal.lock");
    symlinkSync(String(process.pid), lock);
    gpus("echo 0");
    await looks(LONG);
    expect(await phase()).toBe("exited");
    const gone = spawn("true");
    await new Promise((resolve) => gone.once("exit", resolve));
    // In one step: a lock that is away for a moment is one the agent takes.
    symlinkSync(String(gone.pid), `${lock}.dead`);
    renameSync(`${lock}.dead`, lock);
    await expired();
  });

  test("a clock that is set does not make the idle time pass; the time to live goes by it", async (context) => {
    const ttlEndsAt = Math.floor(systemClock.now() / 1000) + 7_000;
    const { machine, clock, phase, expired } = await start(context, { idleSeconds: 3_600, ttlEndsAt });
    await eventually("the end of its workload", async () => ((await phase()) === "exited" ? true : undefined));
    for (const seconds of [5_000, -5_000, 5_000]) {
      clock(seconds);
      const from = Math.floor(systemClock.now() / 1000) + seconds;
      await eventually("a heartbeat by that clock", async () =>
        Math.abs(((await machine.status()).heartbeatAt ?? 0) - from) < 60 ? true : undefined,
      );
      expect(await phase()).toBe("exited");
    }
    clock(7_100);
    await expired();
    expect(machine.log()).toContain("its time is up");
  });

  test("on the embedded cloud, whose people are this computer's, only open sessions are counted", async (context) => {
    const machine = await makeMachine();
    context.onTestFinished(() => machine.close());
    machine.boot({ command: ["true"], idleSeconds: 2 });
    const sessions = join(machine.root, "run/spot/sessions");
    await eventually("the agent", () => (existsSync(join(machine.root, "run/spot/heartbeat")) ? true : undefined));
    mkdirSync(sessions, { recursive: true });
    writeFileSync(join(sessions, String(process.pid)), "");
    await eventually("that it is counted", async () => ((await machine.status()).idle?.logins === 1 ? true : undefined));
    await systemClock.sleep(3_000);
    expect(machine.metadata.terminated).toBe(0);
    rmSync(join(sessions, String(process.pid)));
    await eventually("the request to end", () => (machine.metadata.terminated > 0 ? true : undefined));
  });
});
