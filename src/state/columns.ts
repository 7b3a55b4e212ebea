import type { Money } from "../model/money.ts";

/**
 * The micros of an amount as one column.
 * @throws RangeError past 2^53, which SQLite would hold and JavaScript would read back rounded.
 */
export function microsColumn(money: Money): number {
  const micros = Number(money.micros);
  if (!Number.isSafeInteger(micros)) throw new RangeError(`an amount of ${money.micros} micros is too large to keep`);
  return micros;
}

/** @throws RangeError when the stored number is not a whole one that JavaScript can hold. */
export function moneyFromColumns(micros: number | bigint, currency: string): Money {
  if (!Number.isSafeInteger(Number(micros))) throw new RangeError(`not a number of micros: ${micros}`);
  return { micros: BigInt(micros), currency };
}

export function moneyOrNull(micros: number | bigint | null, currency: string | null): Money | null {
  return micros === null || currency === null ? null : moneyFromColumns(micros, currency);
}
