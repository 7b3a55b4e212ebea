import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect } from "vitest";
import { seededRng } from "../../src/platform/rng.ts";
import { type DatabaseKind, newPlace, openAt } from "./databases.ts";
import { sampleInstance } from "./sample-records.ts";

interface Writer {
  readonly child: ChildProcess;
  /** Rounds that it has reported as committed. */
  reported(): number;
  /** Its exit code, or the signal that ended it, and what it said on stderr. */
  readonly ended: Promise<{ readonly end: number | string; readonly stderr: string }>;
}

export type StartWriter = (place: string, id: number | string, rounds: number) => Writer;

/** Bundles `writer.ts` for the tests of this file. */
export function writersOfThisFile(): StartWriter {
  // Below this folder, so that the bundle finds the packages that stay outside it.
  const folder = mkdtempSync(join(import.meta.dirname, ".bundle-"));
  const program = join(folder, "writer.mjs");
  beforeAll(async () => {
    await build({
      entryPoints: [join(import.meta.dirname, "writer.ts")],
      outfile: program,
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["libsql", "pg"],
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (place, id, rounds) => {
    const child = fork(program, [place, String(id), String(rounds)], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
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
  };
}

const well = (count: number) => Array.from({ length: count }, () => ({ end: 0, stderr: "" }));

/** Processes that make a database together, add to it, and count on one record: nothing is lost. */
export async function fillTogether(kind: DatabaseKind, start: StartWriter, processes: number, rounds: number): Promise<void> {
  const place = await newPlace(kind);
  const first = await openAt(place);
  await first.commit({ addInstance: sampleInstance("counter", { generation: 0 }) });
  await first.close();
  expect(await Promise.all(Array.from({ length: processes }, (_, id) => start(place, id, rounds).ended))).toEqual(well(processes));
  const state = await openAt(place);
  expect((await state.instanceByName("counter"))?.generation).toBe(processes * rounds);
  expect((await state.instances()).length).toBe(processes * rounds + 1);
  expect((await state.ledger()).length).toBe(processes * rounds);
  expect((await state.events({ limit: 100_000 })).length).toBe(2 * processes * rounds);
  expect(await state.pendingIntents()).toEqual([]);
  await state.close();
}

/** Processes that open a database that is not there yet all get it. */
export async function openTogether(kind: DatabaseKind, start: StartWriter, processes: number): Promise<void> {
  const place = await newPlace(kind);
  expect(await Promise.all(Array.from({ length: processes }, (_, id) => start(place, id, 0).ended))).toEqual(well(processes));
}

/** What must hold whatever was killed: what belongs to one change is there together, and counts agree. */
async function assertWhole(place: string, reportedRounds: number): Promise<void> {
  const state = await openAt(place);
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

/** Four at a time write and are killed with -9: the database opens, and every change is there whole or not at all. */
export async function killInTheMiddle(kind: DatabaseKind, start: StartWriter, kills: number): Promise<void> {
  const place = await newPlace(kind);
  const state = await openAt(place);
  await state.commit({ addInstance: sampleInstance("counter", { generation: 0 }) });
  await state.close();
  const rng = seededRng(20_261_121);
  let reported = 0;
  for (let killed = 0; killed < kills; killed += 4) {
    const writers = Array.from({ length: 4 }, (_, id) => start(place, id, 1_000_000));
    await Promise.all(writers.map(({ child }) => new Promise((resolve) => child.once("message", resolve))));
    for (const { child } of writers) {
      await new Promise((resolve) => setTimeout(resolve, 5 + rng.next() * 60));
      child.kill("SIGKILL");
    }
    const ends = await Promise.all(writers.map((one) => one.ended));
    expect(ends.map(({ end }) => end)).toEqual(["SIGKILL", "SIGKILL", "SIGKILL", "SIGKILL"]);
    reported += writers.reduce((sum, one) => sum + one.reported(), 0);
    await assertWhole(place, reported);
  }
  expect(reported).toBeGreaterThan(0);
}
