import { type Standing, standing } from "../../pricing/budget.ts";
import type { BudgetRecord, LedgerRecord } from "../../state/records.ts";
import type { CommandContext } from "../command.ts";
import { exchangeRate } from "../exchange-rate.ts";

/** Where these budgets stand now. The ledger is read unless it is given. */
export async function standingsOf(
  context: CommandContext,
  budgets: readonly BudgetRecord[],
  known?: readonly LedgerRecord[],
): Promise<readonly Standing[]> {
  const [ledger, exchange] = await Promise.all([known ?? context.state().then((state) => state.ledger()), exchangeRate(context)]);
  const now = context.world.clock.now();
  return budgets.map((budget) => standing(budget, ledger, now, exchange));
}
