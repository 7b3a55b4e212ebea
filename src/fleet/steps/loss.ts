import type { FleetEvent } from "../../model/event.ts";
import type { Outlook } from "../../model/outlook.ts";
import type { Capabilities, MachineKind } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { volumesAgain } from "../climbing/moved-volume.ts";
import type { Observation } from "../deciding/decision.ts";
import { reclaimOf, withReclaim } from "../deciding/history.ts";
import { offerKey } from "../deciding/offer-choice.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord, closings, eventOf } from "../record-change.ts";
import { syncRecordCheckpoints } from "../volumes/checkpoint-sync.ts";
import { isRootThere, removeRoot, rootOf } from "../volumes/root-volume.ts";
import { endSuccessor } from "./succession.ts";
import { withUse } from "./used.ts";

/** A machine that was gone before it ever came up is passed over for as long as one without capacity. */
const BLOCK_MS = 180_000;

/**
 * What follows when the machine of an instance that is to run is gone. `endedBy` is `us` when a promise of ours to
 * end it is still open: it had failed, or it was being parked when it was wanted back. Pure.
 */
export function consequence(
  record: InstanceRecord,
  endedBy: "us" | "provider" | "guest" | "user" | null,
  now: number,
): "replace" | "park" | "let-go" {
  if (endedBy === "us") return "replace";
  // It never came up: the person is still waiting for it.
  if (record.readyAt === null && record.notice === null && endedBy !== "user") return "replace";
  if (endedBy === "guest" || endedBy === "user") return "let-go";
  if (record.ttlEndsAt !== null && now >= record.ttlEndsAt) return "let-go";
  if (record.spec.onReclaim === "hibernate" || record.spec.onReclaim === "checkpoint") return "park";
  return record.spec.onReclaim === "let-go" ? "let-go" : "replace";
}

type EndsItself = Pick<Capabilities, "endsAtTtl"> & { readonly machine: Pick<MachineKind, "endsItself"> };

/**
 * Whether its provider took it, as far as anybody knows: a machine that never served was not taken, it failed; and one that nobody saw
 * end has ended at its time, where that is over and it needed nobody for it. One that ends itself when it is idle may have done so. Pure.
 */
export function wasTaken(
  { readyAt, notice, ttlEndsAt, spec }: Pick<InstanceRecord, "readyAt" | "notice" | "ttlEndsAt" | "spec">,
  endedBy: "provider" | "guest" | "user" | null,
  { machine, endsAtTtl }: EndsItself,
  now: number,
): boolean {
  const isNoticed = notice?.kind === "reclaim";
  if (endedBy === "guest" || endedBy === "user" || (readyAt === null && !isNoticed)) return false;
  const endedInTime = ttlEndsAt !== null && now >= ttlEndsAt && (machine.endsItself || endsAtTtl);
  const mayBeIdle = spec.idleMs !== null && machine.endsItself;
  return endedBy === "provider" || isNoticed || !(endedInTime || mayBeIdle);
}

/** How the machine of a record came to its end: as its provider tells it, by a promise of ours that is open, or by a reclaim. */
export async function endOf(fleet: Fleet, record: InstanceRecord, { cloud }: Pick<Observation, "cloud">) {
  const instance = cloud.kind === "gone" || cloud.kind === "here" ? cloud.instance : null;
  const isOurs = (await fleet.state.pendingIntents({ instanceId: record.id })).some((intent) => intent.kind === "destroy");
  const now = fleet.clock.now();
  const { capabilities } = await fleet.provider(record.provider);
  const taken = !isOurs && wasTaken(record, instance?.endedBy ?? null, capabilities, now) ? reclaimOf(record, now) : null;
  return { instance, isOurs, taken };
}

/**
 * Since when it needs a machine. Whoever left on-demand for spot that is not there after all may have on-demand again at
 * once: the need is as old as it was when it fell back.
 */
function needSince(record: InstanceRecord, isOurs: boolean, now: number): number {
  const leftForSpot = isOurs && record.billing === "on-demand" && record.spec.billing === "spot" && record.state === "hibernating";
  return record.outlook.needsSince ?? (leftForSpot ? now - (record.spec.fallbackAfterMs ?? 0) : now);
}

