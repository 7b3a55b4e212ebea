import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { listSealed } from "../../src/checkpoints/catalogue.ts";
import { parseGuestError, parseSnapshotResult, parseUnfit } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { eventually, KINDS, type Machine, makeMachine } from "./machine.ts";

type Settings = Parameters<Machine["boot"]>[0];

async function start(context: TestContext, settings: Settings = {}, options: Parameters<typeof makeMachine>[0] = {}): Promise<Machine> {
  const machine = await makeMachine(options);
  context.onTestFinished(() => machine.close());
  machine.boot(settings);
  await running(machine);
  return machine;
}

async function running(machine: Machine): Promise<void> {
  await eventually("a running workload", async () => ((await machine.verb("status")).stdout.includes('"running"') ? true : undefined));
}

const inSeconds = (seconds: number) => Math.floor(systemClock.now() / 1000) + seconds;
const notice = (machine: Machine, seconds: number) => {
  machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline: inSeconds(seconds) });
};
/** A volume that took so many bytes a second at the last seals. */
function slow(machine: Machine, ...paces: readonly (number | string)[]): void {
  mkdirSync(join(machine.volume, "spot"), { recursive: true });
  writeFileSync(join(machine.volume, "spot/pace"), paces.map((pace) => `${pace}\n`).join(""));
}
const write = (machine: Machine, name: string, bytes: number) =>
  writeFileSync(join(machine.checkpointFolder, name), Buffer.alloc(bytes, systemClock.now() % 256));
async function snapshot(machine: Machine): Promise<string> {
  const result = parseSnapshotResult((await machine.verb("snapshot", "manual")).stdout);
  if (result.kind !== "sealed") throw new Error(`not sealed: ${result.kind}`);
  return result.checkpoint.id;
}
const ids = async (machine: Machine) => (await listSealed(machine.volume)).map(({ id }) => id);
const fitOf = async (machine: Machine) => (await machine.status()).fit;
const unfit = (machine: Machine) =>
  eventually("that it does not fit", async () => ((await fitOf(machine))?.begun === false ? true : undefined));

