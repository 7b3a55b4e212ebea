import { type InstanceState, mayMove } from "../model/instance.ts";
import type { Change, InstanceRecord, IntentRecord, NewEvent } from "../state/records.ts";
import type { Fleet } from "./fleet.ts";
import { crossWake } from "./wakes/crossing.ts";
import { wakeData } from "./wakes/wake-log.ts";

/** Somebody else changed the record meanwhile: what was decided no longer holds, so look again. */
export class RecordMoved extends Error {
  constructor(name: string) {
    super(`the record of ${name} changed meanwhile`);
    this.name = "RecordMoved";
  }
}

type Settable = NonNullable<Change["instance"]>["set"];

/**
 * Commits a change of one record together with its events, in one transaction. A change of state is logged by itself, and a wake
 * that begins or ends with it.
 * @returns the record as it is now.
 * @throws RecordMoved when the stored record is newer; RangeError when the state machine forbids the move.
 */
export async function changeRecord(
  fleet: Fleet,
  record: InstanceRecord,
  set: Settable,
  rest: Omit<Change, "instance" | "addInstance"> = {},
): Promise<InstanceRecord> {
  const now = fleet.clock.now();
  const moves = set.state !== undefined && set.state !== record.state;
  if (moves) requireMove(record, set.state);
  const events: NewEvent[] = [...(rest.events ?? [])];
  if (moves)
    events.push(
      eventOf(fleet, { ...record, ...set }, "state", {
        from: record.state,
        to: set.state,
        ...(set.reason == null ? {} : { reason: set.reason }),
      }),
    );
  const { outlook, wake } = crossWake(record, set, now);
  if (wake !== undefined) events.push(eventOf(fleet, record, "action", wakeData(wake)));
  const full: Settable = { ...set, ...(moves ? { changedAt: now } : {}), ...(outlook === undefined ? {} : { outlook }) };
  const result = await fleet.state.commit({ ...rest, events, instance: { id: record.id, version: record.version, set: full } });
  if (result !== "committed") throw new RecordMoved(record.name);
  return { ...record, ...full, version: record.version + 1 };
}

function requireMove(record: InstanceRecord, to: InstanceState | undefined): void {
  if (to !== undefined && !mayMove(record.state, to)) throw new RangeError(`${record.name} cannot go from ${record.state} to ${to}`);
}

/** An event about a record, stamped with the fleet's clock and with why it was decided, if it was. */
export function eventOf(
  fleet: Fleet,
  record: Pick<InstanceRecord, "name" | "provider">,
  type: NewEvent["type"],
  data: NewEvent["data"],
): NewEvent {
  const because = fleet.because === undefined ? {} : { because: fleet.because };
  return { at: fleet.clock.now(), type, instance: record.name, provider: record.provider, data: { ...data, ...because } };
}

/** Closings for the open promises of a record, of one kind or of all. */
export async function closings(
  fleet: Fleet,
  record: InstanceRecord,
  at: number,
  kind?: IntentRecord["kind"],
  status: "done" | "failed" = "done",
): Promise<readonly { readonly id: string; readonly status: "done" | "failed"; readonly at: number }[]> {
  const open = await fleet.state.pendingIntents({ instanceId: record.id });
  return open.filter((intent) => kind === undefined || intent.kind === kind).map((intent) => ({ id: intent.id, status, at }));
}
