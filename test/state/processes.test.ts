import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRng } from "../../src/platform/rng.ts";
import { openState } from "../../src/state/open.ts";
import { sampleInstance } from "./sample-records.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const here = import.meta.dirname;
// Below this folder, so that the bundle finds the packages that stay outside it.
const bundleFolder = mkdtempSync(join(here, ".bundle-"));
const writer = join(bundleFolder, "writer.mjs");

beforeAll(async () => {
  await build({
    entryPoints: [join(here, "writer.ts")],
    outfile: writer,
    bundle: true,
    format: "esm",
    platform: "node",
    external: ["libsql"],
  });
});
afterAll(() => rmSync(bundleFolder, { recursive: true, force: true }));

interface Writer {
  readonly child: ChildProcess;
  /** Rounds that it has reported as committed. */
  reported(): number;
  /** Its exit code, or the signal that ended it, and what it said on stderr. */
  readonly ended: Promise<{ readonly end: number | string; readonly stderr: string }>;
}

function startWriter(path: string, id: number, rounds: number): Writer {
  const child = fork(writer, [path, String(id), String(rounds)], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let reported = 0;
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
  });
  child.on("message", (message) => {
    if (typeof message === "number") reported = message;
  });
  const ended = new Promise<{ end: number | string; stderr: string }>((resolve) => {
    child.on("close", (code, signal) => resolve({ end: code ?? signal ?? "lost", stderr }));
  });
  return { child, reported: () => reported, ended };
}

test("twenty processes that make and fill one database at once lose nothing", async () => {
  const path = join(temporaryFolder(), "home", "state.db");
  const first = await openState(path);
  await first.commit({ addInstance: sampleInstance("counter", { generation: 0 }) });
  await first.close();
  const rounds = 10;
  const ends = await Promise.all(Array.from({ length: 20 }, (_, id) => startWriter(path, id, rounds).ended));
  expect(ends).toEqual(Array.from({ length: 20 }, () => ({ end: 0, stderr: "" })));
  const state = await openState(path);
  expect((await state.instanceByName("counter"))?.generation).toBe(20 * rounds);
  expect((await state.instances()).length).toBe(20 * rounds + 1);
  expect((await state.ledger()).length).toBe(20 * rounds);
  expect(await state.lastSeq()).toBe(2 * 20 * rounds);
  expect(await state.pendingIntents()).toEqual([]);
  await state.close();
}, 120_000);

test("twenty processes that open a database that is not there yet all get it", async () => {
  const path = join(temporaryFolder(), "home", "state.db");
  const ends = await Promise.all(Array.from({ length: 20 }, (_, id) => startWriter(path, id, 0).ended));
  expect(ends).toEqual(Array.from({ length: 20 }, () => ({ end: 0, stderr: "" })));
}, 120_000);

/** What must hold whatever was killed: what belongs to one change is there together, and counts agree. */
async function assertWhole(path: string, reportedRounds: number): Promise<void> {
  const state = await openState(path);
  const names = (await state.instances()).map((record) => record.name).filter((name) => name !== "counter");
  const sorted = (list: readonly string[]) => list.toSorted();
  const events = await state.events({ limit: 100_000 });
  expect(sorted((await state.volumes()).map((volume) => volume.name))).toEqual(sorted(names));
  expect(sorted((await state.ledger()).map((entry) => entry.id))).toEqual(sorted(names));
  expect(sorted(events.filter((event) => event.instance !== "counter").map((event) => String(event.instance)))).toEqual(sorted(names));
  const counted = events.filter((event) => event.instance === "counter").length;
  expect((await state.instanceByName("counter"))?.generation).toBe(counted);
  expect(counted + (await state.pendingIntents()).length).toBe(names.length);
  expect(counted).toBeGreaterThanOrEqual(reportedRounds);
  await state.close();
}

test("kill -9 in the middle of changes, forty times: the database opens and every change is whole", async () => {
  const path = join(temporaryFolder(), "state.db");
  const state = await openState(path);
  await state.commit({ addInstance: sampleInstance("counter", { generation: 0 }) });
  await state.close();
  const rng = seededRng(20_261_121);
  let reported = 0;
  for (let kills = 0; kills < 40; kills += 4) {
    const writers = Array.from({ length: 4 }, (_, id) => startWriter(path, id, 1_000_000));
    await Promise.all(writers.map(({ child }) => new Promise((resolve) => child.once("message", resolve))));
    for (const { child } of writers) {
      await new Promise((resolve) => setTimeout(resolve, 5 + rng.next() * 60));
      child.kill("SIGKILL");
    }
    const ends = await Promise.all(writers.map((one) => one.ended));
    expect(ends.map(({ end }) => end)).toEqual(["SIGKILL", "SIGKILL", "SIGKILL", "SIGKILL"]);
    reported += writers.reduce((sum, one) => sum + one.reported(), 0);
    await assertWhole(path, reported);
  }
  expect(reported).toBeGreaterThan(0);
}, 120_000);

test("two connections that ask for one lease, again and again: one gets it, whoever asks first", async () => {
  const path = join(temporaryFolder(), "state.db");
  const [one, two] = [await openState(path), await openState(path)];
  for (let round = 0; round < 50; round++) {
    // One after the other: two connections of one process would wait for each other on one thread.
    const first = await (round % 2 === 0 ? one : two).acquireLease("fleet", round % 2 === 0 ? "one" : "two", round * 10, 10);
    const second = await (round % 2 === 0 ? two : one).acquireLease("fleet", round % 2 === 0 ? "two" : "one", round * 10, 10);
    expect([first, second]).toEqual([true, false]);
  }
  await Promise.all([one.close(), two.close()]);
});
