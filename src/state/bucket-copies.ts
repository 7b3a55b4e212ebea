import type { BucketCopy, State } from "./records.ts";
import type { Executor, Tables } from "./tables.ts";

function fromRow({ sealed_at, verified_at, proof, ...row }: Tables["bucket_copies"]): BucketCopy {
  return { ...row, sealedAt: sealed_at, verifiedAt: verified_at, proof: proof === "checksum" ? "checksum" : "read" };
}

export async function putBucketCopies(database: Executor, copies: readonly BucketCopy[]): Promise<void> {
  for (const { checkpoint, place, endpoint, sealedAt, verifiedAt, ...same } of copies) {
    const rest = { ...same, sealed_at: sealedAt, verified_at: verifiedAt };
    await database
      .insertInto("bucket_copies")
      .values({ checkpoint, place, endpoint, ...rest })
      .onConflict((conflict) => conflict.columns(["checkpoint", "place", "endpoint"]).doUpdateSet(rest))
      .execute();
  }
}

export async function removeBucketCopies(
  database: Executor,
  gone: readonly Pick<BucketCopy, "checkpoint" | "place" | "endpoint">[],
): Promise<void> {
  for (const { checkpoint, place, endpoint } of gone)
    await database
      .deleteFrom("bucket_copies")
      .where("checkpoint", "=", checkpoint)
      .where("place", "=", place)
      .where("endpoint", "=", endpoint)
      .execute();
}

export function bucketCopyQueries(database: Executor): Pick<State, "bucketCopies"> {
  return {
    async bucketCopies(filter = {}) {
      let query = database
        .selectFrom("bucket_copies")
        .selectAll()
        .orderBy("sealed_at", "desc")
        .orderBy("checkpoint", "desc")
        .orderBy("place");
      if (filter.instance !== undefined) query = query.where("instance", "=", filter.instance);
      if (filter.checkpoint !== undefined) query = query.where("checkpoint", "=", filter.checkpoint);
      return (await query.execute()).map(fromRow);
    },
  };
}
