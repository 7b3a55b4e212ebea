import { type Comeback, USUAL_RUNGS } from "../model/comeback.ts";
import { durationText } from "../model/duration.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { wakePhasesText } from "../model/wake.ts";
import { hasFailed } from "../model/workload-end.ts";
import type { InstanceRecord } from "../state/records.ts";
import { launching, withinBudgets } from "./budgets/budget-guard.ts";
import { otherCopies } from "./climbing/other-copies.ts";
import { endOwnSnapshots } from "./climbing/own-snapshot.ts";
import { isUp } from "./deciding/decide.ts";
import { driveWithin } from "./drive.ts";
import type { Fleet } from "./fleet.ts";
import { interrupted } from "./interrupted.ts";
import { leastRate } from "./ledger.ts";
import { overruled, putToSleep } from "./park.ts";
import { reachOf } from "./reach.ts";
import { lastWake } from "./wakes/wake-log.ts";
import { wish } from "./wish.ts";
import { asleepProblem } from "./workload.ts";

/** The command that wakes it caps it itself; the written cap is for the case that the command was killed. */
const OWN_CAP_FIRST_MS = 5_000;
/** So many lines of a log are told before its machine is out of reach. */
const LOG_LINES = 5;

export interface WakeOptions {
  readonly signal: AbortSignal;
  /** For the whole ladder, in milliseconds; a call that hangs is ended by it as well. */
  readonly capMs: number;
  /** For putting it back to sleep, in milliseconds. */
  readonly sleepLimitMs: number;
  /** What it may do on its way; the usual rungs at whatever its spec allows, unless told. */
  readonly comeback?: Pick<Comeback, "allow" | "ceiling" | "oldest">;
  /** Ends the try before its cap: its reason is a Problem with exit 124. */
  readonly enough?: AbortSignal;
  /** Another try follows: a snapshot that was made on this one's way stays for it. */
  readonly keepsSnapshots?: boolean;
}

/**
 * Brings a sleeping instance back to serving. Past the cap it is put to sleep again, so that paying stops when waiting
 * stops.
 * @throws Problem with exit 1 when its command has failed meanwhile (it is asleep again), 3 when a budget has no room for it
 * (nothing was changed then), 124 past the cap, 130 when interrupted (asleep again in both cases), 6 when it could not be put back
 * to sleep in its time: it may bill, and is named.
 */
export async function wakeUp(fleet: Fleet, record: InstanceRecord, options: WakeOptions): Promise<InstanceRecord> {
  try {
    return await wakeOnce(fleet, record, options);
  } finally {
    if (options.keepsSnapshots !== true) await endOwnSnapshots(fleet, record);
  }
}

async function wakeOnce(fleet: Fleet, record: InstanceRecord, options: WakeOptions): Promise<InstanceRecord> {
  if (isUp(record) && record.desired === "running") return record;
  if (record.state === "stopped") throw stoppedOutside(record);
  // Where memory outlives the sleep, so does an end of before.
  const since = fleet.clock.now();
  const wakeBy = since + options.capMs + OWN_CAP_FIRST_MS;
  // The very machine that sleeps at its cloud costs what it costs; any other one is asked about by its own price.
  const rate = record.parked === "native" ? record.price : leastRate(record);
  const { comeback = { allow: USUAL_RUNGS, ceiling: null } } = options;
  const woken = await withinBudgets(fleet, [launching(record, rate, fleet.clock.now())], options.signal, (held) =>
    wish(held, record.id, { desired: "running", skipSnapshot: false, wakeBy }, {}, comeback),
  );
  let last: InstanceRecord;
  try {
    last = await driveWithin(fleet, record.id, {
      until: (now) => isUp(now) || now.state === "gone" || now.desired !== "running" || hasFailed(now, since),
      signal: options.enough === undefined ? options.signal : AbortSignal.any([options.signal, options.enough]),
      limitMs: options.capMs,
      // Stock comes and goes: until the cap, it is worth asking again.
      persist: () => true,
    });
  } catch (thrown) {
    const error = options.enough?.aborted === true ? options.enough.reason : thrown;
    const now = (await fleet.state.instance(woken.id)) ?? woken;
    // It came to serve at the very moment of the cap.
    if (now.desired === "running" && isUp(now) && !options.signal.aborted) return now;
    // Whoever asked last says for how long.
    if (now.desired === "running" && (now.wakeBy ?? 0) > wakeBy) throw goesOn(now, options, error);
    throw await backToSleep(fleet, woken, now, options, error);
  }
  if (last.desired === "running" && hasFailed(last, since)) throw await asleepAfterFailure(fleet, last, options);
  if (last.desired === "running" && last.state !== "gone") return last;
  if (isGivenUp(last) && fleet.clock.now() >= wakeBy)
    throw await backToSleep(fleet, woken, last, options, notInTime(last, options, undefined));
  throw overruled(last);
}

