import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { agentProcess, eventually, KINDS, type Machine, type MachineOptions, makeMachine } from "./machine.ts";

const writer = ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; sleep 1000'];
const inSeconds = (seconds: number) => Math.floor(systemClock.now() / 1000) + seconds;

async function running({ onTestFinished }: TestContext, options: MachineOptions = {}): Promise<Machine> {
  const machine = await makeMachine(options);
  onTestFinished(() => machine.close());
  machine.boot({ command: writer });
  await eventually("a workload that has written", async () =>
    (await machine.verb("status")).stdout.includes('"step":"7"') ? true : undefined,
  );
  return machine;
}

interface Said {
  readonly phase: string;
  readonly step: string | null;
  readonly notice: { readonly kind: string; readonly deadline: number; readonly own: boolean } | null;
}

/** The verb as a watch runs it, and every line that it has said. */
function listen(machine: Machine) {
  const child = spawn("sh", [join(machine.root, "var/lib/spot/agent.sh"), "listen"], {
    cwd: machine.root,
    env: machine.reach.env,
    stdio: ["pipe", "pipe", "ignore"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const lines = () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Said);
  return { child, ended, lines, last: () => lines().at(-1) };
}

// Much of it is waiting.
describe.concurrent("listening to an agent", { timeout: 120_000 }, () => {
  test.for(KINDS)(
    "with $name a listener hears at once what changes, which mouth said it, and that it was taken back",
    async ({ options }, context) => {
      const machine = await running(context, options);
      const heard = listen(machine);
      await eventually("a first line", () => heard.last());
      expect(heard.last()).toEqual({ phase: "running", step: "7", notice: null });
      const deadline = inSeconds(600);
      machine.metadata.notice = JSON.stringify({ kind: "reclaim", deadline });
      await eventually("the notice", () => heard.last()?.notice ?? undefined);
      expect(heard.last()?.notice).toEqual({ kind: "reclaim", deadline, own: true });
      // A controller that heard it from the list tells the same: it is its cloud's own word all the same.
      await machine.verb("notice", String(deadline));
      expect((await machine.status()).notice).toEqual({ kind: "reclaim", deadline, own: true });
      machine.metadata.notice = null;
      await eventually("its withdrawal", () => (heard.last()?.notice === null ? true : undefined));
      await machine.verb("notice", String(deadline));
      await eventually("what the controller told", () => heard.last()?.notice ?? undefined);
      expect(heard.last()?.notice).toEqual({ kind: "reclaim", deadline, own: false });
      writeFileSync(join(machine.checkpointFolder, "STEP"), "8\n");
      await eventually("the next step", () => (heard.last()?.step === "8" ? true : undefined));
      heard.child.stdin.end();
      await heard.ended;
      await eventually("the end of all of it", () => (agentProcess(machine.root, "listen") === undefined ? true : undefined));
    },
  );

  test.for(KINDS)("with $name an agent that has ended says so, and a change is said once", async ({ options }, context) => {
    const machine = await running(context, options);
    const heard = listen(machine);
    await eventually("a first line", () => heard.last());
    await machine.verb("stop", "1");
    await eventually("the end of the workload", () => (heard.last()?.phase === "exited" ? true : undefined));
    const lines = heard.lines().map((line) => JSON.stringify(line));
    expect(new Set(lines).size).toBe(lines.length);
    const { startedAt, endedAt, saidAt, exitCode } = await machine.status();
    expect(exitCode).not.toBeNull();
    expect(endedAt).toBeGreaterThanOrEqual(startedAt ?? Number.NaN);
    expect(endedAt).toBeLessThanOrEqual(saidAt ?? Number.NaN);
    await machine.kill();
    expect(await heard.ended).not.toBe(0);
  });

  test("a listener that has nothing new still says that it lives", async (context) => {
    const machine = await running(context);
    const heard = listen(machine);
    await eventually("a second line", () => (heard.lines().length > 1 ? true : undefined));
    const [first, second] = heard.lines();
    expect(second).toEqual(first);
    heard.child.stdin.end();
    await heard.ended;
  });
});
