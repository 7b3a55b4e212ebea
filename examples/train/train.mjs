#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BadCheckpoint, loadCheckpoint, saveCheckpoint, writeByRename } from "./checkpoint.mjs";
import { loadIris } from "./data.mjs";
import { evaluate, initialWeights, PARAMETERS, trainStep } from "./network.mjs";
import { readNotice, secondsLeft } from "./notice.mjs";
import { createRandom, shuffle, stateFromSeed } from "./random.mjs";

const HELP = `Trains a small network on the Iris measurements, in a way that survives being killed at any moment.

  --steps N             steps in all (600)
  --step-ms N           pause after each step, so that there is something to watch (20)
  --checkpoint-every N  steps between checkpoints (50)
  --print-every N       steps between lines of progress (20)
  --seed N              same seed, same weights, bit for bit (1)
  --checkpoint-dir DIR  where checkpoints go (SPOT_CHECKPOINT_DIR, or ./checkpoints)
  --out FILE            where the final weights go (SPOT_VOLUME_DIR/final-weights.json, or ./final-weights.json)
  --stop-before N       stop this many seconds before a notice's deadline (2)

Exit codes: 0 trained to the end · 1 damaged checkpoint · 2 usage · 75 stopped before a reclaim, run me again · 130, 143 by signal
`;
const HYPERPARAMETERS = { batch: 16, learningRate: 0.05, friction: 0.9 };
const NUMBERS = {
  steps: { default: 600, least: 1 },
  "step-ms": { default: 20, least: 0 },
  "checkpoint-every": { default: 50, least: 1 },
  "print-every": { default: 20, least: 1 },
  seed: { default: 1, least: 0 },
  "stop-before": { default: 2, least: 0 },
};
/** sysexits.h EX_TEMPFAIL: nothing is wrong, and the work is not done. */
const STOPPED_EARLY = 75;

process.exitCode = await main();

async function main() {
  try {
    const options = readOptions();
    if (options === undefined) return 0;
    return await train(options);
  } catch (error) {
    if (error instanceof BadCheckpoint) {
      console.error(`train: ${error.message}`);
      console.error("train: refusing to begin again from nothing; put back an older checkpoint, or remove the file to start over");
      return 1;
    }
    if (error.code?.startsWith("ERR_PARSE_ARGS") || error instanceof RangeError) {
      console.error(`train: ${error.message} (--help shows the options)`);
      return 2;
    }
    throw error;
  }
}

function readOptions() {
  const text = { type: "string" };
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, text])),
      "checkpoint-dir": text,
      out: text,
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const number = (name) => {
    const value = Number(values[name] ?? NUMBERS[name].default);
    if (!Number.isSafeInteger(value) || value < NUMBERS[name].least)
      throw new RangeError(`--${name} wants a whole number of at least ${NUMBERS[name].least}, not ${JSON.stringify(values[name])}`);
    return value;
  };
  return {
    ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, number(name)])),
    folder: values["checkpoint-dir"] ?? (process.env.SPOT_CHECKPOINT_DIR || "checkpoints"),
    finalFiles: finalFiles(values.out),
    noticeFile: process.env.SPOT_NOTICE_FILE,
  };
}

/** The volume always gets the result; `--out` gets it besides. */
function finalFiles(out) {
  const volume = process.env.SPOT_VOLUME_DIR;
  const files = [...(volume ? [join(volume, "final-weights.json")] : []), ...(out === undefined ? [] : [out])];
  return files.length > 0 ? files : ["final-weights.json"];
}

