import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import type { Change, InstanceRecord } from "../state/records.ts";
import { drive, driveWithin } from "./drive.ts";
import type { Fleet } from "./fleet.ts";
import { interrupted } from "./interrupted.ts";
import { wish } from "./wish.ts";

export interface LimitedOptions {
  readonly signal: AbortSignal;
  readonly limitMs: number;
}

/** Commits the wish that it be gone, and what is promised in the same transaction. */
type WishWriter = (held: Fleet, beside: Pick<Change, "openIntents" | "closeIntents" | "events">) => Promise<unknown>;

/**
 * Ends a machine, with a final checkpoint unless told otherwise, and waits until the provider says it is gone. `promise`: writes
 * the wish together with what is promised about its volumes (`volumes/end-order.ts`).
 */
export async function takeDown(
  fleet: Fleet,
  record: InstanceRecord,
  options: LimitedOptions & { readonly snapshot: boolean; readonly promise?: (write: WishWriter) => Promise<unknown> },
): Promise<InstanceRecord> {
  const write: WishWriter = (held, beside) => wish(held, record.id, { desired: "gone", skipSnapshot: !options.snapshot }, beside);
  await (options.promise === undefined ? write(fleet, {}) : options.promise(write));
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
    driveWithin(fleet, record.id, {
      until: (now) => now.state === "gone" || now.desired === "running" || (now.state === "hibernated" && now.desired === "hibernated"),
      signal: options.signal,
      limitMs: options.limitMs,
      persist: () => true,
    }),
  );
  if (last.desired === "running" && last.state !== "gone") throw overruled(last);
  return last;
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
