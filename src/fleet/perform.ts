import { EXIT } from "../model/exit-codes.ts";
import { newId } from "../model/ids.ts";
import { Problem } from "../model/problem.ts";
import { isFault } from "../providers/errors.ts";
import type { ProviderInstance } from "../providers/provider.ts";
import type { InstanceRecord, IntentRecord } from "../state/records.ts";
import { syncRecordCheckpoints } from "./checkpoint-sync.ts";
import type { Action, Observation } from "./decide.ts";
import { didNothing } from "./faults.ts";
import { call, type Fleet } from "./fleet.ts";
import { adoptLaunch, launch, refuseLaunch } from "./launch.ts";
import { afterLoss } from "./loss.ts";
import { offerKey } from "./offer-choice.ts";
import { changeRecord, closings, eventOf } from "./record-change.ts";

/** A machine that never came up is passed over for as long as one without capacity. */
const BLOCK_MS = 180_000;
/** After a request that takes a while, the first look is worth this wait, in milliseconds. */
const ASKED_MS = 100;
const AGAIN_MS = 5_000;
/** How long before a deadline the agent should have sealed. */
const SEAL_MARGIN_SECONDS = 1;

/**
 * Does one decided step: promise, call, outcome. Safe to repeat after a crash at any point.
 * @returns milliseconds to wait before the next look; 0 to look at once; null when there is nothing left to do.
 */
export async function perform(
  fleet: Fleet,
  record: InstanceRecord,
  action: Action,
  seen: Observation,
  signal: AbortSignal,
): Promise<number | null> {
  switch (action.do) {
    case "wait":
      return action.ms;
    case "rest":
      return null;
    case "launch":
      await launch(fleet, record, signal);
      return 0;
    case "adopt-launch":
      if (seen.launchIntent !== null) await adoptLaunch(fleet, record, seen.launchIntent, action.instance);
      return 0;
    case "abandon-launch":
      if (seen.launchIntent !== null) await refuseLaunch(fleet, record, seen.launchIntent, null, "the launch never arrived", false);
      return 0;
    case "note-ready":
      await noteReady(fleet, record, action.instance);
      return 0;
    case "note-notice":
      await noteNotice(fleet, record, action.instance, signal);
      return 0;
    case "note-withdrawn":
      await changeRecord(
        fleet,
        record,
        { notice: null, state: "running" },
        { events: [eventOf(fleet, record, "notice", { withdrawn: true })] },
      );
      return 0;
    case "note-lost":
      await afterLoss(fleet, record, seen, signal);
      return 0;
    case "discard":
      await discard(fleet, record, seen, signal);
      return ASKED_MS;
    case "snapshot-and-hibernate":
      if (action.snapshot) await sealFirst(fleet, record, action.instance, "hibernate", signal);
      await hibernateNow(fleet, record, action.instance, signal);
      return ASKED_MS;
    case "note-hibernated":
      await noteHibernated(fleet, record, action.parked, seen);
      return 0;
    case "restore":
      await restoreNow(fleet, record, action.instance, signal);
      return ASKED_MS;
    case "give-up-waking":
      await changeRecord(
        fleet,
        record,
        { desired: "hibernated", skipSnapshot: true, wakeBy: null, reason: "it was not serving by its cap" },
        { events: [eventOf(fleet, record, "action", { action: "give-up-waking" })] },
      );
      return 0;
    case "snapshot-and-destroy":
      if (action.snapshot) await sealFirst(fleet, record, action.instance, record.desired === "gone" ? "down" : "hibernate", signal);
      await destroyNow(fleet, record, action.instance.providerId, signal);
      // Asked before, and still there: asking is repeated, but not at every look.
      return record.state === "terminating" ? AGAIN_MS : ASKED_MS;
    case "note-gone":
      await noteGone(fleet, record, seen);
      return 0;
  }
}

async function noteReady(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance): Promise<void> {
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
      protectedUntil: instance.protectedUntil,
      ssh: reach?.kind === "ssh" ? { host: reach.host, port: reach.port, user: reach.user } : null,
      skipSnapshot: false,
      wakeBy: null,
      reason: null,
    },
    // It serves: whatever was begun before (a restore, or a hibernation that was taken back) is over.
    { closeIntents: await closings(fleet, record, at) },
  );
}

async function noteNotice(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  const { notice } = instance;
  if (notice === null) return;
  const isReclaim = notice.kind === "reclaim";
  const hibernates = isReclaim && record.spec.onReclaim === "hibernate" && record.desired === "running";
  await changeRecord(
    fleet,
    record,
    {
      notice,
      rawState: instance.rawState,
      ...(isReclaim && record.state !== "reclaiming" ? { state: "reclaiming" as const } : {}),
      ...(hibernates ? { desired: "hibernated" as const } : {}),
    },
    { events: [eventOf(fleet, record, "notice", { ...notice, policy: record.spec.onReclaim })] },
  );
  fleet.say(`${record.name}: ${notice.kind} notice, ${Math.max(0, Math.round((notice.deadline - fleet.clock.now()) / 1000))} s left`);
  // The agent usually heard it first; where it cannot hear, this is how it learns. A machine that is
  // already going away may not answer, and that must not keep us from the rest.
  if (isReclaim && instance.reach !== null)
    await fleet.guest.tellNotice(instance.reach, Math.floor(notice.deadline / 1000), signal).catch(() => undefined);
}

/**
 * The checkpoint before the machine sleeps or ends. When it fails, nothing is ended: the work is worth more than the
 * minutes that it costs to look.
 */
