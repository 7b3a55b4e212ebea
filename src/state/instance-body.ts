import type { Money } from "../model/money.ts";
import { microsColumn, moneyFromColumns } from "./columns.ts";
import type { ListedRecord } from "./records.ts";

interface StoredMoney {
  readonly micros: number;
  readonly currency: string;
}
/** A record without its spec, as it is stored. */
export type StoredRecord = Omit<ListedRecord, "price" | "onDemandPrice"> & {
  readonly price: StoredMoney | null;
  readonly onDemandPrice: StoredMoney | null;
};

export const stored = (money: Money | null): StoredMoney | null =>
  money === null ? null : { micros: microsColumn(money), currency: money.currency };
const unstored = (money: StoredMoney | null): Money | null => (money === null ? null : moneyFromColumns(money.micros, money.currency));

/** The record that a stored text stands for; completed in place, because a copy of a thousand is felt in `ls`. */
export function fromBody(body: StoredRecord): ListedRecord {
  return Object.assign(body, { price: unstored(body.price), onDemandPrice: unstored(body.onDemandPrice) });
}

export function newestFirst(a: ListedRecord, b: ListedRecord): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.id < b.id ? 1 : -1;
}
