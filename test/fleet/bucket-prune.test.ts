import { expect, onTestFinished, test } from "vitest";
import { copiesInBuckets } from "../../src/fleet/volumes/bucket-copies.ts";
import type { BucketPrunePlan } from "../../src/fleet/volumes/bucket-prune.ts";
import { carryOutBucketPrune, planBucketPrune } from "../../src/fleet/volumes/bucket-prune.ts";
import { bucketText } from "../../src/providers/bucket.ts";
import type { BucketCopy } from "../../src/state/records.ts";
import { first, fresh, never, sample, second, third } from "../checkpoints/bucket-prune-bench.ts";
import { sealSample } from "../checkpoints/sealing.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { temporaryFolder } from "../world.ts";

const KEEP_LAST = { rules: { keepLast: 1 }, instances: null } as const;

async function scene() {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const way = await fresh();
  return { world, way, fleet: world.start().fleet };
}

test("where a clock went backwards, the checkpoint that an instance begins from next stays in the bucket", async () => {
  const { way, fleet } = await scene();
  const hour = 3600;
  await way.up(sealSample(temporaryFolder(), { id: first, files: { a: "ahead" }, created: 1_700_000_000 + hour }));
  await way.up(sealSample(temporaryFolder(), { id: second, files: { a: "after" }, created: 1_700_000_000 }));
  const { rows } = await planBucketPrune(fleet, way.bucket, KEEP_LAST, never);
  expect(rows.map(({ item, kept }) => [item.id, kept])).toEqual(expect.arrayContaining([[second, true]]));
});

test("where a manifest does not hold, nothing goes, and our records forget no copy", async () => {
  const { world, way, fleet } = await scene();
  for (const id of [first, second, third]) await way.up(sample(id));
  const copyOf = (checkpoint: string): BucketCopy => ({
    ...{ checkpoint, place: bucketText(way.bucket.place), endpoint: way.bucket.endpoint, instance: "train", sha256: checkpoint },
    ...{ bytes: 1, sealedAt: 1, verifiedAt: 1, proof: "checksum" },
  });
  await world.state.commit({ bucketCopies: [first, second].map(copyOf) });
  const plan: BucketPrunePlan = await planBucketPrune(fleet, way.bucket, KEEP_LAST, never);
  await way.bucket.put(`checkpoints/${third}/MANIFEST`, Buffer.from("spoilt"), "0".repeat(64), never).catch(() => undefined);
  await expect(carryOutBucketPrune(fleet, way.bucket, plan, never)).rejects.toMatchObject({ exit: 7 });
  expect((await world.state.bucketCopies()).map(({ checkpoint }) => checkpoint)).toEqual([second, first]);
});

test("copies are an instance's own when they are of its time or known on its volume, newest first by their ids", async () => {
  const { world } = await scene();
  const copy = (checkpoint: string, sealedAt: number, sha256 = checkpoint): BucketCopy => ({
    ...{
      checkpoint,
      place: "s3://b",
      endpoint: "",
      instance: "train",
      sha256,
      bytes: 1,
      sealedAt,
      verifiedAt: sealedAt,
      proof: "checksum",
    },
  });
  const known = { id: first, instance: "train", volume: "disk", createdAt: 1, files: 1, bytes: 1, sha256: first } as const;
  await world.state.commit({
    checkpoints: [{ ...known, sealed: true, verifiedAt: null, step: null, reason: "manual" }],
    bucketCopies: [copy(first, 1), copy(second, 90), copy(third, 60), copy("c-20200101T000000Z-00000000", 49)],
  });
  const spec = { ...paperSpec(), volume: { name: "disk", sizeGb: 1, mount: "/data" } };
  const own = await copiesInBuckets(world.state, { name: "train", createdAt: 50, spec });
  expect(own.map(({ checkpoint }) => checkpoint)).toEqual([third, second, first]);
  await world.state.commit({ bucketCopies: [copy(first, 1, "another")] });
  expect((await copiesInBuckets(world.state, { name: "train", createdAt: 50, spec })).map(({ checkpoint }) => checkpoint)).toEqual([
    third,
    second,
  ]);
});
