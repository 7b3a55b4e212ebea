import { durationText } from "../../model/duration.ts";
import { mayMove } from "../../model/instance.ts";
import type { Notice } from "../../model/notice.ts";
import { hasFailed } from "../../model/workload-end.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, IntentRecord } from "../../state/records.ts";
import { isAwaited, isTimeAhead } from "./ahead.ts";
import type { Action, Decision, KnownCloud, Observation } from "./decision.ts";
import { sealsLast } from "./last-seal.ts";
import { isOverdue, whyNotServing } from "./overdue.ts";
import { decideStay } from "./stay.ts";
import { decideUnderNotice } from "./under-notice.ts";
import { waitsForMs } from "./waiting.ts";

const LATER_MS = 1000;
/** A destroy that was accepted and shows no effect is sent again after this long. */
const DESTROY_AGAIN_MS = 30_000;
/** A machine that ends itself is given so long past its time before we do it. */
const EXPIRY_SLACK_MS = 300_000;
/** Two words about one deadline may differ by so much: clocks are compared by the second. */
const SAME_DEADLINE_MS = 5_000;

const step = (action: Action, why: string): Decision => ({ action, why });
const wait = (ms: number, why: string): Decision => step({ do: "wait", ms }, why);

/** The next step for one instance. Pure: the same observation always gives the same answer. */
export function decide(record: InstanceRecord, seen: Observation): Decision {
  if (seen.launchIntent !== null) return decideLaunchAnswer(seen.launchIntent, seen);
  if (seen.aheadIntent !== null) return decideAheadAnswer(seen.aheadIntent, seen);
  const { cloud } = seen;
  if (cloud.kind === "silent") return wait(LATER_MS, `the provider does not answer: ${cloud.why}`);
  if (hasArrived(record, seen))
    return step({ do: "note-arrived" }, "its checkpoint is on the volume of its machine, and its work goes on there");
  if (record.outlook.successor !== null && !isAwaited(record, cloud, seen.now))
    return step({ do: "end-successor" }, "the machine that was to take over is not needed");
  if (record.desired === "running" && record.wakeBy !== null && !isUp(record) && seen.now >= record.wakeBy)
    return step({ do: "give-up-waking" }, "it was not serving by its cap");
  switch (record.desired) {
    case "gone":
      return decideEnding(record, cloud, seen);
    case "hibernated":
      return decideHibernating(record, cloud, seen);
    case "running":
      return decideRunning(record, cloud, seen);
  }
}

/** A launch whose answer was lost is looked for by its token before anything else happens. */
function decideLaunchAnswer(intent: IntentRecord, seen: Observation): Decision {
  if (seen.foundByToken !== null)
    return step({ do: "adopt-launch", instance: seen.foundByToken }, "found by its token after a lost answer");
  if (seen.cloud.kind === "silent") return wait(LATER_MS, `the provider does not answer: ${seen.cloud.why}`);
  const age = seen.now - intent.createdAt;
  // A clock that jumped backwards must not make us wait for ever; a machine that appears after all is a stray, and ended.
  if (age >= 0 && age < seen.listSettlesMs)
    return wait(Math.min(LATER_MS, seen.listSettlesMs - age), "a launch without an answer may still appear");
  return step({ do: "abandon-launch" }, "the launch never arrived");
}

/** The same for a machine that is to take over. */
function decideAheadAnswer(intent: IntentRecord, seen: Observation): Decision {
  const { action, why } = decideLaunchAnswer(intent, seen);
  if (action.do === "adopt-launch") return step({ do: "adopt-ahead", instance: action.instance }, why);
  return action.do === "abandon-launch" ? step({ do: "abandon-ahead" }, why) : { action, why };
}

function decideEnding(record: InstanceRecord, cloud: KnownCloud, seen: Observation): Decision {
  if (cloud.kind !== "here")
    return step({ do: "note-gone" }, record.providerId === null ? "there is no machine" : "the provider says it is gone");
  const { instance } = cloud;
  if (instance.state === "terminating" && seen.now - lastChange(record, seen.now) < DESTROY_AGAIN_MS)
    return wait(seen.pollMs, "waiting for the provider to confirm");
  return step({ do: "snapshot-and-destroy", instance, snapshot: sealsLast(record, instance, seen) }, "it is to be gone");
}

