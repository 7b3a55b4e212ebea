import { isFault } from "../../providers/errors.ts";
import type { IntentRecord, VolumeRecord } from "../../state/records.ts";
import { requireAccount } from "../account.ts";
import { didNothing } from "../faults.ts";
import { call, type Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import { promiseOnVolume } from "./volume-promise.ts";
import { operationsOf, pendingCreate, settleVolume, volumeLease, withVolume } from "./volumes.ts";

/**
 * Deletes a volume at the provider and closes its record.
 * @throws Problem when it is still attached.
 */
export async function removeVolume(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<void> {
  await withVolume(fleet, volume.name, signal, (held, until) => removeHeld(held, volume, until));
}

async function removeHeld(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<void> {
  const provider = await fleet.provider(volume.provider);
  const { providerId } = volume;
  await requireAccount(fleet, volume, signal);
  if (providerId !== null) {
    const intent = await promiseOnVolume(fleet, volume, "volume-remove");
    try {
      await call(signal, (context) => operationsOf(provider).remove(providerId, context));
    } catch (error) {
      if (!isFault(error, "not-found")) {
        if (didNothing(error))
          await fleet.state.commit({
            closeIntents: [{ id: intent.id, status: "failed", at: fleet.clock.now(), detail: { why: error.message } }],
          });
        throw error;
      }
    }
    await noteRemoved(fleet, volume, intent);
    return;
  }
  const pending = await pendingCreate(fleet, volume);
  if (pending === undefined) return;
  const settled = await settleVolume(fleet, provider, volume, pending, signal);
  if (settled !== undefined) await removeHeld(fleet, settled, signal);
}

/** The provider no longer has it: its record, its ledger interval and its checkpoints end. */
async function noteRemoved(fleet: Fleet, volume: VolumeRecord, intent: IntentRecord | null): Promise<void> {
  const at = fleet.clock.now();
  const open = (await fleet.state.ledger({ openOnly: true })).filter(
    (entry) => entry.kind === "disk" && entry.providerId === volume.providerId,
  );
  const lost = await fleet.state.checkpoints({ volume: volume.name });
  await fleet.state.commit({
    volumes: [{ ...volume, state: "gone" }],
    ledger: open.map((entry) => ({ ...entry, to: Math.max(entry.from, at) })),
    removeCheckpoints: lost.map((checkpoint) => checkpoint.id),
    ...(intent === null ? {} : { closeIntents: [{ id: intent.id, status: "done" as const, at }] }),
    events: [{ at, type: "action", instance: null, provider: volume.provider, data: { action: "volume-remove", volume: volume.name } }],
  });
}

/**
 * Finishes what a killed command began with volumes: each open promise is kept or closed. Volumes that a living
 * process works on are left to it.
 * @returns what is still open, by volume name, with the reason.
 */
export async function settleVolumes(
  fleet: Fleet,
  signal: AbortSignal,
): Promise<readonly { readonly volume: string; readonly why: string }[]> {
  const open: { readonly volume: string; readonly why: string }[] = [];
  for (const intent of await fleet.state.pendingIntents()) {
    if (intent.kind !== "volume-create" && intent.kind !== "volume-remove") continue;
    const volume = (await fleet.state.volumes({ includeGone: true })).find((candidate) => candidate.id === intent.detail["volumeId"]);
    if (volume === undefined) continue;
    try {
      await whileHolding(fleet, volumeLease(volume.name), signal, (held) => settleIntent(held.fleet, volume, intent, held.signal));
    } catch (error) {
      signal.throwIfAborted();
      open.push({ volume: volume.name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return open;
}

async function settleIntent(fleet: Fleet, volume: VolumeRecord, intent: IntentRecord, signal: AbortSignal): Promise<void> {
  // Read again: whoever held the lease before us may have finished it.
  if ((await fleet.state.intentByToken(intent.token))?.status !== "pending") return;
  const provider = await fleet.provider(volume.provider);
  await requireAccount(fleet, volume, signal);
  if (intent.kind === "volume-create") {
    await settleVolume(fleet, provider, volume, intent, signal);
    return;
  }
  const listed = await call(signal, (context) => operationsOf(provider).list(context));
  if (listed.some((candidate) => candidate.providerId === volume.providerId))
    await call(signal, (context) => operationsOf(provider).remove(volume.providerId ?? "", context));
  await noteRemoved(fleet, volume, intent);
}
