import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { workloadEnd } from "../model/workload-end.ts";
import { deadlineBy } from "../platform/clock.ts";
import { isFault } from "../providers/errors.ts";
import type { InstanceRecord } from "../state/records.ts";
import { decide } from "./deciding/decide.ts";
import type { Action } from "./deciding/decision.ts";
import { problemOf } from "./faults.ts";
import type { Fleet } from "./fleet.ts";
import { LeaseLost } from "./leases/held-leases.ts";
import { instanceLease, whileHolding } from "./leases/lease.ts";
import { followLedger, type Listing, observe } from "./observe.ts";
import { RecordMoved } from "./record-change.ts";
import { untilCapacityIsAsked } from "./steps/no-capacity.ts";
import { perform } from "./steps/perform.ts";
import { followCap, followWake } from "./wakes/follow.ts";
import { followWorkload } from "./workload.ts";

export type StepOutcome =
  /** Look again after so many milliseconds. `isNote`: what was said of it was written down, and nothing was done about it. */
  | { readonly kind: "again"; readonly ms: number; readonly why: string; readonly isNote?: boolean }
  /** Everything is as wanted. */
  | { readonly kind: "rest" }
  /** It cannot go on now, and why; worth another try after so many milliseconds, or not at all. */
  | { readonly kind: "stuck"; readonly problem: unknown; readonly retryMs: number | null };

const RETRY_MS = 2_000;

/** Steps after which whatever the step was decided on is as true as before. */
const NOTES: ReadonlySet<Action["do"]> = new Set<Action["do"]>(["note-notice", "note-withdrawn", "note-mouth"]);

/** Observes one record, decides and does one step. The caller holds the record's lease. */
export async function step(fleet: Fleet, record: InstanceRecord, signal: AbortSignal, listing?: Listing): Promise<StepOutcome> {
  try {
    const seen = await observe(fleet, record, signal, listing);
    if (seen.cloud.kind === "silent" && seen.cloud.problem !== undefined) throw seen.cloud.problem;
    const woken = await followWake(fleet, await followLedger(fleet, record, seen), seen);
    const capped = await followCap(fleet, woken, seen);
    const current = await followWorkload(fleet, capped, seen.guest, seen.now);
    const { action, why } = decide(current, seen);
    const ms = await perform({ ...fleet, because: why }, current, action, seen, signal);
    return ms === null ? { kind: "rest" } : { kind: "again", ms, why, isNote: NOTES.has(action.do) };
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof RecordMoved) return { kind: "again", ms: 0, why: error.message };
    // Not the record's own, or the signal would have fired: a volume's, say. Somebody else is at it.
    if (error instanceof LeaseLost) return { kind: "again", ms: RETRY_MS, why: error.message };
    if (isFault(error, "ambiguous", "protocol")) return { kind: "again", ms: 200, why: error.message };
    if (isFault(error, "rate-limited")) {
      const { fault } = error;
      return { kind: "stuck", problem: problemOf(error), retryMs: (fault.kind === "rate-limited" ? fault.retryAfterMs : null) ?? RETRY_MS };
    }
    const problem = problemOf(error);
    const retryable = problem instanceof Problem && problem.retryable;
    if (!retryable) return { kind: "stuck", problem, retryMs: null };
    const waitsMs = await untilCapacityIsAsked(fleet, record.id, problem);
    return { kind: "stuck", problem, retryMs: waitsMs > 0 ? waitsMs : RETRY_MS };
  }
}

export interface DriveOptions {
  /** Reached: stop. Asked with the record as it is now. */
  readonly until: (record: InstanceRecord) => boolean;
  readonly signal: AbortSignal;
  /** Milliseconds after which it is given up with exit 124. */
  readonly limitMs: number;
  /** Whether a stuck step is tried again, given why; without it the problem is thrown. */
  readonly persist?: (problem: unknown) => boolean;
}

/**
 * Works on one record until a goal is reached, holding its lease; while another process holds it, watches that one
 * work and takes over when it dies.
 * @throws Problem when it is stuck for good, or at the limit (exit 124).
 */
export async function drive(fleet: Fleet, id: string, options: DriveOptions): Promise<InstanceRecord> {
  const start = fleet.clock.monotonic();
  for (;;) {
    const mine = await whileOurs(options.signal, () =>
      whileHolding(fleet, instanceLease(id), options.signal, ({ fleet: held, signal }) => work(held, id, { ...options, signal }, start)),
    );
    if (mine !== undefined) return mine;
    const record = await requireRecord(fleet, id);
    if (options.until(record)) return record;
    requireTime(fleet, record, options, start);
    await fleet.clock.sleep(200 + fleet.rng.next() * 200, options.signal);
  }
}

/**
 * As `drive`, and its limit ends a call in flight as well: a cloud that does not answer is not waited for any longer than that.
 * What the request came to is found out by whoever looks next.
 * @throws Problem as `drive` does.
 */
export async function driveWithin(fleet: Fleet, id: string, options: DriveOptions): Promise<InstanceRecord> {
  const limit = deadlineBy(fleet.clock, options.signal, options.limitMs);
  try {
    return await drive(fleet, id, { ...options, signal: limit.signal });
  } catch (error) {
    if (limit.isOver() && !options.signal.aborted) throw timeUp(await requireRecord(fleet, id), options, error);
    throw error;
  } finally {
    limit.done();
  }
}

/**
 * Work under a lease that is lost is as if another process had had it from the start.
 * @returns undefined then.
 */
export async function whileOurs<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    // What ends the work around it (the controller's own lease, Ctrl-C) ends it here too.
    if (error instanceof LeaseLost && !signal.aborted) return undefined;
    throw error;
  }
}

async function work(fleet: Fleet, id: string, options: DriveOptions, start: number): Promise<InstanceRecord> {
  for (;;) {
    options.signal.throwIfAborted();
    const record = await requireRecord(fleet, id);
    if (options.until(record)) return record;
    requireTime(fleet, record, options, start);
    const outcome = await step(fleet, record, options.signal);
    if (outcome.kind === "stuck" && (outcome.retryMs === null || options.persist?.(outcome.problem) !== true)) throw outcome.problem;
    // At rest and yet not at the goal: what is still to come happens by itself (a workload that ends, say).
    const ms = outcome.kind === "rest" ? 500 : outcome.kind === "stuck" ? (outcome.retryMs ?? RETRY_MS) : outcome.ms;
    if (ms > 0) await fleet.clock.sleep(ms, options.signal);
  }
}

async function requireRecord(fleet: Fleet, id: string): Promise<InstanceRecord> {
  const record = await fleet.state.instance(id);
  if (record === undefined) throw new RangeError(`no record ${id}`);
  return record;
}

function requireTime(fleet: Fleet, record: InstanceRecord, options: DriveOptions, start: number): void {
  if (fleet.clock.monotonic() - start >= options.limitMs) throw timeUp(record, options);
}

function whyStill(record: InstanceRecord): string {
  const end = workloadEnd(record);
  const why = record.reason ?? (end === null ? null : `its command has ended with exit code ${end.code}`);
  return why === null ? "" : ` (${why})`;
}

function timeUp(record: InstanceRecord, { limitMs }: DriveOptions, cause?: unknown): Problem {
  return new Problem({
    code: "SPOT_E_TIMEOUT",
    message: `${record.name} is still ${record.state} after ${Math.round(limitMs / 1000)} s${whyStill(record)}`,
    exit: EXIT.timeout,
    next: [`spot show ${record.name}`, "spot reconcile"],
    retryable: true,
    cause,
  });
}
