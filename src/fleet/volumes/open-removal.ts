import { deletesVolume, makesSnapshot } from "../../model/volume-policy.ts";
import { isFault } from "../../providers/errors.ts";
import type { VolumeOperations } from "../../providers/provider.ts";
import type { IntentRecord, VolumeRecord } from "../../state/records.ts";
import { call, type Fleet } from "../fleet.ts";
import { endOrder, openEnds } from "./end-promise.ts";
import { userOf } from "./volume-use.ts";

/** Its record, its ledger interval, its checkpoints and every open promise to delete it end. */
export async function noteGone(fleet: Fleet, volume: VolumeRecord, action: "volume-remove" | "volume-lost"): Promise<void> {
  const at = fleet.clock.now();
  const open = (await fleet.state.ledger({ openOnly: true })).filter(
    (entry) => entry.kind === "disk" && entry.providerId === volume.providerId,
  );
  const lost = volume.state === "gone" ? [] : await fleet.state.checkpoints({ volume: volume.name });
  const promises = await openRemovals(fleet, volume);
  await fleet.state.commit({
    volumes: [{ ...volume, state: "gone" }],
    ledger: open.map((entry) => ({ ...entry, to: Math.max(entry.from, at) })),
    removeCheckpoints: lost,
    closeIntents: promises.map(({ id }) => ({ id, status: "done" as const, at })),
    events: [{ at, type: "action", instance: null, provider: volume.provider, data: { action, volume: volume.name } }],
  });
}

/** The promises to delete a volume of which nobody knows what became of them. */
async function openRemovals(fleet: Fleet, { id }: Pick<VolumeRecord, "id">): Promise<readonly IntentRecord[]> {
  return (await fleet.state.pendingIntents()).filter((intent) => intent.kind === "volume-remove" && intent.detail["volumeId"] === id);
}

async function callOff(fleet: Fleet, { id }: IntentRecord, why: string): Promise<void> {
  await fleet.state.commit({ closeIntents: [{ id, status: "failed", at: fleet.clock.now(), detail: { why } }] });
}

async function isListed(operations: VolumeOperations, { providerId }: VolumeRecord, signal: AbortSignal): Promise<boolean> {
  return (await call(signal, (context) => operations.list(context))).some((candidate) => candidate.providerId === providerId);
}

/** Whether it is still there once the request of that promise, which may have been under way, has had its time. */
async function outlives(fleet: Fleet, volume: VolumeRecord, intent: IntentRecord, signal: AbortSignal): Promise<boolean> {
  const { volumes: operations, capabilities } = await fleet.provider(volume.provider);
  if (operations === undefined) return true;
  for (;;) {
    if (!(await isListed(operations, volume, signal))) return false;
    const restMs = capabilities.listSettlesMs - (fleet.clock.now() - intent.createdAt);
    if (restMs <= 0 || restMs > capabilities.listSettlesMs) return true;
    await fleet.clock.sleep(Math.min(500, restMs), signal);
  }
}

/** Whether a deletion of it was promised, and nobody has said yet what became of that. */
export async function mayBeDeleted(fleet: Pick<Fleet, "state">, volume: Pick<VolumeRecord, "id">): Promise<boolean> {
  return (await fleet.state.pendingIntents()).some(
    (intent) => (intent.kind === "volume-remove" && intent.detail["volumeId"] === volume.id) || deletes(intent, volume),
  );
}

function deletes(intent: IntentRecord, { id }: Pick<VolumeRecord, "id">): boolean {
  const order = endOrder(intent);
  return order !== undefined && order.volumeId === id && deletesVolume(order.policy);
}

function owesSnapshot(intent: IntentRecord): boolean {
  const order = endOrder(intent);
  return order !== undefined && makesSnapshot(order.policy);
}

/**
 * Whoever is to have a volume must not lose it to a deletion that was interrupted before, nor to one that was ordered together
 * with the end of another instance: each open one is called off, unless it turns out to be done. To be called under the
 * volume's lease.
 * @returns whether the volume is still there.
 */
export async function callOffRemovals(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<boolean> {
  if (!(await callOffBegun(fleet, volume, "it is wanted again", signal))) return false;
  for (const intent of (await fleet.state.pendingIntents()).filter((open) => deletes(open, volume))) {
    await callOff(fleet, intent, "it is wanted again");
    fleet.say(`volume ${volume.name} is not deleted, as was ordered before: it is wanted again`);
  }
  return true;
}

/**
 * Calls off each deletion that was begun and interrupted, unless it turns out to be done. To be called under the volume's lease.
 * @returns whether the volume is still there.
 */
export async function callOffBegun(fleet: Fleet, volume: VolumeRecord, why: string, signal: AbortSignal): Promise<boolean> {
  for (const intent of await openRemovals(fleet, volume)) {
    if (!(await outlives(fleet, volume, intent, signal))) {
      await noteGone(fleet, volume, "volume-remove");
      return false;
    }
    await callOff(fleet, intent, why);
    fleet.say(`the deletion of volume ${volume.name} that was interrupted is called off: ${why}`);
  }
  return true;
}

/**
 * Finishes a deletion that was interrupted, as long as nobody has begun to use the volume since, and no snapshot of it is
 * owed: then its end deletes it, after the snapshot. To be called under the volume's lease.
 * @throws ProviderError when it cannot be deleted; the promise stays open where another try may help.
 */
export async function settleRemoval(
  fleet: Fleet,
  operations: VolumeOperations,
  volume: VolumeRecord,
  intent: IntentRecord,
  signal: AbortSignal,
): Promise<void> {
  const user = await userOf(fleet, volume);
  // Whether a root disk is there, its own instance finds out: a list may leave out one that a machine boots from.
  if (user?.rootVolume === volume.id) return callOff(fleet, intent, `${user.name} is parked on it`);
  if (user !== undefined) {
    if (!(await outlives(fleet, volume, intent, signal))) return noteGone(fleet, volume, "volume-remove");
    return callOff(fleet, intent, `${user.name} uses it`);
  }
  if ((await openEnds(fleet, volume)).some((end) => owesSnapshot(end))) {
    if (!(await outlives(fleet, volume, intent, signal))) return noteGone(fleet, volume, "volume-remove");
    return callOff(fleet, intent, "its snapshot comes first");
  }
  if (await isListed(operations, volume, signal)) {
    const twin = (await fleet.state.volumes()).find(
      ({ id, provider, providerId }) => id !== volume.id && provider === volume.provider && providerId === volume.providerId,
    );
    if (twin !== undefined) return callOff(fleet, intent, `it was taken over as ${twin.name}`);
    try {
      await call(signal, (context) => operations.remove(volume.providerId ?? "", context));
    } catch (error) {
      // Refused for what it is now, not for the moment: whoever still wants it deleted says so once more.
      if (isFault(error, "conflict", "invalid-request", "unsupported")) await callOff(fleet, intent, error.message);
      if (!isFault(error, "not-found")) throw error;
    }
  }
  await noteGone(fleet, volume, "volume-remove");
}
