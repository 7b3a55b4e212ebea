import type { Comeback } from "../model/comeback.ts";
import type { Change, InstanceRecord } from "../state/records.ts";
import type { Fleet } from "./fleet.ts";
import { changeRecord, RecordMoved } from "./record-change.ts";

/**
 * Writes down what is wanted of an instance. Durable from then on: whoever looks at the record next, this process or
 * `reconcile` after a crash, works towards it. `beside`: what is promised in the same transaction.
 * `comeback`: what a restore may do on its way.
 */
export async function wish(
  fleet: Fleet,
  id: string,
  set: Pick<NonNullable<Change["instance"]>["set"], "desired" | "skipSnapshot" | "wakeBy" | "retainAddress" | "reason">,
  beside: Pick<Change, "openIntents" | "closeIntents" | "events"> = {},
  comeback?: Pick<Comeback, "allow" | "ceiling" | "oldest">,
): Promise<InstanceRecord> {
  for (let attempt = 0; ; attempt++) {
    const record = await fleet.state.instance(id);
    if (record === undefined) throw new RangeError(`no record ${id}`);
    // An end that was asked for is never taken back by a command that began earlier.
    const isPromised = (beside.openIntents?.length ?? 0) + (beside.closeIntents?.length ?? 0) > 0;
    if (record.state === "gone" && isPromised) await fleet.state.commit(beside);
    if (record.state === "gone" || (record.desired === "gone" && set.desired !== "gone")) return record;
    try {
      // Whoever asks for it now does not mean after the next pause.
      const now = fleet.clock.now();
      const back = comeback === undefined ? {} : { comeback: { ...begunOf(record), ...comeback } };
      const needs = set.desired === "running" ? { outlook: { ...record.outlook, needsSince: now, waiting: null, ...back } } : {};
      return await changeRecord(
        fleet,
        record,
        { ...set, ...needs },
        {
          ...beside,
          events: [
            ...(beside.events ?? []),
            {
              at: now,
              type: "action",
              instance: record.name,
              provider: record.provider,
              data: { action: "wish", ...set, ...(comeback === undefined ? {} : { ways: comeback.allow }) },
            },
          ],
        },
      );
    } catch (error) {
      if (!(error instanceof RecordMoved) || attempt >= 50) throw error;
      await fleet.clock.sleep(10 + fleet.rng.next() * 40);
    }
  }
}

/** What a restore that is under way has come to; one that is over tells nothing of what is on the volume by now. */
function begunOf({ desired, outlook }: InstanceRecord): Pick<Comeback, "rung" | "snapshot"> {
  return { rung: null, snapshot: null, ...(desired === "running" ? outlook.comeback : null) };
}
