import type { Command } from "commander";
import { budgetSetEvent } from "../../fleet/budgets/budget-events.ts";
import { requireName } from "../../model/ids.ts";
import { moneyText } from "../../model/money.ts";
import { usageProblem } from "../../model/problem.ts";
import { budgetsView } from "../../output/budgets-view.ts";
import { AT_CAP, scopeName, scopeText } from "../../pricing/budget-scope.ts";
import { parsePrice } from "../../pricing/currency.ts";
import type { BudgetRecord } from "../../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { exchangeRate } from "../exchange-rate.ts";
import { choiceFlag, parsedFlag, textFlag } from "../price-flags.ts";
import { standingsOf } from "./standings.ts";

export const budgetSet: CommandModule = {
  configure(command: Command) {
    command
      .description("Cap what is spent: in total, or by the calendar day (UTC), for everything or for one fleet.")
      .argument("<amount>", "the cap: 250 is USD, or 1800CNY")
      .option("--per-day", "for each calendar day in UTC instead of in total")
      .option("--fleet <name>", "only what this fleet spends")
      .option("--at-cap <what>", "refuse: rent nothing more; hibernate: put to sleep what runs as well; warn: only say so", "refuse")
      .addHelpText(
        "after",
        `
What would pass a cap is refused before anything is spent (exit 3). One cap for each of: everything,
everything by the day, a fleet, a fleet by the day; the tightest decides. docs/budgets.md says more.

Examples:
  $ spot budget set 250
  $ spot budget set 40 --per-day
  $ spot budget set 1800CNY --fleet night --at-cap hibernate`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world, args, options, progress } = context;
    const cap = parsedFlag("AMOUNT", () => parsePrice(args[0] ?? ""));
    if (cap.micros <= 0n)
      throw usageProblem("AMOUNT: a cap is more than nothing", "spot budget rm takes a budget away", ["spot budget show"]);
    const fleet = textFlag(context, "fleet") ?? null;
    if (fleet !== null) requireName("a fleet", fleet);
    const scope = scopeText({ fleet, perDay: options["perDay"] === true });
    const atCap = choiceFlag("--at-cap", textFlag(context, "atCap") ?? "refuse", AT_CAP);
    const now = world.clock.now();
    const budget: BudgetRecord = { scope, cap, atCap, createdAt: now, said: { percent: 0, at: 0 } };
    const state = await context.state();
    const before = (await state.budgets()).find((one) => one.scope === scope);
    if (options["dryRun"] === true) progress.note("nothing was set: this is where it would stand");
    else {
      await state.commit({ budgets: [budget], events: [budgetSetEvent(budget, now)] });
      const was = before === undefined ? "" : `; it was ${moneyText(before.cap)}, ${before.atCap}`;
      progress.done(`${scopeName(scope)} is ${moneyText(cap)}, at the cap: ${atCap}${was}`);
    }
    return { view: budgetsView(await standingsOf(context, [budget]), now, await exchangeRate(context)) };
  },
};
