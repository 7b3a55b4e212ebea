import type { InstanceRecord, IntentRecord } from "../../state/records.ts";
import { noteArrived } from "../climbing/arrived.ts";
import { bringAwaited } from "../climbing/bring-awaited.ts";
import type { Action, Observation } from "../deciding/decision.ts";
import type { Fleet } from "../fleet.ts";
import { attachVolume, mountVolume } from "../volumes/attach.ts";
import { dueWish } from "./due-wish.ts";
import { noteWorkOn, sealEarly } from "./early-seal.ts";
import { clearRemains, discard, endNow, refuseParking, refuseStopped } from "./ending.ts";
import { NO_SEAL, sealLast } from "./last-seal.ts";
import { adoptLaunch, launch, refuseLaunch } from "./launch.ts";
import { afterLoss } from "./loss.ts";
import { moveAway, takePrecaution } from "./move.ts";
import { stillWaiting } from "./no-capacity.ts";
import { noteDear, noteGone, noteHibernated, noteOverdue, noteReady, noteStopped, noteUnknown, noteWish } from "./notes.ts";
import { noteMouth, noteNotice, noteWithdrawn, tellNotice } from "./notices.ts";
import { hibernateNow, restoreNow } from "./sleep.ts";
import { lookForSpot } from "./spot-return.ts";
import { adoptAhead, endSuccessor, launchAhead, refuseAhead, takeOver } from "./succession.ts";

/** After a request that takes a while, the first look is worth this wait, in milliseconds. */
const ASKED_MS = 100;
const AGAIN_MS = 5_000;
/** An agent that did not get the word about its notice is told again: its checkpoint waits for that. */
const TELL_AGAIN_MS = 1_000;

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
    case "await-capacity":
      return stillWaiting(record);
    case "end-successor":
      return endSuccessor(fleet, record, signal);
    case "discard": {
      const askedMs = await untilNextLook(fleet, record, "destroy");
      await discard(fleet, record, seen, signal);
      return askedMs;
    }
    case "attach-volume":
      return attachVolume(fleet, record, action.instance, action.volumeId, signal);
    case "mount-volume":
      return mountVolume(fleet, record, action.instance, seen.attachVolume, signal);
    case "bring-checkpoint":
      return bringAwaited(fleet, record, action.instance, signal);
    case "snapshot-and-hibernate": {
      const askedMs = await untilNextLook(fleet, record, "hibernate");
      const seal = action.snapshot ? await sealLast(fleet, record, action.instance, signal) : NO_SEAL;
      await hibernateNow(fleet, record, action.instance, seal, signal);
      return askedMs;
    }
    case "restore": {
      const askedMs = await untilNextLook(fleet, record, "restore");
      await restoreNow(fleet, record, action.instance, signal);
      return askedMs;
    }
    case "snapshot-and-destroy": {
      const askedMs = await untilNextLook(fleet, record, "destroy");
      const seal = action.snapshot ? await sealLast(fleet, record, action.instance, signal) : NO_SEAL;
      await endNow(fleet, record, action.instance, seal, signal);
      return askedMs;
    }
    case "refuse-stopped":
      return refuseStopped(record);
    case "refuse-parking":
      return refuseParking(fleet, record);
    case "tell-notice":
      return (await tellNotice(fleet, record, action.instance, signal)) ? null : TELL_AGAIN_MS;
    case "note-withdrawn":
      return (await noteWithdrawn(fleet, record, seen, signal)) ? 0 : AGAIN_MS;
    default:
      await note(fleet, record, action, seen, signal);
      return 0;
  }
}

/** Asked before, and nothing has come of it: asking is repeated, but not at every look. */
async function untilNextLook(fleet: Fleet, record: InstanceRecord, kind: IntentRecord["kind"]): Promise<number> {
  const open = await fleet.state.pendingIntents({ instanceId: record.id });
  return open.some((intent) => intent.kind === kind) ? AGAIN_MS : ASKED_MS;
}

type Noted = Exclude<
  Action,
  {
    readonly do:
      | "wait"
      | "rest"
      | "await-capacity"
      | "end-successor"
      | "discard"
      | "attach-volume"
      | "mount-volume"
      | "bring-checkpoint"
      | "snapshot-and-hibernate"
      | "restore"
      | "snapshot-and-destroy"
      | "refuse-stopped"
      | "refuse-parking"
      | "tell-notice"
      | "note-withdrawn";
  }
>;

/** The steps after which one looks again at once. */
async function note(fleet: Fleet, record: InstanceRecord, action: Noted, seen: Observation, signal: AbortSignal): Promise<void> {
  switch (action.do) {
    case "launch":
      await launch(fleet, record, signal);
      return;
    case "adopt-launch":
      if (seen.launchIntent !== null) await adoptLaunch(fleet, record, seen.launchIntent, action.instance);
      return;
    case "abandon-launch":
      if (seen.launchIntent !== null) await refuseLaunch(fleet, record, seen.launchIntent, "the launch never arrived", null);
      return;
    case "launch-ahead":
      return launchAhead(fleet, record, signal);
    case "adopt-ahead":
      if (seen.aheadIntent !== null) await adoptAhead(fleet, record, seen.aheadIntent, action.instance);
      return;
    case "abandon-ahead":
      if (seen.aheadIntent !== null) await refuseAhead(fleet, record, seen.aheadIntent, "the launch never arrived", null);
      return;
    case "take-over":
      return takeOver(fleet, record);
    case "note-arrived":
      return noteArrived(fleet, record, seen.cloud.kind === "here" ? seen.cloud.instance.reach : null, signal);
    case "note-ready":
      return noteReady(fleet, record, action.instance, seen.guest);
    case "note-notice":
      return noteNotice(fleet, record, action.instance, signal);
    case "note-mouth":
      return noteMouth(fleet, record, action.second);
    case "note-overdue":
      return noteOverdue(fleet, record, action.why);
    case "note-unknown":
      return noteUnknown(fleet, record, action.instance);
    case "note-stopped":
      return noteStopped(fleet, record, action.instance);
    case "note-lost":
      return afterLoss(fleet, record, seen, signal);
    case "clear-remains":
      return clearRemains(fleet, record, action.instance, seen, signal);
    case "note-hibernated":
      return noteHibernated(fleet, record, action.parked, seen, signal);
    case "seal-early":
      return sealEarly(fleet, record, action.instance, signal);
    case "work-on":
      return noteWorkOn(fleet, record, action.until);
    case "precaution":
      return takePrecaution(fleet, record, action.instance, signal);
    case "note-dear":
      return noteDear(fleet, record, action.since);
    case "look-for-spot":
      return lookForSpot(fleet, record, signal);
    case "move":
      return moveAway(fleet, record, action.instance, signal);
    case "let-expire":
    case "sleep":
    case "leave-dear":
    case "give-up-waking":
      return noteWish(fleet, record, action.do, dueWish(action.do, record, seen, fleet.because ?? null));
    case "note-gone":
      return noteGone(fleet, record, seen, signal);
  }
}
