import { durationText } from "../model/duration.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import type { Change, InstanceRecord } from "../state/records.ts";
import { launching, withinBudgets } from "./budgets/budget-guard.ts";
import { isUp } from "./deciding/decide.ts";
import { drive } from "./drive.ts";
import type { Fleet } from "./fleet.ts";
import { interrupted } from "./interrupted.ts";
import { leastRate } from "./ledger.ts";
import { wish } from "./wish.ts";

/** The command that wakes it caps it itself; the written cap is for the case that the command was killed. */
const OWN_CAP_FIRST_MS = 5_000;

export interface LimitedOptions {
  readonly signal: AbortSignal;
  readonly limitMs: number;
}

/**
 * Ends a machine, with a final checkpoint unless told otherwise, and waits until the provider says it is gone. `beside`: what is
 * promised together with its end (`volumes/end-promise.ts`).
 */
export async function takeDown(
  fleet: Fleet,
  record: InstanceRecord,
  options: LimitedOptions & { readonly snapshot: boolean; readonly beside?: Pick<Change, "openIntents" | "closeIntents" | "events"> },
): Promise<InstanceRecord> {
  await wish(fleet, record.id, { desired: "gone", skipSnapshot: !options.snapshot }, options.beside);
  return unconfirmedAs(record, options.signal, () =>
    drive(fleet, record.id, {
      until: (now) => now.state === "gone",
      signal: options.signal,
      limitMs: options.limitMs,
      persist: () => true,
    }),
  );
}

/**
 * A time-out while something is being ended means that it may still bill: exit 6, and it is named. Ctrl-C does not take
 * the wish back: it is written down, and the next reconcile works towards it.
 */
async function unconfirmedAs<Result>(record: InstanceRecord, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted)
      throw interrupted(signal, `${record.name} may still be billing; the next reconcile finishes it`, ["spot reconcile"], error);
    if (!(error instanceof Problem) || error.exit !== EXIT.timeout) throw error;
    throw new Problem({
      code: "SPOT_E_UNCONFIRMED",
      message: `${error.message}; it may still be billing`,
      exit: EXIT.partial,
      next: ["spot reconcile", `spot show ${record.name}`],
      retryable: true,
      cause: error,
    });
  }
}

/** Stops paying for the GPU and keeps the disk: by the cloud's own hibernation, or parked on the volume. */
export async function putToSleep(
  fleet: Fleet,
  record: InstanceRecord,
  options: LimitedOptions & { readonly snapshot: boolean; readonly retainAddress?: boolean },
): Promise<InstanceRecord> {
  if (record.state === "hibernated" && record.desired === "hibernated") return record;
  await wish(fleet, record.id, {
    desired: "hibernated",
    skipSnapshot: !options.snapshot,
    retainAddress: options.retainAddress === true,
    wakeBy: null,
  });
  const last = await unconfirmedAs(record, options.signal, () =>
    drive(fleet, record.id, {
      until: (now) => now.state === "gone" || now.desired === "running" || (now.state === "hibernated" && now.desired === "hibernated"),
      signal: options.signal,
      limitMs: options.limitMs,
      persist: () => true,
    }),
  );
  if (last.desired === "running" && last.state !== "gone") throw overruled(last);
  return last;
}

/**
 * Brings a sleeping instance back to serving. Past the cap it is put to sleep again, so that paying stops when waiting
 * stops.
 * @throws Problem with exit 3 when a budget has no room for it (nothing was changed then), 124 past the cap, 130 when
 * interrupted (asleep again in both cases).
 */
export async function wakeUp(
  fleet: Fleet,
  record: InstanceRecord,
  options: { readonly signal: AbortSignal; readonly capMs: number; readonly sleepLimitMs: number },
): Promise<InstanceRecord> {
  if (isUp(record) && record.desired === "running") return record;
  if (record.state === "stopped") throw stoppedOutside(record);
  const wakeBy = fleet.clock.now() + options.capMs + OWN_CAP_FIRST_MS;
  // The very machine that sleeps at its cloud costs what it costs; any other one is asked about by its own price.
  const rate = record.parked === "native" ? record.price : leastRate(record);
  const woken = await withinBudgets(fleet, [launching(record, rate, fleet.clock.now())], options.signal, (held) =>
    wish(held, record.id, { desired: "running", skipSnapshot: false, wakeBy }),
  );
  let last: InstanceRecord;
  try {
    last = await drive(fleet, record.id, {
      until: (now) => isUp(now) || now.state === "gone" || now.desired !== "running",
      signal: options.signal,
      limitMs: options.capMs,
      // Stock comes and goes: until the cap, it is worth asking again.
      persist: () => true,
    });
  } catch (error) {
    fleet.say(`${record.name}: not serving in time; putting it back to sleep`);
    const rest = { signal: new AbortController().signal, limitMs: options.sleepLimitMs, snapshot: false };
    const asleep = await putToSleep(fleet, woken, rest);
    if (options.signal.aborted)
      throw interrupted(
        options.signal,
        `${record.name} is ${asleep.state} again and its GPU is not billed`,
        [`spot restore ${record.name}`],
        error,
      );
    if (!(error instanceof Problem) || error.exit !== EXIT.timeout) throw error;
    throw new Problem({
      code: "SPOT_E_WAKE_TIMEOUT",
      message: `${record.name} was not serving within ${durationText(options.capMs)}; it is ${asleep.state} again and its GPU is not billed`,
      exit: EXIT.timeout,
      hint: asleep.reason ?? error.message,
      next: [`spot restore ${record.name} --cap 20m`, `spot logs ${record.name}`],
      retryable: true,
      cause: error,
    });
  }
  if (last.desired === "running" && last.state !== "gone") return last;
  throw overruled(last);
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

const OVERRULED = { running: "woken", hibernated: "put to sleep", gone: "ended" } as const;

/** Another command wanted something else meanwhile, and its wish stands. */
export function overruled(record: InstanceRecord): Problem {
  return new Problem({
    code: "SPOT_E_CONFLICT",
    message: `${record.name} was ${OVERRULED[record.desired]} by another command${record.reason === null ? "" : ` (${record.reason})`}`,
    exit: EXIT.failed,
  });
}
