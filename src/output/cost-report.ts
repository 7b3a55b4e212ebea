import type { BillingHeard } from "../fleet/billed.ts";
import type { UnpricedDisk } from "../fleet/storage-cost.ts";
import { type Money, moneyJson } from "../model/money.ts";
import type { Calendar } from "../pricing/calendar.ts";
import type { MonthForecast } from "../pricing/forecast.ts";
import type { ReconciledInterval } from "../pricing/reconciliation.ts";
import type { Summary, SummaryKey, SummaryRow } from "../pricing/summary.ts";
import type { LedgerRecord } from "../state/records.ts";
import { basisOf, HOUR_MS, savedOf } from "./cost-amounts.ts";

/** All that `spot cost` found out. Times are epoch milliseconds. */
export interface CostReport {
  readonly by: SummaryKey;
  readonly summary: Summary;
  readonly calendar: Calendar;
  /** Null for the ledger's own beginning, and for now. */
  readonly since: number | null;
  readonly until: number | null;
  readonly now: number;
  readonly intervals: readonly ReconciledInterval[];
  readonly unbilled: readonly LedgerRecord[];
  /** Null when the providers were not asked. */
  readonly heard: BillingHeard | null;
  readonly unpriced: readonly UnpricedDisk[];
  readonly forecast: MonthForecast;
  /** One sentence about the budget that is nearest to its cap; null without one. */
  readonly budget: string | null;
}

const iso = (at: number) => new Date(at).toISOString();
const json = (amount: Money | null) => (amount === null ? null : moneyJson(amount));

function amountsJson<Name extends string>(amounts: Readonly<Record<Name, Money>>) {
  return Object.fromEntries(Object.entries<Money>(amounts).map(([name, amount]) => [name, moneyJson(amount)]));
}

/** One row of `spot.cost/1`. */
export function rowJson(row: SummaryRow, by: SummaryKey) {
  return {
    group: row.key,
    by,
    of: row.of,
    paid: moneyJson(row.paid),
    billed: moneyJson(row.billed),
    estimated: moneyJson(row.estimated),
    onDemand: json(row.onDemand),
    saved: json(savedOf(row)),
    savings: row.savings,
    gpuHours: Number((row.gpuMs / HOUR_MS).toFixed(6)),
    running: row.open,
    gpuRunning: row.gpuRunning,
    basis: basisOf(row),
    gpu: moneyJson(row.gpu),
    storage: amountsJson(row.storage),
    lost: amountsJson(row.lost),
    mayBeLost: { ...moneyJson(row.mayBeLost.paid), machines: row.mayBeLost.machines },
    difference: json(row.difference),
    comparable: amountsJson(row.comparable),
  };
}

/** What `spot.cost/1` says beside its rows. */
export function besideJson(report: CostReport): Readonly<Record<string, unknown>> {
  const { calendar, since, until, now, by, summary, heard, forecast } = report;
  return {
    timeZone: calendar.zone,
    since: since === null ? null : iso(since),
    until: iso(until ?? now),
    totals: summary.totals.map(({ currency, ...row }) => ({ currency, ...rowJson({ currency, ...row }, by) })),
    reconciliation: {
      asked: heard === null ? null : heard.answered,
      silent: heard === null ? [] : heard.silent,
      intervals: report.intervals.map(({ record, to, estimated, billed, difference }) => ({
        ...{ provider: record.provider, resourceId: record.providerId, instance: record.instance, kind: record.kind },
        ...{ from: iso(record.from), to: iso(to) },
        ...{ estimated: json(estimated), billed: moneyJson(billed), difference: json(difference) },
      })),
      unbilled: report.unbilled.length,
      unmatched: (heard?.unmatched ?? []).map(({ from, to, amount, ...item }) => ({
        ...item,
        from: iso(from),
        to: iso(to),
        amount: moneyJson(amount),
      })),
    },
    notPriced: report.unpriced,
    forecast: {
      months: forecast.currencies.map(({ month, from, to, currency, paid, gpu, storage, total, range }) => ({
        ...{ month, from: iso(from), to: iso(to), currency },
        ...{ paid: moneyJson(paid), gpu: moneyJson(gpu), storage: moneyJson(storage), total: moneyJson(total) },
        range: range === null ? null : amountsJson(range),
      })),
      ends: forecast.ends.map(({ instance, at, why }) => ({ instance, at: iso(at), why: why === "ttl" ? "ttl" : `budget ${why.budget}` })),
      waiting: forecast.waiting,
    },
  };
}
