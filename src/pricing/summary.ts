import { groupedBy } from "../model/grouped-by.ts";
import { addMoney, type Money, savingsShare } from "../model/money.ts";
import type { LedgerRecord } from "../state/records.ts";
import { type Calendar, calendarOf } from "./calendar.ts";
import { clipped, currencyOf, estimateOfBilled, paidBetween, ratedBetween } from "./ledger-part.ts";
import { LOSS_KINDS, type LossBook, type LossKind, type LossOrDoubt, lossBook } from "./losses.ts";
import { type DiskMoment, STORAGE_USES, type StorageBook, type StorageUse, storageBook } from "./storage-use.ts";

export const SUMMARY_KEYS = ["instance", "fleet", "day", "month", "provider"] as const;
export type SummaryKey = (typeof SUMMARY_KEYS)[number];

/** What one instance, fleet, day, month or provider cost, in one currency. */
export interface SummaryRow {
  readonly key: string;
  /** `volume`: a volume that no living instance had meanwhile, in a row of its own. Null where rows are no instances. */
  readonly of: "instance" | "volume" | null;
  readonly currency: string;
  /** Milliseconds in which a GPU was paid for. */
  readonly gpuMs: number;
  /** What the provider says it charged. */
  readonly billed: Money;
  /** What our own clock says beyond that. */
  readonly estimated: Money;
  /** Both together. */
  readonly paid: Money;
  /** Of `paid`: for GPUs, and for storage by what it was paid for; together they are `paid`. */
  readonly gpu: Money;
  readonly storage: Readonly<Record<StorageUse, Money>>;
  /** Of `gpu`: in vain, by why. */
  readonly lost: Readonly<Record<LossKind, Money>>;
  /** Of `gpu`, beside `lost`: for machines that were taken before anything of their work was sealed. Nobody knows what it was worth. */
  readonly mayBeLost: { readonly paid: Money; readonly machines: number };
  /** What was billed, less what price × time had said of the same time; null where nothing was billed. */
  readonly difference: Money | null;
  /** The same hours on demand, disks included; null when an on-demand price is not known. */
  readonly onDemand: Money | null;
  /** The part of it whose on-demand price is known: what was paid, and what the same hours, and the useful ones among them, cost on demand. */
  readonly comparable: { readonly paid: Money; readonly onDemand: Money; readonly onDemandUseful: Money };
  /** Share saved, 0–1; null without a counterfactual. */
  readonly savings: number | null;
  /** Which of its amounts are not billed all through. */
  readonly unbilled: ReadonlySet<AmountOf>;
  /** True while something of it, a volume as well, is paid for without an end; also of a day that is over. */
  readonly open: boolean;
  /** True when a GPU of it is paid for at this very moment. */
  readonly gpuRunning: boolean;
}

/** The amounts of a row that can be part billed, part estimated; `comparable` as in `comparable.paid`. */
export type AmountOf = "gpu" | StorageUse | LossOrDoubt | "comparable";

export interface Summary {
  readonly rows: readonly SummaryRow[];
  /** One for each currency. */
  readonly totals: readonly SummaryRow[];
}

/** Epoch milliseconds. */
export interface Period {
  readonly since: number;
  /** What began at this moment or later is not in it; `now` where it is not given. */
  readonly until?: number;
  readonly now: number;
}

/** What a sum goes by besides the ledger. */
export interface SummaryBooks {
  /** Whose days and months; UTC's where it is not given. */
  readonly calendar?: Calendar;
  /** Where it is not given, volumes are nobody's. */
  readonly storage?: StorageBook;
  readonly losses?: LossBook;
}

/** A piece of one ledger interval that falls into one group, all of it for one purpose. */
interface Piece {
  readonly record: LedgerRecord;
  readonly key: string;
  readonly of: SummaryRow["of"];
  readonly from: number;
  readonly to: number;
  /** Null for a GPU. */
  readonly use: StorageUse | null;
  readonly lost: LossOrDoubt | null;
}

/** Sums the ledger of a period, intervals that still run included; rows in order of their key. Pure. */
export function summarize(ledger: readonly LedgerRecord[], by: SummaryKey, period: Period, books: SummaryBooks = {}): Summary {
  const all = {
    calendar: books.calendar ?? calendarOf("UTC"),
    storage: books.storage ?? storageBook([], [], ledger),
    losses: books.losses ?? lossBook([]),
  };
  const pieces = ledger.flatMap((record) => piecesOf(record, by, period, all));
  const nameOf = ({ key, of, record }: Piece) => [key, of ?? "", currencyOf(record)].join("\u0000");
  return {
    rows: grouped(pieces, nameOf).map((group) => rowOf(group, period.now)),
    totals: grouped(pieces, ({ record }) => currencyOf(record)).map((group) => ({ ...rowOf(group, period.now), key: "", of: null })),
  };
}

function piecesOf(record: LedgerRecord, by: SummaryKey, period: Period, books: Required<SummaryBooks>): readonly Piece[] {
  const part = clipped(record, period.since, period.until ?? period.now, period.now);
  if (part === null) return [];
  const { from, to } = part;
  const cuts = new Set([
    ...(by === "day" || by === "month" ? books.calendar.midnights(from, to, by) : []),
    ...(record.kind === "disk" ? books.storage.cutsOf(record, from, to) : books.losses.cutsOf(record, from, to)),
    to,
  ]);
  let start = from;
  return [...cuts]
    .sort((a, b) => a - b)
    .map((end) => {
      const piece = pieceOf(record, by, start, end, books);
      start = end;
      return piece;
    });
}

