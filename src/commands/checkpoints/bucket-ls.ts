import { listBucket } from "../../checkpoints/travel/bucket-checkpoints.ts";
import { catalogueView } from "../../output/checkpoints-view.ts";
import { bucketText, parseBucketUrl } from "../../providers/bucket.ts";
import { openBucket } from "../../providers/open-bucket.ts";
import type { CommandContext, CommandResult } from "../command.ts";

/** The checkpoints in a bucket: those whose manifest, which comes last, is there and holds. What our records know wrongly of it is mended. */
export async function listBucketCheckpoints(context: CommandContext, url: string, instance: string | undefined): Promise<CommandResult> {
  const { world, progress } = context;
  const place = parseBucketUrl(url);
  const bucket = await openBucket(world, place);
  try {
    const { sealed, damaged } = await listBucket(bucket, world.signal);
    for (const { id, what } of damaged) progress.warn(`${id} is damaged: ${what}`);
    const state = await context.state();
    const known = (await state.bucketCopies()).filter((copy) => copy.place === bucketText(place) && copy.endpoint === bucket.endpoint);
    const isThere = new Map(sealed.map(({ id, sha256 }) => [id, sha256]));
    const wrong = known.filter(({ checkpoint, sha256 }) => isThere.get(checkpoint) !== sha256);
    if (wrong.length > 0) await state.commit({ removeBucketCopies: wrong });
    const verified = new Map(known.filter((copy) => !wrong.includes(copy)).map((copy) => [copy.checkpoint, copy.verifiedAt]));
    const shown = sealed
      .filter((checkpoint) => instance === undefined || checkpoint.instance === instance)
      .map((checkpoint) => ({ ...checkpoint, verifiedAt: verified.get(checkpoint.id) ?? null }));
    const broken = damaged
      .map(({ id, what, instance: whose }) => ({ id, instance: whose ?? null, volume: bucketText(place), what }))
      .filter((row) => instance === undefined || row.instance === null || row.instance === instance);
    return {
      view: catalogueView(
        shown,
        broken,
        `No checkpoints in ${bucketText(place)}. Copy one with: spot checkpoints copy NAME --to ${bucketText(place)}`,
      ),
    };
  } finally {
    await bucket.close();
  }
}