function decideHibernating(record: InstanceRecord, cloud: KnownCloud, seen: Observation): Decision {
  const { hibernates, pollMs, waitsForCapacity } = seen;
  if (record.state === "hibernated" && (cloud.kind === "none" || (cloud.kind === "here" && cloud.instance.state === "hibernated")))
    return step({ do: "rest" }, "hibernated");
  if (cloud.kind !== "here") return step({ do: "note-hibernated", parked: "recreate" }, "there is no machine; the volume holds the work");
  const { instance } = cloud;
  switch (instance.state) {
    case "hibernated":
      return step({ do: "note-hibernated", parked: "native" }, "the provider says it is hibernated");
    case "running":
    case "reclaiming": {
      const snapshot = sealsLast(record, instance, seen);
      if (!isParked(record, instance, hibernates)) return step({ do: "snapshot-and-hibernate", instance, snapshot }, "it is to hibernate");
      if (snapshot && record.spec.volume === null && instance.rootVolumeId === null)
        return step({ do: "refuse-parking" }, "nothing would outlive its machine");
      return step({ do: "snapshot-and-destroy", instance, snapshot }, "its cloud cannot hibernate it: parked on its volume");
    }
    case "stopped":
      if (instance.endedBy !== "provider" && (!record.skipSnapshot || holdsWork(record)))
        return step({ do: "refuse-stopped" }, "it is stopped: no checkpoint can be made of it");
      if (waitsForCapacity && record.spec.volume === null && !record.skipSnapshot && record.readyAt !== null)
        return step({ do: "refuse-parking" }, "its cloud keeps its own disk, and nothing else would outlive it");
      return step({ do: "snapshot-and-destroy", instance, snapshot: false }, "it is stopped; the volume holds the work");
    case "failed":
      return step({ do: "snapshot-and-destroy", instance, snapshot: false }, "the machine failed; the volume holds the work");
    case "provisioning":
      // It may hang there for ever, and be billed; and no cloud hibernates what has not come up.
      if (neverServed(record, isParked(record, instance, hibernates)))
        return step({ do: "snapshot-and-destroy", instance, snapshot: false }, "it has not come up, and nothing lies on its own disk");
      return wait(pollMs, `the provider says ${instance.rawState}`);
    default:
      return wait(pollMs, `the provider says ${instance.rawState}`);
  }
}

/** It was put to sleep unsealed and never served since: what it did lies on its own disk alone. */
export function holdsWork(record: InstanceRecord): boolean {
  return record.state === "restoring" && !record.sealedAsleep;
}

/** Whether its machine has done nothing yet that would be lost with it: a new one, or one that comes back from its volume. */
function neverServed(record: InstanceRecord, isParked: boolean): boolean {
  return record.readyAt === null && (record.state === "provisioning" || (isParked && !holdsWork(record)));
}

/**
 * Whether its machine has a volume that is not known to hold its work yet: until it is, that one and the volume that does are both
 * written down, under the one name. Pure.
 */
export function awaitsItsCopy({ providerId, volumes: [used, home] }: Pick<InstanceRecord, "providerId" | "volumes">): boolean {
  return providerId !== null && used !== undefined && home !== undefined && used.name === home.name;
}

/** Whether it goes to sleep by parking: its cloud has nothing else, or has nothing else for this machine, which holds nothing yet. */
function isParked(record: InstanceRecord, instance: ProviderInstance, hibernates: "native" | "park"): boolean {
  return hibernates === "park" || record.parkOnly || !instance.canHibernate || awaitsItsCopy(record);
}

/** Whether its agent has begun, on a volume for whose checkpoint it held its workload back: it is there. */
function hasArrived(record: InstanceRecord, { cloud, guest }: Observation): boolean {
  if (record.desired === "gone" || cloud.kind !== "here" || guest === null || !awaitsItsCopy(record)) return false;
  return guest.awaitsCheckpoint == null && ["restoring", "running", "exited"].includes(guest.phase);
}

function isExpired(record: InstanceRecord, seen: Observation): boolean {
  if (seen.guest?.phase === "expired") return true;
  return record.ttlEndsAt !== null && seen.now >= record.ttlEndsAt + (seen.machine.endsItself ? EXPIRY_SLACK_MS : 0);
}

