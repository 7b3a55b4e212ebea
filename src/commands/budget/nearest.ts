import type { CommandContext } from "../command.ts";

/** One line about the budget that is nearest to its cap; null where none is set, and then nothing more is loaded. */
export async function nearestBudget(context: CommandContext): Promise<string | null> {
  const budgets = await (await context.state()).budgets();
  if (budgets.length === 0) return null;
  const [{ standingsOf }, { nearestOf }, { nearestBudgetText }] = await Promise.all([
    import("./standings.ts"),
    import("../../pricing/budget.ts"),
    import("../../output/budgets-view.ts"),
  ]);
  const nearest = nearestOf(await standingsOf(context, budgets));
  return nearest === undefined ? null : nearestBudgetText(nearest, context.world.clock.now());
}
