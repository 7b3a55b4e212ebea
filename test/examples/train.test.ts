import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("../../examples/train/train.mjs", import.meta.url));
const CSV = fileURLToPath(new URL("../../examples/train/iris.csv", import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spot-train-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Resolves when the output matches; rejects when the program ends first. */
  sees(pattern: RegExp): Promise<void>;
}

function startTraining(args: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let waiting: readonly (() => void)[] = [];
  const take = (chunk: string): void => {
    text += chunk;
    for (const look of waiting) look();
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  return {
    child,
    output: () => text,
    ended,
    sees: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(text)) resolve();
        };
        waiting = [...waiting, look];
        look();
        ended.then(() => (pattern.test(text) ? resolve() : reject(new Error(`ended without ${pattern}: ${text}`))), reject);
      }),
  };
}

async function trainToEnd(name: string, ...more: readonly string[]): Promise<Buffer> {
  const out = join(folder, `${name}.json`);
  const run = startTraining(["--step-ms", "0", "--checkpoint-dir", join(folder, name), "--out", out, ...more]);
  expect(await run.ended, run.output()).toBe(0);
  return readFile(out);
}

function stepIn(text: string): number {
  return Number(/at step (\d+)/.exec(text)?.[1]);
}

async function savedStep(checkpoints: string): Promise<number> {
  const envelope: { body: string } = JSON.parse(await readFile(join(checkpoints, "checkpoint.json"), "utf8"));
  const body: { step: number } = JSON.parse(envelope.body);
  return body.step;
}

describe("the data", () => {
  test("is Fisher's: 150 flowers, 50 of each species, with the published means and the two rows that UCI's file has wrong", async () => {
    const rows = (await readFile(CSV, "utf8"))
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(","));
    const counts = new Map<string, number>();
    for (const [, , , , species = ""] of rows) counts.set(species, (counts.get(species) ?? 0) + 1);
    expect(Object.fromEntries(counts)).toEqual({ setosa: 50, versicolor: 50, virginica: 50 });
    const means = [0, 1, 2, 3].map((column) => rows.reduce((sum, row) => sum + Math.round(Number(row[column]) * 10), 0) / 1500);
    expect(means.map((mean) => mean.toFixed(3))).toEqual(["5.843", "3.057", "3.758", "1.199"]);
    expect([rows[34], rows[37]]).toEqual([
      ["4.9", "3.1", "1.5", "0.2", "setosa"],
      ["4.9", "3.6", "1.4", "0.1", "setosa"],
    ]);
  });
});

describe("training", () => {
  test("learns: at least 95 % of the held-out flowers are named rightly", async () => {
    const result: { accuracy: number; steps: number } = JSON.parse((await trainToEnd("once")).toString());
    expect(result.steps).toBe(600);
    expect(result.accuracy).toBeGreaterThanOrEqual(0.95);
  });

  test("gives the same bytes for the same seed and others for another", async () => {
    const [first, second, other] = await Promise.all([
      trainToEnd("first"),
      trainToEnd("second", "--checkpoint-every", "7", "--print-every", "1"),
      trainToEnd("other", "--seed", "2"),
    ]);
    expect(second.equals(first)).toBe(true);
    expect(other.equals(first)).toBe(false);
  });

  test("killed with SIGKILL again and again, it still ends with the bytes of an undisturbed run", async () => {
    const undisturbed = await trainToEnd("undisturbed");
    const checkpoints = join(folder, "killed");
    const out = join(folder, "killed.json");
    const args = ["--step-ms", "1", "--checkpoint-every", "3", "--print-every", "1", "--checkpoint-dir", checkpoints, "--out", out];
    let kills = 0;
    for (let step = 0; ; ) {
      const run = startTraining(args);
      // Some of these moments fall on a checkpoint being written, most do not.
      const killAt = step + 20 + ((kills * 37) % 61);
      if (killAt >= 600) {
        expect(await run.ended, run.output()).toBe(0);
        expect(stepIn(run.output())).toBe(step);
        break;
      }
      await run.sees(new RegExp(`^step ${killAt} `, "m"));
      run.child.kill("SIGKILL");
      expect(await run.ended).toBe("SIGKILL");
      kills++;
      step = await savedStep(checkpoints);
      expect(step % 3).toBe(0);
      expect(step).toBeGreaterThanOrEqual(killAt - 3);
    }
    expect(kills).toBeGreaterThanOrEqual(8);
    expect((await readFile(out)).equals(undisturbed)).toBe(true);
  });

  test("resumed after every single step, it still ends with the same bytes", async () => {
    const undisturbed = await trainToEnd("whole", "--steps", "12");
    let last = Buffer.alloc(0);
    for (let steps = 1; steps <= 12; steps++) last = Buffer.from(await trainToEnd("pieces", "--steps", String(steps)));
    expect(last.equals(undisturbed)).toBe(true);
  });

  test("finished work is said to be finished and left alone", async () => {
    const first = await trainToEnd("done", "--steps", "30");
    const again = startTraining(["--steps", "30", "--checkpoint-dir", join(folder, "done"), "--out", join(folder, "done.json")]);
    expect(await again.ended).toBe(0);
    expect(again.output()).toBe(`finished already: ${join(folder, "done.json")} holds the weights after step 30\n`);
    expect(await readFile(join(folder, "done.json"))).toEqual(first);
  });

  test("in spot's environment the checkpoints and the result go where the agent says", async () => {
    const env = { SPOT_CHECKPOINT_DIR: join(folder, "fast"), SPOT_VOLUME_DIR: join(folder, "volume") };
    const run = startTraining(["--steps", "10", "--step-ms", "0"], env);
    expect(await run.ended, run.output()).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(["fast", "volume"]);
    expect(await readdir(join(folder, "volume"))).toEqual(["final-weights.json"]);
    expect((await readdir(join(folder, "fast"))).sort()).toEqual(["STEP", "checkpoint.json"]);
    expect(await readFile(join(folder, "fast", "STEP"), "utf8")).toBe("10\n");
  });
});

