import { followBilling } from "../fleet/billed.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { lossEvents, lossesOf } from "../fleet/lost-time.ts";
import { followStorage, listedRootRate, unpricedRoots } from "../fleet/storage-cost.ts";
import type { Money } from "../model/money.ts";
import type { CostReport } from "../output/cost-report.ts";
import type { Calendar } from "../pricing/calendar.ts";
import { currencyRange, type ForetoldInstance, forecastOf, type PriceRange } from "../pricing/forecast.ts";
import { USUAL_MAX_GAP_MS } from "../pricing/history.ts";
import { lossBook } from "../pricing/losses.ts";
import { reconciled } from "../pricing/reconciliation.ts";
import { storageBook } from "../pricing/storage-use.ts";
import { type SummaryBooks, type SummaryKey, summarize } from "../pricing/summary.ts";
import type { InstanceRecord, LedgerRecord } from "../state/records.ts";
import { nearestBudget } from "./budget/nearest.ts";
import type { CommandContext } from "./command.ts";
import { exchangeRate } from "./exchange-rate.ts";
import { openFleet } from "./fleet-context.ts";
import { priceBookAtHand } from "./price-book-at-hand.ts";

const DAY_MS = 86_400_000;
/** So far back spot prices are looked at for what the rest of the month may cost. */
const SEEN_MS = 30 * DAY_MS;
/** What a loss tells of lies before its event, and a failed wake's machine may be paid for after it. */
const TOLD_MS = 2 * DAY_MS;

export interface CostQuestion {
  readonly by: SummaryKey;
  readonly calendar: Calendar;
  readonly since: number | null;
  readonly until: number | null;
  readonly now: number;
}

/** A report, and what another sum over the same ledger needs. */
export interface FullCostReport extends CostReport {
  readonly ledger: readonly LedgerRecord[];
  readonly books: SummaryBooks;
}

/** Asks the providers, unless that is not wanted, and sums the ledger up. */
export async function costReport(context: CommandContext, question: CostQuestion): Promise<FullCostReport> {
  const { by, calendar, since, until, now } = question;
  const { signal } = context.world;
  const fleet = await openFleet(context);
  const { state } = fleet;
  const isAsked = context.options["refresh"] !== false;
  const heard = isAsked ? await followBilling(fleet, since ?? 0, signal) : null;
  for (const { provider, why } of heard?.silent ?? []) context.progress.warn(`${provider} did not say what it billed: ${why}`);
  const stored = isAsked ? await followStorage(fleet, signal) : { unpriced: [], silent: [] };
  for (const { provider, why } of stored.silent) context.progress.warn(`${provider} did not say what its volumes cost: ${why}`);
  const [ledger, instances, volumes, budgets, exchange, events] = await Promise.all([
    state.ledger(),
    state.instances({ includeGone: true }),
    state.volumes({ includeGone: true }),
    state.budgets(),
    exchangeRate(context),
    lossEvents(state, Math.max(0, (since ?? 0) - TOLD_MS)),
  ]);
  const period = { since: since ?? 0, now, ...(until === null ? {} : { until }) };
  const books = {
    calendar,
    storage: storageBook(instances, volumes, ledger),
    losses: lossBook(lossesOf(events, ledger, now)),
  };
  const living = instances.filter(({ state: is }) => is !== "gone");
  const [seenPrices, listedRoot] = [await pricesSeen(context, living, ledger, now), await rootRates(fleet, living)];
  return {
    ...question,
    ledger,
    books,
    summary: summarize(ledger, by, period, books),
    ...reconciled(ledger, period),
    heard,
    unpriced: [...stored.unpriced, ...(isAsked ? await unpricedRoots(fleet, living, ledger) : [])],
    forecast: forecastOf({ ledger, instances: living, budgets, calendar, exchange, now, seenPrices, listedRoot }),
    budget: await nearestBudget(context),
  };
}

/** The lowest and highest spot price that was observed lately of each machine that runs on spot, by the id of its interval. */
async function pricesSeen(
  context: CommandContext,
  instances: readonly InstanceRecord[],
  ledger: readonly LedgerRecord[],
  now: number,
): Promise<(entry: LedgerRecord) => PriceRange | null> {
  const machineName = ({ provider, providerId }: Pick<InstanceRecord, "provider" | "providerId">) => `${provider} ${providerId}`;
  const machines = new Map(instances.map((instance) => [machineName(instance), instance]));
  const window = { since: now - SEEN_MS, until: now, maxGapMs: USUAL_MAX_GAP_MS };
  /** Of many machines of one type in one place the book is asked once. */
  const known = new Map<string, PriceRange | null>();
  const ranges = new Map<string, PriceRange | null>();
  const running = ledger.filter(({ to, kind, billing }) => to === null && kind === "gpu" && billing === "spot");
  const book = priceBookAtHand(context);
  try {
    for (const entry of running) {
      const machine = machines.get(machineName(entry));
      if (machine === undefined) continue;
      const { provider, type, region, zone } = machine;
      const query = { providers: [provider], type, place: zone === "" ? region : zone, billing: "spot" } as const;
      const name = [provider, type, query.place, entry.rate.currency].join("\u0000");
      if (!known.has(name)) {
        const series = await book.read((prices) => prices.history(query, window.since));
        known.set(name, currencyRange(series ?? [], entry.rate.currency, window));
      }
      ranges.set(entry.id, known.get(name) ?? null);
    }
  } finally {
    book.close();
  }
  return ({ id }) => ranges.get(id) ?? null;
}

/** What the own disks of sleeping machines cost by their providers' lists. */
async function rootRates(
  fleet: Pick<Fleet, "provider">,
  instances: readonly ForetoldInstance[],
): Promise<(instance: ForetoldInstance) => Money | null> {
  const rates = new Map<string, Money | null>();
  for (const id of new Set(instances.flatMap(({ provider, parked }) => (parked === "native" ? [provider] : [])))) {
    const provider = await fleet.provider(id).catch(() => undefined);
    rates.set(id, provider === undefined ? null : listedRootRate(provider));
  }
  return ({ provider }) => rates.get(provider) ?? null;
}
