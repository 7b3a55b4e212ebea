import type { Command } from "commander";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { namedInstance, requiredName } from "./fleet-context.ts";

/**
 * `spot stop NAME`: refused on every cloud (exit 3), with what a merely stopped machine costs there and the two things that
 * are most likely meant. Asks no cloud.
 */
export const stop: CommandModule = {
  configure(command: Command) {
    command.argument("<name>", "the instance").addHelpText(
      "after",
      `
A machine that is merely stopped is still paid for, in one way or another, on every cloud:
spot refuses to leave one in that state. Meant is nearly always one of these:
  $ spot hibernate NAME   stop paying for the GPU, keep the disk, come back with spot restore
  $ spot down NAME        final checkpoint, end it, keep the volumes`,
    );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const record = await namedInstance(context, requiredName(context));
    if (record.state === "hibernated")
      throw new Problem({
        code: "SPOT_E_NO_STOP",
        message: `${record.name} is hibernated: nothing but its disk is paid for`,
        hint: "nothing was changed",
        next: [`spot restore ${record.name}`, `spot down ${record.name}`],
        exit: EXIT.refused,
      });
    const { capabilities } = await context.provider(record.provider);
    const how =
      capabilities.hibernate === "native" && !record.parkOnly
        ? `${record.provider} hibernates it`
        : `${record.provider} cannot hibernate this machine, so spot ends it, keeps its volumes and makes it anew at the restore`;
    throw new Problem({
      code: "SPOT_E_NO_STOP",
      message: `${record.name} is not stopped: ${capabilities.whyNoStop}`,
      hint: `nothing was changed. spot hibernate stops paying for the GPU: ${how}; spot down ends it for good`,
      next: [`spot hibernate ${record.name}`, `spot down ${record.name}`],
      exit: EXIT.refused,
    });
  },
};
