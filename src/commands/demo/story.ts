import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { durationText } from "../../model/duration.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { runProgram } from "../../platform/process.ts";
import type { CommandContext } from "../command.ts";
import { field, records, seconds, text } from "./answers.ts";
import type { Stage } from "./stage.ts";

const STEPS = 1000;
const STEP_MS = 20;
const NOTICE_SECONDS = 6;
/** Far enough into the run that there is something to lose. */
const RECLAIM_AT_STEP = 120;
const LOOK_MS = 150;
/** No act of the story takes longer than this. */
const ACT_LIMIT_MS = 60_000;

type WatchedEvent = Readonly<Record<string, unknown>>;

/** The training command; with `stepMs` 0 it is the same computation without the pauses. */
function training(context: CommandContext, stepMs: number): readonly string[] {
  const absolute = join(context.world.packageRoot, "examples", "train", "train.mjs");
  const fromHere = relative(context.world.cwd, absolute);
  const program = fromHere.startsWith("..") ? absolute : fromHere;
  return ["node", program, "--steps", String(STEPS), "--step-ms", String(stepMs), "--checkpoint-every", "40", "--print-every", "10"];
}

/** The same training without any interruption, as the measure of truth. */
async function uninterrupted(context: CommandContext, stage: Stage): Promise<Buffer> {
  const out = join(stage.home, "uninterrupted.json");
  const folder = join(stage.home, "uninterrupted-checkpoints");
  const argv = [...training(context, 0), "--checkpoint-dir", folder, "--out", out];
  const env = { ...context.world.env, SPOT_VOLUME_DIR: "", SPOT_NOTICE_FILE: "", SPOT_CHECKPOINT_DIR: "" };
  const result = await runProgram(argv, { cwd: context.world.cwd, env, signal: context.world.signal });
  if (result.code !== EXIT.done) throw broken(`the uninterrupted training ended with exit code ${result.code}: ${result.stderr.trim()}`);
  return readFile(out);
}

function broken(message: string): Problem {
  return new Problem({ code: "SPOT_E_DEMO", message, exit: EXIT.failed });
}

/**
 * The whole story, each act made of real commands in a home of its own.
 * @throws Problem when an act fails or the final weights differ by one byte.
 */
export async function playStory(context: CommandContext, stage: Stage): Promise<void> {
  const { clock } = context.world;
  const start = clock.monotonic();
  const reference = uninterrupted(context, stage);
  // It is looked at in the last act; an act that fails earlier is the one to report.
  reference.catch(() => undefined);
  await rent(context, stage);
  const events: WatchedEvent[] = [];
  const watching = await stage.follow(["watch", "--act", "-o", "ndjson"], (line) => events.push(JSON.parse(line) as WatchedEvent));
  try {
    await untilStep(context, stage, RECLAIM_AT_STEP);
    await reclaim(context, stage, events);
    await finish(stage);
  } finally {
    await watching.end();
  }
  await sleepAndWake(context, stage);
  const weights = await stage.raw(["exec", "trainer", "--", "sh", "-c", 'cat "$SPOT_VOLUME_DIR/final-weights.json"']);
  await settleUp(stage);
  compare(stage, await reference, Buffer.from(weights));
  const took = clock.monotonic() - start;
  stage.tell("end", `That was the whole life of a spot instance, in ${durationText(took)}. Your own: spot up --name trainer -- COMMAND`, {
    seconds: Math.round(took / 1000),
  });
}

async function rent(context: CommandContext, stage: Stage): Promise<void> {
  stage.tell("offers", "Spot GPUs are cheap because they can be taken back. These are on offer now, on the embedded cloud:");
  await stage.spot(["offers", "--gpu", "A10G:1", "--sort", "price"]);
  stage.tell("up", "The cheapest that fits is rented, with a volume that outlives it, and a real training run is started on it:");
  const before = context.world.clock.monotonic();
  const up = ["up", "--name", "trainer", "--gpu", "A10G:1", "--volume", "trainer:1:/data", "--ttl", "1h", "--yes", "--"];
  const [instance] = records(await stage.spot([...up, ...training(context, STEP_MS)]));
  stage.tell(
    "running",
    `Ready after ${seconds(context.world.clock.monotonic() - before)}, at ${text(instance, "price", "amount").slice(0, 6)} USD an hour. It trains:`,
    {
      zone: field(instance, "zone"),
    },
  );
}

/** Reads the training's own log until it has come so far. */
async function untilStep(context: CommandContext, stage: Stage, step: number): Promise<void> {
  const log = await until(context, `the training to reach step ${step}`, async () => {
    const said = await stage.raw(["logs", "trainer", "--tail", "400"]).catch(() => "");
    return lastStep(said) >= step ? said : undefined;
  });
  const lines = log.split("\n").filter((line) => line.startsWith("step "));
  stage.tell("training", lines.slice(-2).join(" … "), { step: lastStep(log) });
}

function lastStep(log: string): number {
  return Math.max(0, ...[...log.matchAll(/^step (\d+) /gm)].map((match) => Number(match[1])));
}

async function until<Found>(context: CommandContext, what: string, look: () => Promise<Found | undefined>): Promise<Found> {
  const { clock, signal } = context.world;
  const start = clock.monotonic();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (clock.monotonic() - start > ACT_LIMIT_MS) throw broken(`waited ${ACT_LIMIT_MS / 1000} s in vain for ${what}`);
    await clock.sleep(LOOK_MS, signal);
  }
}

