import type { Command } from "commander";
import { budgetRemovedEvent } from "../../fleet/budgets/budget-events.ts";
import { notFoundProblem } from "../../model/problem.ts";
import { budgetsView } from "../../output/budgets-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { exchangeRate } from "../exchange-rate.ts";
import { standingsOf } from "./standings.ts";

export const budgetRm: CommandModule = {
  configure(command: Command) {
    command.argument("<scopes...>", "total, day, fleet:NAME or fleet:NAME:day").addHelpText(
      "after",
      `
Example:
  $ spot budget rm fleet:night`,
    );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { args, progress, world } = context;
    const state = await context.state();
    const known = await state.budgets();
    for (const scope of args)
      if (known.every((one) => one.scope !== scope))
        throw notFoundProblem("budget", scope, ["spot budget show", ...known.slice(0, 3).map((one) => `spot budget rm ${one.scope}`)]);
    const at = world.clock.now();
    if (context.options["dryRun"] === true) progress.note("nothing was removed");
    else {
      const events = args.map((scope) => budgetRemovedEvent(scope, at));
      await state.commit({ removeBudgets: args, events });
      progress.done(`removed: ${args.join(", ")}`);
    }
    const rest = known.filter(({ scope }) => !args.includes(scope));
    return { view: budgetsView(await standingsOf(context, rest), at, await exchangeRate(context)) };
  },
};
