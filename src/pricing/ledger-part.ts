import { costOf, type Money } from "../model/money.ts";
import type { LedgerRecord } from "../state/records.ts";

export const DAY_MS = 86_400_000;

/** Where an interval ends, as sums see it. One without any length that was billed all the same takes a millisecond, or its bill would be in no sum. */
export function endOf({ from, to, billed }: Pick<LedgerRecord, "from" | "to" | "billed">, now: number): number {
  const end = to ?? now;
  return billed === null ? end : Math.max(end, from + 1);
}

/** What a rate adds between two moments of an interval; the pieces of an interval add up to the whole, to the millionth. */
export function ratedBetween(rate: Money, record: Pick<LedgerRecord, "from">, from: number, to: number): Money {
  const until = (moment: number) => costOf(rate, moment - record.from).micros;
  return { micros: until(to) - until(from), currency: rate.currency };
}

/** The billed amount is spread evenly over its interval. */
function billedBetween(billed: Money, { from: begin }: LedgerRecord, end: number, from: number, to: number): Money {
  const length = BigInt(Math.max(1, Math.round(end - begin)));
  const until = (moment: number) => (billed.micros * BigInt(Math.round(moment - begin))) / length;
  return { micros: until(to) - until(from), currency: billed.currency };
}

/** What of an interval was paid for between two moments of it: as billed where the provider has said so, else rate × time. */
export function paidBetween(record: LedgerRecord, from: number, to: number, now: number): Money {
  if (record.billed === null) return ratedBetween(record.rate, record, from, to);
  return billedBetween(record.billed, record, endOf(record, now), from, to);
}

/**
 * What price × time says of what was billed between two moments of an interval; the pieces add up to the whole here too. Null where
 * nothing was billed, and for what only its bill tells of: a hibernated machine's own disk.
 */
export function estimateOfBilled(record: LedgerRecord, from: number, to: number, now: number): Money | null {
  if (record.billed === null || !isEstimatedByUs(record)) return null;
  // The millisecond that a bill without any length is given is none that a price says anything of.
  return ratedBetween(record.rate, record, from, Math.max(from, Math.min(to, record.to ?? now)));
}

/** The part of an interval that lies between two moments; null where none does. Nothing is paid for after `now`. */
export function clipped(
  record: LedgerRecord,
  since: number,
  until: number,
  now: number,
): { readonly from: number; readonly to: number } | null {
  const from = Math.max(record.from, since);
  const to = Math.min(endOf(record, now), until, now);
  return to <= from ? null : { from, to };
}

/** Of a sleeping machine's own disk the bill is all that is known: its rate was made from it, and says nothing more. */
export function isEstimatedByUs({ kind, instanceId }: Pick<LedgerRecord, "kind" | "instanceId">): boolean {
  return kind === "gpu" || instanceId === null;
}

/** In which currency it is paid for. */
export function currencyOf({ rate, billed }: Pick<LedgerRecord, "rate" | "billed">): string {
  return billed?.currency ?? rate.currency;
}