async function reclaim(context: CommandContext, stage: Stage, events: readonly WatchedEvent[]): Promise<void> {
  const waitFor = (what: string, fits: (event: WatchedEvent) => boolean) => until(context, what, async () => events.find(fits));
  stage.tell("notice", `Now the cloud wants its GPU back, in ${NOTICE_SECONDS} seconds:`);
  await stage.spot(["local", "reclaim", "trainer", "--notice", `${NOTICE_SECONDS}s`], "command");
  const notice = await waitFor("the notice", (event) => event["type"] === "notice");
  const deadline = Date.parse(text(notice, "deadline"));
  stage.tell(
    "heard",
    `The notice is heard, ${seconds(deadline - Date.parse(text(notice, "at")))} before the end. The agent in the machine tells the training, and seals what it has:`,
  );
  const lost = await waitFor("the reclaim", (event) => event["action"] === "lost");
  const sealed = events
    .filter((event) => event["type"] === "checkpoint" && Date.parse(text(event, "at")) <= Date.parse(text(lost, "at")))
    .at(-1);
  if (sealed === undefined) throw broken("the machine was reclaimed and no checkpoint had been sealed");
  const step = text(sealed, "step");
  stage.tell(
    "sealed",
    `Checkpoint ${text(sealed, "checkpoint")} holds step ${step}, verified by its manifest. The machine is gone, its disk with it; the volume is not.`,
    {
      checkpoint: sealed["checkpoint"],
      atStep: step,
    },
  );
  const back = await waitFor(
    "the replacement",
    (event) => event["type"] === "state" && event["to"] === "running" && Number(event["seq"]) > Number(lost["seq"]),
  );
  const log = await until(context, "the training to resume", async () => {
    const said = await stage.raw(["logs", "trainer"]).catch(() => "");
    return /^resumed at step (\d+)/m.test(said) ? said : undefined;
  });
  const resumed = /^resumed at step (\d+)/m.exec(log)?.[1] ?? "?";
  if (resumed !== step) throw broken(`the training resumed at step ${resumed}, but the checkpoint holds step ${step}`);
  stage.tell(
    "resumed",
    `Another machine was rented and serves ${seconds(Date.parse(text(back, "at")) - Date.parse(text(lost, "at")))} later. The training goes on at step ${resumed}: nothing was lost.`,
    {
      atStep: resumed,
    },
  );
}

async function finish(stage: Stage): Promise<void> {
  await stage.spot(["wait", "trainer", "--for", "finished", "--timeout", "60s"], "nothing");
  const log = await stage.raw(["logs", "trainer", "--tail", "40"]);
  const line = /^finished at step .*$/m.exec(log)?.[0] ?? "";
  if (line === "") throw broken("the training ended without saying that it had finished");
  stage.tell("finished", `The training ends: ${line.split(":")[0]}. What was sealed on the way:`);
  await stage.spot(["checkpoints", "ls", "trainer"]);
  await stage.spot(["checkpoints", "verify", "--all"], "command");
  stage.tell("verified", "Every checkpoint was read again and every byte of it is as it was sealed.");
}

async function sleepAndWake(context: CommandContext, stage: Stage): Promise<void> {
  const { clock } = context.world;
  stage.tell("hibernate", "Nothing to do for a while: hibernate, and the GPU is not paid for.");
  const before = clock.monotonic();
  await stage.spot(["hibernate", "trainer"]);
  const asleep = clock.monotonic();
  await stage.spot(["restore", "trainer"], "command");
  const awake = clock.monotonic();
  stage.tell(
    "restored",
    `Hibernated in ${seconds(asleep - before)}, serving again ${seconds(awake - asleep)} after it was asked to (the cap is 10 minutes).`,
    {
      hibernateSeconds: (asleep - before) / 1000,
      restoreSeconds: (awake - asleep) / 1000,
    },
  );
}

async function settleUp(stage: Stage): Promise<void> {
  stage.tell("down", "Done. End it, and look that nothing is left that could be billed:");
  await stage.spot(["down", "trainer", "--volumes", "--yes"], "command");
  const left = [...records(await stage.spot(["ls"])), ...records(await stage.spot(["volumes", "ls"], "nothing"))];
  const status = await stage.spot(["local", "status"], "nothing");
  const counts = field(status, "instances");
  if (typeof counts !== "object" || counts === null) throw broken("the cloud does not say what runs on it");
  const alive = Object.entries(counts).filter(([state, count]) => !["terminated", "failed"].includes(state) && Number(count) > 0);
  if (left.length + alive.length > 0)
    throw broken(`${left.length} records and ${alive.map(([state, count]) => `${count} ${state}`).join(", ") || "no"} machines are left`);
  stage.tell("cost", "What it cost, as the cloud billed it, against the same time on demand:");
  await stage.spot(["cost"]);
}

function compare(stage: Stage, reference: Buffer, weights: Buffer): void {
  if (!reference.equals(weights))
    throw new Problem({
      code: "SPOT_E_DEMO_DIFFERS",
      message: `the final weights differ from an uninterrupted run's (${weights.length} and ${reference.length} bytes)`,
      exit: EXIT.verification,
    });
  stage.tell(
    "compared",
    `The final weights are the same, byte for byte (${weights.length} bytes), as those of a run that was never interrupted.`,
    {
      bytes: weights.length,
      identical: true,
    },
  );
}