function decideRunning(record: InstanceRecord, cloud: KnownCloud, seen: Observation): Decision {
  if (cloud.kind !== "gone" && isExpired(record, seen)) return step({ do: "let-expire" }, "its time is up");
  if (cloud.kind === "none") {
    if (record.outlook.successor !== null) return step({ do: "take-over" }, "the machine that was rented ahead takes over");
    if (waitsForMs(record, seen.now) > 0) return step({ do: "await-capacity" }, record.outlook.waiting?.reason ?? "there is no capacity");
    return step({ do: "launch" }, whyLaunch(record));
  }
  if (cloud.kind === "gone") return step({ do: "note-lost" }, "the machine is gone and we did not end it");
  const { instance } = cloud;
  switch (instance.state) {
    case "failed":
      return step({ do: "discard" }, `the machine failed${instance.reason === null ? "" : `: ${instance.reason}`}`);
    case "hibernated":
      // First the truth: a hibernation that an earlier command began, or somebody else, ends before the way back begins.
      if (record.state !== "hibernated" && record.state !== "restoring")
        return step({ do: "note-hibernated", parked: "native" }, "the provider says it is hibernated");
      if (record.parkOnly)
        return step({ do: "snapshot-and-destroy", instance, snapshot: false }, "it comes back on another machine, from its volume");
      return step({ do: "restore", instance }, "it is to come back");
    case "unknown":
      if (record.rawState === instance.rawState) return wait(LATER_MS, `the provider says ${instance.rawState}`);
      return step({ do: "note-unknown", instance }, `the provider says ${instance.rawState}`);
    case "stopped":
      return decideStopped(record, instance, seen);
    case "running":
    case "reclaiming":
      return decideHere(record, seen, instance);
    default:
      if (isOverdue(record, seen.now)) return sayOverdue(instance, seen);
      return wait(seen.pollMs, `the provider says ${instance.rawState}`);
  }
}

function sayOverdue(instance: ProviderInstance, seen: Observation): Decision {
  return step({ do: "note-overdue", why: whyNotServing(instance, seen) }, "it should serve by now");
}

function whyLaunch(record: InstanceRecord): string {
  if (record.state === "hibernated") return "it is to come back";
  return record.generation === 1 ? "it has no machine yet" : `it has no machine${record.reason === null ? "" : ` (${record.reason})`}`;
}

function decideStopped(record: InstanceRecord, instance: ProviderInstance, { machine, pollMs, waitsForCapacity }: Observation): Decision {
  const isReclaimed = instance.endedBy === "provider";
  if (isReclaimed && !waitsForCapacity) return step({ do: "clear-remains", instance }, "it was reclaimed, and what is left of it costs");
  if (instance.endedBy === "guest" && machine.endsItself)
    return step({ do: "let-expire" }, "it has ended itself, and what is left of it costs");
  if (record.state === "stopped" && record.dataKeptUntil === instance.dataKeptUntil)
    return step({ do: "rest" }, isReclaimed ? "reclaimed; its cloud starts it again by itself" : "stopped outside of spot; left as it is");
  if (!mayMove(record.state, "stopped")) return wait(pollMs, `the provider says ${instance.rawState}`);
  return step(
    { do: "note-stopped", instance },
    isReclaimed ? "its cloud stopped it, and will start it again" : "it was stopped outside of spot",
  );
}

/** Whether two notices are one. */
export function isSameNotice(a: Notice | null, b: Notice): boolean {
  // Whoever looks first assumes a moment; whoever looks later must not push it back.
  if (b.assumed === true) return a !== null && a.kind === b.kind;
  return a !== null && a.kind === b.kind && isSameDeadline(a.deadline, b.deadline);
}

/** Whether two words about a deadline (epoch ms) are about one. */
export function isSameDeadline(one: number, other: number): boolean {
  return Math.abs(one - other) <= SAME_DEADLINE_MS;
}