function pieceOf(record: LedgerRecord, by: SummaryKey, from: number, to: number, books: Required<SummaryBooks>): Piece {
  const disk = record.kind === "disk" ? books.storage.at(record, from) : null;
  const isKept = disk !== null && disk.instance === null;
  return {
    record,
    key: keyOf(record, by, from, disk, books.calendar),
    of: by === "instance" ? (isKept ? "volume" : "instance") : null,
    from,
    to,
    use: disk?.use ?? null,
    lost: disk === null ? books.losses.at(record, from) : null,
  };
}

function keyOf(record: LedgerRecord, by: SummaryKey, from: number, disk: DiskMoment | null, calendar: Calendar): string {
  switch (by) {
    case "instance":
      return disk?.instance ?? record.instance;
    case "fleet":
      return record.fleet ?? "";
    case "provider":
      return record.provider;
    case "day":
      return calendar.dayOf(from).date;
    case "month":
      return calendar.dayOf(from).date.slice(0, 7);
  }
}

function grouped(pieces: readonly Piece[], nameOf: (piece: Piece) => string): readonly (readonly Piece[])[] {
  return [...groupedBy(pieces, nameOf)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** Amounts by name, each beginning with nothing. */
function noneOf<Name extends string>(names: readonly Name[]): Record<Name, bigint> {
  return Object.fromEntries(names.map((name) => [name, 0n])) as Record<Name, bigint>;
}

function moneyOf<Name extends string>(amounts: Readonly<Record<Name, bigint>>, currency: string): Record<Name, Money> {
  const money = Object.entries<bigint>(amounts).map(([name, micros]) => [name, { micros, currency }]);
  return Object.fromEntries(money) as Record<Name, Money>;
}

const SUMS = ["billed", "estimated", "gpu", "difference", "paid", "onDemand", "onDemandUseful", "mayBeLost"] as const;

/** @param pieces at least one, of one currency. */
function rowOf(pieces: readonly Piece[], now: number): SummaryRow {
  const [first] = pieces as readonly [Piece, ...Piece[]];
  const currency = currencyOf(first.record);
  const [all, stored, vain] = [noneOf(SUMS), noneOf(STORAGE_USES), noneOf(LOSS_KINDS)];
  const unbilled = new Set<AmountOf>();
  const unsealed = new Set<string>();
  let [gpuMs, isCompared, isBilled] = [0, true, false];
  for (const { record, from, to, use, lost } of pieces) {
    const { micros } = paidBetween(record, from, to, now);
    all[record.billed === null ? "estimated" : "billed"] += micros;
    if (use !== null) stored[use] += micros;
    else {
      gpuMs += to - from;
      all.gpu += micros;
      if (lost === "unsealed") {
        all.mayBeLost += micros;
        unsealed.add(record.providerId);
      } else if (lost !== null) vain[lost] += micros;
    }
    const estimate = estimateOfBilled(record, from, to, now);
    if (estimate?.currency === currency) {
      isBilled = true;
      all.difference += micros - estimate.micros;
    }
    if (record.billed === null) unbilled.add(use ?? "gpu");
    if (record.billed === null && lost !== null) unbilled.add(lost);
    const counterfactual = onDemandOf(record, { micros, currency }, from, to);
    if (counterfactual === null) isCompared = false;
    else {
      all.paid += micros;
      all.onDemand += counterfactual.micros;
      if (record.billed === null) unbilled.add("comparable");
      if (lost === null || lost === "unsealed") all.onDemandUseful += counterfactual.micros;
    }
  }
  const sums = moneyOf(all, currency);
  const paid = addMoney(sums.billed, sums.estimated);
  return {
    key: first.key,
    of: first.of,
    currency,
    gpuMs,
    billed: sums.billed,
    estimated: sums.estimated,
    paid,
    gpu: sums.gpu,
    storage: moneyOf(stored, currency),
    lost: moneyOf(vain, currency),
    mayBeLost: { paid: sums.mayBeLost, machines: unsealed.size },
    difference: isBilled ? sums.difference : null,
    onDemand: isCompared ? sums.onDemand : null,
    comparable: { paid: sums.paid, onDemand: sums.onDemand, onDemandUseful: sums.onDemandUseful },
    savings: isCompared ? savingsShare(paid, sums.onDemand) : null,
    unbilled,
    open: pieces.some(({ record }) => record.to === null),
    gpuRunning: pieces.some(({ record, use, to }) => use === null && record.to === null && to === now),
  };
}

/** A disk costs the same on demand, and so does what was rented so; a GPU on spot has its own price there, or none that we know. */
function onDemandOf(record: LedgerRecord, paid: Money, from: number, to: number): Money | null {
  if (record.kind === "disk" || record.billing === "on-demand") return paid;
  const rate = record.onDemandRate;
  return rate?.currency === paid.currency ? ratedBetween(rate, record, from, to) : null;
}
