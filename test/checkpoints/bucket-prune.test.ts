import { join } from "node:path";
import { expect, test } from "vitest";
import { prunableInBucket, pruneBucket } from "../../src/checkpoints/travel/bucket-prune.ts";
import { beingPruned } from "../../src/checkpoints/travel/pruned.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import { motoS3, s3rverS3 } from "../clouds/s3/servers.ts";
import { temporaryFolder } from "../world.ts";
import {
  Broken,
  breaking,
  EARLY,
  expectWhole,
  first,
  fresh,
  keysIn,
  listedIn,
  never,
  OLD,
  sample,
  second,
  third,
} from "./bucket-prune-bench.ts";
import { idAt } from "./sealing.ts";

test.each(
  [
    { name: "moto", make: motoS3, has: motoAvailable() },
    { name: "s3rver", make: s3rverS3, has: true },
  ].filter(({ has }) => has),
)("$name: what a listed checkpoint needs stays, the rest goes, as many bytes as were said", async ({ make }) => {
  const way = await fresh(make);
  for (const id of [first, second, third]) await way.up(sample(id));
  const said = await prunableInBucket(way.bucket, [first], never);
  expect(said).toBe(OLD.length + 3);
  expect(await pruneBucket(way.bucket, [first, idAt(7)], "p-1", never)).toEqual({ pruned: [first], freed: said });
  expect(await prunableInBucket(way.bucket, [second], never)).toBe(EARLY.length + 3);
  expect(await expectWhole(way.bucket)).toEqual([third, second]);
  const back = temporaryFolder();
  await way.down(second, back);
  expect(await verifyCheckpoint(join(back, second))).toMatchObject({ ok: true });
  await pruneBucket(way.bucket, [second], "p-2", never);
  const left = await keysIn(way.bucket);
  expect(left.filter((key) => /^(?:data|packs|checkpoints)\//.test(key))).toHaveLength(4);
  expect(await beingPruned(way.bucket, never)).toEqual([]);
  // What went may come back.
  expect(await way.up(sample(first))).toMatchObject({ movedBytes: EARLY.length + OLD.length + 3 });
  expect(await expectWhole(way.bucket)).toEqual([third, first]);
});

test("a copy that needs what a pruning was about to remove waits for its end; a manifest that does not hold lets nothing go", async () => {
  const way = await fresh();
  await way.up(sample(first));
  await way.up(sample(third));
  const struck = breaking(way.bucket, 4, false);
  await expect(pruneBucket(struck.bucket, [first], "p", never)).rejects.toThrow(Broken);
  expect(await listedIn(way.bucket)).toEqual([third]);
  await expect(way.up(sample(second))).rejects.toMatchObject({ code: "SPOT_E_IN_USE", retryable: true });
  await pruneBucket(way.bucket, [], "q", never);
  await way.up(sample(second));
  expect(await expectWhole(way.bucket)).toEqual([third, second]);
  await way.bucket.put(`checkpoints/${third}/MANIFEST`, Buffer.from("spoilt"), "0".repeat(64), never).catch(() => undefined);
  const before = await keysIn(way.bucket);
  await expect(pruneBucket(way.bucket, [second], "r", never)).rejects.toMatchObject({ exit: 7 });
  expect(await keysIn(way.bucket)).toEqual(before);
});
