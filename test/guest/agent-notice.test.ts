import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { listSealed } from "../../src/checkpoints/catalogue.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { agentProcess, eventually, KINDS, type Machine, type MachineOptions, makeMachine } from "./machine.ts";

async function start({ onTestFinished }: TestContext, options: MachineOptions = {}): Promise<Machine> {
  const machine = await makeMachine(options);
  onTestFinished(() => machine.close());
  return machine;
}

const inSeconds = (seconds: number) => Math.floor(systemClock.now() / 1000) + seconds;
const noticeFile = (machine: Machine) => join(machine.root, "run/spot/notice.json");

async function running(machine: Machine): Promise<void> {
  await eventually("a running workload", async () => ((await machine.verb("status")).stdout.includes('"running"') ? true : undefined));
}

async function sealedReasons(machine: Machine): Promise<readonly string[]> {
  return (await listSealed(machine.volume)).map((checkpoint) => checkpoint.reason);
}

const writer = ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; sleep 1000'];

// Much of it is waiting.
describe.concurrent("a notice on the machine", { timeout: 120_000 }, () => {
  test("a notice reaches the notice file and the hook with its deadline, and what the hook wrote is sealed", async (context) => {
    const machine = await start(context);
    machine.boot({ command: writer, checkpointHook: 'echo "$SPOT_DEADLINE $SPOT_REASON $SPOT_INSTANCE" > "$SPOT_CHECKPOINT_DIR/hook"' });
    await running(machine);
    const deadline = inSeconds(30);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline });
    const checkpoint = await eventually("a sealed checkpoint", async () => (await listSealed(machine.volume))[0]);
    expect(checkpoint).toMatchObject({ reason: "notice", step: "7", instance: "train", volume: "disk" });
    expect(JSON.parse(readFileSync(noticeFile(machine), "utf8"))).toMatchObject({ kind: "reclaim", deadline });
    expect(readFileSync(join(machine.sealedFolder, checkpoint.id, "data/hook"), "utf8")).toBe(`${deadline} notice train\n`);
    expect(await verifyCheckpoint(join(machine.sealedFolder, checkpoint.id))).toMatchObject({ ok: true });
    expect((await machine.status()).notice).toMatchObject({ kind: "reclaim", deadline });
    expect(machine.metadata.refused).toBe(0);
  });

  test("newer data is sealed again while there is time", async (context) => {
    const machine = await start(context);
    machine.boot({ command: writer });
    await running(machine);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(20) });
    await eventually("a first checkpoint", async () => (await listSealed(machine.volume))[0]);
    writeFileSync(join(machine.checkpointFolder, "late"), "late");
    const second = await eventually("a second checkpoint", async () =>
      (await listSealed(machine.volume)).length > 1 ? (await listSealed(machine.volume))[0] : undefined,
    );
    expect(readFileSync(join(machine.sealedFolder, second.id, "data/late"), "utf8")).toBe("late");
  });

  test("a hook that overruns its share is ended, with its children, and the last state is sealed", async (context) => {
    const machine = await start(context);
    machine.boot({ command: writer, checkpointHook: 'sleep 777 & echo $! > "$SPOT_CHECKPOINT_DIR/child"; sleep 777' });
    await running(machine);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(8) });
    const checkpoint = await eventually("a sealed checkpoint", async () => (await listSealed(machine.volume))[0]);
    const child = readFileSync(join(machine.sealedFolder, checkpoint.id, "data/child"), "utf8").trim();
    await eventually("the end of the hook's child", () => (existsSync(`/proc/${child}`) ? undefined : true));
    expect(machine.log()).toContain("the checkpoint hook took longer");
  });

  test("a withdrawn notice takes its file away, and a new one is answered again", async (context) => {
    const machine = await start(context);
    machine.boot({ command: writer, checkpointHook: 'date +%N >> "$SPOT_CHECKPOINT_DIR/hooks"' });
    await running(machine);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(40) });
    await eventually("the notice file", () => (existsSync(noticeFile(machine)) ? true : undefined));
    machine.metadata.notice = null;
    await eventually("no notice file", () => (existsSync(noticeFile(machine)) ? undefined : true));
    expect((await machine.status()).notice).toBeNull();
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(50) });
    await eventually("the second hook", () => {
      const file = join(machine.checkpointFolder, "hooks");
      return existsSync(file) && readFileSync(file, "utf8").trim().split("\n").length >= 2 ? true : undefined;
    });
  });

  test("what the controller heard first is answered alike, and an endpoint without a notice does not withdraw it", async (context) => {
    const machine = await start(context);
    machine.boot({ command: writer });
    await running(machine);
    const deadline = inSeconds(30);
    expect((await machine.verb("notice", String(deadline))).code).toBe(0);
    await eventually("a sealed checkpoint", async () => ((await sealedReasons(machine)).includes("notice") ? true : undefined));
    const asked = machine.metadata.asked;
    await eventually("more questions", () => (machine.metadata.asked > asked + 2 ? true : undefined));
    expect((await machine.status()).notice).toMatchObject({ kind: "reclaim", deadline });
  });

  const saves = { command: writer, checkpointHook: 'cp "$HOME/state" "$SPOT_CHECKPOINT_DIR/state"' };
  const newestSays = async (machine: Machine, text: string) => {
    const [newest] = await listSealed(machine.volume);
    return newest !== undefined && readFileSync(join(machine.sealedFolder, newest.id, "data/state"), "utf8") === text ? true : undefined;
  };

  test("a workload that writes through its hook alone: the hook runs again as late as it and a seal are sure to fit", async (context) => {
    const machine = await start(context);
    const state = join(machine.root, "home/state");
    writeFileSync(state, "early");
    machine.boot(saves);
    await running(machine);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(40) });
    await eventually("the first state, sealed", () => newestSays(machine, "early"));
    writeFileSync(state, "late");
    await eventually("the last state, sealed", () => newestSays(machine, "late"));
  });

  test("under a long notice the hook runs at the interval, as before", async (context) => {
    const machine = await start(context);
    const state = join(machine.root, "home/state");
    writeFileSync(state, "1");
    machine.boot({ ...saves, checkpointEverySeconds: 2 });
    await running(machine);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(3600) });
    await eventually("the notice file", () => (existsSync(noticeFile(machine)) ? true : undefined));
    for (const text of ["2", "3"]) {
      writeFileSync(state, text);
      await eventually(`state ${text}, sealed`, () => newestSays(machine, text));
    }
  });

  test("a machine that ends long before its deadline runs the hook once more", async (context) => {
    const machine = await start(context);
    const hooks = () => readFileSync(join(machine.checkpointFolder, "hooks"), "utf8").trim().split("\n").length;
    machine.boot({ command: writer, checkpointHook: 'echo "$SPOT_REASON" >> "$SPOT_CHECKPOINT_DIR/hooks"' });
    await running(machine);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(3600) });
    await eventually("a sealed checkpoint", async () => ((await sealedReasons(machine)).includes("notice") ? true : undefined));
    expect(hooks()).toBe(1);
    const minutesAgo = inSeconds(-300);
    utimesSync(join(machine.root, "run/spot/hook-done"), minutesAgo, minutesAgo);
    process.kill(agentProcess(machine.root, "run") ?? 0, "SIGTERM");
    await eventually("the request to end", () => (machine.metadata.terminated > 0 ? true : undefined));
    expect(hooks()).toBe(2);
    expect((await sealedReasons(machine))[0]).toBe("down");
  });

  test("two words about one reclaim are one: its hook goes on by the more exact one; a deadline that is really another is not", async (context) => {
    const machine = await start(context);
    const lines = (name: string) => {
      const file = join(machine.root, "home", name);
      return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").length : 0;
    };
    machine.boot({ command: writer, checkpointHook: 'cd "$HOME" && echo 1 >> begun && sleep 3 && echo 1 >> ended' });
    await running(machine);
    const deadline = inSeconds(3600);
    await machine.verb("notice", String(deadline));
    await eventually("the hook", () => (lines("begun") > 0 ? true : undefined));
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: deadline + 4 });
    await eventually("the endpoint's word", async () => ((await machine.status()).notice?.deadline === deadline + 4 ? true : undefined));
    expect((await machine.status()).notice?.own).toBe(true);
    await eventually("the end of the hook", () => (lines("ended") > 0 ? true : undefined));
    await eventually("a sealed checkpoint", async () => ((await sealedReasons(machine)).includes("notice") ? true : undefined));
    expect(lines("begun")).toBe(1);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: deadline - 60 });
    await eventually("another hook", () => (lines("begun") > 1 ? true : undefined));
    // What the endpoint takes back it takes back for both.
    await machine.verb("notice", String(deadline - 58));
    machine.metadata.notice = null;
    await eventually("no notice file", () => (existsSync(noticeFile(machine)) ? undefined : true));
    expect((await machine.status()).notice).toBeNull();
  });

  test("the time to live ends the machine through the metadata endpoint, after a last checkpoint", async (context) => {
    const machine = await start(context);
    machine.boot({ command: writer, ttlEndsAt: inSeconds(3) });
    await eventually("the request to end", () => (machine.metadata.terminated > 0 ? true : undefined));
    expect(await sealedReasons(machine)).toEqual(["down"]);
  });

  test("a workload that ends by itself is sealed; the machine stays up and ends when it has been idle", async (context) => {
    const machine = await start(context);
    machine.boot({ command: ["sh", "-c", 'echo 9 > "$SPOT_CHECKPOINT_DIR/STEP"; exit 3'], idleSeconds: 4 });
    const status = await eventually("its end", async () => {
      const result = await machine.verb("status");
      return result.stdout.includes('"exited"') ? machine.status() : undefined;
    });
    expect(status).toMatchObject({ exitCode: 3, step: "9" });
    await eventually("the checkpoint", async () => ((await sealedReasons(machine)).includes("exit") ? true : undefined));
    await eventually("the request to end", () => (machine.metadata.terminated > 0 ? true : undefined));
    expect(await sealedReasons(machine)).toEqual(["exit"]);
  });

  test("checkpoints are sealed at the interval, and an unchanged state only once", async (context) => {
    const machine = await start(context);
    machine.boot({ command: writer, checkpointEverySeconds: 1 });
    await eventually("the checkpoint", async () => ((await sealedReasons(machine)).includes("interval") ? true : undefined));
    await systemClock.sleep(2500);
    expect(await sealedReasons(machine)).toEqual(["interval"]);
  });

  test.for(KINDS)("with $name the whole way works", async ({ options }, context) => {
    const machine = await start(context, options);
    machine.boot({ command: writer, checkpointHook: 'echo hook > "$SPOT_CHECKPOINT_DIR/hook"' });
    await running(machine);
    machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(20) });
    const checkpoint = await eventually("a sealed checkpoint", async () => (await listSealed(machine.volume))[0]);
    expect(readdirSync(join(machine.sealedFolder, checkpoint.id, "data")).sort()).toEqual(["STEP", "hook"]);
    expect((await machine.verb("stop")).stdout).toBe('{"stopped":true,"exitCode":143}\n');
  });
});
