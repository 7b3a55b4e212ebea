import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { seededRng } from "../../src/platform/rng.ts";
import { isMissing } from "../missing-program.ts";
import { askCloud, clearHome, dataOf, type Ended, runSpot, startSpot } from "../processes/spot.ts";
import { PACKAGE_ROOT } from "../world.ts";
import { readTrace, shownSeconds, type Trace } from "./work-trace.ts";

const RECLAIMS = Number(process.env["SPOT_TORCH_RECLAIMS"] ?? "20");
const SEED = Number(process.env["SPOT_SEED"] ?? String(Date.now() % 1_000_000));
const EXAMPLE = join(PACKAGE_ROOT, "examples", "pytorch");
const FLEET_FILE = join(EXAMPLE, "spot.yaml");

const run = promisify(execFile);

/** The first Python here that has PyTorch. */
async function pythonWithTorch(): Promise<string | undefined> {
  for (const python of [process.env["SPOT_TEST_PYTORCH"] ?? "", "python3", "/usr/bin/python3"]) {
    if (python === "") continue;
    const found = await run(python, ["-c", "import torch"]).catch(() => undefined);
    if (found !== undefined) return python;
  }
  isMissing("PyTorch", "a real training run that is reclaimed again and again (python3-torch, or pip install torch)");
  return undefined;
}

const PYTHON = await pythonWithTorch();

/** Work between two reclaims, in steps: from the step that was put back to the one at which the machine is to go. */
const LIFE_STEPS = { least: 20, most: 220 };
const STEP_MS = 4;
/** A training that is over before its last reclaim would prove nothing. */
const STEPS_PER_RECLAIM = 800;
/** Two seconds before the end the training stops, and the agent seals what it has left. */
const NOTICE_SECONDS = 4;
/** For what hangs: on a computer with much else to do PyTorch alone takes half a minute to load, and a step ten times as long. */
const WAIT = { timeout: 300_000, interval: 100 };

type Kind = "no notice" | "crash" | "notice" | "hibernate" | "long notice";

/** How machines go under each policy. After a long notice, or when it is asked to, a `hibernate` one sleeps. */
const KINDS = {
  replace: ["no notice", "crash", "notice", "no notice", "notice"],
  hibernate: ["hibernate", "long notice"],
} as const satisfies Readonly<Record<string, readonly Kind[]>>;

interface Job {
  readonly home: string;
  readonly policy: keyof typeof KINDS;
  readonly reclaims: number;
  readonly steps: number;
  readonly traceFile: string;
}

interface Went {
  readonly kind: Kind;
  /** The step that was done when the word was given. */
  readonly step: number;
}

interface Outcome {
  readonly weights: Buffer;
  readonly went: readonly Went[];
}

function options(job: Pick<Job, "steps">, more: string): string {
  return `--steps ${job.steps} --checkpoint-every 20 --print-every 500 ${more}`;
}

async function done(home: string, argv: readonly string[]): Promise<Ended> {
  const ended = await runSpot(home, [...argv, "--json"]);
  expect(ended.code, `spot ${argv.join(" ")}: ${ended.stdout} ${ended.stderr}`).toBe(0);
  return ended;
}

/** The cloud itself and everything in its machine, at once: as if their host had lost power. */
async function crash(home: string): Promise<void> {
  const { pid: cloud } = await askCloud(home, "/v1/health");
  process.kill(Number(cloud), "SIGKILL");
  let struck = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
      if (!environment.includes("SPOT_LOCAL_INSTANCE=") || !environment.includes(`SPOT_ROOT=${home}/`)) continue;
      process.kill(Number(pid), "SIGKILL");
      struck++;
    } catch {
      // It ended by itself, or is another user's.
    }
  }
  expect(struck).toBeGreaterThan(0);
}

async function strike({ home }: Job, kind: Kind): Promise<void> {
  if (kind === "crash") await crash(home);
  else if (kind === "hibernate") await done(home, ["hibernate", "digits"]);
  else
    await done(home, [
      "local",
      "reclaim",
      "digits",
      "--notice",
      { "no notice": "0s", notice: `${NOTICE_SECONDS}s`, "long notice": "60s" }[kind],
    ]);
}

async function awake(job: Job): Promise<void> {
  if (job.policy !== "hibernate") return;
  await expect.poll(async () => dataOf(await done(job.home, ["ls"]))[0]?.["state"], WAIT).toBe("hibernated");
  await done(job.home, ["restore", "digits", "--yes"]);
}

