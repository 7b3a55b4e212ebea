import { join } from "node:path";
import { copyToArrival } from "../../src/checkpoints/travel/arrival.ts";
import { bucketSource } from "../../src/checkpoints/travel/bucket-source.ts";
import { folderArrival } from "../../src/checkpoints/travel/folder-arrival.ts";
import { folderSource } from "../../src/checkpoints/travel/source.ts";
import { copyToBucket, type Travelled } from "../../src/checkpoints/travel/to-bucket.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import { seededRng, systemRng } from "../../src/platform/rng.ts";
import type { Bucket } from "../../src/providers/bucket.ts";
import { openBucket } from "../../src/providers/open-bucket.ts";
import type { S3Server } from "../clouds/s3/servers.ts";

/** The sixteen letters that any content here is made of repeat after so many bytes: incompressible enough, and the same each time. */
export function someBytes(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  const rng = seededRng(seed);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(Math.floor(rng.next() * 2 ** 32), at);
  return bytes;
}

/** Waits are over at once: what is tested is what is done between them. */
export const HASTY: Clock = { ...systemClock, sleep: (_, signal) => systemClock.sleep(0, signal) };

export const PREFIX = "team a/ü+1";

export interface Way {
  readonly bucket: Bucket;
  up(
    folder: string,
    options?: { readonly readBack?: boolean; readonly dryRun?: boolean; readonly signal?: AbortSignal },
  ): Promise<Travelled>;
  down(id: string, folder: string, signal?: AbortSignal): Promise<Travelled>;
}

/** What `spot checkpoints copy` does with a bucket, without the command. `url`: of a proxy before the server. */
export async function wayTo(server: Pick<S3Server, "url" | "env" | "bucket">, url = server.url, partBytes = 5 * 1024 * 1024): Promise<Way> {
  const world = { env: { ...server.env, AWS_ENDPOINT_URL_S3: url }, home: "/nonexistent", clock: HASTY, rng: systemRng };
  const bucket = await openBucket(world, { bucket: server.bucket, prefix: PREFIX });
  const never = new AbortController().signal;
  return {
    bucket,
    async up(folder, { readBack = false, dryRun = false, signal = never } = {}) {
      return copyToBucket(await folderSource(folder), bucket, { signal, readBack, dryRun, now: () => Date.now(), partBytes });
    },
    async down(id, folder, signal = never) {
      const source = await bucketSource(bucket, id, signal);
      return copyToArrival(source, await folderArrival(join(folder), source, false, signal), { signal, dryRun: false });
    },
  };
}
