import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { isFault } from "../../providers/errors.ts";
import type { InstanceRecord, IntentRecord, VolumeRecord } from "../../state/records.ts";
import { requireAccount } from "../account.ts";
import { didNothing } from "../faults.ts";
import { call, type Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import { noteGone, settleRemoval } from "./open-removal.ts";
import { promiseOnVolume } from "./volume-promise.ts";
import { userOf } from "./volume-use.ts";
import { operationsOf, pendingCreate, settleVolume, volumeLease, withVolume } from "./volumes.ts";

/**
 * Deletes a volume at the provider and closes its record. `for`: the id of the record that has it deleted, and may still name it.
 * @throws Problem when another living record uses it, ProviderError when it is still attached.
 */
export async function removeVolume(
  fleet: Fleet,
  volume: VolumeRecord,
  signal: AbortSignal,
  options: { readonly for?: string } = {},
): Promise<void> {
  await withVolume(fleet, volume.name, signal, async (held, until) => {
    // Whoever held the lease before may have been making it, for somebody who uses it from now on.
    const [now] = await held.state.volumes({ ids: [volume.id] });
    const user = now && (await userOf(held, now, options.for === undefined ? [] : [options.for]));
    if (user !== undefined) throw inUse(volume, user);
    if (now !== undefined) await removeHeld(held, now, until);
  });
}

/** Why a volume is not deleted. */
export function inUse({ id, name }: Pick<VolumeRecord, "id" | "name">, user: InstanceRecord): Problem {
  return new Problem({
    code: "SPOT_E_IN_USE",
    message:
      user.rootVolume === id ? `${user.name} (${user.state}) is to boot from ${name}` : `${name} is used by ${user.name} (${user.state})`,
    exit: EXIT.failed,
    next: [user.volumes.some((used) => used.id === id) ? `spot down ${user.name} --volumes` : `spot down ${user.name}`],
  });
}

/** Deletes it, under its lease, whoever names it. @throws ProviderError when it is still attached. */
export async function removeHeld(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<void> {
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
    await noteGone(fleet, volume, "volume-remove");
    return;
  }
  const pending = await pendingCreate(fleet, volume);
  if (pending === undefined) return;
  const settled = await settleVolume(fleet, provider, volume, pending, signal);
  if (settled !== undefined) await removeHeld(fleet, settled, signal);
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

async function settleIntent(fleet: Fleet, before: VolumeRecord, intent: IntentRecord, signal: AbortSignal): Promise<void> {
  // Read again: whoever held the lease before us may have finished it.
  if ((await fleet.state.intentByToken(intent.token))?.status !== "pending") return;
  const [volume = before] = await fleet.state.volumes({ ids: [before.id], includeGone: true });
  const provider = await fleet.provider(volume.provider);
  await requireAccount(fleet, volume, signal);
  if (intent.kind === "volume-create") {
    await settleVolume(fleet, provider, volume, intent, signal);
    return;
  }
  await settleRemoval(fleet, operationsOf(provider), volume, intent, signal);
}
