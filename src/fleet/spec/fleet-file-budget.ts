import { AT_CAP, scopeText } from "../../pricing/budget-scope.ts";
import { parsePrice } from "../../pricing/currency.ts";
import type { BudgetRecord } from "../../state/records.ts";
import type { FleetFileInput } from "./fleet-file-schema.ts";
import type { InputPath } from "./spec-input.ts";

/** A budget that a fleet file asks for. */
export type BudgetWish = Pick<BudgetRecord, "scope" | "cap" | "atCap">;

/**
 * The budgets of a fleet file: `budget: 250`, or a map with an amount in total, one per calendar day, or both.
 * @throws what `fault` makes of the place and of what is wrong there.
 */
export function budgetWishes(
  { fleet, budget }: Pick<FleetFileInput, "fleet" | "budget">,
  fault: (path: InputPath, what: string) => Error,
): readonly BudgetWish[] {
  if (budget === undefined) return [];
  const parts = typeof budget === "object" ? budget : { amount: budget };
  const at = (key: string): InputPath => (typeof budget === "object" ? ["budget", key] : ["budget"]);
  const atCap = AT_CAP.find((word) => word === (parts.atCap ?? "refuse"));
  if (atCap === undefined) throw fault(at("atCap"), `${JSON.stringify(parts.atCap)} is not ${AT_CAP.join(", ")}`);
  const capOf = (key: "amount" | "perDay"): readonly BudgetWish[] => {
    const given = parts[key];
    if (given === undefined) return [];
    try {
      const cap = parsePrice(String(given));
      if (cap.micros > 0n) return [{ scope: scopeText({ fleet, perDay: key === "perDay" }), cap, atCap }];
    } catch {
      // Said below, with its place.
    }
    throw fault(at(key), `${JSON.stringify(given)} is not an amount of money above zero (expected e.g. 250, which is USD, or 1800CNY)`);
  };
  const wishes = [...capOf("amount"), ...capOf("perDay")];
  if (wishes.length === 0) throw fault(["budget"], "a budget has an amount, a perDay, or both");
  return wishes;
}

/** The records of what a fleet file asks for, where it differs from what is kept. */
export function changedBudgets(wishes: readonly BudgetWish[], kept: readonly BudgetRecord[], now: number): readonly BudgetRecord[] {
  return wishes.flatMap((wish) => {
    const before = kept.find(({ scope }) => scope === wish.scope);
    const isSame =
      before !== undefined &&
      before.atCap === wish.atCap &&
      before.cap.micros === wish.cap.micros &&
      before.cap.currency === wish.cap.currency;
    return isSame ? [] : [{ ...wish, createdAt: now, said: { percent: 0, at: 0 } }];
  });
}