/** What is known to have outlived the machine: the newest sealed checkpoint of its work. */
async function workLeft(fleet: Fleet, record: InstanceRecord, now: number): Promise<FleetEvent["data"]> {
  // It never served, or nothing of it was to outlive it.
  if (record.volumes.length === 0 || record.readyAt === null) return {};
  const names = new Set(record.volumes.map(({ name }) => name));
  const newest = (await fleet.state.checkpoints({ instance: record.name })).find(({ volume }) => names.has(volume));
  if (newest === undefined) return { work: "none" };
  return { work: "sealed", checkpoint: newest.id, step: newest.step, ageMs: Math.max(0, now - newest.createdAt) };
}

/** Records the loss and what is to follow: another machine, a rest on the volume, or the end. */
export async function afterLoss(fleet: Fleet, record: InstanceRecord, seen: Observation, signal: AbortSignal): Promise<void> {
  const now = fleet.clock.now();
  const { instance, isOurs, taken } = await endOf(fleet, record, seen);
  const next = consequence(record, isOurs ? "us" : (instance?.endedBy ?? null), now);
  // It would be nobody's: it goes first, and then this is looked at once more.
  if (next !== "replace" && record.outlook.successor !== null) {
    await fleet.clock.sleep(await endSuccessor(fleet, record, signal), signal);
    return;
  }
  const why = instance?.reason ?? (record.notice === null ? "the provider no longer has it" : "reclaimed");
  // What the agent sealed before the end is the truth to go on from.
  await syncRecordCheckpoints(fleet, record, signal).catch(() => undefined);
  const used = withUse(record, now);
  // Its agent may have sealed more than anybody heard.
  const isUnsealed = !isOurs && record.readyAt !== null;
  const outlook: Outlook = {
    ...(isUnsealed && { unsealedUntil: now }),
    ...withReclaim(used, taken),
    needsSince: next === "replace" ? needSince(record, isOurs, now) : null,
    waiting: null,
    spot: null,
    dearSince: null,
  };
  const lost = { rawState: instance?.rawState ?? "", notice: null, ssh: null, endpoints: [], readyAt: null, reason: why, outlook };
  const rest = {
    closeIntents: await closings(fleet, record, now),
    events: [
      // From the moment on from which a machine is needed, however long the reading of the volume has taken.
      {
        ...eventOf(fleet, record, "action", {
          action: "lost",
          why,
          next,
          providerId: record.providerId,
          pool: offerKey(record),
          taken: taken !== null,
          ranMs: record.readyAt === null ? null : now - record.readyAt,
          ...(await workLeft(fleet, record, now)),
        }),
        at: now,
      },
    ],
    // At some clouds a launch is accepted, and minutes later there is no capacity: the same offer would end the same way.
    ...(next === "replace" && !isOurs && record.readyAt === null
      ? { blockOffers: [{ key: offerKey(record), until: now + BLOCK_MS, why }] }
      : {}),
  };
  fleet.say(
    `${record.name}: the machine is gone (${why}); ${next === "replace" ? "replacing it" : next === "park" ? "parked on its volume" : "letting it go"}`,
  );
  if (next === "let-go") {
    await removeRoot(fleet, record, signal);
    await changeRecord(fleet, record, { ...lost, state: "gone", desired: "gone" }, rest);
    return;
  }
  const again = await volumesAgain(fleet, record);
  if (next === "park") {
    const root = await rootOf(fleet, record);
    // Whoever took the machine may have taken the disk that it booted from.
    const rootVolume = root !== undefined && (await isRootThere(fleet, root, signal)) ? root.id : null;
    const parked = { state: "hibernated", desired: "hibernated", parked: "recreate", rootVolume } as const;
    await changeRecord(fleet, record, { ...lost, ...again, ...parked, providerId: null, generation: record.generation + 1 }, rest);
  } else
    await changeRecord(fleet, record, { ...lost, ...again, state: "requested", providerId: null, generation: record.generation + 1 }, rest);
}
