import { resolve } from "node:path";
import type { Command } from "commander";
import { requirePlanPlace, writePlan } from "../fleet/orphans/reap-plan.ts";
import { EXIT } from "../model/exit-codes.ts";
import { usageProblem } from "../model/problem.ts";
import { orphansView } from "../output/orphans-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { searchOrphans } from "./orphan-providers.ts";

export const orphans: CommandModule = {
  configure(command: Command) {
    command
      .option("--provider <ids>", "only these, separated by commas; else whoever is configured or known to our records")
      .option("--all", "also what is just being made, and what merely lies around: key pairs, security groups, firewall rules")
      .option("--save <file>", "write exactly these rows down, for spot reap")
      .addHelpText(
        "after",
        `
An orphan carries our tag at its cloud, and no living record of ours stands for it. WHY says what
is known of it: no-record (made from another state, or the state was lost), closed (its promise was
given up, and it arrived late), record-gone, forgotten, replaced; in-flight only with --all.
A cloud that does not answer is named, and the exit code is 6: nobody can say that it has none.

Examples:
  $ spot orphans
  $ spot orphans --save plan.json && spot reap plan.json
  $ spot adopt --all                 after the state was lost`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { options, world } = context;
    const all = options["all"] === true;
    const save = typeof options["save"] === "string" ? options["save"] : undefined;
    if (save === "") throw usageProblem("--save: there is no name of a file", undefined, ["spot orphans --save plan.json"]);
    const path = save === undefined ? undefined : resolve(world.cwd, save);
    if (path !== undefined) await requirePlanPlace(path);
    const madeAt = world.clock.now();
    const { orphans: found, silent } = await searchOrphans(context, { harmless: all });
    const shown = found.filter(({ why }) => all || why !== "in-flight");
    if (path !== undefined) {
      const rows = await writePlan(path, { madeAt, rows: shown });
      context.progress.note(`${rows} row${rows === 1 ? "" : "s"} written to ${path}`);
    }
    const unheard = [...new Set(silent.map(({ provider }) => provider))];
    return { view: orphansView(shown, world.clock.now(), unheard), exit: silent.length > 0 ? EXIT.partial : EXIT.done };
  },
};