/** By the cap that is written down: by the wall clock that one can be over before ours, after a sleep of this computer. */
function isGivenUp({ desired, skipSnapshot, state }: InstanceRecord): boolean {
  return desired === "hibernated" && (skipSnapshot || state === "hibernated");
}

function notInTime({ name }: InstanceRecord, { capMs }: WakeOptions, cause: unknown): Problem {
  const message = `${name} was not serving within ${durationText(capMs)}`;
  return new Problem({ code: "SPOT_E_WAKE_TIMEOUT", message, exit: EXIT.timeout, retryable: true, cause });
}

/** Another restore of it was begun since, and has its own cap: what it rents is not ours to end. */
function goesOn(now: InstanceRecord, options: WakeOptions, error: unknown): Problem {
  const how = `another restore of ${now.name} goes on with it`;
  const next = [`spot show ${now.name}`, `spot hibernate ${now.name}`];
  if (options.signal.aborted) return interrupted(options.signal, how, next, error);
  const { code, message, exit } = notInTime(now, options, error);
  return new Problem({ code, message: `${message}; ${how}`, exit, next, cause: error });
}

/** Puts it back to sleep after a wake that came to nothing. @returns what to tell of it. @throws Problem (exit 6). */
async function backToSleep(
  fleet: Fleet,
  woken: InstanceRecord,
  before: InstanceRecord,
  options: WakeOptions,
  error: unknown,
): Promise<unknown> {
  const { name } = woken;
  fleet.say(`${name}: not serving in time; putting it back to sleep`);
  // One that serves, and is told to stop, may have done something already.
  const rest = { signal: new AbortController().signal, limitMs: options.sleepLimitMs, snapshot: isUp(before) };
  const asleep = await putToSleep(fleet, before, rest);
  if (options.signal.aborted)
    return interrupted(options.signal, `${name} is ${asleep.state} again and its GPU is not billed`, [`spot restore ${name}`], error);
  if (!(error instanceof Problem) || error.exit !== EXIT.timeout) return error;
  const wake = await lastWake(fleet.state, name, woken.outlook.wake?.startedAt ?? woken.changedAt);
  const spent = wake === undefined ? "" : `; ${wakePhasesText(wake)}`;
  const copies = await otherCopies(fleet, woken);
  return new Problem({
    code: "SPOT_E_WAKE_TIMEOUT",
    message: `${(options.enough?.aborted === true ? error : notInTime(woken, options, error)).message}; it is ${asleep.state} again and its GPU is not billed`,
    exit: EXIT.timeout,
    hint: `${asleep.reason ?? `it was ${before.state}${before.reason === null ? "" : ` (${before.reason})`}`}${spent}${copies.said === null ? "" : `; ${copies.said}`}`,
    next: [`spot restore ${name} --cap 20m`, `spot restore ${name} --dry-run`, `spot logs ${name}`, ...copies.next],
    retryable: true,
    cause: error,
  });
}

/** Its command has failed: it will not serve, and paying for it stops. @returns what to tell of it. @throws Problem (exit 6). */
export async function asleepAfterFailure(
  fleet: Fleet,
  record: InstanceRecord,
  { signal, sleepLimitMs }: Pick<WakeOptions, "signal" | "sleepLimitMs">,
): Promise<Problem> {
  const log = await reachOf(fleet, record, signal)
    .then((reach) => fleet.guest.logEnd?.(reach, LOG_LINES, signal))
    .catch(() => undefined);
  fleet.say(`${record.name}: its command has failed; putting it back to sleep`);
  const rest = { signal: new AbortController().signal, limitMs: sleepLimitMs, snapshot: isUp(record) };
  return asleepProblem(record, await putToSleep(fleet, record, rest), log ?? []);
}

function stoppedOutside(record: InstanceRecord): Problem {
  const waits = record.spec.onReclaim === "wait" && record.reason !== null;
  const disk = record.dataKeptUntil === null ? "its disk may go on billing" : "its disk goes on billing until the provider deletes it";
  return new Problem({
    code: "SPOT_E_STOPPED",
    message: waits
      ? `${record.name} is stopped: ${record.reason}`
      : `${record.name} was stopped outside of spot; it is started where it was stopped`,
    exit: EXIT.failed,
    hint: waits && record.spec.volume !== null ? "spot hibernate, and then spot restore, rent another machine for its volume now" : disk,
    next: [`spot show ${record.name} --refresh`, `spot down ${record.name}`],
  });
}
