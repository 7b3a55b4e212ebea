import { type Money, moneyText } from "../model/money.ts";
import { LOSS_KINDS } from "../pricing/losses.ts";
import { STORAGE_USES } from "../pricing/storage-use.ts";
import type { AmountOf, SummaryRow } from "../pricing/summary.ts";

export const HOUR_MS = 3_600_000;

export type Basis = "estimated" | "billed" | "mixed";

/** `billed` only where every interval in it is, those that come to nothing as well. */
export function basisOf({ unbilled, billed }: Pick<SummaryRow, "unbilled" | "billed">): Basis {
  if (unbilled.size === 0) return "billed";
  return billed.micros === 0n ? "estimated" : "mixed";
}

/** Adds up amounts of one currency. */
export function sumOf([first, ...rest]: readonly [Money, ...Money[]]): Money {
  return { micros: rest.reduce((sum, { micros }) => sum + micros, first.micros), currency: first.currency };
}

export function lostOf({ lost }: Pick<SummaryRow, "lost">): Money {
  return sumOf([lost.work, lost.wakes, lost.restarts]);
}

export function storageOf({ storage }: Pick<SummaryRow, "storage">): Money {
  return sumOf([storage.inUse, storage.asleep, storage.kept]);
}

/** What on-demand would have cost more; null when an on-demand price is not known. */
export function savedOf({ onDemand, paid }: Pick<SummaryRow, "onDemand" | "paid">): Money | null {
  return onDemand === null ? null : { micros: onDemand.micros - paid.micros, currency: paid.currency };
}

export function isSome({ micros }: Money): boolean {
  return micros !== 0n;
}

interface PaidAmount {
  readonly of: (row: SummaryRow) => Money;
  readonly parts: readonly AmountOf[];
}

/** The amounts of a row that were paid, each with what it is made of. */
const PAID = {
  paid: { of: (row) => row.paid, parts: ["gpu", ...STORAGE_USES] },
  gpu: { of: (row) => row.gpu, parts: ["gpu"] },
  storage: { of: storageOf, parts: STORAGE_USES },
  asleep: { of: (row) => row.storage.asleep, parts: ["asleep"] },
  kept: { of: (row) => row.storage.kept, parts: ["kept"] },
  lost: { of: lostOf, parts: LOSS_KINDS },
  work: { of: (row) => row.lost.work, parts: ["work"] },
  wakes: { of: (row) => row.lost.wakes, parts: ["wakes"] },
  restarts: { of: (row) => row.lost.restarts, parts: ["restarts"] },
  mayBeLost: { of: (row) => row.mayBeLost.paid, parts: ["unsealed"] },
  comparable: { of: (row) => row.comparable.paid, parts: ["comparable"] },
} as const satisfies Readonly<Record<string, PaidAmount>>;

export type PaidName = keyof typeof PAID;

/** An amount with `~` before it where it is not all billed. */
export function markedText(amount: Money, isBilled: boolean): string {
  return `${isBilled ? "" : "~"}${moneyText(amount)}`;
}

/** What was paid for something: `$1.05`, `~$1.05` where that is not all billed. */
export function paidText(row: SummaryRow, name: PaidName = "paid"): string {
  const { of, parts }: PaidAmount = PAID[name];
  return markedText(of(row), !parts.some((part) => row.unbilled.has(part)));
}

/** The same in a table: `-` where it is nothing. */
export function paidCell(row: SummaryRow, name: PaidName): string {
  return isSome(PAID[name].of(row)) ? paidText(row, name) : "-";
}

/** For people: a volume is told apart from an instance of that name. */
export function groupText({ key, of }: Pick<SummaryRow, "key" | "of">): string {
  if (key === "") return "(none)";
  return of === "volume" ? `${key} (volume)` : key;
}

export function hoursText(ms: number): string {
  if (ms === 0) return "-";
  const hours = ms / HOUR_MS;
  return hours.toFixed(hours < 1 ? 3 : 1);
}