/** What will follow of a notice, for people: by then it is written nowhere else. */
function afterNotice({ spec, desired }: InstanceRecord, { kind, deadline }: Notice, now: number): string {
  if (kind !== "reclaim" || desired !== "running" || spec.onReclaim === "hibernate") return "";
  const left = durationText(Math.max(0, deadline - now));
  if (spec.volume === null) return `: its machine goes in ${left}, and it works on until then`;
  return `: its machine goes in ${left}; its agent seals at once, and again as late as is safe, and it works on until then`;
}

/** The agent of a machine that hears of notices from us alone, and that has not heard of this one. */
function isUntold({ notice }: InstanceRecord, { machine, guest, toldInVain }: Observation): boolean {
  if (machine.notices !== "controller" || notice?.kind !== "reclaim") return false;
  if (guest === null) return toldInVain === true;
  return guest.noticeDeadline === null || !isSameDeadline(guest.noticeDeadline * 1000, notice.deadline);
}

function decideHere(record: InstanceRecord, seen: Observation, instance: ProviderInstance): Decision {
  // The request that ends it may still be on its way: a machine that is being parked is no ground to stand on.
  if (record.state === "hibernating" && isParked(record, instance, seen.hibernates))
    return step(
      { do: "snapshot-and-destroy", instance, snapshot: sealsLast(record, instance, seen) },
      "its parking was begun, and is finished before it comes back",
    );
  if (instance.notice !== null && !isSameNotice(record.notice, instance.notice))
    return step(
      { do: "note-notice", instance },
      `the provider gave notice (${instance.notice.kind})${afterNotice(record, instance.notice, seen.now)}`,
    );
  if (instance.notice === null && record.notice !== null) return step({ do: "note-withdrawn" }, "the notice was withdrawn");
  if (seen.mouth != null)
    return step(
      { do: "note-mouth", second: seen.mouth },
      `the ${seen.mouth.mouth === "api" ? "provider" : "agent"} ${seen.mouth.now} the notice`,
    );
  const going = decideUnderNotice(record, seen, instance);
  if (going !== null && going.action.do !== "rest") return going;
  if (isUntold(record, seen)) return step({ do: "tell-notice", instance }, "its agent has not heard of the notice");
  if (!seen.ready && isOverdue(record, seen.now)) return sayOverdue(instance, seen);
  if (!isUp(record) && seen.attachVolume !== null && !instance.volumeIds.includes(seen.attachVolume))
    return step({ do: "attach-volume", instance, volumeId: seen.attachVolume }, "its volume is not attached");
  if (!isUp(record) && seen.guest?.awaitsVolume === true) return step({ do: "mount-volume", instance }, "its agent waits for the volume");
  if (!isUp(record) && seen.guest?.awaitsCheckpoint != null)
    return step({ do: "bring-checkpoint", instance }, `its agent waits for ${seen.guest.awaitsCheckpoint}`);
  if (!isUp(record) && seen.ready && mayMove(record.state, "running")) return step({ do: "note-ready", instance }, "it is ready");
  if (!isUp(record) && hasFailed(record)) return step({ do: "rest" }, "its command has failed before it was ready: its owner decides");
  if (!isUp(record)) return wait(seen.pollMs, seen.guest === null ? "waiting for the agent" : `the agent is ${seen.guest.phase}`);
  if (isTimeAhead(record, seen.canAttach, seen.now))
    return step(
      { do: "launch-ahead" },
      `its machine goes in ${durationText((record.notice?.deadline ?? seen.now) - seen.now)}, and another takes as long to boot`,
    );
  if (going !== null) return going;
  if (record.notice !== null) return step({ do: "rest" }, "running until the deadline");
  return decideStay(record, seen.near, instance, seen.now) ?? step({ do: "rest" }, "running");
}

/** Running, and ready at least once. */
export function isUp(record: InstanceRecord): boolean {
  return record.readyAt !== null && (record.state === "running" || record.state === "reclaiming");
}

/** The record is where it is wanted. */
export function isSettled(record: InstanceRecord): boolean {
  switch (record.desired) {
    case "running":
      return isUp(record) || record.state === "gone" || record.state === "stopped";
    case "hibernated":
      return record.state === "hibernated" || record.state === "gone";
    case "gone":
      return record.state === "gone";
  }
}

/** When the record last changed, as far as a decision needs it; never in the future. */
function lastChange(record: InstanceRecord, now: number): number {
  return Math.min(record.changedAt, now);
}
