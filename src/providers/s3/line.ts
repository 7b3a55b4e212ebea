import type { S3Client } from "@aws-sdk/client-s3";
import type { World } from "../../platform/world.ts";
import type { BucketPlace } from "../bucket.ts";
import { tries } from "./tries.ts";

/** What every operation on one place needs. */
export interface Line {
  readonly place: BucketPlace;
  readonly s3: S3Client;
  readonly send: ReturnType<typeof tries>;
  /** The prefix with its slash, or nothing. */
  readonly below: string;
  at(key: string): { readonly Bucket: string; readonly Key: string };
}

export function lineTo(world: Pick<World, "clock" | "rng">, place: BucketPlace, s3: S3Client): Line {
  const below = place.prefix === "" ? "" : `${place.prefix}/`;
  return { place, s3, send: tries(world, place), below, at: (key) => ({ Bucket: place.bucket, Key: `${below}${key}` }) };
}

/** Null instead of the refusals that say so. */
export async function orNull<Value>(work: Promise<Value>, isNull: (error: unknown) => boolean): Promise<Value | null> {
  try {
    return await work;
  } catch (error) {
    if (isNull(error)) return null;
    throw error;
  }
}
