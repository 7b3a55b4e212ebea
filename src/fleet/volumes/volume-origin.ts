import type { InstanceRecord, State, VolumeRecord } from "../../state/records.ts";
import { copyOf } from "./volumes.ts";

/** Where the work on a volume came from that began as a copy of another one, as long as that one is there. */
export interface VolumeOrigin {
  /** The volume before, which stays, and bills. */
  readonly before: VolumeRecord;
  readonly checkpoint: string | null;
  /** The bucket that the checkpoint comes from; null where it came from the volume before. */
  readonly place: string | null;
  /** It has not arrived yet: the work is on the volume before. */
  readonly isOnItsWay: boolean;
}

/** Null for a volume that is no copy, or whose volume before has been removed. */
export async function originOf(state: State, { volumes }: Pick<InstanceRecord, "volumes">): Promise<VolumeOrigin | null> {
  const [used] = volumes;
  if (used === undefined) return null;
  const [volume] = await state.volumes({ ids: [used.id] });
  const copy = volume === undefined ? undefined : await copyOf({ state }, volume);
  const [before] = copy === undefined ? [] : await state.volumes({ ids: [copy.of] });
  if (volume === undefined || copy === undefined || before === undefined || before.state === "gone") return null;
  const isOnItsWay = copy.source !== undefined && volume.name !== used.name;
  return { before, checkpoint: copy.checkpoint, place: copy.source?.place ?? null, isOnItsWay };
}