describe("a checkpoint that cannot be used is refused, never overwritten", () => {
  const damage: readonly (readonly [string, (text: string) => string, RegExp])[] = [
    ["cut short", (text) => text.slice(0, 200), /is damaged/],
    ["empty", () => "", /is damaged/],
    ["one digit changed", (text) => text.replace(/"step\\":\d/, '"step\\":9'), /its checksum does not match/],
    ["something else", () => '{"hello":"world"}', /is not a checkpoint of this program/],
  ];
  test.each(damage)("%s", async (_, spoil, message) => {
    await trainToEnd("run", "--steps", "20");
    const file = join(folder, "run", "checkpoint.json");
    const spoiled = spoil(await readFile(file, "utf8"));
    await writeFile(file, spoiled);
    const run = startTraining(["--steps", "40", "--checkpoint-dir", join(folder, "run"), "--out", join(folder, "new.json")]);
    expect(await run.ended).toBe(1);
    expect(run.output()).toMatch(message);
    expect(run.output()).toContain("refusing to begin again from nothing");
    expect(await readFile(file, "utf8")).toBe(spoiled);
    expect(existsSync(join(folder, "new.json"))).toBe(false);
  });

  test("made with another seed", async () => {
    await trainToEnd("run", "--steps", "20");
    const run = startTraining(["--steps", "40", "--seed", "2", "--checkpoint-dir", join(folder, "run")]);
    expect(await run.ended).toBe(1);
    expect(run.output()).toContain("was made with seed 1, and this run has seed 2");
  });

  test("further on than the steps asked for", async () => {
    await trainToEnd("run", "--steps", "20");
    const run = startTraining(["--steps", "10", "--checkpoint-dir", join(folder, "run")]);
    expect(await run.ended).toBe(2);
    expect(run.output()).toContain("is at step 20, past --steps 10");
  });
});

describe("notices and signals", () => {
  async function giveNotice(deadline: number): Promise<void> {
    await mkdir(join(folder, "run"), { recursive: true });
    await writeFile(join(folder, "run", "notice.tmp"), JSON.stringify({ kind: "reclaim", deadline, seenAt: 0 }));
    await rename(join(folder, "run", "notice.tmp"), join(folder, "run", "notice.json"));
  }
  const args = ["--step-ms", "2", "--steps", "1000000", "--checkpoint-every", "1000000", "--print-every", "1"];
  const start = (...more: readonly string[]): Run =>
    startTraining([...args, "--checkpoint-dir", join(folder, "c"), ...more], { SPOT_NOTICE_FILE: join(folder, "run", "notice.json") });

  test("a notice makes it save at once and go on; withdrawn, it goes back to normal", async () => {
    const run = start();
    await run.sees(/^step 5 /m);
    expect(existsSync(join(folder, "c"))).toBe(false);
    await giveNotice(Date.now() / 1000 + 3600);
    await run.sees(/^notice: this machine goes in \d+ s; checkpoint saved at step \d+/m);
    const saved = await savedStep(join(folder, "c"));
    expect(saved).toBe(stepIn(run.output().slice(run.output().indexOf("notice:"))));
    await run.sees(new RegExp(`^step ${saved + 5} `, "m"));
    await rm(join(folder, "run", "notice.json"));
    await run.sees(/^notice withdrawn/m);
    run.child.kill("SIGKILL");
    expect(await run.ended).toBe("SIGKILL");
  });

  test("after a notice checkpoints come five times as often", async () => {
    await giveNotice(Date.now() / 1000 + 3600);
    const run = start("--checkpoint-every", "50");
    await run.sees(/^step 25 /m);
    run.child.kill("SIGKILL");
    await run.ended;
    expect((await savedStep(join(folder, "c"))) % 10).toBe(0);
    expect(await savedStep(join(folder, "c"))).toBeGreaterThanOrEqual(20);
  });

  test("near the deadline it saves, stops and says that the work is not done", async () => {
    await giveNotice(Date.now() / 1000 + 1);
    const run = start("--stop-before", "2");
    expect(await run.ended).toBe(75);
    expect(run.output()).toMatch(/^stopped at step 1: the machine goes in [\d.]+ s; checkpoint saved$/m);
    expect(await savedStep(join(folder, "c"))).toBe(1);
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("%s saves a checkpoint and exits %i", async (signal, exit) => {
    const run = start();
    await run.sees(/^step 5 /m);
    run.child.kill(signal);
    expect(await run.ended).toBe(exit);
    expect(await savedStep(join(folder, "c"))).toBe(stepIn(run.output().slice(run.output().indexOf("stopped"))));
  });
});

test("a wrong option is a usage error that names it", async () => {
  for (const [wrong, message] of [
    [["--steps", "many"], /--steps wants a whole number of at least 1, not "many"/],
    [["--stepps", "3"], /--stepps/],
  ] as const) {
    const run = startTraining(wrong);
    expect(await run.ended).toBe(2);
    expect(run.output()).toMatch(message);
  }
});
