import { costOf, type Money } from "../model/money.ts";
import type { BudgetRecord, LedgerRecord } from "../state/records.ts";
import { counted, dayStart, type Standing, standing } from "./budget.ts";
import { isInScope } from "./budget-scope.ts";
import type { ExchangeRate } from "./currency.ts";
import { DAY_MS } from "./ledger-part.ts";

/** Without a TTL a machine is taken to run for an hour at least. */
export const LEAST_MS = 3_600_000;

/** A machine that runs, or is to run, from now until `until` (epoch milliseconds). */
export interface Commitment {
  readonly fleet: string | null;
  /** Per hour; null when nobody knows. */
  readonly rate: Money | null;
  readonly until: number;
}

/** A budget that what is asked for does not fit in. Amounts are in the cap's currency, for the window in question. */
export interface Overrun {
  readonly standing: Standing;
  /**
   * `reached`: there is no room at all. `would-pass`: what is spent, held for others and asked for is more than the cap.
   * `uncountable`: its price cannot be held against the cap.
   */
  readonly why: "reached" | "would-pass" | "uncountable";
  readonly spent: Money;
  /** What the machines that run or are to run already will still cost, until their TTL or for their first hour. */
  readonly held: Money;
  readonly asked: Money;
  /** The window that it does not fit in is the next day's. */
  readonly isTomorrow: boolean;
}

function costsWithin(commitments: readonly Commitment[], from: number, to: number): readonly Money[] {
  return commitments.flatMap(({ rate, until }) => {
    const ms = Math.min(until, to) - from;
    return rate === null || ms <= 0 ? [] : [costOf(rate, ms)];
  });
}

/**
 * The budgets that have no room for what is asked for. What others hold counts as spent, so that two that each fit alone
 * do not both slip under a cap. Exactly up to the cap fits. Pure.
 */
export function overruns(
  budgets: readonly BudgetRecord[],
  ledger: readonly LedgerRecord[],
  held: readonly Commitment[],
  asked: readonly Commitment[],
  now: number,
  exchange: ExchangeRate,
): readonly Overrun[] {
  return budgets.flatMap((budget) => {
    const state = standing(budget, ledger, now, exchange);
    const own = asked.filter(({ fleet }) => isInScope(state.scope, fleet));
    if (own.length === 0) return [];
    const others = held.filter(({ fleet }) => isInScope(state.scope, fleet));
    const found = overrunOf(state, others, own, now, exchange);
    return found === undefined ? [] : [found];
  });
}

function overrunOf(
  state: Standing,
  held: readonly Commitment[],
  asked: readonly Commitment[],
  now: number,
  exchange: ExchangeRate,
): Overrun | undefined {
  const { cap } = state.budget;
  const none: Money = { micros: 0n, currency: cap.currency };
  const midnight = dayStart(now) + DAY_MS;
  // What is committed from now on never grows from one day to the next, so no day after the next has less room.
  const windows = state.scope.perDay
    ? [
        { from: now, to: midnight, spent: state.spent, isTomorrow: false },
        { from: midnight, to: midnight + DAY_MS, spent: none, isTomorrow: true },
      ]
    : [{ from: now, to: Number.POSITIVE_INFINITY, spent: state.spent, isTomorrow: false }];
  for (const { from, to, spent, isTomorrow } of windows) {
    const holding = counted(costsWithin(held, from, to), cap.currency, exchange).amount;
    const asking = counted(costsWithin(asked, from, to), cap.currency, exchange);
    const figures = { standing: state, spent, held: holding, asked: asking.amount, isTomorrow };
    if (!isTomorrow && state.state === "reached") return { ...figures, why: "reached" };
    if (asking.uncounted.length > 0 || asked.some(({ rate }) => rate === null)) return { ...figures, why: "uncountable" };
    if (spent.micros + holding.micros + asking.amount.micros > cap.micros) return { ...figures, why: "would-pass" };
  }
  return undefined;
}
