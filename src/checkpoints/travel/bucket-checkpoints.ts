import type { Checkpoint } from "../../model/checkpoint.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { type Bucket, bucketText } from "../../providers/bucket.ts";
import { eachOf } from "../bounded.ts";
import { checkpointOf, type DamagedCheckpoint } from "../catalogue.ts";
import { readManifest } from "./source.ts";

const FOLDER = "checkpoints/";
const MANIFEST_KEY = /^checkpoints\/(c-[0-9A-Za-z-]{1,64})\/MANIFEST$/;
/** A manifest takes some 150 bytes a file. */
const LARGEST_MANIFEST_BYTES = 512 * 1024 * 1024;
const AT_ONCE = 4;

export function manifestKey(id: string): string {
  return `${FOLDER}${id}/MANIFEST`;
}

/** The manifest of a checkpoint in a bucket, byte by byte; null when it is not there. `key`: where it lies, if not in its place. */
export async function fetchManifest(bucket: Bucket, id: string, signal: AbortSignal, key = manifestKey(id)): Promise<Buffer | null> {
  const found = await bucket.head(key, signal);
  if (found === null) return null;
  if (found.size > LARGEST_MANIFEST_BYTES)
    throw new Problem({
      code: "SPOT_E_CHECKPOINT_DAMAGED",
      message: `${bucketText(bucket.place)}: the manifest of ${id} is larger than any`,
      exit: EXIT.verification,
    });
  const contents = await bucket.get(key, { from: 0, to: found.size }, signal);
  if (contents === null) return null;
  const chunks: Uint8Array[] = [];
  for await (const chunk of contents) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface BucketCatalogue {
  /** Newest first. `volume` is the place in the bucket. */
  readonly sealed: readonly Checkpoint[];
  readonly damaged: readonly DamagedCheckpoint[];
}

/** The checkpoints in a bucket, by their manifests, which are written last. Contents are not read. */
export async function listBucket(bucket: Bucket, signal: AbortSignal): Promise<BucketCatalogue> {
  const ids: string[] = [];
  for await (const { key } of bucket.list(FOLDER, signal)) {
    const id = MANIFEST_KEY.exec(key)?.[1];
    if (id !== undefined) ids.push(id);
  }
  const sealed: Checkpoint[] = [];
  const damaged: DamagedCheckpoint[] = [];
  await eachOf(ids, AT_ONCE, async (id) => {
    try {
      const bytes = await fetchManifest(bucket, id, signal);
      const place = bucketText(bucket.place);
      if (bytes !== null) sealed.push(checkpointOf(readManifest(bytes, id, place), place, bytes));
    } catch (error) {
      if (!(error instanceof Problem) || error.exit !== EXIT.verification) throw error;
      damaged.push({ id, what: error.message });
    }
  });
  const newestFirst = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? 1 : -1);
  return { sealed: sealed.sort(newestFirst), damaged: damaged.sort(newestFirst) };
}
