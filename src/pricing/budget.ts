import { costOf, type Money } from "../model/money.ts";
import type { BudgetRecord, LedgerRecord } from "../state/records.ts";
import { type BudgetScope, isInScope, scopeFrom } from "./budget-scope.ts";
import { type ExchangeRate, worthIn } from "./currency.ts";
import { clipped, DAY_MS, endOf, paidBetween } from "./ledger-part.ts";

const MS_PER_HOUR = 3_600_000n;
/** From here on a budget is `near`, in percent. */
export const NEAR_PERCENT = 80;

/** Amounts of several currencies as one of the cap's; what no rate is known for stands apart. */
export interface Counted {
  readonly amount: Money;
  /** Left out of `amount`: their currencies cannot be converted. */
  readonly uncounted: readonly Money[];
  /** Something in it was converted. */
  readonly isConverted: boolean;
}

/** Where the spending stands against one budget. Times are epoch milliseconds. */
export interface Standing {
  readonly budget: BudgetRecord;
  readonly scope: BudgetScope;
  /** The beginning of what is counted; 0 for the ledger's own. */
  readonly since: number;
  readonly spent: Money;
  /** What the running machines and disks cost an hour. */
  readonly burn: Money;
  /** Amounts so far, and rates of the burn, in currencies without a rate: the figures are then the least that it is. */
  readonly uncounted: readonly Money[];
  readonly isConverted: boolean;
  /** `billed` only when every interval in it is. */
  readonly basis: "estimated" | "billed";
  /** Of the cap, rounded down. */
  readonly percent: number;
  readonly state: "ok" | "near" | "reached";
  /** When the cap is reached if the burn stays as it is: now when it is already, null when never. */
  readonly reachesAt: number | null;
  /** The end of the calendar day in UTC, and what will have been spent by then at this burn. */
  readonly dayEnds: number;
  readonly atDayEnd: Money;
}

/** The midnight in UTC that the moment's day began with. */
export function dayStart(at: number): number {
  return Math.floor(at / DAY_MS) * DAY_MS;
}

/** Adds up amounts in the cap's currency: exactly within each currency, each sum then converted once, rounded up. */
export function counted(amounts: readonly Money[], currency: string, exchange: ExchangeRate): Counted {
  const sums = new Map<string, bigint>();
  for (const { micros, currency: own } of amounts) sums.set(own, (sums.get(own) ?? 0n) + micros);
  let micros = 0n;
  const uncounted: Money[] = [];
  for (const [own, sum] of sums) {
    if (sum === 0n) continue;
    const worth = worthIn({ micros: sum, currency: own }, currency, exchange);
    if (worth === null) uncounted.push({ micros: sum, currency: own });
    else micros += worth.micros;
  }
  const isConverted = [...sums].some(([own, sum]) => own !== currency && sum !== 0n && !uncounted.some((one) => one.currency === own));
  return { amount: { micros, currency }, uncounted, isConverted };
}

/** What was paid between two moments, one amount for each interval. `to` is never past `now`. */
export function paidIn(ledger: readonly LedgerRecord[], since: number, now: number): readonly Money[] {
  return ledger.flatMap((record) => {
    const part = clipped(record, since, now, now);
    return part === null ? [] : [paidBetween(record, part.from, part.to, now)];
  });
}

/** The rates of what runs at this moment. */
function burning(ledger: readonly LedgerRecord[], now: number): readonly Money[] {
  return ledger.filter(({ from, to }) => to === null && from <= now).map(({ rate }) => rate);
}

/** How long something lasts at an hourly rate, in milliseconds, rounded up; null at no rate. */
export function lastsMs(amount: bigint, rate: bigint): number | null {
  return rate <= 0n ? null : Number((amount * MS_PER_HOUR + rate - 1n) / rate);
}

/** Past what a date can say it is as good as never. */
const LATEST = 8_640_000_000_000_000;

function reachesAt({ perDay }: BudgetScope, cap: bigint, spent: bigint, burn: bigint, now: number): number | null {
  if (spent >= cap) return now;
  const restMs = lastsMs(cap - spent, burn);
  if (restMs === null) return null;
  const at = now + restMs;
  const midnight = dayStart(now) + DAY_MS;
  if (!perDay || at <= midnight) return at <= LATEST ? at : null;
  // The next day begins with nothing spent, and so does every day after it.
  const wholeMs = lastsMs(cap, burn) ?? Number.POSITIVE_INFINITY;
  return wholeMs <= DAY_MS ? midnight + wholeMs : null;
}

/** Where the spending stands against a budget. Pure; a scope that cannot be read counts everything. */
export function standing(budget: BudgetRecord, ledger: readonly LedgerRecord[], now: number, exchange: ExchangeRate): Standing {
  const scope = scopeFrom(budget.scope) ?? { fleet: null, perDay: false };
  const since = scope.perDay ? dayStart(now) : 0;
  const own = ledger.filter(
    (record) => isInScope(scope, record.fleet) && record.from <= now && (record.to === null || endOf(record, now) > since),
  );
  const { currency, micros: cap } = budget.cap;
  const spent = counted(paidIn(own, since, now), currency, exchange);
  const burn = counted(burning(own, now), currency, exchange);
  const percent = cap <= 0n ? 100 : Number((spent.amount.micros * 100n) / cap);
  const dayEnds = dayStart(now) + DAY_MS;
  return {
    budget,
    scope,
    since,
    spent: spent.amount,
    burn: burn.amount,
    uncounted: [...spent.uncounted, ...burn.uncounted.filter(({ currency: one }) => !spent.uncounted.some((sum) => sum.currency === one))],
    isConverted: spent.isConverted || burn.isConverted,
    basis: own.length > 0 && own.every(({ billed }) => billed !== null) ? "billed" : "estimated",
    percent,
    state: percent >= 100 ? "reached" : percent >= NEAR_PERCENT ? "near" : "ok",
    reachesAt: reachesAt(scope, cap, spent.amount.micros, burn.amount.micros, now),
    dayEnds,
    atDayEnd: { micros: spent.amount.micros + costOf(burn.amount, dayEnds - now).micros, currency },
  };
}

/** Of several budgets the one whose cap is the nearest: by its share, and of two alike the one that is reached first. */
export function nearestOf(standings: readonly Standing[]): Standing | undefined {
  const time = ({ reachesAt: at }: Standing) => at ?? Number.POSITIVE_INFINITY;
  return [...standings].sort((a, b) => b.percent - a.percent || (time(a) === time(b) ? 0 : time(a) - time(b)))[0];
}
