import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { onDemandFrom, waitFor, waitsForMs } from "../deciding/waiting.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";

/** Writes down that it waits, why, and until when; an event tells it once for each reason. */
export async function noteWaiting(fleet: Fleet, record: InstanceRecord, reason: string): Promise<InstanceRecord> {
  const now = fleet.clock.now();
  const waiting = waitFor(record, reason, now, fleet.rng.next());
  const { nextLook } = waiting;
  const told =
    record.outlook.waiting?.reason === reason
      ? []
      : [eventOf({ ...fleet, because: reason }, record, "action", { action: "wait", nextLook, onDemandFrom: onDemandFrom(record) })];
  return changeRecord(fleet, record, { reason, outlook: { ...record.outlook, waiting } }, { events: told });
}

/** How long a step that found no capacity is not worth another try, in milliseconds; 0 where that is not what stopped it. */
export async function untilCapacityIsAsked(fleet: Fleet, id: string, problem: unknown): Promise<number> {
  if (!(problem instanceof Problem) || problem.code !== "SPOT_E_NO_CAPACITY") return 0;
  const record = await fleet.state.instance(id);
  return record === undefined ? 0 : waitsForMs(record, fleet.clock.now());
}

/** @throws Problem always (exit 5): a moment ago there was no machine for it, and it is too early to ask again. */
export function stillWaiting({ name, outlook }: InstanceRecord): never {
  const { waiting } = outlook;
  const next = waiting === null ? "" : `; looks again at ${new Date(waiting.nextLook).toISOString().slice(11, 19)}Z`;
  throw new Problem({
    code: "SPOT_E_NO_CAPACITY",
    message: `no machine for ${name}: ${waiting?.reason ?? "there is no capacity"}${next}`,
    exit: EXIT.noCapacity,
    retryable: true,
    next: ["spot offers"],
  });
}
