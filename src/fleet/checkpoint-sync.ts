import { listSealed } from "../checkpoints/catalogue.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import type { InstanceRecord, NewEvent, VolumeRecord } from "../state/records.ts";
import { call, type Fleet } from "./fleet.ts";

/** Where this machine can read a volume directly, if it can. */
export async function volumePath(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<string | null> {
  if (volume.providerId === null) return null;
  const provider = await fleet.provider(volume.provider);
  const listed =
    provider.volumes === undefined ? [] : await call(signal, (context) => provider.volumes?.list(context) ?? Promise.resolve([]));
  return listed.find((candidate) => candidate.providerId === volume.providerId)?.localPath ?? null;
}

/**
 * Brings the catalogue up to what the volume really holds: the volume is the truth, the catalogue a copy.
 * @returns the sealed checkpoints of that volume, newest first; null when the volume cannot be read from here.
 */
export async function syncCheckpoints(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<readonly Checkpoint[] | null> {
  const path = await volumePath(fleet, volume, signal);
  if (path === null) return null;
  const sealed = await listSealed(path, volume.name);
  const known = new Map((await fleet.state.checkpoints({ volume: volume.name })).map((checkpoint) => [checkpoint.id, checkpoint]));
  const fresh = sealed.filter((checkpoint) => known.get(checkpoint.id)?.sha256 !== checkpoint.sha256);
  const present = new Set(sealed.map((checkpoint) => checkpoint.id));
  const vanished = [...known.keys()].filter((id) => !present.has(id));
  if (fresh.length > 0 || vanished.length > 0) {
    // Two that were sealed between two looks are told in the order in which they were made.
    const events = fresh.toReversed().map(
      (checkpoint): NewEvent => ({
        at: checkpoint.createdAt,
        type: "checkpoint",
        instance: checkpoint.instance,
        provider: volume.provider,
        data: {
          checkpoint: checkpoint.id,
          volume: volume.name,
          files: checkpoint.files,
          bytes: checkpoint.bytes,
          step: checkpoint.step,
          reason: checkpoint.reason,
        },
      }),
    );
    await fleet.state.commit({ checkpoints: fresh, removeCheckpoints: vanished, events });
  }
  return sealed.map((checkpoint) => ({ ...checkpoint, verifiedAt: known.get(checkpoint.id)?.verifiedAt ?? null }));
}

/** Reads what the record's volume holds into the catalogue; a volume that cannot be read now is read later. */
export async function syncRecordCheckpoints(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  const ids = new Set(record.volumes.map((volume) => volume.id));
  for (const volume of await fleet.state.volumes()) if (ids.has(volume.id)) await syncCheckpoints(fleet, volume, signal);
}
