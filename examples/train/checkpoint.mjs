import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

const FORMAT = "spot-example-train/1";

/** A checkpoint that must not be used: damaged, or made by a run with other settings. */
export class BadCheckpoint extends Error {}

/**
 * Writes the whole state of the run as one file, checkpoint.json, and beside it the small file STEP for people and for
 * `spot checkpoints ls`. Both are made durable under other names first and then renamed one right after the other, so
 * that hardly anyone ever sees the two disagree; resuming reads checkpoint.json only.
 */
export function saveCheckpoint(folder, settings, state) {
  mkdirSync(folder, { recursive: true });
  const body = JSON.stringify({
    settings,
    step: state.step,
    random: state.random,
    order: state.order,
    position: state.position,
    weights: toBase64(state.weights),
    momentum: toBase64(state.momentum),
  });
  const checkpoint = prepare(join(folder, "checkpoint.json"), `${JSON.stringify({ format: FORMAT, sha256: sha256(body), body })}\n`);
  const step = prepare(join(folder, "STEP"), `${state.step}\n`);
  checkpoint.rename();
  step.rename();
  syncFolder(folder);
}

/**
 * The state in checkpoint.json, or undefined when there is no such file.
 * @throws BadCheckpoint rather than begin again from nothing when there is one that cannot be used.
 */
export function loadCheckpoint(folder, settings) {
  const file = join(folder, "checkpoint.json");
  if (!existsSync(file)) return undefined;
  const body = readBody(file);
  for (const [name, value] of Object.entries(settings))
    if (body.settings[name] !== value)
      throw new BadCheckpoint(`${file} was made with ${name} ${body.settings[name]}, and this run has ${name} ${value}`);
  return {
    step: body.step,
    random: body.random,
    order: body.order,
    position: body.position,
    weights: fromBase64(body.weights),
    momentum: fromBase64(body.momentum),
  };
}

function readBody(file) {
  let envelope;
  try {
    envelope = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new BadCheckpoint(`${file} is damaged: ${error.message}`);
  }
  if (envelope?.format !== FORMAT) throw new BadCheckpoint(`${file} is not a checkpoint of this program (format ${envelope?.format})`);
  if (typeof envelope.body !== "string" || sha256(envelope.body) !== envelope.sha256)
    throw new BadCheckpoint(`${file} is damaged: its checksum does not match`);
  return JSON.parse(envelope.body);
}

/** Data, fsync, rename, fsync of the folder: a reader, or a machine that loses power, sees the old file or the new one. */
export function writeByRename(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  prepare(file, text).rename();
  syncFolder(dirname(file));
}

/** Writes the text under a temporary name, down to the disk; `rename` puts it in place. */
function prepare(file, text) {
  const temporary = `${file}.tmp`;
  const handle = openSync(temporary, "w");
  try {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  return { rename: () => renameSync(temporary, file) };
}

function syncFolder(path) {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Bit for bit, -0 included, and the same on every machine: 8 bytes a number, little-endian. */
function toBase64(numbers) {
  const bytes = Buffer.alloc(numbers.length * 8);
  numbers.forEach((value, index) => {
    bytes.writeDoubleLE(value, index * 8);
  });
  return bytes.toString("base64");
}

function fromBase64(text) {
  const bytes = Buffer.from(text, "base64");
  return Float64Array.from({ length: bytes.length / 8 }, (_, index) => bytes.readDoubleLE(index * 8));
}

function sha256(text) {
  return createHash("sha256").update(text).digest("hex");
}
