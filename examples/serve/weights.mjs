import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { sha256 } from "./caches.mjs";

const PART_BYTES = 1_000_000;

/**
 * The model's weights from the cache, or "downloaded" into it: made by the model's name at the speed of a network. A file
 * that was cut off or damaged is downloaded again.
 */
export async function loadWeights(cache, { model, "weights-mb": megabytes, "download-mbps": pace }, signal) {
  const file = join(cache, "hub", `models--${model}`, "weights.bin");
  const there = readWhole(file, model, megabytes);
  if (there !== undefined) return { result: there, how: `${megabytes} MB found in ${file}` };
  await download(file, model, megabytes, pace, signal);
  const weights = readWhole(file, model, megabytes);
  if (weights === undefined) throw new Error(`${file} is not what was downloaded`);
  return { result: weights, how: `${megabytes} MB downloaded to ${file}` };
}

/** Some of it is looked at, as a loader looks at a file's header: its length, and its first and last part. */
function readWhole(file, model, megabytes) {
  let weights;
  try {
    weights = readFileSync(file);
  } catch {
    return undefined;
  }
  if (weights.length !== megabytes * PART_BYTES) return undefined;
  const isPart = (index) => weights.subarray(index * PART_BYTES, (index + 1) * PART_BYTES).equals(part(model, index));
  return isPart(0) && isPart(megabytes - 1) ? weights : undefined;
}

async function download(file, model, megabytes, pace, signal) {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.incomplete`;
  const handle = openSync(temporary, "w");
  try {
    for (let index = 0; index < megabytes; index++) {
      const bytes = part(model, index);
      for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done);
      await setTimeout(1000 / pace, undefined, { signal });
    }
    fsyncSync(handle);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
}

/** A million bytes that depend on the model and their place alone. */
function part(model, index) {
  const seed = sha256(`${model} ${index}`);
  return Buffer.concat(Array.from({ length: Math.ceil(PART_BYTES / seed.length) }, () => seed)).subarray(0, PART_BYTES);
}
