import { resolve } from "node:path";
import type { Command } from "commander";
import { checkpointFolder } from "../../checkpoints/catalogue.ts";
import { restoreCheckpoint } from "../../checkpoints/restore.ts";
import { volumePath } from "../../fleet/checkpoint-sync.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { notFoundProblem, Problem, usageProblem } from "../../model/problem.ts";
import { checkpointsView } from "../../output/checkpoints-view.ts";
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
    const path = volume === undefined ? null : await volumePath(fleet, volume, context.world.signal);
    if (path === null)
      throw new Problem({
        code: "SPOT_E_UNREADABLE",
        message: `volume ${checkpoint.volume} cannot be read from here`,
        exit: EXIT.failed,
        next: ["spot volumes ls"],
      });
    const target = resolve(context.world.cwd, to);
    if (context.options["dryRun"] === true) return { view: checkpointsView([checkpoint]) };
    context.progress.step(`verifying ${checkpoint.id} and copying it to ${target}`);
    await restoreCheckpoint(checkpointFolder(path, checkpoint.id), target, context.world.signal);
    const verified = { ...checkpoint, verifiedAt: context.world.clock.now() };
    await fleet.state.commit({ checkpoints: [verified] });
    context.progress.done(`${checkpoint.id} is in ${target}, every byte verified`);
    return { view: checkpointsView([verified]) };
  },
};
