import type { Command } from "commander";
import type { RetentionRules } from "../../checkpoints/retention.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { type CheckpointDoor, checkpointDoor } from "../../fleet/volumes/checkpoint-door.ts";
import { carryOutPrune, type PruneOutcome, type PrunePlan, planPrune } from "../../fleet/volumes/checkpoint-prune.ts";
import { bytesText } from "../../model/bytes.ts";
import { notFoundProblem, Problem, usageProblem } from "../../model/problem.ts";
import { type PruneRow, pruneView } from "../../output/prune-view.ts";
import { isBucketUrl } from "../../providers/bucket.ts";
import type { VolumeRecord } from "../../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { addRetentionFlags, retentionRules } from "../retention-flags.ts";
import { pruneBucketCopies } from "./bucket-prune.ts";
import { syncAll } from "./ls.ts";
import { agreeToPrune, damagedProblemOf } from "./prune-words.ts";

export const checkpointsPrune: CommandModule = {
  configure(command: Command) {
    addRetentionFlags(
      command
        .argument("[names...]", "volumes, or instances for theirs alone; everything when none is named; or s3://BUCKET/PREFIX")
        .option("--in <bucket>", "the copies in a bucket: s3://BUCKET/PREFIX; names are then instances"),
    ).addHelpText(
      "after",
      `
Each rule counts for itself and each instance for itself, and what any rule keeps is kept. The
newest sealed checkpoint of an instance always stays, and so does what is in use. Before anything
goes, the newest is read again, every byte: where it is damaged, the next older one that is whole
stays as well.

Examples:
  $ spot checkpoints prune --keep-last 3 --keep-daily 7 --dry-run
  $ spot checkpoints prune trainer --keep-hourly 24 --keep-within 2d --yes
  $ spot checkpoints prune s3://backups/spot --keep-daily 30 --dry-run`,
    );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const rules = retentionRules(context.options);
    const bucket = bucketMeant(context);
    if (bucket !== null) return pruneBucketCopies(context, { ...bucket, rules });
    await syncAll(context);
    const fleet = await openFleet(context);
    const door = checkpointDoor(context.world);
    const plans = await plansOf(context, fleet, rules, door);
    context.progress.stop();
    const view = planView(plans);
    const going = plans.flatMap(({ rows }) => rows).filter(({ kept }) => !kept).length;
    if (context.options["dryRun"] === true || going === 0) {
      if (going > 0) context.progress.note("nothing was removed: this is what would go now");
      return { view, ...problemOf(plans) };
    }
    await agree(context, plans, view, going);
    const outcomes = new Map<PrunePlan, PruneOutcome>();
    for (const plan of plans) {
      context.progress.step(`removing checkpoints from volume ${plan.volume.name}`);
      outcomes.set(plan, await carryOutPrune(fleet, plan, door, context.world.signal));
    }
    const pruned = [...outcomes.values()].flatMap((outcome) => outcome.pruned).length;
    context.progress.done(`${pruned} checkpoint${pruned === 1 ? "" : "s"} removed`);
    return { view: planView(plans, outcomes), ...problemOf(plans) };
  },
};

/** The bucket that was named, if one was, and the instances whose copies are meant. @throws Problem (usage) when volumes are named with it */
function bucketMeant({ args, options }: CommandContext): { readonly url: string; readonly instances: readonly string[] } | null {
  const { in: inBucket } = options;
  const urls = [...(typeof inBucket === "string" ? [inBucket] : []), ...args.filter(isBucketUrl)];
  const [url] = urls;
  if (url === undefined) return null;
  if (urls.length > 1) throw usageProblem("one bucket at a time", "spot checkpoints prune s3://BUCKET/PREFIX [INSTANCE…]");
  return { url, instances: args.filter((arg) => !isBucketUrl(arg)) };
}

/** A plan for each volume that is meant. Of those that nobody named, one that cannot be read now is passed over with a warning. */
async function plansOf(context: CommandContext, fleet: Fleet, rules: RetentionRules, door: CheckpointDoor): Promise<readonly PrunePlan[]> {
  const { args, world } = context;
  const known = await fleet.state.checkpoints();
  const volumes = await fleet.state.volumes();
  for (const name of args)
    if (!volumes.some((volume) => volume.name === name) && !known.some(({ instance }) => instance === name))
      throw notFoundProblem("volume or instance with checkpoints", name, ["spot checkpoints ls", "spot volumes ls"]);
  const plans: PrunePlan[] = [];
  for (const volume of volumes) {
    const held = known.filter((checkpoint) => checkpoint.volume === volume.name);
    const instances = instancesMeant(args, volume, new Set(held.map(({ instance }) => instance)));
    if (held.length === 0 || instances?.size === 0) continue;
    try {
      plans.push(await planPrune(fleet, volume, { rules, instances, door }, world.signal));
    } catch (error) {
      if (args.length > 0 || !(error instanceof Problem)) throw error;
      context.progress.warn(`volume ${volume.name} is left as it is: ${error.message}`);
    }
  }
  return plans;
}

/** Null for every instance on the volume, else those that were named. */
function instancesMeant(args: readonly string[], { name }: VolumeRecord, held: ReadonlySet<string>): ReadonlySet<string> | null {
  if (args.length === 0 || args.includes(name)) return null;
  return new Set(args.filter((arg) => held.has(arg)));
}

function planView(plans: readonly PrunePlan[], outcomes: ReadonlyMap<PrunePlan, PruneOutcome> = new Map()) {
  const rows = plans.flatMap((plan) => {
    const outcome = outcomes.get(plan);
    return plan.rows.map(({ item, kept, because }): PruneRow => {
      const spared = outcome?.spared.get(item.id);
      if (kept) return { checkpoint: item.checkpoint, outcome: "kept", because };
      if (outcome === undefined) return { checkpoint: item.checkpoint, outcome: "goes", because };
      if (spared === undefined) return { checkpoint: item.checkpoint, outcome: "gone", because };
      return { checkpoint: item.checkpoint, outcome: "spared", because: [`in use: ${spared}`] };
    });
  });
  const freedBytes = plans.reduce((sum, plan) => sum + (outcomes.get(plan) ?? plan).freed, 0);
  return pruneView({ rows, freedBytes, damaged: plans.flatMap(({ damaged }) => damaged.map(({ id }) => id)) });
}

async function agree(
  context: CommandContext,
  plans: readonly PrunePlan[],
  view: ReturnType<typeof planView>,
  going: number,
): Promise<void> {
  const freed = plans.reduce((sum, plan) => sum + plan.freed, 0);
  await agreeToPrune(context, view, `Remove ${going} checkpoint${going === 1 ? "" : "s"} and free ${bytesText(freed)} of disk?`);
}

/** A checkpoint that ought to be the one to come back from and does not verify is no success, whatever else was done. */
function problemOf(plans: readonly PrunePlan[]): Pick<CommandResult, "problem"> {
  return damagedProblemOf(
    plans.flatMap((plan) => plan.damaged),
    (id) => `spot checkpoints verify ${id}`,
  );
}
