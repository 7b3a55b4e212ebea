import { durationText } from "../../model/duration.ts";
import { withoutComeback } from "../../model/outlook.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { Change, InstanceRecord, NewEvent } from "../../state/records.ts";
import { sayCopiesLeft } from "../climbing/copies-left.ts";
import { volumesAgain } from "../climbing/moved-volume.ts";
import type { Observation } from "../deciding/decision.ts";
import { withReclaim } from "../deciding/history.ts";
import type { Fleet, GuestReport } from "../fleet.ts";
import { changeover, type Looks } from "../looks.ts";
import { changeRecord, closings, eventOf } from "../record-change.ts";
import { refreshRoot, removeRoot } from "../volumes/root-volume.ts";
import { endOf } from "./loss.ts";
import { withUse } from "./used.ts";

/** It serves: whatever was begun before (a restore, or a hibernation that was taken back) is over. */
export async function noteReady(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  guest: GuestReport | null,
): Promise<void> {
  const at = fleet.clock.now();
  const { reach } = instance;
  await changeRecord(
    fleet,
    record,
    {
      state: record.notice?.kind === "reclaim" ? "reclaiming" : "running",
      rawState: instance.rawState,
      readyAt: at,
      parked: null,
      // Not every cloud tells when a machine began to whoever did not make it.
      protectedUntil: instance.protectedUntil ?? record.protectedUntil,
      ssh: reach?.kind === "ssh" ? { host: reach.host, port: reach.port, user: reach.user } : null,
      endpoints: instance.endpoints,
      dataKeptUntil: null,
      skipSnapshot: false,
      sealedAsleep: false,
      retainAddress: false,
      wakeBy: null,
      outlook: servesNow(record, fleet.looks, at),
      reason: null,
    },
    {
      closeIntents: await closings(fleet, record, at),
      events: [...beganFrom(fleet, record, guest), ...(await sayCopiesLeft(fleet, record))],
    },
  );
}

/** What its work goes on from; a warning when that is not the newest sealed one. A machine that only slept goes on from nothing. */
function beganFrom(fleet: Fleet, record: InstanceRecord, guest: GuestReport | null): readonly NewEvent[] {
  const checkpoint = guest?.restoredFrom ?? null;
  if (guest === null || checkpoint === null || record.parked === "native") return [];
  const { passedOver = [] } = guest;
  if (passedOver.length === 0) return [eventOf(fleet, record, "action", { action: "begin-from", checkpoint })];
  const message = `it goes on from ${checkpoint}: ${passedOver.join(", ")}, newer, could not be put back when its machine came up; spot checkpoints verify ${record.name} says what is damaged`;
  fleet.say(`${record.name}: ${message}`);
  return [eventOf(fleet, record, "warning", { checkpoint, passedOver, message })];
}

/** It needs nothing any more, and where somebody saw it begin to serve, how long the change took is known. */
function servesNow(record: InstanceRecord, looks: Looks | undefined, at: number): InstanceRecord["outlook"] {
  const changeoverMs = changeover(record, looks, at);
  const measured = changeoverMs === null ? {} : { changeoverMs, changeoverOf: { provider: record.provider, at } };
  return { ...withoutComeback(record.outlook), needsSince: null, waiting: null, endsUnsealedAt: null, ...measured };
}

/** The state stays what it was; the provider's own word is there for whoever looks. */
export async function noteUnknown(fleet: Fleet, record: InstanceRecord, { rawState }: ProviderInstance): Promise<void> {
  await changeRecord(fleet, record, {
    rawState,
    reason: `the provider says ${JSON.stringify(rawState)}, which this version does not know`,
  });
}

/** Its machine was asked for long ago, and does not serve. Nothing is done about it: its owner is told why, and that it costs. */
export async function noteOverdue(fleet: Fleet, record: InstanceRecord, why: string): Promise<void> {
  const at = fleet.clock.now();
  const message = `it does not serve ${durationText(at - record.changedAt)} after it was asked for, and may bill: ${why}`;
  fleet.say(`${record.name}: ${message}`);
  await changeRecord(
    fleet,
    record,
    { reason: `not serving: ${why}`, outlook: { ...record.outlook, overdueToldAt: at } },
    { events: [eventOf(fleet, record, "warning", { guard: "overdue", message })] },
  );
}

