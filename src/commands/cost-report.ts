import { followBilling } from "../fleet/billed.ts";
import { lossEvents, lossesOf } from "../fleet/lost-time.ts";
import { followStorage, unpricedRoots } from "../fleet/storage-cost.ts";
import type { Money } from "../model/money.ts";
import type { CostReport } from "../output/cost-report.ts";
import type { Calendar } from "../pricing/calendar.ts";
import { currencyRange, forecastOf } from "../pricing/forecast.ts";
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
  const seenPrices = await pricesSeen(context, living, ledger, now);
  return {
    ...question,
    ledger,
    books,
    summary: summarize(ledger, by, period, books),
    ...reconciled(ledger, period),
    heard,
    unpriced: [...stored.unpriced, ...(isAsked ? await unpricedRoots(fleet, living, ledger) : [])],
    forecast: forecastOf({ ledger, instances: living, budgets, calendar, exchange, now, seenPrices }),
    budget: await nearestBudget(context),
  };
}

/** The lowest and highest spot price that was observed lately of each machine that runs on spot, by the id of its interval. */
async function pricesSeen(
  context: CommandContext,
  instances: readonly InstanceRecord[],
  ledger: readonly LedgerRecord[],
  now: number,
): Promise<(entry: LedgerRecord) => { readonly low: Money; readonly high: Money } | null> {
  const ranges = new Map<string, { readonly low: Money; readonly high: Money }>();
  const running = ledger.filter(({ to, kind, billing }) => to === null && kind === "gpu" && billing === "spot");
  const book = priceBookAtHand(context);
  try {
    for (const entry of running) {
      const machine = instances.find(({ provider, providerId }) => provider === entry.provider && providerId === entry.providerId);
      if (machine === undefined) continue;
      const { provider, type, region, zone } = machine;
      const query = { providers: [provider], type, place: zone === "" ? region : zone, billing: "spot" } as const;
      const series = await book.read((prices) => prices.history(query, now - SEEN_MS));
      const range = currencyRange(series ?? [], entry.rate);
      if (range !== null) ranges.set(entry.id, range);
    }
  } finally {
    book.close();
  }
  return ({ id }) => ranges.get(id) ?? null;
}
