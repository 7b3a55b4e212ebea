import { addMoney, costOf, type Money } from "../model/money.ts";
import type { LedgerRecord } from "../state/records.ts";

/** What the cost of an interval is reckoned from. */
export type CostEntry = Pick<LedgerRecord, "instanceId" | "from" | "to" | "rate" | "billed">;

/** What one interval has cost up to `now`: as billed where the provider has said so, else rate × time. */
export function intervalCost(entry: CostEntry, now: number): Money {
  return entry.billed ?? costOf(entry.rate, (entry.to ?? now) - entry.from);
}

/**
 * The cost so far of each instance, by our id. `billed` only when every interval is. Amounts in a second currency are
 * left out rather than added to the first.
 */
export function costByInstance(
  ledger: readonly CostEntry[],
  now: number,
): ReadonlyMap<string, { readonly amount: Money; readonly basis: "estimated" | "billed" }> {
  const sums = new Map<string, { readonly amount: Money; readonly basis: "estimated" | "billed" }>();
  for (const entry of ledger) {
    if (entry.instanceId === null) continue;
    const cost = intervalCost(entry, now);
    const basis = entry.billed === null ? "estimated" : "billed";
    const known = sums.get(entry.instanceId);
    if (known === undefined) sums.set(entry.instanceId, { amount: cost, basis });
    else if (known.amount.currency === cost.currency)
      sums.set(entry.instanceId, { amount: addMoney(known.amount, cost), basis: known.basis === "billed" ? basis : "estimated" });
  }
  return sums;
}
