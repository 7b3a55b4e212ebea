import { expect, onTestFinished } from "vitest";
import { listBucket } from "../../src/checkpoints/travel/bucket-checkpoints.ts";
import { missingInBucket } from "../../src/checkpoints/travel/bucket-prune.ts";
import type { Bucket } from "../../src/providers/bucket.ts";
import { s3rverS3 } from "../clouds/s3/servers.ts";
import { temporaryFolder } from "../world.ts";
import { idAt, sealSample } from "./sealing.ts";
import { someBytes, type Way, wayTo } from "./travel-bench.ts";

export const never = new AbortController().signal;
export const MIB = 1024 * 1024;
export const [first, second, third] = [idAt(1), idAt(2), idAt(3)];
/** In all three, in the first two, in the first alone, in the last alone. */
export const [EVERYWHERE, EARLY, OLD, LATE] = [1, 2, 3, 4].map((seed) => someBytes(MIB + seed * 4, seed)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];
const FILES: Readonly<Record<string, Readonly<Record<string, string | Buffer>>>> = {
  [first]: { a: EVERYWHERE, b: EARLY, c: OLD, small: "one" },
  [second]: { a: EVERYWHERE, b: EARLY, small: "two" },
  [third]: { a: EVERYWHERE, d: LATE, small: "three" },
};

export const sample = (id: string): string => sealSample(temporaryFolder(), { id, files: FILES[id] ?? {} });

export async function fresh(make: typeof s3rverS3 = s3rverS3): Promise<Way> {
  const server = await make();
  const way = await wayTo(server);
  onTestFinished(async () => {
    await way.bucket.close();
    await server.close();
  });
  return way;
}

export async function keysIn(bucket: Bucket): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of bucket.list("", never)) keys.push(key);
  return keys;
}

export async function listedIn(bucket: Bucket): Promise<readonly string[]> {
  const { sealed, damaged } = await listBucket(bucket, never);
  expect(damaged).toEqual([]);
  return sealed.map(({ id }) => id);
}

/** Nothing is listed that is not whole. @returns what is listed. */
export async function expectWhole(bucket: Bucket): Promise<readonly string[]> {
  const listed = await listedIn(bucket);
  for (const id of listed) expect([id, await missingInBucket(bucket, id, never)]).toEqual([id, []]);
  return listed;
}

export class Broken extends Error {}

/** Every change of a bucket, broken off at the `at`-th: before it is done, or after. */
export function breaking(bucket: Bucket, at: number, after: boolean): { readonly bucket: Bucket; readonly changes: () => number } {
  let changes = 0;
  const strike = async <Result>(change: () => Promise<Result>): Promise<Result> => {
    changes++;
    if (changes !== at) return change();
    if (after) await change();
    throw new Broken();
  };
  return {
    bucket: {
      ...bucket,
      put: (...how) => strike(() => bucket.put(...how)),
      remove: (...how) => strike(() => bucket.remove(...how)),
    },
    changes: () => changes,
  };
}
