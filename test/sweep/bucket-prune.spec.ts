import { expect, test } from "vitest";
import { pruneBucket } from "../../src/checkpoints/travel/bucket-prune.ts";
import { folderSource } from "../../src/checkpoints/travel/source.ts";
import { copyToBucket } from "../../src/checkpoints/travel/to-bucket.ts";
import type { Bucket } from "../../src/providers/bucket.ts";
import {
  Broken,
  breaking,
  expectWhole,
  first,
  fresh,
  keysIn,
  MIB,
  never,
  sample,
  second,
  third,
} from "../checkpoints/bucket-prune-bench.ts";

/** Every request is a point, or every n-th. */
const STRIDE = Number(process.env["SPOT_PRUNE_STRIDE"] ?? "1");

test("broken off at any change, before or after it: what is listed is whole, and the next pruning leaves nothing behind", async () => {
  const way = await fresh();
  const folders = [first, second, third].map(sample);
  let points = 0;
  for (let at = 1; ; at += STRIDE) {
    let ended = false;
    for (const after of [false, true]) {
      for (const one of folders) await way.up(one);
      const struck = breaking(way.bucket, at, after);
      try {
        await pruneBucket(struck.bucket, [first, second], `p-${at}`, never);
        ended = true;
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        points++;
      }
      expect(await expectWhole(way.bucket)).toContain(third);
      await pruneBucket(way.bucket, [first, second], `q-${at}`, never);
      const left = await keysIn(way.bucket);
      expect([at, left.filter((key) => key !== "pruned/LAST").length]).toEqual([at, 4]);
    }
    if (ended) break;
  }
  // Two manifests aside and away, four contents, two manifests at last, and what says that it began and that it removes.
  if (STRIDE === 1) expect(points).toBe(2 * 12);
});

test("a copy that begins within a pruning, at any of its requests, and goes on when that is over: nothing is listed that lacks a content", async () => {
  const way = await fresh();
  const source = await folderSource(sample(second));
  const outcomes = new Set<string>();
  for (let at = 1; ; at += STRIDE) {
    await way.up(sample(first));
    await way.up(sample(third));
    const options = { signal: never, readBack: false, dryRun: false, now: () => 0, partBytes: 5 * MIB };
    let over = () => undefined as unknown;
    const isOver = new Promise((resolve) => (over = () => resolve(undefined)));
    // What it found there it has found: it writes nothing until the pruning is over.
    const patient: Bucket = { ...way.bucket, put: (...how) => isOver.then(() => way.bucket.put(...how)) };
    let copying: Promise<string> | undefined;
    let requests = 0;
    const begun = async () => {
      if (++requests !== at) return;
      copying = copyToBucket(source, patient, options).then(
        () => "copied",
        (error: { readonly code?: string }) => error.code ?? "",
      );
      // As far as it gets without writing.
      await new Promise((resolve) => setTimeout(resolve, 200));
    };
    const pruning: Bucket = {
      ...way.bucket,
      head: (...how) => begun().then(() => way.bucket.head(...how)),
      put: (...how) => begun().then(() => way.bucket.put(...how)),
      get: (...how) => begun().then(() => way.bucket.get(...how)),
      remove: (...how) => begun().then(() => way.bucket.remove(...how)),
    };
    await pruneBucket(pruning, [third, first], `p-${at}`, never);
    over();
    const outcome = await copying;
    if (outcome !== undefined) outcomes.add(outcome);
    const listed = await expectWhole(way.bucket);
    expect([at, listed.includes(second)]).toEqual([at, outcome === "copied"]);
    await pruneBucket(way.bucket, [first, second, third], `r-${at}`, never);
    if (requests < at) break;
  }
  if (STRIDE === 1) expect([...outcomes].sort()).toEqual(["SPOT_E_IN_USE", "copied"]);
});

test("a pruning that crosses a copy, at any of its requests: nothing is listed that lacks a content", async () => {
  const way = await fresh();
  const source = await folderSource(sample(second));
  const outcomes = new Set<string>();
  for (let at = 1; ; at += STRIDE) {
    await way.up(sample(first));
    await way.up(sample(third));
    let requests = 0;
    // The pruning takes what the copy has found there and shares with nothing that is listed.
    const crossed = async () => {
      if (++requests === at) await pruneBucket(way.bucket, [first], `p-${at}`, never);
    };
    const bucket: Bucket = {
      ...way.bucket,
      head: (...how) => crossed().then(() => way.bucket.head(...how)),
      put: (...how) => crossed().then(() => way.bucket.put(...how)),
      get: (...how) => crossed().then(() => way.bucket.get(...how)),
    };
    const options = { signal: never, readBack: false, dryRun: false, now: () => 0, partBytes: 5 * MIB };
    const outcome = await copyToBucket(source, bucket, options).then(
      () => "copied",
      (error: { readonly code?: string }) => error.code ?? "",
    );
    outcomes.add(outcome);
    const listed = await expectWhole(way.bucket);
    expect([at, listed.includes(second)]).toEqual([at, outcome === "copied"]);
    await way.up(sample(second));
    expect(await expectWhole(way.bucket)).toContain(second);
    await pruneBucket(way.bucket, [first, second, third], `r-${at}`, never);
    if (requests < at) break;
  }
  if (STRIDE === 1) expect([...outcomes].sort()).toEqual(["SPOT_E_IN_USE", "copied"]);
});
