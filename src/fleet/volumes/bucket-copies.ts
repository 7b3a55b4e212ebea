import type { BucketCopy, InstanceRecord, State } from "../../state/records.ts";

/**
 * The copies of an instance's work in buckets, newest first. A name may have been another instance's before: what is not known on
 * its volume counts only when it was sealed in its own time.
 */
export async function copiesInBuckets(
  state: Pick<State, "bucketCopies" | "checkpoints">,
  { name, spec, createdAt }: Pick<InstanceRecord, "name" | "spec" | "createdAt">,
): Promise<readonly BucketCopy[]> {
  const onVolume = spec.volume === null ? [] : await state.checkpoints({ volume: spec.volume.name });
  const known = new Map(onVolume.map(({ id, sha256 }) => [id, sha256]));
  const isOurs = (copy: BucketCopy) => (known.get(copy.checkpoint) ?? copy.sha256) === copy.sha256;
  return (await state.bucketCopies({ instance: name }))
    .filter((copy) => isOurs(copy) && (known.has(copy.checkpoint) || copy.sealedAt >= createdAt))
    .toSorted((a, b) => (a.checkpoint < b.checkpoint ? 1 : a.checkpoint > b.checkpoint ? -1 : 0));
}
