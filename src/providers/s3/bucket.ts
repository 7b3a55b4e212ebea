import type { World } from "../../platform/world.ts";
import type { Bucket, BucketPlace } from "../bucket.ts";
import { openClient } from "./client.ts";
import { lineTo } from "./line.ts";
import { objectsOf } from "./objects.ts";
import { openUploadsOf, uploadsOf } from "./uploads.ts";

/** A `Bucket` over the SDK. Every operation is one that may be sent twice. */
export function s3Bucket(world: Pick<World, "env" | "home" | "clock" | "rng">, place: BucketPlace): Bucket {
  const { s3, endpoint, close } = openClient(world);
  const line = lineTo(world, place, s3);
  return { place, endpoint, ...objectsOf(line), ...openUploadsOf(line), ...uploadsOf(line), close };
}
