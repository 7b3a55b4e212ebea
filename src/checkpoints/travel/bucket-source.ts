import { notFoundProblem } from "../../model/problem.ts";
import { type Bucket, bucketText } from "../../providers/bucket.ts";
import { bytesText } from "../manifest.ts";
import { fetchManifest, manifestKey } from "./bucket-checkpoints.ts";
import { ContentDamage } from "./contents.ts";
import { type FileEntry, planTravel } from "./plan.ts";
import { type CheckpointSource, readManifest } from "./source.ts";

interface Stretch {
  readonly key: string;
  readonly file: FileEntry;
  readonly from: number;
  readonly to: number;
}

/** Joins what lies side by side in one object, so that it takes one request. */
function joined(stretches: readonly Stretch[]): readonly Stretch[] {
  const runs: Stretch[] = [];
  for (const stretch of stretches) {
    const last = runs.at(-1);
    if (last !== undefined && last.key === stretch.key && last.to === stretch.from) runs[runs.length - 1] = { ...last, to: stretch.to };
    else runs.push(stretch);
  }
  return runs;
}

/** A checkpoint in a bucket. @throws Problem: exit 9 when it is not there, exit 7 when its manifest does not hold. */
export async function bucketSource(bucket: Bucket, id: string, signal: AbortSignal): Promise<CheckpointSource> {
  const where = bucketText(bucket.place);
  const manifestBytes = await fetchManifest(bucket, id, signal);
  // A bucket that is not there says so only to whom asks for more than an object.
  if (manifestBytes === null) for await (const _ of bucket.list(manifestKey(id), signal)) break;
  if (manifestBytes === null) throw notFoundProblem("checkpoint", `${where}/${id}`, [`spot checkpoints ls ${where}`]);
  const manifest = readManifest(manifestBytes, id, where);
  const places = new Map<string, { readonly key: string; readonly from: number }>();
  for (const { key, members } of planTravel(manifest).objects) {
    let from = 0;
    for (const { sha256, size } of members) {
      places.set(sha256, { key, from });
      from += size;
    }
  }
  const stretchOf = (file: FileEntry, skipped: number): readonly Stretch[] => {
    const place = places.get(file.sha256);
    return place === undefined ? [] : [{ key: place.key, file, from: place.from + skipped, to: place.from + file.size }];
  };
  return {
    manifest,
    manifestBytes,
    async *read(files, until, from = 0) {
      for (const { key, file, ...range } of joined(files.flatMap((file, index) => stretchOf(file, index === 0 ? from : 0)))) {
        const contents = await bucket.get(key, range, until);
        if (contents === null) throw new ContentDamage(bytesText(file.path), `is not in the bucket: ${key} is missing`);
        yield* contents;
      }
    },
  };
}
