import type { World } from "../platform/world.ts";
import type { Bucket, BucketPlace } from "./bucket.ts";

/**
 * Opens an S3-compatible bucket by the SDK's own chain of credentials, `AWS_ENDPOINT_URL_S3` and `AWS_REGION`. Nothing is sent
 * yet. The SDK is loaded here and nowhere else.
 */
export async function openBucket(world: Pick<World, "env" | "home" | "clock" | "rng">, place: BucketPlace): Promise<Bucket> {
  const { s3Bucket } = await import("./s3/bucket.ts");
  return s3Bucket(world, place);
}