/** Somebody stopped it at the provider's own console. It is left alone, and its costs and its end are said. */
export async function noteStopped(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance): Promise<void> {
  await changeRecord(fleet, record, {
    state: "stopped",
    rawState: instance.rawState,
    dataKeptUntil: instance.dataKeptUntil,
    notice: null,
    ssh: null,
    endpoints: [],
    reason: instance.endedBy === "provider" ? "reclaimed; its cloud starts it again when there is room" : "stopped outside of spot",
    // A machine that starts again starts its workload again.
    ...(record.outlook.ended == null ? {} : { outlook: { ...record.outlook, ended: null } }),
  });
}

export async function noteHibernated(
  fleet: Fleet,
  record: InstanceRecord,
  parked: "native" | "recreate",
  seen: Observation,
  signal: AbortSignal,
): Promise<void> {
  const at = fleet.clock.now();
  if (parked === "recreate") await refreshRoot(fleet, record, signal);
  const rawState = seen.cloud.kind === "here" ? seen.cloud.instance.rawState : "";
  const again = parked === "recreate" ? await volumesAgain(fleet, record) : {};
  const events = record.desired === "running" ? [] : await sayCopiesLeft(fleet, { ...record, ...again });
  // It may have been taken before anybody asked for its end.
  const taken = parked === "recreate" ? (await endOf(fleet, record, seen)).taken : null;
  const outlook = withReclaim(parked === "recreate" ? withUse(record, at) : record.outlook, taken);
  await changeRecord(
    fleet,
    record,
    {
      state: "hibernated",
      parked,
      rawState,
      readyAt: null,
      notice: null,
      ssh: null,
      endpoints: [],
      skipSnapshot: false,
      // One that is wanted back meanwhile keeps its cap, and what it may do on its way.
      ...(record.desired === "running" ? { outlook } : { wakeBy: null, outlook: withoutComeback(outlook) }),
      // A copy that its checkpoint never reached holds nothing: its work is where it was.
      ...again,
      ...(parked === "recreate" ? { providerId: null, generation: record.generation + 1, parkOnly: false } : {}),
    },
    { closeIntents: await closings(fleet, record, at), events },
  );
}

/** The provider says that there is no machine any more, and none is wanted; a root disk that was kept goes with it. */
export async function noteGone(fleet: Fleet, record: InstanceRecord, seen: Observation, signal: AbortSignal): Promise<void> {
  const rawState = seen.cloud.kind === "gone" ? (seen.cloud.instance?.rawState ?? "") : "";
  // It may have been taken before anybody asked for its end.
  const { taken } = await endOf(fleet, record, seen);
  await removeRoot(fleet, record, signal);
  await changeRecord(
    fleet,
    record,
    { state: "gone", rawState, notice: null, ssh: null, endpoints: [], outlook: withReclaim(record.outlook, taken) },
    { closeIntents: await closings(fleet, record, fleet.clock.now()) },
  );
}

/** Its price is above what is allowed since then, or no longer. */
export async function noteDear(fleet: Fleet, record: InstanceRecord, since: number | null): Promise<void> {
  const told = eventOf(fleet, record, "action", { action: since === null ? "price-fell" : "price-rose" });
  await changeRecord(fleet, record, { outlook: { ...record.outlook, dearSince: since } }, { events: [told] });
}

/** Writes down what follows from the time that has passed. */
export async function noteWish(
  fleet: Fleet,
  record: InstanceRecord,
  action: string,
  set: NonNullable<Change["instance"]>["set"],
): Promise<void> {
  await changeRecord(fleet, record, set, { events: [eventOf(fleet, record, "action", { action })] });
}
