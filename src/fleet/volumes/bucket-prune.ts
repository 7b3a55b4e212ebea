import { type RetentionRow, type RetentionRules, retain } from "../../checkpoints/retention.ts";
import { listBucket } from "../../checkpoints/travel/bucket-checkpoints.ts";
import { missingInBucket, prunableInBucket, pruneBucket, requireReadable } from "../../checkpoints/travel/bucket-prune.ts";
import { beingPruned } from "../../checkpoints/travel/pruned.ts";
import type { Checkpoint } from "../../model/checkpoint.ts";
import { newId } from "../../model/ids.ts";
import { type Bucket, bucketText } from "../../providers/bucket.ts";
import type { Fleet } from "../fleet.ts";
import { beginnings, keepWhole, type PrunableCheckpoint } from "./checkpoint-prune.ts";
import { checkpointsRead } from "./checkpoint-reading.ts";

/** What pruning would do in one bucket. */
export interface BucketPrunePlan {
  /** Newest first. */
  readonly rows: readonly RetentionRow<PrunableCheckpoint>[];
  /** Bytes of the objects that go, those of a pruning that was broken off included. */
  readonly freed: number;
  /** What lacks an object although it is the newest, or newer than what lacks none. */
  readonly damaged: readonly Checkpoint[];
  /** A pruning was broken off there: the next one finishes it, whatever the rules say. */
  readonly isBrokenOff: boolean;
}

/** What is read, or copied, by anybody who works on this state, and what an instance begins from next. */
async function usedNow(fleet: Fleet, sealed: readonly Checkpoint[]): Promise<ReadonlyMap<string, string>> {
  const used = new Map([...(await checkpointsRead(fleet)), ...beginnings(sealed)]);
  for (const { name, owner } of await fleet.state.leasesUnder("copy:", fleet.clock.now())) {
    const [, id = ""] = name.split(":");
    if (!fleet.ownerIsDead(owner)) used.set(id, "being copied");
  }
  return used;
}

/**
 * What would go from a bucket, and why the rest stays. Of an instance's newest the server is asked for each object: where one is
 * missing, the next older one that has all of its own stays as well. Contents are not read. Nothing is changed.
 * @throws Problem (exit 7) when a manifest there does not hold and something would go: nobody knows what it needs.
 */
export async function planBucketPrune(
  fleet: Fleet,
  bucket: Bucket,
  { rules, instances }: { readonly rules: RetentionRules; readonly instances: ReadonlySet<string> | null },
  signal: AbortSignal,
): Promise<BucketPrunePlan> {
  const { sealed } = await listBucket(bucket, signal);
  const items = sealed.map(
    (checkpoint): PrunableCheckpoint => ({
      id: checkpoint.id,
      createdAt: checkpoint.createdAt,
      group: checkpoint.instance,
      checkpoint,
    }),
  );
  const weighed = retain(items, rules, fleet.clock.now(), await usedNow(fleet, sealed)).filter(
    ({ item }) => instances === null || instances.has(item.group),
  );
  const { rows, damaged } = await keepWhole(weighed, async ({ id }) => {
    fleet.say(`asking for each object of ${id}, before anything older goes`);
    return (await missingInBucket(bucket, id, signal)).length === 0;
  });
  const ids = rows.flatMap(({ kept, item }) => (kept ? [] : [item.id]));
  const isBrokenOff = (await beingPruned(bucket, signal)).length > 0;
  const freed = ids.length > 0 || isBrokenOff ? await prunableInBucket(bucket, ids, signal) : 0;
  return { rows, damaged, freed, isBrokenOff };
}

/**
 * Does what a plan says. Our records forget the copies first, so that none is counted on that goes.
 * @throws Problem (exit 7, nothing is changed) when a manifest there does not hold
 */
export async function carryOutBucketPrune(
  fleet: Fleet,
  bucket: Bucket,
  { rows }: BucketPrunePlan,
  signal: AbortSignal,
): Promise<{ readonly pruned: readonly string[]; readonly freed: number }> {
  const going = rows.flatMap(({ kept, item }) => (kept ? [] : [item.checkpoint])).toReversed();
  const place = bucketText(bucket.place);
  const { endpoint } = bucket;
  await requireReadable(bucket, signal);
  await fleet.state.commit({ removeBucketCopies: going.map(({ id }) => ({ checkpoint: id, place, endpoint })) });
  const { pruned, freed } = await pruneBucket(
    bucket,
    going.map(({ id }) => id),
    newId("p", fleet.rng),
    signal,
  );
  const gone = going.filter(({ id }) => pruned.includes(id));
  const instances = [...new Set(gone.map(({ instance }) => instance))];
  const told = { action: "checkpoints-prune", bucket: place, checkpoints: pruned, count: pruned.length, freedBytes: freed };
  const [only] = instances;
  const event = { at: fleet.clock.now(), type: "action" as const, provider: null };
  await fleet.state.commit({
    events: [
      instances.length === 1 && only !== undefined
        ? { ...event, instance: only, data: told }
        : { ...event, instance: null, data: { ...told, instances } },
    ],
  });
  return { pruned, freed };
}
