import { isBare } from "../../checkpoints/bare-volume.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { volumePath } from "./checkpoint-sync.ts";
import { removeVolume } from "./volume-removal.ts";
import { volumeNamed } from "./volumes.ts";

/**
 * Whether a volume was made for this very record. Two times are no proof, because clocks differ, and a disk that was taken over
 * is as young as that: the promise says it.
 */
export async function isMadeFor(fleet: Fleet, volume: Pick<VolumeRecord, "id">, record: Pick<InstanceRecord, "id">): Promise<boolean> {
  const promise = await fleet.state.volumePromise(volume.id);
  return promise?.detail["madeFor"] === record.id && promise.detail["adopted"] !== true;
}

/** What cannot be read from here, or not to its end, may hold anything. */
async function isSeenBare(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<boolean> {
  const path = await volumePath(fleet, volume, signal);
  return path !== null && (await isBare(path).catch(() => false));
}

/**
 * Deletes the volume that was made for this very record, as long as nothing can be lost with it: nobody else names it,
 * and no machine ever had it; or, of an `up` that came to nothing (`neverServed`), it can be read from here and nothing lies on
 * it that its agent has not put there.
 * @returns whether it was deleted.
 */
export async function removeFreshVolume(
  fleet: Fleet,
  record: InstanceRecord,
  signal: AbortSignal,
  options: { readonly neverServed?: boolean } = {},
): Promise<boolean> {
  const name = record.spec.volume?.name;
  const volume = name === undefined ? undefined : await volumeNamed(fleet, name);
  if (volume === undefined || volume.createdAt < record.createdAt) return false;
  const others = (await fleet.state.instances({ includeGone: true })).filter((other) => other.id !== record.id);
  if (others.some((other) => other.volumes.some(({ id }) => id === volume.id))) return false;
  if (others.some((other) => other.state !== "gone" && other.spec.volume?.name === volume.name)) return false;
  if ((await fleet.state.checkpoints({ volume: volume.name })).length > 0) return false;
  const now = (await fleet.state.instance(record.id)) ?? record;
  const neverGiven = now.generation === 1 && now.providerId === null;
  // What a machine had may hold what no checkpoint knows of: whatever its workload wrote straight to it.
  if (!neverGiven && !(options.neverServed === true && (await isSeenBare(fleet, volume, signal)))) return false;
  if (!(await isMadeFor(fleet, volume, record))) return false;
  await removeVolume(fleet, volume, signal, { for: record.id });
  return true;
}
