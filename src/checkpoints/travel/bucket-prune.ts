import { createHash } from "node:crypto";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { type Bucket, bucketText } from "../../providers/bucket.ts";
import { eachOf } from "../bounded.ts";
import { fetchManifest, listBucket, manifestKey } from "./bucket-checkpoints.ts";
import { beingPruned, objectsOf, prunedKey, tellPruning } from "./pruned.ts";

const AT_ONCE = 4;
/** A manifest that came spoilt may have been spoilt on its way. */
const READ_TRIES = 3;

/** The objects of a checkpoint that is listed. @throws Problem (exit 7) when its manifest does not hold, however often it is read. */
async function named(bucket: Bucket, id: string, key: string | undefined, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  for (let tries = 1; ; tries++) {
    try {
      return (await objectsOf(bucket, id, key, signal)) ?? new Map();
    } catch (error) {
      if (!(error instanceof Problem) || error.exit !== EXIT.verification || tries === READ_TRIES) throw error;
    }
  }
}

async function namedByAll(
  bucket: Bucket,
  ids: readonly string[],
  keyOf: ((id: string) => string) | undefined,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const all = new Map<string, number>();
  await eachOf(ids, AT_ONCE, async (id) => {
    for (const [key, size] of await named(bucket, id, keyOf?.(id), signal)) all.set(key, size);
  });
  return all;
}

/** What is listed and what nobody can read any more. */
async function listed(bucket: Bucket, signal: AbortSignal): Promise<readonly string[]> {
  const { sealed, damaged } = await listBucket(bucket, signal);
  return [...sealed, ...damaged].map(({ id }) => id);
}

/**
 * The bytes that a bucket has less of when these checkpoints are gone: the objects that no other one needs, and those of a pruning
 * that was broken off. @throws Problem (exit 7) when a manifest does not hold: nobody knows what its checkpoint needs.
 */
export async function prunableInBucket(bucket: Bucket, ids: readonly string[], signal: AbortSignal): Promise<number> {
  await requireReadable(bucket, signal);
  const going = new Set(ids);
  const staying = (await listed(bucket, signal)).filter((id) => !going.has(id));
  const needed = await namedByAll(bucket, staying, undefined, signal);
  const leftover = (await beingPruned(bucket, signal)).filter((id) => !going.has(id));
  const gone = new Map([
    ...(await namedByAll(bucket, ids, undefined, signal)),
    ...(await namedByAll(bucket, leftover, prunedKey, signal).catch(nothingIfDamaged)),
  ]);
  return [...gone].reduce((sum, [key, size]) => sum + (needed.has(key) ? 0 : size), 0);
}

function nothingIfDamaged(error: unknown): ReadonlyMap<string, number> {
  if (error instanceof Problem && error.exit === EXIT.verification) return new Map();
  throw error;
}

/** What of a checkpoint is not in the bucket, by what the server says of each object; contents are not read. */
export async function missingInBucket(bucket: Bucket, id: string, signal: AbortSignal): Promise<readonly string[]> {
  const missing: string[] = [];
  await eachOf([...(await named(bucket, id, undefined, signal))], 2 * AT_ONCE, async ([key, size]) => {
    if ((await bucket.head(key, signal))?.size !== size) missing.push(key);
  });
  return missing;
}

/**
 * Removes the contents of everything whose manifest lies among the pruned ones, as far as no listed checkpoint needs them. Where a
 * listed manifest does not hold, nobody knows what it needs: then no content goes.
 * @returns bytes.
 */
async function removeContents(bucket: Bucket, signal: AbortSignal): Promise<number> {
  const pruned = await beingPruned(bucket, signal);
  if (pruned.length === 0) return 0;
  // Read anew: whatever is listed by now keeps what it needs.
  const needed = await namedByAll(bucket, await listed(bucket, signal), undefined, signal);
  let freed = 0;
  for (const id of pruned) {
    const going = await named(bucket, id, prunedKey(id), signal).catch(nothingIfDamaged);
    await eachOf([...going], AT_ONCE, async ([key, size]) => {
      if (needed.has(key) || (await bucket.head(key, signal)) === null) return;
      await bucket.remove(key, signal);
      freed += size;
    });
    await bucket.remove(prunedKey(id), signal);
  }
  return freed;
}

/**
 * Removes checkpoints from a bucket. Each manifest is first laid aside and then taken from its place, so that its checkpoint is
 * listed no more, before a single content goes; contents that a listed one needs stay. Whatever interrupts this, what is listed is
 * whole, and the next pruning finishes it. Copies under way anywhere see it (`seePruning`).
 * @param word one that no other pruning says.
 * @returns what went, and the bytes of the objects that were removed.
 * @throws Problem (exit 7) when a manifest there does not hold.
 */
export async function pruneBucket(
  bucket: Bucket,
  ids: readonly string[],
  word: string,
  signal: AbortSignal,
): Promise<{ readonly pruned: readonly string[]; readonly freed: number }> {
  await requireReadable(bucket, signal);
  await tellPruning(bucket, `${word} begins`, signal);
  const pruned: string[] = [];
  for (const id of ids) {
    const bytes = await fetchManifest(bucket, id, signal);
    if (bytes === null) continue;
    await bucket.put(prunedKey(id), bytes, createHash("sha256").update(bytes).digest("hex"), signal);
    await bucket.remove(manifestKey(id), signal);
    pruned.push(id);
  }
  // Once more: a copy that began meanwhile may have looked before the manifest was laid aside whose contents it shares.
  await tellPruning(bucket, `${word} removes`, signal);
  return { pruned, freed: await removeContents(bucket, signal) };
}

/** @throws Problem (exit 7) when a manifest there does not hold: nobody knows what its checkpoint needs. */
export async function requireReadable(bucket: Bucket, signal: AbortSignal): Promise<void> {
  const { damaged } = await listBucket(bucket, signal);
  const [first] = damaged;
  if (first === undefined) return;
  const where = bucketText(bucket.place);
  throw new Problem({
    code: "SPOT_E_CHECKPOINT_DAMAGED",
    message: `${where}: ${first.what}`,
    exit: EXIT.verification,
    hint: "nobody can tell which contents it needs, so nothing was removed; a copy of the same checkpoint mends its manifest",
    next: [`spot checkpoints copy ${first.id} --to ${where}`],
  });
}