// Much of it is waiting.
describe.concurrent("a checkpoint and the time there is", { timeout: 90_000 }, () => {
  test.for(KINDS)(
    "with $name a checkpoint that does not fit the notice is not begun; made smaller, it is sealed",
    async ({ options }, context) => {
      const machine = await start(context, {}, options);
      write(machine, "STEP", 3);
      const first = await snapshot(machine);
      write(machine, "large", 2_000_000);
      slow(machine, 10_000);
      notice(machine, 120);
      await unfit(machine);
      const fit = await fitOf(machine);
      expect(fit).toMatchObject({ bytesPerSecond: 10_000, fits: false, begun: false, stands: first });
      expect(fit?.bytes).toBeGreaterThan(2_000_000);
      expect(fit?.neededSeconds).toBe(Math.floor(((fit?.bytes ?? 0) * 3) / 2 / 10_000) + 1);
      expect(fit?.leftSeconds).toBeLessThanOrEqual(120);
      expect(machine.log()).toMatch(/2 MB need \d+ s, \d+ s are left: not started; c-\S+ stands/);
      expect(readdirSync(machine.sealedFolder)).toEqual([first]);
      rmSync(join(machine.checkpointFolder, "large"));
      write(machine, "small", 10);
      const second = await eventually("a second checkpoint", async () =>
        (await ids(machine)).length > 1 ? (await ids(machine))[0] : undefined,
      );
      expect(readdirSync(join(machine.sealedFolder, second, "data")).sort()).toEqual(["STEP", "small"]);
      expect(await fitOf(machine)).toMatchObject({ fits: true, begun: true, stands: first });
      // Said once, however often it is asked.
      expect(machine.log().match(/not started/g)).toHaveLength(1);
      machine.metadata.notice = null;
      await eventually("nothing more to fit", async () => ((await fitOf(machine)) === null ? true : undefined));
    },
  );

  test("while nothing is sealed there is nothing to lose: the first is begun whatever it is reckoned to take", async (context) => {
    const machine = await start(context);
    slow(machine, 1);
    write(machine, "work", 100_000);
    notice(machine, 60);
    await eventually("a checkpoint", async () => ((await ids(machine)).length > 0 ? true : undefined));
    expect(await fitOf(machine)).toMatchObject({ fits: false, begun: true, stands: null });
  });

  test("a seal under way is waited for, however little time is left by reckoning", async (context) => {
    const machine = await start(context);
    slow(machine, 1);
    write(machine, "work", 100_000);
    const lock = join(machine.root, "run/spot/seal.lock");
    symlinkSync(String(process.pid), lock);
    notice(machine, 60);
    await eventually("the notice", () => (existsSync(join(machine.root, "run/spot/notice.json")) ? true : undefined));
    // Longer than it waits for the other one at a time.
    await systemClock.sleep(14_000, context.signal);
    rmSync(lock);
    await eventually("a checkpoint", async () => ((await ids(machine)).length > 0 ? true : undefined));
  });

  test("the hook runs all the same, and when it makes the work smaller that is sealed at once", async (context) => {
    const machine = await start(context, { checkpointHook: 'rm "$SPOT_CHECKPOINT_DIR/large"; echo small > "$SPOT_CHECKPOINT_DIR/small"' });
    write(machine, "STEP", 3);
    await snapshot(machine);
    // The hook of that one has run as well.
    write(machine, "large", 2_000_000);
    slow(machine, 10_000);
    notice(machine, 60);
    await eventually("its checkpoint", async () => ((await listSealed(machine.volume))[0]?.reason === "notice" ? true : undefined));
    expect(machine.log()).not.toContain("not started");
  });

  test("what is sealed already needs no time", async (context) => {
    const machine = await start(context);
    write(machine, "work", 2_000_000);
    const only = await snapshot(machine);
    slow(machine, 1);
    const again = parseSnapshotResult((await machine.verb("snapshot", "notice", String(inSeconds(20)))).stdout);
    expect(again).toMatchObject({ kind: "sealed", checkpoint: { id: only, unchanged: true } });
  });

  test("whoever asks with a deadline hears it as an answer of its own; a deadline of the hook's alone keeps no seal back", async (context) => {
    const machine = await start(context);
    write(machine, "work", 2_000_000);
    const first = await snapshot(machine);
    write(machine, "work", 2_000_001);
    slow(machine, 10_000);
    const refused = await machine.verb("snapshot", "down", String(inSeconds(20)));
    expect(refused.code).toBe(7);
    expect(parseGuestError(refused.stdout)).toContain(`not started; ${first} stands`);
    expect(parseUnfit(refused.stdout)).toMatchObject({ begun: false, stands: first, bytesPerSecond: 10_000 });
    // A deadline that is over may be a clock that is wrong.
    for (const words of [["down", String(inSeconds(20)), "soft"], ["down"], ["down", String(inSeconds(-5))]]) {
      write(machine, "work", 2_000_000 + words.length);
      expect(parseSnapshotResult((await machine.verb("snapshot", ...words)).stdout)).toMatchObject({ kind: "sealed" });
    }
  });

  test("the end of the time to live waits for the seal, however long it is reckoned to take", async (context) => {
    const machine = await start(context, { ttlEndsAt: inSeconds(15) });
    write(machine, "work", 2_000_000);
    const first = await snapshot(machine);
    write(machine, "work", 2_000_001);
    slow(machine, 10_000);
    await eventually("the request to end", () => (machine.metadata.terminated > 0 ? true : undefined));
    expect((await listSealed(machine.volume)).map(({ reason }) => reason)).toEqual(["down", "manual"]);
    expect(await ids(machine)).toContain(first);
  });

  test("the pace is measured at each seal that is large enough, outlives the machine, and the slowest of three counts", async (context) => {
    const machine = await start(context);
    const paces = () =>
      existsSync(join(machine.volume, "spot/pace")) ? readFileSync(join(machine.volume, "spot/pace"), "utf8").trim().split("\n") : [];
    write(machine, "work", 100_000);
    await snapshot(machine);
    expect(paces()).toEqual([]);
    slow(machine, 7_000, "odd; rm -rf /", 0, 80_000);
    write(machine, "work", 9_000_000);
    await snapshot(machine);
    const measured = paces();
    expect(measured.slice(0, 2)).toEqual(["0", "80000"]);
    expect(measured).toHaveLength(3);
    expect(Number(measured[2])).toBeGreaterThan(100_000);
    await machine.kill();
    machine.newRoot();
    machine.boot();
    await running(machine);
    write(machine, "work", 9_000_001);
    const answer = await machine.verb("snapshot", "notice", String(inSeconds(20)));
    expect(parseUnfit(answer.stdout)).toMatchObject({ bytesPerSecond: 80_000, stands: expect.stringMatching(/^c-/) });
  });

  test("a hook that ignores SIGTERM is killed, one that leaves a daemon behind is not waited for", async (context) => {
    const deaf = await start(context, { checkpointHook: 'trap "" TERM; echo $$ > "$SPOT_CHECKPOINT_DIR/hook"; while :; do sleep 1; done' });
    const forking = await start(context, {
      checkpointHook: '(trap "" TERM HUP; exec setsid sleep 777) & echo $! > "$SPOT_CHECKPOINT_DIR/daemon"; exit 0',
    });
    for (const machine of [deaf, forking]) notice(machine, 10);
    for (const machine of [deaf, forking])
      await eventually("a checkpoint", async () => ((await listSealed(machine.volume))[0]?.reason === "notice" ? true : undefined));
    const hook = readFileSync(join(deaf.checkpointFolder, "hook"), "utf8").trim();
    await eventually("the end of the hook", () => (existsSync(`/proc/${hook}`) ? undefined : true));
    expect(deaf.log()).toContain("the checkpoint hook took longer");
    expect(forking.log()).not.toContain("the checkpoint hook");
  });
});
