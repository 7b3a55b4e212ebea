import type { PriceSeries } from "../model/listed-price.ts";
import { costOf, type Money } from "../model/money.ts";
import type { BudgetRecord, InstanceRecord, LedgerRecord } from "../state/records.ts";
import { counted, dayStart, lastsMs, type Standing, standing } from "./budget.ts";
import { isInScope } from "./budget-scope.ts";
import type { Calendar } from "./calendar.ts";
import type { ExchangeRate } from "./currency.ts";
import { clipped, currencyOf, DAY_MS, paidBetween } from "./ledger-part.ts";

/** What is expected to be paid in a calendar month, in one currency. Epoch milliseconds. */
export interface Forecast {
  /** `2026-11` */
  readonly month: string;
  readonly from: number;
  readonly to: number;
  readonly currency: string;
  /** In this month until now. */
  readonly paid: Money;
  /** From now until its end: what runs, and what is stored. */
  readonly gpu: Money;
  readonly storage: Money;
  readonly total: Money;
  /** At the lowest and at the highest price that was seen of what runs on spot; null where no history says. */
  readonly range: { readonly low: Money; readonly high: Money } | null;
}

/** A machine that is expected to end before the month does. */
export interface ExpectedEnd {
  readonly instance: string;
  readonly at: number;
  /** Its TTL, or the scope of the budget that puts it to sleep. */
  readonly why: "ttl" | { readonly budget: string };
}

export interface MonthForecast {
  readonly currencies: readonly Forecast[];
  readonly ends: readonly ExpectedEnd[];
  /** Instances that wait for a machine: nothing is reckoned for them. */
  readonly waiting: readonly string[];
}

/** What a forecast goes by. */
export interface ForecastFacts {
  readonly ledger: readonly LedgerRecord[];
  /** The living ones. */
  readonly instances: readonly Pick<InstanceRecord, "id" | "name" | "desired" | "state" | "parked" | "ttlEndsAt">[];
  readonly budgets: readonly BudgetRecord[];
  readonly calendar: Calendar;
  readonly exchange: ExchangeRate;
  readonly now: number;
  /** The lowest and the highest hourly price seen lately of what an interval is paid for; null where nobody knows. */
  readonly seenPrices?: (entry: LedgerRecord) => { readonly low: Money; readonly high: Money } | null;
}

/** Something that is paid for from now on. */
interface Running {
  readonly entry: LedgerRecord;
  readonly until: number;
  readonly end: ExpectedEnd | null;
}

/**
 * What runs now goes on at its price until the month ends, its TTL is over, or a budget that says `hibernate` is reached; what is
 * stored goes on at its price. Nothing begins, nothing is reclaimed and nothing is woken. Pure.
 */
export function forecastOf(facts: ForecastFacts): MonthForecast {
  const { ledger, instances, calendar, now, seenPrices } = facts;
  const month = calendar.monthOf(now);
  const { gpus, disks } = goingOn(facts, month.to);
  const ended = withBudgets(facts, gpus, disks, month.to);
  const atPrices = (pick: "low" | "high") => {
    const repriced = gpus.map((one) => ({ ...one, entry: { ...one.entry, rate: seenPrices?.(one.entry)?.[pick] ?? one.entry.rate } }));
    return withBudgets(facts, repriced, disks, month.to);
  };
  const isKnown = gpus.some(({ entry }) => entry.billing === "spot" && seenPrices?.(entry) != null);
  const [low, high] = isKnown ? [atPrices("low"), atPrices("high")] : [null, null];
  const soFar = ledger.flatMap((record) => {
    const part = clipped(record, month.from, now, now);
    return part === null ? [] : [paidBetween(record, part.from, part.to, now)];
  });
  const running = [...gpus, ...disks].map(({ entry }) => currencyOf(entry));
  const currencies = [...new Set([...soFar.map(({ currency }) => currency), ...running])].sort();
  return {
    currencies: currencies.map((currency) => {
      const paid = sumOf(soFar, currency);
      const storage = sumOf(costsOf(disks, now), currency);
      const plus = (gpu: Money): Money => ({ micros: paid.micros + storage.micros + gpu.micros, currency });
      const at = (runs: readonly Running[]) => plus(sumOf(costsOf(runs, now), currency));
      const gpu = sumOf(costsOf(ended, now), currency);
      const total = plus(gpu);
      // A budget may stop what is dearer so much sooner that it costs a millionth less.
      const range = low === null || high === null ? null : { low: lesser(at(low), total), high: lesser(at(high), total, -1) };
      return { ...month, currency, paid, gpu, storage, total, range };
    }),
    ends: ended.flatMap(({ end }) => (end === null ? [] : [end])).sort((a, b) => a.at - b.at || (a.instance < b.instance ? -1 : 1)),
    waiting: instances
      .filter(({ id, desired, state }) => desired === "running" && state !== "gone" && gpus.every(({ entry }) => entry.instanceId !== id))
      .map(({ name }) => name)
      .sort(),
  };
}

