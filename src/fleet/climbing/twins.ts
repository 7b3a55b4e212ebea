import type { Checkpoint } from "../../model/checkpoint.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import { call, type Fleet } from "../fleet.ts";
import { removeVolume } from "../volumes/volume-removal.ts";
import { userOf } from "../volumes/volume-use.ts";
import { copyOf, ensureVolume, type VolumeCopy, volumeNamed } from "../volumes/volumes.ts";

/**
 * The volumes that hold what the home volume holds: copies that were made of it, and the one that it is a copy of, as long as
 * nothing newer is known to be sealed on it, no machine has had it since they were made, and nobody else uses them.
 * @param usedAt until when a machine of the instance was paid for, in epoch milliseconds.
 */
export async function twinsOf(
  fleet: Fleet,
  record: Pick<InstanceRecord, "id">,
  home: VolumeRecord,
  newest: Checkpoint | undefined,
  usedAt: number,
): Promise<readonly VolumeRecord[]> {
  const content = newest?.id ?? null;
  const ours = await copyOf(fleet, home);
  const isUntouched = home.createdAt >= usedAt;
  const twins: VolumeRecord[] = [];
  for (const volume of await fleet.state.volumes()) {
    if (volume.id === home.id || volume.providerId === null) continue;
    const isOrigin = isUntouched && ours !== undefined && ours.of === volume.id && ours.checkpoint === content;
    const copy = isOrigin || volume.createdAt < usedAt ? undefined : await copyOf(fleet, volume);
    // One that begins empty may be so still.
    if (!isOrigin && (copy === undefined || copy.source !== undefined || copy.of !== home.id || copy.checkpoint !== content)) continue;
    if ((await userOf(fleet, volume, [record.id])) === undefined) twins.push(volume);
  }
  return twins;
}

/**
 * The volumes to which this checkpoint of the home volume was on its way from a bucket, and may be still: the name of the home
 * volume, which is given to them when it has arrived, is not theirs.
 */
export async function vesselsOf(
  fleet: Fleet,
  record: Pick<InstanceRecord, "id">,
  home: VolumeRecord,
  checkpoint: string | undefined,
): Promise<readonly VolumeRecord[]> {
  const vessels: VolumeRecord[] = [];
  for (const volume of await fleet.state.volumes()) {
    if (volume.id === home.id || volume.providerId === null) continue;
    const copy = await copyOf(fleet, volume);
    if (copy?.source === undefined || copy.of !== home.id || copy.checkpoint !== checkpoint) continue;
    if ((await userOf(fleet, volume, [record.id])) === undefined) vessels.push(volume);
  }
  return vessels;
}

/** A place for a copy. */
type Place = Pick<VolumeRecord, "provider" | "region" | "zone">;

/**
 * Makes a copy of the home volume at a place: from a snapshot, or empty for a checkpoint that is put on it. One that an
 * interrupted try has ordered there is finished rather than ordered again.
 */
export async function makeTwin(
  fleet: Fleet,
  record: InstanceRecord,
  home: VolumeRecord,
  place: Place,
  copy: VolumeCopy,
  signal: AbortSignal,
): Promise<VolumeRecord> {
  const provider = await fleet.provider(place.provider);
  const living = await fleet.state.volumes();
  const begun: VolumeRecord[] = [];
  for (const volume of living) {
    if (volume.providerId !== null || volume.provider !== place.provider || volume.zone !== place.zone) continue;
    const promised = await copyOf(fleet, volume);
    if (promised !== undefined && isSameCopy(promised, copy)) begun.push(volume);
  }
  const name = begun[0]?.name ?? freeName(`${home.name}-${place.zone}`, new Set(living.map((volume) => volume.name)));
  const sizeGb = home.sizeGb;
  return ensureVolume(fleet, provider, { name, sizeGb, fleet: record.fleet, copy }, place, signal);
}

/** One that begins empty for a checkpoint from a bucket is another one than one on which it is put before a machine has it. */
function isSameCopy(one: VolumeCopy, other: VolumeCopy): boolean {
  const isAlike = one.of === other.of && one.checkpoint === other.checkpoint && one.snapshot === other.snapshot;
  return isAlike && one.source?.place === other.source?.place && one.source?.sha256 === other.source?.sha256;
}

/**
 * Deletes a copy for which no machine was to be had: it would bill, and holds nothing that its original does not. Only what our
 * own promise calls a copy of the home volume, made for this very record, that no machine ever had, while its provider still has
 * the home volume.
 * @returns whether it was deleted.
 */
export async function dropTwin(fleet: Fleet, record: InstanceRecord, twin: VolumeRecord, signal: AbortSignal): Promise<boolean> {
  const name = record.spec.volume?.name;
  const home = name === undefined ? undefined : await volumeNamed(fleet, name);
  const copy = await copyOf(fleet, twin);
  const [now] = await fleet.state.volumes({ ids: [twin.id] });
  if (home === undefined || now === undefined || home.id === twin.id || copy?.of !== home.id) return false;
  // What a machine was once given may hold what is nowhere else, whatever it is called since.
  const had = [...(record.outlook.given ?? []), ...(record.outlook.vessels ?? [])];
  if (had.includes(twin.id) || now.createdAt < record.createdAt) return false;
  if (now.name === name || record.volumes.some(({ id }) => id === twin.id) || !(await isTwinThere(fleet, home, signal))) return false;
  await removeVolume(fleet, now, signal, { for: record.id });
  return true;
}

/** A name that no living volume has. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted}-${count}`;
    if (!taken.has(name)) return name;
  }
}

/** Whether its provider still has it: somebody may have deleted it at the console. */
export async function isTwinThere(fleet: Fleet, twin: VolumeRecord, signal: AbortSignal): Promise<boolean> {
  const { volumes } = await fleet.provider(twin.provider);
  const listed = await call(signal, (context) => volumes?.list(context) ?? Promise.resolve([]));
  return listed.some(({ providerId }) => providerId === twin.providerId);
}
