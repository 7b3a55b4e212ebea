import { addMoney, costOf, type Money } from "../model/money.ts";
import type { LedgerRecord } from "../state/records.ts";

/** What the cost of an interval is reckoned from. */
export type CostEntry = Pick<LedgerRecord, "instanceId" | "from" | "to" | "rate" | "billed">;

/** What one interval has cost up to `now`: as billed where the provider has said so, else rate × time. */
export function intervalCost(entry: CostEntry, now: number): Money {
  return entry.billed ?? costOf(entry.rate, (entry.to ?? now) - entry.from);
}

/** What an instance has cost; `also` only where machines of it were paid for in other currencies. */
export interface CostSoFar {
  readonly amount: Money;
  readonly also?: readonly Money[];
  readonly basis: "estimated" | "billed";
}

/**
 * The cost so far of each instance, by our id. `billed` only when every interval is. Amounts in a second currency are
 * summed beside the first, never added to it.
 */
export function costByInstance(ledger: readonly CostEntry[], now: number): ReadonlyMap<string, CostSoFar> {
  const sums = new Map<string, CostSoFar>();
  for (const entry of ledger) {
    if (entry.instanceId === null) continue;
    const cost = intervalCost(entry, now);
    const basis = entry.billed === null ? "estimated" : "billed";
    const known = sums.get(entry.instanceId);
    sums.set(entry.instanceId, known === undefined ? { amount: cost, basis } : plus(known, cost, basis));
  }
  return sums;
}

function plus(known: CostSoFar, cost: Money, basis: CostSoFar["basis"]): CostSoFar {
  const both = known.basis === "billed" ? basis : "estimated";
  if (known.amount.currency === cost.currency) return { ...known, amount: addMoney(known.amount, cost), basis: both };
  const also = known.also ?? [];
  const isNew = also.every(({ currency }) => currency !== cost.currency);
  return {
    ...known,
    also: isNew ? [...also, cost] : also.map((sum) => (sum.currency === cost.currency ? addMoney(sum, cost) : sum)),
    basis: both,
  };
}
