import { manifestKey } from "../../checkpoints/travel/bucket-checkpoints.ts";
import type { Checkpoint } from "../../model/checkpoint.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { parseBucketUrl } from "../../providers/bucket.ts";
import { openBucket } from "../../providers/open-bucket.ts";
import type { BucketCopy, VolumeRecord } from "../../state/records.ts";
import type { BucketSource } from "../deciding/ladder.ts";
import type { Fleet } from "../fleet.ts";
import { copiesInBuckets } from "../volumes/bucket-copies.ts";
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

/** The copies of a checkpoint. A bucket of the same name at another server may be anybody's. */
async function sorted(world: TravelMeans["world"], copies: readonly BucketCopy[]): Promise<Copies> {
  const [first] = copies;
  if (first === undefined) return NONE;
  const bucket = await openBucket(world, parseBucketUrl(first.place));
  await bucket.close();
  const isHere = ({ endpoint }: BucketCopy) => endpoint === bucket.endpoint;
  return { here: copies.filter(isHere), elsewhere: copies.filter((copy) => !isHere(copy)) };
}

async function copiesOf(fleet: Fleet, world: TravelMeans["world"], { id, sha256 }: Pick<Checkpoint, "id" | "sha256">): Promise<Copies> {
  const copies = (await fleet.state.bucketCopies({ checkpoint: id })).filter((copy) => copy.sha256 === sha256);
  return sorted(world, copies);
}

/** Which of these providers rent machines that a checkpoint can be copied into. */
async function receiving(fleet: Fleet, among: readonly string[]): Promise<readonly string[]> {
  const providers = await Promise.all(among.map((id) => fleet.provider(id)));
  return providers.flatMap(({ id, volumes, capabilities }) =>
    volumes !== undefined && capabilities.machine.kind !== "process" ? [id] : [],
  );
}

/**
 * A machine that is taken back seals within its notice, and two minutes are the longest one for which that is usual: what is known
 * to be sealed so shortly before its end is taken to be its last.
 */
const LAST_WORD_MS = 120_000;

/**
 * What a machine at one of these providers can be given: the newest copy there is. Ids are in the order of time. `unsealedUntil`:
 * until when a machine worked of which nobody could read what it sealed last.
 */
function bucketSource(
  copy: BucketCopy,
  newest: Checkpoint | undefined,
  unsealedUntil: number,
  to: readonly string[],
  now: number,
): BucketSource {
  const { checkpoint, sha256, place, bytes, sealedAt } = copy;
  const known = newest === undefined || newest.id <= checkpoint ? 0 : Math.max(1000, newest.createdAt - sealedAt);
  const isUnread = unsealedUntil - Math.max(sealedAt, newest?.createdAt ?? 0) > LAST_WORD_MS;
  const behind = isUnread ? { behindMs: unsealedUntil - sealedAt, isUnread } : { behindMs: known };
  return { checkpoint, sha256, place, bytes, sealedAt, ageMs: Math.max(0, now - sealedAt), ...behind, to };
}

/** The first of these copies that its bucket still has: somebody else may have pruned it. `why`: what speaks against the last one. */
async function firstThere(
  world: TravelMeans["world"],
  copies: readonly BucketCopy[],
  signal: AbortSignal,
): Promise<{ readonly copy?: BucketCopy; readonly why?: string }> {
  let why: string | undefined;
  for (const copy of copies) {
    const bucket = await openBucket(world, parseBucketUrl(copy.place));
    try {
      if ((await bucket.head(manifestKey(copy.checkpoint), signal)) !== null) return { copy };
      why = `${copy.checkpoint} is not in ${copy.place} any more`;
    } catch (error) {
      signal.throwIfAborted();
      // Other ways back need no bucket.
      why = `${copy.place} cannot be read (${error instanceof Error ? error.message : String(error)})`;
    } finally {
      await bucket.close();
    }
  }
  return why === undefined ? {} : { why };
}

/**
 * Takes checkpoints to volumes that lie on this computer: from another one that does, or from a bucket they were copied to; and
 * from a bucket to a rented machine that has its volume. A rented volume can be written only by a machine that has it.
 */
export function directTravel(fleet: Fleet, world: TravelMeans["world"]): CheckpointTravel {
  return {
    async source(home, newest, among, signal, record) {
      const kinds = await Promise.all(among.map(async (id) => ({ id, kind: (await fleet.provider(id)).capabilities.machine.kind })));
      const to = kinds.filter(({ kind }) => kind === "process").map(({ id }) => id);
      const isHere = (await volumePath(fleet, home, signal)) !== null;
      const { here, elsewhere } = isHere || newest === undefined ? NONE : await copiesOf(fleet, world, newest);
      const work = isHere || record === undefined ? NONE : await sorted(world, await copiesInBuckets(fleet.state, record));
      const far = await receiving(fleet, among);
      // Asked before anything is rented for it.
      const { copy, why } = far.length === 0 ? {} : await firstThere(world, work.here, signal);
      const unsealedUntil = record?.outlook.unsealedUntil ?? 0;
      const bucket = copy === undefined ? {} : { bucket: bucketSource(copy, newest, unsealedUntil, far, fleet.clock.now()) };
      const from = isHere ? home.name : here[0]?.place;
      if (from !== undefined && newest !== undefined && to.length > 0) return { from, bytes: newest.bytes, to, ...bucket };
      if (copy !== undefined) return { from: copy.place, bytes: copy.bytes, to: [], ...bucket };
      if (why !== undefined) return { why };
      if (newest === undefined) return { why: "no sealed checkpoint of it is known" };
      if (from === undefined) return { why: unreadable(newest, home, elsewhere.length > 0 ? elsewhere : work.elsewhere) };
      return { why: `${newest.id} lies in ${from}, and only a volume on this computer can take it before a machine has it` };
    },
    async bring(checkpoint, home, to, signal, receiver) {
      const isHere = (await volumePath(fleet, home, signal)) !== null;
      const copies = isHere ? [] : (await copiesOf(fleet, world, checkpoint)).here;
      const ends: readonly TravelEnd[] = isHere
        ? [{ kind: "volume", volume: home }]
        : copies.map((copy) => ({ kind: "bucket", place: parseBucketUrl(copy.place), known: copy }));
      let refused: unknown = new Problem({ code: "SPOT_E_UNREADABLE", message: unreadable(checkpoint, home, []), exit: EXIT.failed });
      const end: TravelEnd = { kind: "volume", volume: to, ...(receiver === undefined ? {} : { through: receiver.reach }) };
      const options = { signal, ...(receiver === undefined ? {} : { onArrived: receiver.onArrived }) };
      for (const from of ends) {
        try {
          await copyCheckpoint({ fleet, world }, { id: checkpoint.id, from, to: end }, options);
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

function unreadable({ id }: Pick<Checkpoint, "id">, home: VolumeRecord, [copy]: readonly BucketCopy[]): string {
  return copy === undefined
    ? `${id} can be read only by a machine that has ${home.name}; spot checkpoints copy takes one to a bucket`
    : `${id} lies in ${copy.place} at ${serverText(copy.endpoint)}, and AWS_ENDPOINT_URL_S3 says another server`;
}
