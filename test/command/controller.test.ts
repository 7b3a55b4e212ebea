import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { runSpot } from "../../src/program.ts";
import { spot, type TestWorld, temporaryFolder, testWorld } from "../world.ts";

interface Watch {
  readonly world: TestWorld;
  end(): Promise<number>;
}

/** A watch that acts, until it is told to end. */
function watching(home: string, ...flags: readonly string[]): Watch {
  const stop = new AbortController();
  const world = testWorld({ home, signal: stop.signal });
  const ended = runSpot(["watch", "--act", ...flags], world);
  const end = () => {
    stop.abort("SIGTERM");
    return ended;
  };
  onTestFinished(() => void end());
  return { world, end };
}

async function until(what: () => boolean): Promise<void> {
  const limit = performance.now() + 25_000;
  while (!what()) {
    if (performance.now() > limit) throw new Error(`in vain: ${what}`);
    await pause(20);
  }
}

const doctorOf = async (home: string) =>
  JSON.parse((await spot(testWorld({ home }), "doctor", "--json")).stdout).data.find(
    ({ check }: { readonly check: string }) => check === "controller",
  );

test("two that would act: the second stands by and says once for whom; everybody is told who acts, and control changes hands at once", async () => {
  const home = temporaryFolder();
  const first = watching(home, "-o", "ndjson");
  await until(() => first.world.written().includes('"action":"controller"'));
  const second = watching(home);
  await until(() => second.world.said().includes("standing by"));
  expect(second.world.said()).toMatch(new RegExp(`standing by: process ${process.pid} on \\S+, since \\S+Z acts`));
  expect((await doctorOf(home)).detail).toMatch(new RegExp(`^process ${process.pid} on .*; its lease is fresh for another \\d+ s$`));
  const cron = await spot(testWorld({ home }), "reconcile");
  expect(cron.code).toBe(0);
  expect(cron.stderr).toMatch(/^process \d+ on .* acts on this fleet; this pass works on what nobody else works on$/m);
  expect(await first.end()).toBe(143);
  await until(() => second.world.written().includes("acts from now on"));
  expect(second.world.said().match(/standing by/g)).toHaveLength(1);
  expect(await second.end()).toBe(143);
  expect(await doctorOf(home)).toMatchObject({ status: "ok", detail: "nobody acts by itself" });
  const events = first.world.written().trim().split("\n");
  expect(events.map((line) => JSON.parse(line))).toMatchObject([{ type: "action", action: "controller", pid: process.pid, was: null }]);
  const enough = new AbortController();
  const replay = testWorld({ home, signal: enough.signal });
  const replayed = runSpot(["watch", "--since", "0", "-o", "ndjson"], replay);
  await until(() => replay.written().split("\n").length > 2);
  enough.abort("SIGTERM");
  await replayed;
  const told = replay
    .written()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(told.map(({ action, pid, was }) => [action, pid, was === null])).toEqual([
    ["controller", process.pid, true],
    ["controller", process.pid, false],
  ]);
}, 120_000);