async function train(options) {
  const iris = loadIris();
  // Whatever changes the arithmetic belongs here: a checkpoint of another run is refused, not mixed in.
  const settings = { seed: options.seed, ...HYPERPARAMETERS, parameters: PARAMETERS, data: iris.sha256 };
  const resumed = loadCheckpoint(options.folder, settings);
  if (resumed !== undefined && resumed.step > options.steps)
    throw new RangeError(`the checkpoint in ${options.folder} is at step ${resumed.step}, past --steps ${options.steps}`);
  const finished = finishedAlready(options, settings);
  if (finished !== undefined) {
    console.log(`finished already: ${finished} holds the weights after step ${options.steps}`);
    return 0;
  }
  const state = resumed ?? freshState(options.seed, iris.training.length);
  console.log(resumed === undefined ? `starting at step 0 of ${options.steps}` : `resumed at step ${state.step} of ${options.steps}`);

  const stop = await runSteps(options, settings, state, iris);
  saveCheckpoint(options.folder, settings, state);
  if (stop !== undefined) {
    console.log(`stopped at step ${state.step}: ${stop.why}; checkpoint saved`);
    return stop.exit;
  }
  const { accuracy } = evaluate(state.weights, iris.heldOut);
  const result = { settings, steps: state.step, accuracy, weights: [...state.weights] };
  for (const file of options.finalFiles) writeByRename(file, `${JSON.stringify(result)}\n`);
  console.log(`finished at step ${state.step}, accuracy ${accuracy.toFixed(2)} on held-out flowers: ${options.finalFiles.join(", ")}`);
  return 0;
}

function freshState(seed, rows) {
  const random = createRandom(stateFromSeed(seed));
  const weights = initialWeights(random);
  const order = Array.from({ length: rows }, (_, index) => index);
  return { step: 0, weights, momentum: new Float64Array(PARAMETERS), order, position: rows, random: random.state() };
}

/** Runs to the last step (returns undefined) or until there is a reason to stop. */
async function runSteps(options, settings, state, iris) {
  const random = createRandom(state.random);
  const signals = listenForSignals();
  let notice;
  while (state.step < options.steps) {
    const batch = nextBatch(state, iris.training, random);
    const loss = trainStep(state.weights, state.momentum, batch, HYPERPARAMETERS);
    state.step++;
    state.random = random.state();
    if (state.step % options["print-every"] === 0) {
      const { accuracy } = evaluate(state.weights, iris.heldOut);
      console.log(`step ${state.step} loss ${loss.toFixed(4)} accuracy ${accuracy.toFixed(2)}`);
    }
    if (state.step === options.steps) break;
    const before = notice;
    notice = readNotice(options.noticeFile);
    if (notice !== undefined && secondsLeft(notice) <= options["stop-before"])
      return { exit: STOPPED_EARLY, why: `the machine goes in ${Math.max(0, secondsLeft(notice)).toFixed(1)} s` };
    const every = notice === undefined ? options["checkpoint-every"] : Math.ceil(options["checkpoint-every"] / 5);
    const isNew = notice !== undefined && before === undefined;
    if (isNew || state.step % every === 0) saveCheckpoint(options.folder, settings, state);
    sayNotice(before, notice, state.step);

    // Even without a pause the loop must let a signal in.
    await (options["step-ms"] > 0 ? setTimeout(options["step-ms"]) : setImmediate());
    if (signals.received !== undefined) return signals.received;
  }
  return undefined;
}

function sayNotice(before, now, step) {
  if (now !== undefined && before === undefined) {
    const left = secondsLeft(now);
    const when = Number.isFinite(left) ? `this machine goes in ${Math.max(0, left).toFixed(0)} s` : "this machine will be reclaimed";
    console.log(`notice: ${when}; checkpoint saved at step ${step}, training goes on with more of them`);
  }
  if (now === undefined && before !== undefined) console.log("notice withdrawn: back to normal");
}

/** Takes the next rows of a shuffled pass over the data; the pass and the place in it are part of the checkpoint. */
function nextBatch(state, rows, random) {
  const batch = [];
  while (batch.length < HYPERPARAMETERS.batch) {
    if (state.position === state.order.length) {
      shuffle(state.order, random);
      state.position = 0;
    }
    batch.push(rows[state.order[state.position]]);
    state.position++;
  }
  return batch;
}

/** The file of an earlier run that came to the end with these very settings. */
function finishedAlready(options, settings) {
  return options.finalFiles.every((file) => isResultOf(file, options.steps, settings)) ? options.finalFiles.join(", ") : undefined;
}

function isResultOf(file, steps, settings) {
  if (!existsSync(file)) return false;
  try {
    const result = JSON.parse(readFileSync(file, "utf8"));
    return result.steps === steps && JSON.stringify(result.settings) === JSON.stringify(settings);
  } catch {
    return false;
  }
}

function listenForSignals() {
  const state = { received: undefined };
  for (const [signal, exit] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ])
    process.once(signal, () => {
      state.received = { exit, why: signal };
    });
  return state;
}