/** Reclaims it again and again, each time when it has done a random number of steps since it came back. */
async function reclaimed(job: Job, rng: { next(): number }): Promise<readonly Went[]> {
  const went: Went[] = [];
  for (const [index, kind] of Array.from(
    { length: job.reclaims },
    (_, at) => KINDS[job.policy][at % KINDS[job.policy].length] as Kind,
  ).entries()) {
    const trace = await lifeOf(job, index);
    const goal = trace.begunAt + LIFE_STEPS.least + Math.floor(rng.next() * (LIFE_STEPS.most - LIFE_STEPS.least));
    await expect.poll(() => readTrace(job.traceFile).lastStep, WAIT).toBeGreaterThanOrEqual(goal);
    const step = readTrace(job.traceFile).lastStep;
    await strike(job, kind);
    await awake(job);
    went.push({ kind, step });
  }
  await lifeOf(job, job.reclaims);
  return went;
}

/** Waits until the training has begun for the n-th time and done a step. */
async function lifeOf(job: Job, n: number): Promise<Trace> {
  const look = (): Trace => readTrace(job.traceFile);
  const begun = (): boolean => look().lives > n && look().lastStep > look().begunAt;
  await expect.poll(begun, { ...WAIT, message: `life ${n} under ${job.policy}` }).toBe(true);
  expect(look().lives, "a life that nobody ended").toBe(n + 1);
  return look();
}

/** One instance from the fleet file, its reclaims, and its result as `spot cp` brings it. */
async function trained(job: Job, rng: { next(): number }): Promise<Outcome> {
  const { home } = job;
  await done(home, ["local", "market", "--provisioning", "200ms", "--hibernate", "200ms", "--restore", "200ms"]);
  const env = [`PYTHON=${PYTHON}`, "PYTHONDONTWRITEBYTECODE=1", `OPTIONS=${options(job, `--step-ms ${STEP_MS} --trace ${job.traceFile}`)}`];
  const flags = ["--on-reclaim", job.policy, "--checkpoint-every", "1s", ...env.flatMap((each) => ["--env", each])];
  await done(home, ["up", "-f", FLEET_FILE, "--yes", ...flags]);
  const watch = startSpot(home, ["watch", "--act", "-o", "ndjson"]);
  try {
    const went = await reclaimed(job, rng);
    const finished = async (): Promise<string> => (await runSpot(home, ["logs", "digits"])).stdout;
    await expect.poll(finished, { timeout: 900_000, interval: 1_000 }).toMatch(/^finished at step/m);
    await done(home, ["cp", "digits:/data/final.safetensors", join(home, "final.safetensors")]);
    await done(home, ["checkpoints", "verify", "--all"]);
    await done(home, ["down", "digits", "--yes"]);
    return { weights: readFileSync(join(home, "final.safetensors")), went };
  } catch (error) {
    watch.kill("SIGTERM");
    throw new Error(`under ${job.policy}: ${String(error)}\n${(await watch.ended).stdout.slice(-3_000)}`, { cause: error });
  } finally {
    watch.kill("SIGTERM");
    await watch.ended;
  }
}

/** The same training, by itself and without a pause. */
async function undisturbed(folder: string, steps: number): Promise<Outcome> {
  mkdirSync(folder);
  const argv = [...options({ steps }, "").trim().split(" "), "--checkpoint-dir", join(folder, "c"), "--out", join(folder, "final")];
  const env = { PATH: process.env["PATH"], PYTHONDONTWRITEBYTECODE: "1" };
  await run(PYTHON ?? "", [join(EXAMPLE, "train.py"), ...argv], { env, cwd: folder });
  return { weights: readFileSync(join(folder, "final")), went: [] };
}

