import type { Command } from "commander";
import { notFoundProblem } from "../../model/problem.ts";
import { budgetsView } from "../../output/budgets-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { exchangeRate } from "../exchange-rate.ts";
import { standingsOf } from "./standings.ts";

export const budgetShow: CommandModule = {
  configure(command: Command) {
    command
      .description("What is spent against each budget, what burns now, and when the cap is reached at this rate. Asks no cloud.")
      .argument("[scopes...]", "total, day, fleet:NAME or fleet:NAME:day; all when not given")
      .addHelpText(
        "after",
        `
Examples:
  $ spot budget show
  $ spot budget show day fleet:night --json`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const all = await (await context.state()).budgets();
    for (const scope of context.args)
      if (all.every((one) => one.scope !== scope)) throw notFoundProblem("budget", scope, ["spot budget show"]);
    const budgets = context.args.length === 0 ? all : all.filter(({ scope }) => context.args.includes(scope));
    return { view: budgetsView(await standingsOf(context, budgets), context.world.clock.now(), await exchangeRate(context)) };
  },
};
