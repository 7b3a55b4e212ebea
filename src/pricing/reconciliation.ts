import type { Money } from "../model/money.ts";
import type { LedgerRecord } from "../state/records.ts";
import { clipped, endOf, estimateOfBilled, paidBetween } from "./ledger-part.ts";
import type { Period } from "./summary.ts";

/** One interval that a provider has billed, beside what price × time says of it. */
export interface ReconciledInterval {
  readonly record: LedgerRecord;
  readonly to: number;
  /** Null for what only its bill tells of: a hibernated machine's own disk. */
  readonly estimated: Money | null;
  readonly billed: Money;
  /** Billed − estimated; null where the currencies differ as well. */
  readonly difference: Money | null;
}

/** Every billed interval that reaches into the period, whole, oldest first; and how many finished ones are not billed. Pure. */
export function reconciled(
  ledger: readonly LedgerRecord[],
  { since, until, now }: Period,
): { readonly intervals: readonly ReconciledInterval[]; readonly unbilled: readonly LedgerRecord[] } {
  const own = ledger.filter((record) => clipped(record, since, until ?? now, now) !== null);
  const intervals = own.flatMap((record): readonly ReconciledInterval[] => {
    const { billed } = record;
    if (billed === null) return [];
    const to = record.to ?? now;
    const estimated = estimateOfBilled(record, record.from, to, now);
    const isComparable = estimated !== null && estimated.currency === billed.currency;
    const difference = isComparable ? { micros: billed.micros - estimated.micros, currency: billed.currency } : null;
    return [{ record, to, estimated, billed: paidBetween(record, record.from, endOf(record, now), now), difference }];
  });
  return { intervals, unbilled: own.filter(({ to, billed }) => to !== null && billed === null) };
}
