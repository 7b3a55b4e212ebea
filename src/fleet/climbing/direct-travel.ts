import { parseBucketUrl } from "../../providers/bucket.ts";
import type { Fleet } from "../fleet.ts";
import { volumePath } from "../volumes/checkpoint-sync.ts";
import { copyCheckpoint, type TravelEnd, type TravelMeans } from "../volumes/checkpoint-travel.ts";
import type { CheckpointTravel } from "./travel.ts";

/**
 * Takes checkpoints to volumes that lie on this computer: from another one that does, or from a bucket they were copied to. A
 * rented volume can be written only by a machine that has it.
 */
export function directTravel(fleet: Fleet, world: TravelMeans["world"]): CheckpointTravel {
  const bucketWith = async (id: string) => (await fleet.state.bucketCopies({ checkpoint: id }))[0];
  return {
    async source(home, checkpoint, among, signal) {
      const kinds = await Promise.all(among.map(async (id) => ({ id, kind: (await fleet.provider(id)).capabilities.machine.kind })));
      const to = kinds.filter(({ kind }) => kind === "process").map(({ id }) => id);
      const inBucket = await bucketWith(checkpoint.id);
      const isHere = (await volumePath(fleet, home, signal)) !== null;
      if (!isHere && inBucket === undefined)
        return { why: `${checkpoint.id} can be read only by a machine that has ${home.name}; spot checkpoints copy takes one to a bucket` };
      const from = isHere ? home.name : (inBucket?.place ?? "");
      if (to.length > 0) return { from, bytes: checkpoint.bytes, to };
      return { why: `${checkpoint.id} lies in ${from}, and only a volume on this computer can take it before a machine has it` };
    },
    async bring(checkpoint, home, to, signal) {
      const isHere = (await volumePath(fleet, home, signal)) !== null;
      const copy = isHere ? undefined : await bucketWith(checkpoint.id);
      const from: TravelEnd = copy === undefined ? { kind: "volume", volume: home } : { kind: "bucket", place: parseBucketUrl(copy.place) };
      await copyCheckpoint({ fleet, world }, { id: checkpoint.id, from, to: { kind: "volume", volume: to } }, { signal });
    },
  };
}