async function sealFirst(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  reason: "hibernate" | "down",
  signal: AbortSignal,
): Promise<void> {
  if (record.spec.volume === null || instance.reach === null) return;
  fleet.say(`${record.name}: sealing a checkpoint`);
  const notice = instance.notice ?? record.notice;
  const deadline = notice === null ? null : Math.floor(notice.deadline / 1000) - SEAL_MARGIN_SECONDS;
  const sealed = await fleet.guest.snapshot(instance.reach, reason, deadline, signal);
  await syncRecordCheckpoints(fleet, record, signal);
  if (sealed.kind !== "failed") return;
  throw new Problem({
    code: "SPOT_E_CHECKPOINT",
    message: `${record.name}: the checkpoint failed, so it was left running (and billing): ${sealed.why}`,
    exit: EXIT.partial,
    hint: "with --no-snapshot the last sealed checkpoint is relied on",
    next: [`spot checkpoints ls ${record.name}`, `spot ${reason} ${record.name} --no-snapshot`],
  });
}

async function promiseOnce(
  fleet: Fleet,
  record: InstanceRecord,
  kind: IntentRecord["kind"],
  providerId: string,
): Promise<readonly IntentRecord[]> {
  const open = await fleet.state.pendingIntents({ instanceId: record.id });
  if (open.some((intent) => intent.kind === kind)) return [];
  const createdAt = fleet.clock.now();
  return [
    {
      id: newId("n", fleet.rng),
      kind,
      instanceId: record.id,
      provider: record.provider,
      token: newId("t", fleet.rng),
      createdAt,
      status: "pending",
      closedAt: null,
      detail: { providerId },
    },
  ];
}

async function destroyNow(fleet: Fleet, record: InstanceRecord, providerId: string, signal: AbortSignal): Promise<void> {
  const provider = await fleet.provider(record.provider);
  const openIntents = await promiseOnce(fleet, record, "destroy", providerId);
  const state = record.desired === "gone" ? "terminating" : "hibernating";
  await changeRecord(
    fleet,
    record,
    { state },
    { openIntents, events: [eventOf(fleet, record, "intent", { intent: "destroy", providerId })] },
  );
  fleet.say(`${record.name}: ending the machine`);
  await call(signal, (context) => provider.destroy(providerId, context));
}

/** Ends a machine that never came up, and passes its offer over for a while. */
async function discard(fleet: Fleet, record: InstanceRecord, seen: Observation, signal: AbortSignal): Promise<void> {
  if (record.providerId === null || seen.cloud.kind !== "here") return;
  const { providerId } = record;
  const provider = await fleet.provider(record.provider);
  const why = seen.cloud.instance.reason ?? "the machine failed";
  await changeRecord(
    fleet,
    record,
    { readyAt: null, reason: why, rawState: seen.cloud.instance.rawState },
    {
      openIntents: await promiseOnce(fleet, record, "destroy", providerId),
      blockOffers: [{ key: offerKey(record), until: fleet.clock.now() + BLOCK_MS, why }],
      events: [eventOf(fleet, record, "action", { action: "discard", providerId, why })],
    },
  );
  fleet.say(`${record.name}: the machine failed (${why}); trying another offer`);
  await call(signal, (context) => provider.destroy(providerId, context));
}

async function hibernateNow(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  const provider = await fleet.provider(record.provider);
  const openIntents = await promiseOnce(fleet, record, "hibernate", instance.providerId);
  await changeRecord(
    fleet,
    record,
    { state: "hibernating" },
    { openIntents, events: [eventOf(fleet, record, "intent", { intent: "hibernate" })] },
  );
  fleet.say(`${record.name}: hibernating`);
  try {
    await call(signal, (context) => provider.hibernation?.hibernate(instance.providerId, context) ?? Promise.resolve());
  } catch (error) {
    // Already on its way, or ended meanwhile: the next look says which.
    if (!isFault(error, "conflict", "not-found")) throw error;
  }
}

async function restoreNow(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  const provider = await fleet.provider(record.provider);
  const openIntents = await promiseOnce(fleet, record, "restore", instance.providerId);
  const promised = await changeRecord(
    fleet,
    record,
    { state: "restoring", parked: null, readyAt: null },
    { openIntents, events: [eventOf(fleet, record, "intent", { intent: "restore" })] },
  );
  fleet.say(`${record.name}: restoring`);
  try {
    await call(signal, (context) => provider.hibernation?.restore(instance.providerId, context) ?? Promise.resolve());
  } catch (error) {
    if (isFault(error, "conflict")) return;
    if (didNothing(error)) {
      const at = fleet.clock.now();
      await changeRecord(
        fleet,
        promised,
        { state: "hibernated", parked: "native", reason: error.message },
        { closeIntents: await closings(fleet, record, at, "restore", "failed") },
      );
    }
    throw error;
  }
}

async function noteHibernated(fleet: Fleet, record: InstanceRecord, parked: "native" | "recreate", seen: Observation): Promise<void> {
  const at = fleet.clock.now();
  const rawState = seen.cloud.kind === "here" ? seen.cloud.instance.rawState : "";
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
      skipSnapshot: false,
      wakeBy: null,
      ...(parked === "recreate" ? { providerId: null, generation: record.generation + 1 } : {}),
    },
    { closeIntents: await closings(fleet, record, at) },
  );
}

async function noteGone(fleet: Fleet, record: InstanceRecord, seen: Observation): Promise<void> {
  const at = fleet.clock.now();
  const rawState = seen.cloud.kind === "gone" ? (seen.cloud.instance?.rawState ?? "") : "";
  await changeRecord(
    fleet,
    record,
    { state: "gone", rawState, notice: null, ssh: null },
    { closeIntents: await closings(fleet, record, at) },
  );
}
