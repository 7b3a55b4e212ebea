import { moneyJson, moneyText } from "../../model/money.ts";
import type { Overrun } from "../../pricing/budget-room.ts";
import { scopeName } from "../../pricing/budget-scope.ts";
import type { BudgetRecord, InstanceRecord, NewEvent } from "../../state/records.ts";
import { overrunText } from "./budget-guard.ts";

/** Said once for a launch that passes a cap that only warns. */
export function overrunEvent(at: number, record: Pick<InstanceRecord, "name" | "provider">, overrun: Overrun): NewEvent {
  const { budget, burn, percent } = overrun.standing;
  return {
    at,
    type: "budget",
    instance: record.name,
    provider: record.provider,
    data: {
      budget: budget.scope,
      what: overrun.why,
      percent,
      spent: moneyJson(overrun.spent),
      held: moneyJson(overrun.held),
      asked: moneyJson(overrun.asked),
      cap: moneyJson(budget.cap),
      burn: { ...moneyJson(burn), per: "hour" },
      atCap: budget.atCap,
      message: overrunText(overrun),
    },
  };
}

/** Somebody, or a fleet file, set or changed a cap. */
export function budgetSetEvent({ scope, cap, atCap }: Pick<BudgetRecord, "scope" | "cap" | "atCap">, at: number): NewEvent {
  const message = `${scopeName(scope)} is set to ${moneyText(cap)} (at the cap: ${atCap})`;
  return { at, type: "budget", instance: null, provider: null, data: { budget: scope, what: "set", cap: moneyJson(cap), atCap, message } };
}

export function budgetRemovedEvent(scope: string, at: number): NewEvent {
  const message = `${scopeName(scope)} is removed`;
  return { at, type: "budget", instance: null, provider: null, data: { budget: scope, what: "removed", message } };
}
