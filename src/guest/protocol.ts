import * as v from "valibot";
import { CHECKPOINT_REASONS } from "../model/checkpoint.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";

const seconds = v.pipe(v.number(), v.finite(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const id = v.pipe(v.string(), v.regex(/^c-[0-9A-Za-z-]{1,64}$/));

const statusSchema = v.object({
  phase: v.picklist(["preparing", "restoring", "running", "exited", "stopping"]),
  workloadPid: v.nullable(count),
  exitCode: v.nullable(count),
  startedAt: v.nullable(seconds),
  restoredFrom: v.nullable(id),
  step: v.nullable(v.pipe(v.string(), v.maxLength(64))),
  lastCheckpoint: v.nullable(id),
  lastSealSeconds: v.nullable(seconds),
  notice: v.nullable(v.object({ kind: v.picklist(["reclaim", "rebalance", "maintenance"]), deadline: seconds })),
  heartbeatAt: v.nullable(seconds),
  ttlEndsAt: v.nullable(seconds),
});

const sealedSchema = v.object({
  id,
  files: count,
  bytes: count,
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  step: v.nullable(v.pipe(v.string(), v.maxLength(64))),
  reason: v.picklist(CHECKPOINT_REASONS),
  createdAt: seconds,
  unchanged: v.boolean(),
});

const emptySchema = v.object({ empty: v.literal(true) });

/** What goes on inside the machine. Times are epoch seconds. `exitCode` is the workload's. */
export type GuestStatus = v.InferOutput<typeof statusSchema>;

/** A sealed checkpoint as the agent reports it; `unchanged` when the newest sealed one already held this very state. */
export type SealedSnapshot = v.InferOutput<typeof sealedSchema>;

/** `empty`: the workload has written nothing that could be sealed. */
export type SnapshotResult = { readonly kind: "sealed"; readonly checkpoint: SealedSnapshot } | { readonly kind: "empty" };

/** The one line of JSON that a verb prints last. */
function lastLine(stdout: string): unknown {
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function notUnderstood(verb: string, stdout: string): Problem {
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

/** @throws Problem when it is not a status. */
export function parseGuestStatus(stdout: string): GuestStatus {
  const result = v.safeParse(statusSchema, lastLine(stdout));
  if (!result.success) throw notUnderstood("status", stdout);
  return result.output;
}

/** @throws Problem when it is neither a sealed checkpoint nor `{"empty":true}`. */
export function parseSnapshotResult(stdout: string): SnapshotResult {
  const answer = lastLine(stdout);
  const sealed = v.safeParse(sealedSchema, answer);
  if (sealed.success) return { kind: "sealed", checkpoint: sealed.output };
  if (v.is(emptySchema, answer)) return { kind: "empty" };
  throw notUnderstood("snapshot", stdout);
}
