import type { HeldPrice } from "../pricing/history.ts";

/** The prices that one column of a drawing stands for. */
export interface PriceColumn {
  readonly first: bigint;
  readonly last: bigint;
  readonly low: bigint;
  readonly high: bigint;
  /** Over the time that is known, rounded down. */
  readonly mean: bigint;
  /** How much of the column's time is known, in milliseconds; 0 where there is nothing but a moment. */
  readonly knownMs: number;
}

interface Growing {
  first: bigint;
  last: bigint;
  low: bigint;
  high: bigint;
  sum: bigint;
  knownMs: number;
}

function grow(column: Growing, micros: bigint, ms: number): void {
  column.last = micros;
  if (micros < column.low) column.low = micros;
  if (micros > column.high) column.high = micros;
  column.sum += micros * BigInt(ms);
  column.knownMs += ms;
}

/** The lowest and the highest; null of none. */
export function extentOf(amounts: readonly bigint[]): { readonly low: bigint; readonly high: bigint } | null {
  const [first] = amounts;
  if (first === undefined) return null;
  let [low, high] = [first, first];
  for (const amount of amounts) {
    if (amount < low) low = amount;
    if (amount > high) high = amount;
  }
  return { low, high };
}

/** Splits a while into columns of the same length; null where nothing is known of the price. */
export function priceColumns(held: readonly HeldPrice[], from: number, to: number, count: number): readonly (PriceColumn | null)[] {
  const columns: (Growing | undefined)[] = Array.from({ length: count }, () => undefined);
  const span = Math.max(1, to - from);
  const columnOf = (at: number) => Math.min(count - 1, Math.max(0, Math.floor(((at - from) * count) / span)));
  const startOf = (column: number) => Math.round(from + (span * column) / count);
  for (const one of held) {
    if (one.to < from || one.from > to) continue;
    // The end is not included, unless it is all that there is.
    const last = one.to > one.from ? columnOf(one.to - 1) : columnOf(one.from);
    for (let column = columnOf(one.from); column <= last; column++) {
      const known = Math.min(one.to, startOf(column + 1)) - Math.max(one.from, startOf(column));
      const { micros } = one;
      const growing = columns[column] ?? { first: micros, last: micros, low: micros, high: micros, sum: 0n, knownMs: 0 };
      grow(growing, micros, Math.max(0, known));
      columns[column] = growing;
    }
  }
  return columns.map((column) => {
    if (column === undefined) return null;
    const { sum, knownMs, ...rest } = column;
    return { ...rest, knownMs, mean: knownMs === 0 ? column.last : sum / BigInt(knownMs) };
  });
}