/** As Promise.all, but what fails waits for the others: none of them works on in a folder that is cleared away. */
async function allEnded<Result>(promises: readonly Promise<Result>[]): Promise<readonly Result[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

interface Measured extends Went {
  readonly lost: number;
  readonly away: number;
}

function measured(job: Job, went: readonly Went[]): readonly Measured[] {
  const { lost, away } = readTrace(job.traceFile);
  return went.map((one, index) => ({ ...one, lost: lost[index] ?? Number.NaN, away: away[index] ?? Number.NaN }));
}

function report(reclaims: readonly Measured[]): void {
  const line = (what: string, of: readonly Measured[]): void => {
    const lost = shownSeconds(of.map((each) => each.lost));
    const away = shownSeconds(of.map((each) => each.away));
    process.stdout.write(`  ${what} (${of.length}): work lost ${lost}; from the last step before it to the first step after it ${away}\n`);
  };
  for (const kind of new Set(reclaims.map((each) => each.kind)))
    line(
      kind,
      reclaims.filter((each) => each.kind === kind),
    );
  const isSudden = ({ kind }: Measured): boolean => kind === "no notice" || kind === "crash";
  line("together, without a notice", reclaims.filter(isSudden));
  line(
    "together, with one",
    reclaims.filter((each) => !isSudden(each)),
  );
}

describe.skipIf(PYTHON === undefined)("examples/pytorch", () => {
  test(`${RECLAIMS} reclaims at random moments: the weights are those of an undisturbed run, byte for byte`, async () => {
    const top = mkdtempSync(join(tmpdir(), "spot-torch-"));
    const slept = Math.floor(RECLAIMS * 0.3);
    const shares = { replace: RECLAIMS - slept, hibernate: slept };
    const jobs = (["replace", "hibernate"] as const).map((policy): Job => {
      const home = join(top, policy);
      mkdirSync(home);
      const reclaims = shares[policy];
      return { home, policy, reclaims, steps: STEPS_PER_RECLAIM * (reclaims + 1), traceFile: join(top, `${policy}.trace`) };
    });
    onTestFinished(async () => {
      for (const { home } of jobs) await clearHome(home);
      rmSync(top, { recursive: true, force: true });
    });
    const start = performance.now();
    const ended = await allEnded([
      ...jobs.map((job, index) => trained(job, seededRng(SEED + index))),
      ...jobs.map(({ home, steps }) => undisturbed(`${home}-undisturbed`, steps)),
    ]);
    const [results, references] = [ended.slice(0, jobs.length), ended.slice(jobs.length)];
    process.stdout.write(`  seed ${SEED}: ${RECLAIMS} reclaims in ${Math.round((performance.now() - start) / 1000)} s\n`);
    report(jobs.flatMap((job, index) => measured(job, results[index]?.went ?? [])));
    for (const [index, job] of jobs.entries()) {
      const { went = [], weights = Buffer.alloc(0) } = results[index] ?? {};
      expect(weights.length).toBeGreaterThan(10_000);
      expect(references[index]?.weights.equals(weights), `seed ${SEED}: the weights under ${job.policy}`).toBe(true);
      const { starts } = readTrace(job.traceFile);
      expect(starts).toHaveLength(job.reclaims + 1);
      // Asked to sleep, with all the time that it needs, nothing of the work is done twice.
      if (job.policy === "hibernate") for (const [at, { step }] of went.entries()) expect(starts[at + 1]).toBeGreaterThanOrEqual(step);
    }
  }, 1_800_000);

  test("stopped after every single step it ends with the same bytes; a checkpoint that cannot be used is refused, never overwritten", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spot-torch-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { stdout } = await run(PYTHON ?? "", [join(PACKAGE_ROOT, "test", "sweep", "pytorch-pieces.py"), EXAMPLE, folder]);
    const seen = JSON.parse(stdout);
    process.stdout.write(`  PyTorch ${seen.torch}\n`);
    expect(seen.whole).toEqual([0, expect.stringContaining("starting at step 0 of 70\nfinished at step 70, ")]);
    expect({ stops: seen.stops, samePieces: seen.samePieces, sameOther: seen.sameOther }).toEqual({
      stops: 69,
      samePieces: true,
      sameOther: false,
    });
    expect(seen.again).toEqual([0, `finished already: ${folder}/whole.safetensors holds the weights after step 70\n`]);
    expect(Number(/accuracy ([\d.]+) on held-out images/.exec(seen.learned[1])?.[1])).toBeGreaterThanOrEqual(0.9);
    expect(seen.otherSeed).toEqual([1, expect.stringContaining("was made with seed 1, and this run has seed 2")]);
    expect(seen.otherSteps).toEqual([1, expect.stringContaining("was made with steps 3, and this run has steps 4")]);
    expect(Object.keys(seen.damaged)).toHaveLength(5);
    for (const [how, after] of Object.entries(seen.damaged)) {
      expect(after, how).toEqual({
        code: 1,
        words: expect.stringMatching(/is damaged[\s\S]*refusing to begin again/),
        untouched: true,
        result: false,
      });
    }
  });
});
