import { groupedBy } from "../model/grouped-by.ts";
import type { PriceSeries } from "../model/listed-price.ts";
import { costOf, type Money } from "../model/money.ts";
import type { BudgetRecord, InstanceRecord, LedgerRecord } from "../state/records.ts";
import { counted, dayStart, lastsMs, paidIn, type Standing, standing } from "./budget.ts";
import { isInScope } from "./budget-scope.ts";
import type { Calendar } from "./calendar.ts";
import type { ExchangeRate } from "./currency.ts";
import { priceSteps, type StepWindow } from "./history.ts";
import { clipped, currencyOf, DAY_MS } from "./ledger-part.ts";

/** What is expected to be paid in a calendar month, in one currency. Epoch milliseconds. */
export interface Forecast {
  /** `2026-11` */
  readonly month: string;
  readonly from: number;
  readonly to: number;
  readonly currency: string;
  /** In this month until now, and whether all of it is billed. */
  readonly paid: Money;
  readonly isPaidBilled: boolean;
  /** From now until its end: what runs, and what is stored. */
  readonly gpu: Money;
  readonly storage: Money;
  readonly total: Money;
  /** How `gpu` and `storage` come about: both together from now until each of these moments, the last of which is the month's end. */
  readonly course: readonly { readonly at: number; readonly amount: Money }[];
  /** At the lowest and at the highest price that was seen of what runs on spot; null where no history says. */
  readonly range: PriceRange | null;
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

export type ForetoldInstance = Pick<InstanceRecord, "id" | "name" | "provider" | "desired" | "state" | "parked" | "ttlEndsAt">;

/** What a forecast goes by. */
export interface ForecastFacts {
  readonly ledger: readonly LedgerRecord[];
  /** The living ones. */
  readonly instances: readonly ForetoldInstance[];
  readonly budgets: readonly BudgetRecord[];
  readonly calendar: Calendar;
  readonly exchange: ExchangeRate;
  readonly now: number;
  /** The lowest and the highest hourly price seen lately of what an interval is paid for; null where nobody knows. */
  readonly seenPrices?: (entry: LedgerRecord) => PriceRange | null;
  /** What the own disk of a machine costs an hour while its cloud has it hibernated, by the list; null where nobody knows. */
  readonly listedRoot?: (instance: ForetoldInstance) => Money | null;
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
  const { calendar, now, seenPrices } = facts;
  const month = calendar.monthOf(now);
  const { gpus, disks } = goingOn(facts, month.to);
  const ended = withBudgets(facts, gpus, disks, month.to);
  const atPrices = (pick: "low" | "high") => {
    const repriced = gpus.map((one) => {
      const { rate } = one.entry;
      const seen = seenPrices?.(one.entry)?.[pick] ?? rate;
      return { ...one, entry: { ...one.entry, rate: lesser(seen, rate, pick === "low" ? 1 : -1) } };
    });
    return withBudgets(facts, repriced, disks, month.to);
  };
  const isKnown = gpus.some(({ entry }) => entry.billing === "spot" && seenPrices?.(entry) != null);
  const [low, high] = isKnown ? [atPrices("low"), atPrices("high")] : [null, null];
  const soFar = facts.ledger.filter((record) => clipped(record, month.from, now, now) !== null);
  const running = [...gpus, ...disks].map(({ entry }) => currencyOf(entry));
  const bends = bendsOf(ended, month.to);
  const currencies = [...new Set([...soFar.map(currencyOf), ...running])].sort();
  return {
    currencies: currencies.map((currency) => {
      const own = soFar.filter((record) => currencyOf(record) === currency);
      const paid = sumOf(paidIn(own, month.from, now), currency);
      const storage = sumOf(costsOf(disks, now), currency);
      const plus = (gpu: Money): Money => ({ micros: paid.micros + storage.micros + gpu.micros, currency });
      const at = (runs: readonly Running[]) => plus(sumOf(costsOf(runs, now), currency));
      const gpu = sumOf(costsOf(ended, now), currency);
      const total = plus(gpu);
      // A budget may stop what is dearer so much sooner that it costs a millionth less.
      const range = low === null || high === null ? null : { low: lesser(at(low), total), high: lesser(at(high), total, -1) };
      const course = bends.map((moment) => ({ at: moment, amount: sumOf(costsOf([...ended, ...disks], now, moment), currency) }));
      const isPaidBilled = own.every(({ billed }) => billed !== null);
      return { ...month, currency, paid, isPaidBilled, gpu, storage, total, course, range };
    }),
    ends: ended.flatMap(({ end }) => (end === null ? [] : [end])).sort((a, b) => a.at - b.at || (a.instance < b.instance ? -1 : 1)),
    waiting: waitingNames(facts, gpus),
  };
}

function waitingNames({ instances }: ForecastFacts, gpus: readonly Running[]): readonly string[] {
  const served = new Set(gpus.map(({ entry }) => entry.instanceId));
  const waiting = instances.filter(({ id, desired, state }) => desired === "running" && state !== "gone" && !served.has(id));
  return waiting.map(({ name }) => name).sort();
}

function goingOn(
  { ledger, instances, now, listedRoot }: ForecastFacts,
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
  const asleep = instances.filter(({ state, parked }) => state === "hibernated" && parked === "native");
  const bills = diskBills(ledger, new Set(asleep.map(({ id }) => id)));
  const roots = asleep.flatMap((instance) => rootOf(bills.get(instance.id) ?? [], listedRoot?.(instance) ?? null));
  return { gpus, disks: [...stored, ...roots].map((entry) => ({ entry, until: monthEnd, end: null })) };
}

/** What bills told of the own disks of these instances' machines while they slept. */
function diskBills(ledger: readonly LedgerRecord[], ids: ReadonlySet<string | null>): ReadonlyMap<string | null, readonly LedgerRecord[]> {
  const bills = ledger.filter(({ kind, to, instanceId }) => kind === "disk" && to !== null && ids.has(instanceId));
  return groupedBy(bills, ({ instanceId }) => instanceId);
}

/** A bill is in whole millionths and says little of the rate of what it told for a moment only: from so long on it stands before the list. */
const TELLING_MS = 3_600_000;

/** A hibernated machine's own disk: none until a bill has told of it, because before that it may not be paid for. */
function rootOf(bills: readonly LedgerRecord[], listed: Money | null): readonly LedgerRecord[] {
  const lengthOf = ({ from, to }: LedgerRecord) => (to ?? from) - from;
  const telling = bills.findLast((entry) => lengthOf(entry) >= TELLING_MS);
  const [longest] = bills.toSorted((a, b) => lengthOf(b) - lengthOf(a));
  if (longest === undefined) return [];
  return [telling ?? (listed === null ? longest : { ...longest, rate: listed, billed: null })];
}

/** The lesser of two amounts of one currency; with -1 the greater. */
function lesser(a: Money, b: Money, sign: 1 | -1 = 1): Money {
  return a.micros <= b.micros === (sign === 1) ? a : b;
}

function costsOf(runs: readonly Running[], now: number, at = Number.POSITIVE_INFINITY): readonly Money[] {
  return runs.map(({ entry, until }) => costOf(entry.rate, Math.min(until, at) - now));
}

/** When machines end, at most so many moments of it, and the month's end. */
const MOST_BENDS = 24;

function bendsOf(runs: readonly Running[], monthEnd: number): readonly number[] {
  const ends = [...new Set(runs.map(({ until }) => until))].filter((at) => at < monthEnd).sort((a, b) => a - b);
  const step = Math.ceil(ends.length / MOST_BENDS);
  return [...ends.filter((_, index) => index % step === step - 1), monthEnd];
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
  const isOwn = ({ entry }: Running) => isInScope(scope, entry.fleet);
  const running = gpus.filter((run) => isOwn(run) && run.until > now).sort((a, b) => a.until - b.until);
  const burn = new Map<string, bigint>();
  const burnMore = ({ rate }: LedgerRecord, sign: bigint) => burn.set(rate.currency, (burn.get(rate.currency) ?? 0n) + sign * rate.micros);
  for (const { entry } of [...running, ...disks.filter(isOwn)]) burnMore(entry, 1n);
  let [at, sum, ended] = [now, spent.micros, 0];
  if (sum >= cap.micros) return running.length > 0 ? now : null;
  while (at < monthEnd) {
    for (; ended < running.length && (running[ended]?.until ?? 0) <= at; ended++) burnMore((running[ended] as Running).entry, -1n);
    const nextEnd = running[ended]?.until;
    if (nextEnd === undefined) return null;
    const midnight = scope.perDay ? dayStart(at) + DAY_MS : Number.POSITIVE_INFINITY;
    const next = Math.min(monthEnd, midnight, nextEnd);
    const rates = [...burn].map(([currency, micros]) => ({ micros, currency }));
    const rate = counted(rates, cap.currency, exchange).amount;
    const restMs = lastsMs(cap.micros - sum, rate.micros);
    if (restMs !== null && at + restMs <= next) return at + restMs;
    sum = next === midnight ? 0n : sum + costOf(rate, next - at).micros;
    at = next;
  }
  return null;
}

export interface PriceRange {
  readonly low: Money;
  readonly high: Money;
}

/**
 * The lowest and the highest price in a currency that held within a window; null where none is known to have. What was seen last
 * before the window counts where no gap lies between (as `priceSteps` has it).
 */
export function currencyRange(series: readonly PriceSeries[], currency: string, window: StepWindow): PriceRange | null {
  const own = series.filter((one) => one.currency === currency);
  const seen = own.flatMap(({ runs }) => priceSteps(runs, window).held.map(({ micros }) => ({ micros, currency })));
  const [first, ...rest] = seen;
  if (first === undefined) return null;
  return { low: rest.reduce((a, b) => lesser(a, b), first), high: rest.reduce((a, b) => lesser(a, b, -1), first) };
}
