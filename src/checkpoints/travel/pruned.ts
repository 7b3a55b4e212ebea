import { createHash } from "node:crypto";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { type Bucket, bucketText } from "../../providers/bucket.ts";
import { fetchManifest } from "./bucket-checkpoints.ts";
import { planTravel } from "./plan.ts";
import { readManifest } from "./source.ts";

/**
 * What is being removed from a bucket, told in the bucket itself, so that copies from other computers see it. `pruned/ID/MANIFEST` is
 * the manifest of a checkpoint that is not listed any more and whose contents are about to go; `pruned/LAST` is another text after
 * each pruning has begun, and again before it removes the first content.
 */
const FOLDER = "pruned/";
const LAST = `${FOLDER}LAST`;
const KEY = /^pruned\/(c-[0-9A-Za-z-]{1,64})\/MANIFEST$/;
const LAST_BYTES = 200;

/** The key under which the manifest of a checkpoint lies while its contents go. */
export const prunedKey = (id: string) => `${FOLDER}${id}/MANIFEST`;

async function small(bucket: Bucket, key: string, signal: AbortSignal): Promise<string | null> {
  const found = await bucket.head(key, signal);
  const contents = found === null ? null : await bucket.get(key, { from: 0, to: Math.min(found.size, LAST_BYTES) }, signal);
  if (contents === null) return null;
  const chunks: Uint8Array[] = [];
  for await (const chunk of contents) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

/** Says how far a pruning is; what a copy has seen before is to be looked at again. @param word one that nobody else says. */
export async function tellPruning(bucket: Bucket, word: string, signal: AbortSignal): Promise<void> {
  const body = Buffer.from(word, "latin1");
  await bucket.put(LAST, body, createHash("sha256").update(body).digest("hex"), signal);
}

/** The ids whose contents are about to go, also of a pruning that was killed. */
export async function beingPruned(bucket: Bucket, signal: AbortSignal): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { key } of bucket.list(FOLDER, signal)) {
    const id = KEY.exec(key)?.[1];
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/** The objects that a checkpoint lies in and their sizes; null when there is no such manifest. @throws Problem (exit 7) when it does not hold. */
export async function objectsOf(
  bucket: Bucket,
  id: string,
  key: string | undefined,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number> | null> {
  const bytes = await fetchManifest(bucket, id, signal, key);
  if (bytes === null) return null;
  return new Map(planTravel(readManifest(bytes, id, bucketText(bucket.place))).objects.map((object) => [object.key, object.size]));
}

/** What a copy has to know of prunings: the text of the last one, and whether one takes what the copy needs. */
export interface PruningSeen {
  readonly last: string | null;
}

/**
 * Looks whether somebody is about to remove an object that a copy needs. A copy asks before it looks what is there, and again when
 * its manifest stands: a pruning that it does not see then either has begun later, and sees that manifest, or has changed `last`.
 * @throws Problem (retryable) when one is about to go.
 */
export async function seePruning(bucket: Bucket, needed: ReadonlySet<string>, signal: AbortSignal): Promise<PruningSeen> {
  const last = await small(bucket, LAST, signal);
  for (const id of await beingPruned(bucket, signal)) {
    const going = await objectsOf(bucket, id, prunedKey(id), signal).catch((error: unknown) => {
      // Nobody removes what it does not name.
      if (error instanceof Problem && error.exit === EXIT.verification) return null;
      throw error;
    });
    if (![...(going?.keys() ?? [])].some((key) => needed.has(key))) continue;
    const where = bucketText(bucket.place);
    throw new Problem({
      code: "SPOT_E_IN_USE",
      message: `${where}: contents that the copy shares with ${id} are being removed there`,
      exit: EXIT.failed,
      hint: "a pruning is under way, or was broken off: the next one brings it to its end",
      next: [`spot checkpoints prune ${where} --keep-last 3`],
      retryable: true,
    });
  }
  return { last };
}
