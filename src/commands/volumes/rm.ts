import type { Command } from "commander";
import { inUse, removeVolume } from "../../fleet/volumes/volume-removal.ts";
import { userOf } from "../../fleet/volumes/volume-use.ts";
import { volumeNamed } from "../../fleet/volumes/volumes.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { notFoundProblem, Problem } from "../../model/problem.ts";
import { volumesView } from "../../output/volumes-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";

export const volumesRm: CommandModule = {
  configure(command: Command) {
    command.argument("<name>", "the volume; every checkpoint on it is lost");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const name = context.args[0] ?? "";
    const fleet = await openFleet(context);
    const volume = await volumeNamed(fleet, name);
    if (volume === undefined) throw notFoundProblem("volume", name, ["spot volumes ls"]);
    const user = await userOf(fleet, volume);
    if (user !== undefined) throw inUse(volume, user);
    const held = await fleet.state.checkpoints({ volume: name });
    if (context.options["dryRun"] === true) return { view: volumesView([{ volume, instance: null, usedBytes: null }]) };
    if (
      !(await context.confirm(
        `Delete volume ${name} (${volume.sizeGb} GB) with ${held.length} checkpoint${held.length === 1 ? "" : "s"} on it?`,
        "--yes",
      ))
    )
      throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was deleted", exit: EXIT.refused });
    await removeVolume(fleet, volume, context.world.signal);
    context.progress.done(`volume ${name} is deleted`);
    return { view: volumesView([]) };
  },
};
