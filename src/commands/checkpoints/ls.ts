import type { Command } from "commander";
import { checkpointDoor } from "../../fleet/volumes/checkpoint-door.ts";
import { brokenOn, newSearch } from "../../fleet/volumes/checkpoint-search.ts";
import { syncCheckpoints } from "../../fleet/volumes/checkpoint-sync.ts";
import { catalogueView, type DamagedRow } from "../../output/checkpoints-view.ts";
import { isBucketUrl } from "../../providers/bucket.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { listBucketCheckpoints } from "./bucket-ls.ts";

export const checkpointsLs: CommandModule = {
  configure(command: Command) {
    command
      .argument("[name]", "only those of this instance; or s3://BUCKET/PREFIX, for what lies there")
      .option("--volume <name>", "only those on this volume")
      .option("--in <bucket>", "what lies in a bucket: s3://BUCKET/PREFIX");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const [instance] = context.args;
    const { in: bucket } = context.options;
    if (typeof bucket === "string") return listBucketCheckpoints(context, bucket, instance);
    if (instance !== undefined && isBucketUrl(instance)) return listBucketCheckpoints(context, instance, undefined);
    const volume = context.options["volume"];
    await syncAll(context);
    const state = await context.state();
    const checkpoints = await state.checkpoints({
      ...(instance === undefined ? {} : { instance }),
      ...(typeof volume === "string" ? { volume } : {}),
    });
    const damaged = (await damagedOn(context, typeof volume === "string" ? volume : undefined)).filter(
      // It may be anybody's.
      (row) => instance === undefined || row.instance === null || row.instance === instance,
    );
    for (const { id, what } of damaged) context.progress.warn(`${id} is damaged: ${what}`);
    return { view: catalogueView(checkpoints, damaged) };
  },
};

/** What lies on the volumes that can be read now under a checkpoint's name, and is none. */
async function damagedOn(context: CommandContext, only: string | undefined): Promise<readonly DamagedRow[]> {
  const fleet = await openFleet(context);
  const search = newSearch(fleet, checkpointDoor(context.world), context.world.signal, (text) => context.progress.warn(text));
  const rows: DamagedRow[] = [];
  for (const volume of await fleet.state.volumes()) {
    if (only !== undefined && volume.name !== only) continue;
    for (const { id, instance, what } of await brokenOn(search, volume)) rows.push({ id, instance, volume: volume.name, what });
  }
  return rows;
}

/** The volumes are the truth: what they hold is read before it is listed. One that cannot be read now is named. */
export async function syncAll(context: CommandContext): Promise<void> {
  const fleet = await openFleet(context);
  for (const volume of await fleet.state.volumes()) {
    try {
      await syncCheckpoints(fleet, volume, context.world.signal);
    } catch (error) {
      context.progress.warn(`volume ${volume.name} could not be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
