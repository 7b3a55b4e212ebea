import type { RetentionRules } from "../../checkpoints/retention.ts";
import { carryOutBucketPrune, planBucketPrune } from "../../fleet/volumes/bucket-prune.ts";
import { bytesText } from "../../model/bytes.ts";
import { notFoundProblem } from "../../model/problem.ts";
import { pruneView } from "../../output/prune-view.ts";
import { parseBucketUrl } from "../../providers/bucket.ts";
import { openBucket } from "../../providers/open-bucket.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { agreeToPrune, damagedProblemOf } from "./prune-words.ts";

interface BucketPruneOrder {
  readonly url: string;
  /** None for all. */
  readonly instances: readonly string[];
  readonly rules: RetentionRules;
}

/** `spot checkpoints prune s3://…`: the same rules for the copies in a bucket. */
export async function pruneBucketCopies(context: CommandContext, { url, instances, rules }: BucketPruneOrder): Promise<CommandResult> {
  const { world, progress } = context;
  const bucket = await openBucket(world, parseBucketUrl(url));
  try {
    const fleet = await openFleet(context);
    progress.step(`reading the manifests in ${url}`);
    const plan = await planBucketPrune(
      fleet,
      bucket,
      { rules, instances: instances.length === 0 ? null : new Set(instances) },
      world.signal,
    );
    progress.stop();
    for (const name of instances)
      if (!plan.rows.some(({ item }) => item.group === name))
        throw notFoundProblem("instance with checkpoints there", name, [`spot checkpoints ls ${url}`]);
    const problem = damagedProblemOf(plan.damaged, (id) => `spot checkpoints copy ${id} --to ${url}`);
    const rowsOf = (word: "goes" | "gone") =>
      plan.rows.map(({ item, kept, because }) => ({ checkpoint: item.checkpoint, outcome: kept ? ("kept" as const) : word, because }));
    const viewOf = (word: "goes" | "gone", freedBytes: number) =>
      pruneView({ rows: rowsOf(word), freedBytes, freedWhere: "in the bucket", damaged: plan.damaged.map(({ id }) => id) });
    const view = viewOf("goes", plan.freed);
    const going = plan.rows.filter(({ kept }) => !kept).length;
    if (context.options["dryRun"] === true || (going === 0 && !plan.isBrokenOff)) {
      if (going > 0) progress.note("nothing was removed: this is what would go now");
      return { view, ...problem };
    }
    const what = going === 0 ? "Finish a pruning that was broken off" : `Remove ${going} checkpoint${going === 1 ? "" : "s"}`;
    await agreeToPrune(context, view, `${what} and free ${bytesText(plan.freed)} in ${url}?`);
    progress.step(`removing checkpoints from ${url}`);
    const { pruned, freed } = await carryOutBucketPrune(fleet, bucket, plan, world.signal);
    progress.done(`${pruned.length} checkpoint${pruned.length === 1 ? "" : "s"} removed`);
    return { view: viewOf("gone", freed), ...problem };
  } finally {
    await bucket.close();
  }
}
