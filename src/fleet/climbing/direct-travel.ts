import type { Checkpoint } from "../../model/checkpoint.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { parseBucketUrl } from "../../providers/bucket.ts";
import { openBucket } from "../../providers/open-bucket.ts";
import type { BucketCopy, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { volumePath } from "../volumes/checkpoint-sync.ts";
import { copyCheckpoint, serverText, type TravelEnd, type TravelMeans } from "../volumes/checkpoint-travel.ts";
import type { CheckpointTravel } from "./travel.ts";

interface Copies {
  /** At the server that this process is set to: the same checkpoint, byte by byte of its manifest. */
  readonly here: readonly BucketCopy[];
  /** At others. */
  readonly elsewhere: readonly BucketCopy[];
}

const NONE: Copies = { here: [], elsewhere: [] };

/** The copies of this very checkpoint. A bucket of the same name at another server may be anybody's. */
async function copiesOf(fleet: Fleet, world: TravelMeans["world"], { id, sha256 }: Checkpoint): Promise<Copies> {
  const copies = (await fleet.state.bucketCopies({ checkpoint: id })).filter((copy) => copy.sha256 === sha256);
  const [first] = copies;
  if (first === undefined) return NONE;
  const bucket = await openBucket(world, parseBucketUrl(first.place));
  await bucket.close();
  const isHere = ({ endpoint }: BucketCopy) => endpoint === bucket.endpoint;
  return { here: copies.filter(isHere), elsewhere: copies.filter((copy) => !isHere(copy)) };
}

/**
 * Takes checkpoints to volumes that lie on this computer: from another one that does, or from a bucket they were copied to. A
 * rented volume can be written only by a machine that has it.
 */
export function directTravel(fleet: Fleet, world: TravelMeans["world"]): CheckpointTravel {
  return {
    async source(home, checkpoint, among, signal) {
      const kinds = await Promise.all(among.map(async (id) => ({ id, kind: (await fleet.provider(id)).capabilities.machine.kind })));
      const to = kinds.filter(({ kind }) => kind === "process").map(({ id }) => id);
      const isHere = (await volumePath(fleet, home, signal)) !== null;
      const { here, elsewhere } = isHere ? NONE : await copiesOf(fleet, world, checkpoint);
      const from = isHere ? home.name : here[0]?.place;
      if (from === undefined) return { why: unreadable(checkpoint, home, elsewhere) };
      if (to.length > 0) return { from, bytes: checkpoint.bytes, to };
      return { why: `${checkpoint.id} lies in ${from}, and only a volume on this computer can take it before a machine has it` };
    },
    async bring(checkpoint, home, to, signal) {
      const isHere = (await volumePath(fleet, home, signal)) !== null;
      const copies = isHere ? [] : (await copiesOf(fleet, world, checkpoint)).here;
      const ends: readonly TravelEnd[] = isHere
        ? [{ kind: "volume", volume: home }]
        : copies.map((copy) => ({ kind: "bucket", place: parseBucketUrl(copy.place), known: copy }));
      let refused: unknown = new Problem({ code: "SPOT_E_UNREADABLE", message: unreadable(checkpoint, home, []), exit: EXIT.failed });
      for (const from of ends) {
        try {
          await copyCheckpoint({ fleet, world }, { id: checkpoint.id, from, to: { kind: "volume", volume: to } }, { signal });
          return;
        } catch (error) {
          // Another copy of it may be whole, or let us in.
          if (signal.aborted || !(error instanceof Problem)) throw error;
          refused = error;
        }
      }
      throw refused;
    },
  };
}

function unreadable({ id }: Checkpoint, home: VolumeRecord, [copy]: readonly BucketCopy[]): string {
  return copy === undefined
    ? `${id} can be read only by a machine that has ${home.name}; spot checkpoints copy takes one to a bucket`
    : `${id} lies in ${copy.place} at ${serverText(copy.endpoint)}, and AWS_ENDPOINT_URL_S3 says another server`;
}