function goingOn(
  { ledger, instances, now }: ForecastFacts,
  monthEnd: number,
): { readonly gpus: readonly Running[]; readonly disks: readonly Running[] } {
  const byId = new Map(instances.map((instance) => [instance.id, instance]));
  const open = ledger.filter(({ to, from }) => to === null && from <= now);
  const gpus = open.flatMap((entry): readonly Running[] => {
    if (entry.kind !== "gpu") return [];
    const ttl = entry.instanceId === null ? null : (byId.get(entry.instanceId)?.ttlEndsAt ?? null);
    if (ttl === null || ttl >= monthEnd) return [{ entry, until: monthEnd, end: null }];
    return [{ entry, until: Math.max(now, ttl), end: { instance: entry.instance, at: Math.max(now, ttl), why: "ttl" } }];
  });
  const stored = open.filter(({ kind }) => kind === "disk");
  // A hibernated machine's own disk is in the ledger as far as its bill has told.
  const asleep = instances.flatMap(({ id, state, parked }) => {
    if (state !== "hibernated" || parked !== "native") return [];
    const last = ledger.findLast((entry) => entry.kind === "disk" && entry.instanceId === id && entry.to !== null);
    return last === undefined ? [] : [last];
  });
  return { gpus, disks: [...stored, ...asleep].map((entry) => ({ entry, until: monthEnd, end: null })) };
}

/** The lesser of two amounts of one currency; with -1 the greater. */
function lesser(a: Money, b: Money, sign: 1 | -1 = 1): Money {
  return a.micros <= b.micros === (sign === 1) ? a : b;
}

function costsOf(runs: readonly Running[], now: number): readonly Money[] {
  return runs.map(({ entry, until }) => costOf(entry.rate, until - now));
}

function sumOf(amounts: readonly Money[], currency: string): Money {
  return { micros: amounts.reduce((sum, one) => (one.currency === currency ? sum + one.micros : sum), 0n), currency };
}

/** The same, with what budgets put to sleep: the one that is reached first puts its machines to sleep, and then the next one is looked for. */
function withBudgets(
  { ledger, budgets, exchange, now }: ForecastFacts,
  gpus: readonly Running[],
  disks: readonly Running[],
  monthEnd: number,
): readonly Running[] {
  let runs = gpus;
  const open = budgets.filter(({ atCap }) => atCap === "hibernate").map((budget) => standing(budget, ledger, now, exchange));
  for (const pending = new Set(open); pending.size > 0; ) {
    const reached = [...pending].flatMap((state) => {
      const at = reachedAt(state, runs, disks, exchange, now, monthEnd);
      return at === null ? [] : [{ state, at }];
    });
    const first = reached.sort((a, b) => a.at - b.at)[0];
    if (first === undefined) return runs;
    pending.delete(first.state);
    const { state, at } = first;
    runs = runs.map((run) => {
      if (!isInScope(state.scope, run.entry.fleet) || run.until <= at) return run;
      return { ...run, until: at, end: { instance: run.entry.instance, at, why: { budget: state.budget.scope } } };
    });
  }
  return runs;
}

/** When what goes on reaches the cap while a machine of its scope still runs; null when it does not within the month. */
function reachedAt(
  { scope, budget: { cap }, spent }: Standing,
  gpus: readonly Running[],
  disks: readonly Running[],
  exchange: ExchangeRate,
  now: number,
  monthEnd: number,
): number | null {
  const own = gpus.filter(({ entry }) => isInScope(scope, entry.fleet));
  const stored = disks.filter(({ entry }) => isInScope(scope, entry.fleet)).map(({ entry }) => entry.rate);
  let [at, sum] = [now, spent.micros];
  if (sum >= cap.micros) return own.some(({ until }) => until > now) ? now : null;
  while (at < monthEnd) {
    const running = own.filter(({ until }) => until > at);
    if (running.length === 0) return null;
    const midnight = scope.perDay ? dayStart(at) + DAY_MS : Number.POSITIVE_INFINITY;
    const next = Math.min(monthEnd, midnight, ...running.map(({ until }) => until));
    const burn = counted([...running.map(({ entry }) => entry.rate), ...stored], cap.currency, exchange).amount;
    const restMs = lastsMs(cap.micros - sum, burn.micros);
    if (restMs !== null && at + restMs <= next) return at + restMs;
    sum = next === midnight ? 0n : sum + costOf(burn, next - at).micros;
    at = next;
  }
  return null;
}

/** The lowest and the highest price of these series in the currency of a rate, that rate among them; null where there is none. */
export function currencyRange(series: readonly PriceSeries[], rate: Money): { readonly low: Money; readonly high: Money } | null {
  const seen = series.flatMap(({ currency, runs }) => (currency === rate.currency ? runs.map(({ micros }) => micros) : []));
  if (seen.length === 0) return null;
  const inOrder = [...seen, rate.micros].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const money = (micros: bigint | undefined) => ({ micros: micros ?? rate.micros, currency: rate.currency });
  return { low: money(inOrder[0]), high: money(inOrder.at(-1)) };
}
