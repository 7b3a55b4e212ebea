import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";

type Named = Pick<VolumeRecord, "id" | "name">;

/** Whether a record has this volume, is parked on it as its root disk, or was ordered with it and has none yet. Pure. */
export function isUsedBy({ id, name }: Named, record: Pick<InstanceRecord, "volumes" | "rootVolume" | "spec">): boolean {
  const isNext = record.spec.volume?.name === name && record.volumes.every((used) => used.name !== name);
  return isNext || record.rootVolume === id || record.volumes.some((used) => used.id === id);
}

/** The living record that uses a volume, besides those of these ids. */
export async function userOf(
  fleet: Pick<Fleet, "state">,
  volume: Named,
  besides: readonly string[] = [],
): Promise<InstanceRecord | undefined> {
  return (await fleet.state.instances()).find((record) => !besides.includes(record.id) && isUsedBy(volume, record));
}
