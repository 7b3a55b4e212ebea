import { budgetSetEvent } from "../fleet/budget-events.ts";
import { budgetsWith, launching, overrunProblem, overrunText, roomFor } from "../fleet/budget-guard.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { type BudgetWish, changedBudgets } from "../fleet/fleet-file-budget.ts";
import { moneyText } from "../model/money.ts";
import type { PlanLine } from "../output/plan-view.ts";
import { scopeName } from "../pricing/budget-scope.ts";
import type { CommandContext } from "./command.ts";

/**
 * What a person should know before they agree to a plan; said at once, and for scripts returned.
 * @throws Problem (exit 3) when a budget has no room for all of it together; nothing was done then.
 */
export async function warningsBefore(
  context: CommandContext,
  fleet: Fleet,
  wanted: readonly PlanLine[],
  wishes: readonly BudgetWish[],
): Promise<readonly string[]> {
  const warnings = await budgetWarnings(fleet, wanted, wishes);
  for (const warning of warnings) context.progress.warn(warning);
  return warnings;
}

async function budgetWarnings(fleet: Fleet, wanted: readonly PlanLine[], wishes: readonly BudgetWish[]): Promise<readonly string[]> {
  const now = fleet.clock.now();
  const kept = await fleet.state.budgets();
  const budgets = await budgetsWith(fleet, changedBudgets(wishes, kept, now));
  if (wanted.length === 0 || budgets.length === 0) return [];
  // They have no records yet, and so no ids.
  const asked = wanted.map(({ spec, offer }) => launching({ id: "", fleet: spec.fleet, spec, ttlEndsAt: null }, offer.price, now));
  const { refused, warned } = await roomFor(fleet, asked, budgets);
  const [first] = refused;
  if (first !== undefined) throw overrunProblem(first);
  return warned.map(overrunText);
}

/** Sets what the fleet file says of its budget, where that is another one than is kept. */
export async function applyBudgets({ progress }: CommandContext, fleet: Fleet, wishes: readonly BudgetWish[]): Promise<void> {
  const now = fleet.clock.now();
  const changed = changedBudgets(wishes, await fleet.state.budgets(), now);
  if (changed.length === 0) return;
  await fleet.state.commit({ budgets: changed, events: changed.map((budget) => budgetSetEvent(budget, now)) });
  for (const { scope, cap, atCap } of changed) progress.note(`${scopeName(scope)} is ${moneyText(cap)}, at the cap: ${atCap}`);
}
