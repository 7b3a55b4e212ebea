import type { Command } from "commander";
import { insideEnv, reachOf } from "../fleet/reach.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { runAttached } from "../platform/process.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { namedInstance, openFleet, requiredName } from "./fleet-context.ts";

export const exec: CommandModule = {
  configure(command: Command) {
    command.argument("<name>", "the instance").argument("[command...]", "what to run, behind --");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const record = await namedInstance(context, requiredName(context));
    const argv = context.args.slice(1);
    if (argv.length === 0) throw usageProblem("nothing to run", `for example: spot exec ${record.name} -- nvidia-smi`);
    const reach = await reachOf(await openFleet(context), record, context.world.signal);
    if (reach.kind !== "process")
      throw new Problem({ code: "SPOT_E_UNSUPPORTED", message: "machines behind SSH are not reached by this version", exit: EXIT.failed });
    context.progress.stop();
    const terminal = context.world.env["TERM"];
    const env = { ...insideEnv(reach, record), ...(terminal === undefined ? {} : { TERM: terminal }) };
    try {
      return { exit: await runAttached(argv, { cwd: record.spec.workdir ?? reach.cwd, env }) };
    } catch (error) {
      throw new Problem({
        code: "SPOT_E_EXEC",
        message: `${argv[0]} could not be started: ${error instanceof Error ? error.message : String(error)}`,
        exit: EXIT.failed,
        cause: error,
      });
    }
  },
};
