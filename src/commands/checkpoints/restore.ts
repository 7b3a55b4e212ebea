import { mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { checkpointFolder } from "../../checkpoints/catalogue.ts";
import { restoreCheckpoint } from "../../checkpoints/restore.ts";
import { checkpointPlace } from "../../fleet/volumes/checkpoint-place.ts";
import { guestPack } from "../../guest/pack.ts";
import { wayIn } from "../../guest/ssh-access.ts";
import { notFoundProblem, usageProblem } from "../../model/problem.ts";
import { checkpointsView } from "../../output/checkpoints-view.ts";
import { ensurePrivateFolder } from "../../platform/files.ts";
import type { World } from "../../platform/world.ts";
import type { Reach } from "../../providers/provider.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { syncAll } from "./ls.ts";

export const checkpointsRestore: CommandModule = {
  configure(command: Command) {
    command.argument("<id>", "a checkpoint, or an instance for its newest one").requiredOption("--to <folder>", "an empty or new folder");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const [wanted = ""] = context.args;
    const to = String(context.options["to"] ?? "");
    if (to === "") throw usageProblem("--to: a folder is missing");
    await syncAll(context);
    const fleet = await openFleet(context);
    const all = await fleet.state.checkpoints();
    const checkpoint = all.find(({ id }) => id === wanted) ?? all.find(({ instance }) => instance === wanted);
    if (checkpoint === undefined) throw notFoundProblem("checkpoint or instance", wanted, ["spot checkpoints ls"]);
    const volume = (await fleet.state.volumes()).find(({ name }) => name === checkpoint.volume);
    if (volume === undefined) throw notFoundProblem("volume", checkpoint.volume, ["spot volumes ls"]);
    const target = resolve(context.world.cwd, to);
    if (context.options["dryRun"] === true) return { view: checkpointsView([checkpoint]) };
    const place = await checkpointPlace(fleet, volume, context.world.signal);
    context.progress.step(`verifying ${checkpoint.id} and copying it to ${target}`);
    if (place.kind === "here") await restoreCheckpoint(checkpointFolder(place.path, checkpoint.id), target, context.world.signal);
    else await fetchAndRestore(context.world, place.reach, checkpoint.id, target);
    const verified = { ...checkpoint, verifiedAt: context.world.clock.now() };
    await fleet.state.commit({ checkpoints: [verified] });
    context.progress.done(`${checkpoint.id} is in ${target}, every byte verified`);
    return { view: checkpointsView([verified]) };
  },
};

/** From a rented volume: the checkpoint comes here as it lies there, and is only then verified and put in its place. */
async function fetchAndRestore(world: World, reach: Reach, id: string, target: string): Promise<void> {
  await ensurePrivateFolder(world.home);
  const fetched = await mkdtemp(join(world.home, "fetch-"));
  try {
    const folder = join(fetched, id);
    await guestPack(reach, id, folder, { signal: world.signal, ...wayIn(world) });
    await restoreCheckpoint(folder, target, world.signal);
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
}
