import * as v from "valibot";
import { CHECKPOINT_REASONS } from "../model/checkpoint.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";

const seconds = v.pipe(v.number(), v.finite(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const id = v.pipe(v.string(), v.regex(/^c-[0-9A-Za-z-]{1,64}$/));

/** `own`: the cloud told the agent itself; false where the notice is what we told it. Older agents do not say. */
const guestNotice = v.nullable(
  v.object({ kind: v.picklist(["reclaim", "rebalance", "maintenance"]), deadline: seconds, own: v.optional(v.boolean()) }),
);

const phase = v.picklist(["preparing", "restoring", "running", "exited", "stopping", "expired"]);
const step = v.nullable(v.pipe(v.string(), v.maxLength(64)));

const heardSchema = v.object({ phase, step, notice: guestNotice });

const fitSchema = v.object({
  bytes: count,
  bytesPerSecond: count,
  neededSeconds: count,
  leftSeconds: v.pipe(v.number(), v.integer()),
  fits: v.boolean(),
  begun: v.boolean(),
  stands: v.nullable(id),
});

/**
 * What the agent counts the idle time by. `since` in epoch seconds, null while something goes on; `gpuUtil` in percent, the
 * busiest GPU's, null where none can be asked; `logins` counts terminals, SSH sessions of people and `spot exec`.
 */
const idleSchema = v.object({
  since: v.nullable(seconds),
  gpuUtil: v.nullable(count),
  logins: count,
  workload: v.picklist(["running", "over"]),
  basis: v.array(v.picklist(["exit", "gpu", "logins"])),
});

const statusSchema = v.object({
  phase,
  awaits: v.nullable(v.union([v.literal("volume"), id])),
  workloadPid: v.nullable(count),
  exitCode: v.nullable(count),
  startedAt: v.nullable(seconds),
  restoredFrom: v.nullable(id),
  step: v.nullable(v.pipe(v.string(), v.maxLength(64))),
  lastCheckpoint: v.nullable(id),
  lastSealSeconds: v.nullable(seconds),
  notice: guestNotice,
  heartbeatAt: v.nullable(seconds),
  ttlEndsAt: v.nullable(seconds),
  // Older agents say none of these.
  fit: v.optional(v.nullable(fitSchema), null),
  idle: v.optional(v.nullable(idleSchema), null),
  saidAt: v.optional(v.nullable(seconds), null),
  passedOver: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(65_536))), null),
  marks: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(8192))), null),
  endedAt: v.optional(v.nullable(seconds), null),
  checkpointSeconds: v.optional(v.nullable(seconds), null),
  every: v.optional(v.nullable(seconds), null),
});

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const checkpointFields = {
  id,
  files: count,
  bytes: count,
  sha256,
  step: v.nullable(v.pipe(v.string(), v.maxLength(64))),
  reason: v.picklist(CHECKPOINT_REASONS),
  createdAt: seconds,
};

const sealedSchema = v.object({ ...checkpointFields, unchanged: v.boolean() });

const emptySchema = v.object({ empty: v.literal(true) });

const volumeSchema = v.object({
  mounted: v.literal(true),
  device: v.pipe(v.string(), v.regex(/^\/dev\/[A-Za-z0-9/_.:-]{1,200}$/)),
  formatted: v.boolean(),
});

const name = v.nullable(v.pipe(v.string(), v.maxLength(256)));

const listedSchema = v.object({ ...checkpointFields, instance: name, volume: name });
const sealedListSchema = v.object({
  /** The volume that the machine has; absent from an older agent. */
  volume: v.optional(v.pipe(v.string(), v.maxLength(256)), ""),
  sealed: v.array(v.unknown()),
  damaged: v.optional(v.array(v.unknown()), []),
});
const damagedSchema = v.object({ id, instance: v.pipe(v.string(), v.maxLength(256)) });

const verifiedSchema = v.object({ id, files: count, bytes: count, sha256 });

const prunedSchema = v.object({ pruned: v.array(id), freed: count });

const readySchema = v.object({ ready: v.boolean() });

/**
 * What goes on inside the machine. Times are epoch seconds. `exitCode` is the workload's, and `endedAt` when it ended. `awaits`: what is missing
 * before the workload can start: to be told of its volume, or a checkpoint that is copied there. Phase `expired`: its time is over, its last checkpoint is sealed, and it cannot end itself.
 * `passedOver`: the newer checkpoints, divided by blanks, that it could not put back before `restoredFrom`.
 * `saidAt`: what the machine's clock said meanwhile. `checkpointSeconds`: what the last checkpoint took, its hook included; `every`:
 * after how many seconds the next one is made by the clock, null for never. `idle`: what the idle time is counted by, null where none was ordered.
 */
export type GuestStatus = v.InferOutput<typeof statusSchema>;

/** What the agent says to whoever listens. Times are epoch seconds. */
export type GuestHeard = v.InferOutput<typeof heardSchema>;

/**
 * Whether a checkpoint fitted the time that a notice left, when that was last asked. `bytes` is all that would have been sealed,
 * `bytesPerSecond` the slowest of the last seals, `neededSeconds` with a margin. Not `begun`: `stands` is what remains; it is
 * null while nothing is sealed, and then one is begun in any case.
 */
export type GuestFit = v.InferOutput<typeof fitSchema>;

/** A volume that is mounted; `formatted` when it was blank and has its file system since now. `device` is a path. */
export type VolumeResult = v.InferOutput<typeof volumeSchema>;

