import { budgetSetEvent } from "../fleet/budgets/budget-events.ts";
import { budgetsWith, launching, overrunProblem, overrunText, roomFor } from "../fleet/budgets/budget-guard.ts";
import { expiryWarning } from "../fleet/credential-expiry.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { type BudgetWish, changedBudgets } from "../fleet/spec/fleet-file-budget.ts";
import { moneyText } from "../model/money.ts";
import type { PlanLine } from "../output/plan-view.ts";
import { deadline } from "../platform/clock.ts";
import { scopeName } from "../pricing/budget-scope.ts";
import type { CommandContext } from "./command.ts";

const ANSWER_MS = 10_000;

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
  const warnings = [...(await budgetWarnings(fleet, wanted, wishes)), ...(await credentialWarnings(context, wanted))];
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

/** Who rents with credentials that end before the machine does cannot end it. One that does not say is not waited for long. */
async function credentialWarnings({ world, provider }: CommandContext, wanted: readonly PlanLine[]): Promise<readonly string[]> {
  const ids = [...new Set(wanted.map(({ offer }) => offer.provider))];
  const found = await Promise.all(
    ids.map(async (id) => {
      const { credentials, capabilities } = await provider(id);
      const limit = deadline(world.signal, ANSWER_MS);
      const expiry = await credentials?.expiry({ signal: limit.signal }).catch(() => undefined);
      limit.done();
      const specs = wanted.filter(({ offer }) => offer.provider === id).map(({ spec }) => spec);
      return expiry === undefined ? null : expiryWarning(id, expiry, capabilities, specs, world.clock.now());
    }),
  );
  return found.filter((warning) => warning !== null);
}

/** Sets what the fleet file says of its budget, where that is another one than is kept. */
export async function applyBudgets({ progress }: CommandContext, fleet: Fleet, wishes: readonly BudgetWish[]): Promise<void> {
  const now = fleet.clock.now();
  const changed = changedBudgets(wishes, await fleet.state.budgets(), now);
  if (changed.length === 0) return;
  await fleet.state.commit({ budgets: changed, events: changed.map((budget) => budgetSetEvent(budget, now)) });
  for (const { scope, cap, atCap } of changed) progress.note(`${scopeName(scope)} is ${moneyText(cap)}, at the cap: ${atCap}`);
}
