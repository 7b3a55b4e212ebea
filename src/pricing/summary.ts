import { addMoney, costOf, type Money, savingsShare } from "../model/money.ts";
import type { LedgerRecord } from "../state/records.ts";

export const SUMMARY_KEYS = ["instance", "fleet", "day", "provider"] as const;
export type SummaryKey = (typeof SUMMARY_KEYS)[number];

/** What one instance, fleet, day or provider cost, in one currency. */
export interface SummaryRow {
  readonly key: string;
  readonly currency: string;
  /** Milliseconds in which a GPU was paid for. */
  readonly gpuMs: number;
  /** What the provider says it charged. */
  readonly billed: Money;
  /** What our own clock says beyond that. */
  readonly estimated: Money;
  /** Both together. */
  readonly paid: Money;
  /** The same hours on demand, disks included; null when an on-demand price is not known. */
  readonly onDemand: Money | null;
  /** Share saved, 0–1; null without a counterfactual. */
  readonly savings: number | null;
  /** True while something of it is still running. */
  readonly open: boolean;
}

export interface Summary {
  readonly rows: readonly SummaryRow[];
  /** One for each currency. */
  readonly totals: readonly SummaryRow[];
}

/** Epoch milliseconds. */
export interface Period {
  readonly since: number;
  readonly now: number;
}

export const DAY_MS = 86_400_000;

/** A piece of one ledger interval that falls into one group. */
interface Piece {
  readonly record: LedgerRecord;
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

function keyOf(record: LedgerRecord, by: Exclude<SummaryKey, "day">): string {
  if (by === "instance") return record.instance;
  return by === "fleet" ? (record.fleet ?? "") : record.provider;
}

function piecesOf(record: LedgerRecord, by: SummaryKey, period: Period): readonly Piece[] {
  const from = Math.max(record.from, period.since);
  const to = Math.min(record.to ?? period.now, period.now);
  if (to <= from) return [];
  if (by !== "day") return [{ record, key: keyOf(record, by), from, to }];
  const pieces: Piece[] = [];
  for (let start = from; start < to; ) {
    const end = Math.min(to, (Math.floor(start / DAY_MS) + 1) * DAY_MS);
    pieces.push({ record, key: new Date(start).toISOString().slice(0, 10), from: start, to: end });
    start = end;
  }
  return pieces;
}

/** What a rate adds between two moments of an interval; the pieces of an interval add up to the whole, to the millionth. */
function between(rate: Money, record: LedgerRecord, from: number, to: number): Money {
  const until = (moment: number) => costOf(rate, moment - record.from).micros;
  return { micros: until(to) - until(from), currency: rate.currency };
}

/** The billed amount is spread evenly over its interval. */
function billedBetween(billed: Money, record: LedgerRecord, end: number, from: number, to: number): Money {
  const length = BigInt(Math.max(1, Math.round(end - record.from)));
  const until = (moment: number) => (billed.micros * BigInt(Math.round(moment - record.from))) / length;
  return { micros: until(to) - until(from), currency: billed.currency };
}

/** What of an interval was paid for between two moments of it: as billed where the provider has said so, else rate × time. */
export function paidBetween(record: LedgerRecord, from: number, to: number, now: number): Money {
  return record.billed === null ? between(record.rate, record, from, to) : billedBetween(record.billed, record, record.to ?? now, from, to);
}

function rowOf(key: string, currency: string, pieces: readonly Piece[], now: number): SummaryRow {
  const zero: Money = { micros: 0n, currency };
  let billed = zero;
  let estimated = zero;
  let onDemand: Money | null = zero;
  let gpuMs = 0;
  for (const { record, from, to } of pieces) {
    const isGpu = record.kind === "gpu";
    if (isGpu) gpuMs += to - from;
    const amount = paidBetween(record, from, to, now);
    if (record.billed === null) estimated = addMoney(estimated, amount);
    else billed = addMoney(billed, amount);
    // A disk costs the same on demand; a GPU has its own price there, or none that we know.
    const counterfactual: Money | null = isGpu
      ? record.onDemandRate?.currency === currency
        ? between(record.onDemandRate, record, from, to)
        : null
      : amount;
    onDemand = onDemand === null || counterfactual === null ? null : addMoney(onDemand, counterfactual);
  }
  const paid = addMoney(billed, estimated);
  return {
    key,
    currency,
    gpuMs,
    billed,
    estimated,
    paid,
    onDemand,
    savings: onDemand === null ? null : savingsShare(paid, onDemand),
    open: pieces.some(({ record }) => record.to === null),
  };
}

function grouped(pieces: readonly Piece[], key: (piece: Piece) => string): readonly (readonly [string, readonly Piece[]])[] {
  const groups = new Map<string, Piece[]>();
  for (const piece of pieces) {
    const name = key(piece);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [piece]);
    else group.push(piece);
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
}

function currencyOf(piece: Piece): string {
  return piece.record.rate.currency;
}

/** Sums the ledger between `since` and `now`, intervals that still run included; rows in order of their key. */
export function summarize(ledger: readonly LedgerRecord[], by: SummaryKey, period: Period): Summary {
  const pieces = ledger.flatMap((record) => piecesOf(record, by, period));
  return {
    rows: grouped(pieces, (piece) => `${piece.key}\u0000${currencyOf(piece)}`).map(([name, group]) => {
      const [key = "", currency = ""] = name.split("\u0000");
      return rowOf(key, currency, group, period.now);
    }),
    totals: grouped(pieces, currencyOf).map(([currency, group]) => rowOf("", currency, group, period.now)),
  };
}