/** A whole checkpoint on the machine's volume. `createdAt` in epoch seconds; `sha256` is the manifest's. */
export type GuestCheckpoint = v.InferOutput<typeof listedSchema>;

/** A checkpoint whose every file was hashed on the machine and is as its manifest says; `sha256` is the manifest's. */
export type VerifiedCheckpoint = v.InferOutput<typeof verifiedSchema>;

/**
 * What `prune [--dry-run] ID...` removed, or would remove. `freed`: the bytes that its files take on the disk (blocks, not
 * sizes), of files of which no hard link is left afterwards; folders are not counted.
 */
export type PruneResult = v.InferOutput<typeof prunedSchema>;

/** A sealed checkpoint as the agent reports it; `unchanged` when the newest sealed one already held this very state. */
export type SealedSnapshot = v.InferOutput<typeof sealedSchema>;

/** `empty`: the workload has written nothing that could be sealed. */
export type SnapshotResult =
  | { readonly kind: "sealed"; readonly checkpoint: SealedSnapshot }
  | { readonly kind: "empty" }
  | { readonly kind: "does-not-fit"; readonly fit: GuestFit };

/** The one line of JSON that a verb prints last. */
function lastLine(stdout: string): unknown {
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** What to throw when an agent says something else than its verb should. */
export function notUnderstood(verb: string, stdout: string): Problem {
  const heard = stdout.trim().slice(0, 200);
  return new Problem({
    code: "SPOT_E_GUEST_PROTOCOL",
    message: `the agent's answer to ${JSON.stringify(verb)} was not understood`,
    hint: heard === "" ? "it said nothing" : `it said ${JSON.stringify(heard)}`,
    exit: EXIT.failed,
  });
}

/** The text of `{"error":…}`, or undefined when the answer is another. */
export function parseGuestError(stdout: string): string | undefined {
  const result = v.safeParse(v.object({ error: v.string() }), lastLine(stdout));
  return result.success ? result.output.error : undefined;
}

/** Whether the agent failed because what lies on the volume is not as it was sealed. */
export function saysDamaged(stdout: string): boolean {
  return v.is(v.object({ error: v.string(), damaged: v.array(v.string()) }), lastLine(stdout));
}

/** @throws Problem when it is not a status. */
export function parseGuestStatus(stdout: string): GuestStatus {
  return parsed("status", statusSchema, stdout);
}

/** One line of `listen`; undefined when it is none. */
export function parseHeard(line: string): GuestHeard | undefined {
  const result = v.safeParse(heardSchema, lastLine(line));
  return result.success ? result.output : undefined;
}

/** Why a checkpoint was not begun, when that is the answer. */
export function parseUnfit(stdout: string): GuestFit | undefined {
  const result = v.safeParse(v.object({ error: v.string(), fit: fitSchema }), lastLine(stdout));
  return result.success ? result.output.fit : undefined;
}

/** @throws Problem when it is neither a sealed checkpoint nor `{"empty":true}`. */
export function parseSnapshotResult(stdout: string): SnapshotResult {
  const answer = lastLine(stdout);
  const sealed = v.safeParse(sealedSchema, answer);
  if (sealed.success) return { kind: "sealed", checkpoint: sealed.output };
  if (v.is(emptySchema, answer)) return { kind: "empty" };
  throw notUnderstood("snapshot", stdout);
}

function parsed<Schema extends v.GenericSchema>(verb: string, schema: Schema, stdout: string): v.InferOutput<Schema> {
  const result = v.safeParse(schema, lastLine(stdout));
  if (!result.success) throw notUnderstood(verb, stdout);
  return result.output;
}

/** @throws Problem when it is not the answer to `volume`. */
export function parseVolumeResult(stdout: string): VolumeResult {
  return parsed("volume", volumeSchema, stdout);
}

/**
 * The answer to `sealed`, newest first. A volume may hold what somebody else wrote: an entry that is not understood is left out.
 * `volume` is the one that the machine has, whichever the manifest names.
 * @throws Problem when it is no such answer.
 */
export function parseSealed(stdout: string): readonly GuestCheckpoint[] {
  const { volume, sealed } = parsed("sealed", sealedListSchema, stdout);
  const listed = sealed.filter((entry) => v.is(listedSchema, entry));
  return volume === "" ? listed : listed.map((entry) => ({ ...entry, volume }));
}

/** What `sealed` says of folders with a checkpoint's name and no manifest that holds; `instance` is what is left of its header. */
export function parseDamaged(stdout: string): readonly v.InferOutput<typeof damagedSchema>[] {
  return parsed("sealed", sealedListSchema, stdout).damaged.filter((entry) => v.is(damagedSchema, entry));
}

/** @throws Problem when it is not the answer to `verify`. */
export function parseVerified(stdout: string): VerifiedCheckpoint {
  return parsed("verify", verifiedSchema, stdout);
}

/** @throws Problem when it is not the answer to `prune`. */
export function parsePruned(stdout: string): PruneResult {
  return parsed("prune", prunedSchema, stdout);
}

const marksSchema = v.object({ marks: v.nullable(v.pipe(v.string(), v.maxLength(8192))) });

/** The answer to `marks`, in the words that `marksOf` reads. @throws Problem when it is not one. */
export function parseMarks(stdout: string): string {
  return parsed("marks", marksSchema, stdout).marks ?? "";
}

/** The answer to `ready-http`. @throws Problem when it is not one. */
export function parseReady(stdout: string): boolean {
  return parsed("ready-http", readySchema, stdout).ready;
}
