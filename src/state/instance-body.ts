import type { Money } from "../model/money.ts";
import { microsColumn, moneyFromColumns } from "./columns.ts";
import type { InstanceRecord, InstanceSpec } from "./records.ts";

interface StoredMoney {
  readonly micros: number;
  readonly currency: string;
}
/** A record as it is stored. */
export type StoredRecord = Omit<InstanceRecord, "spec" | "price" | "onDemandPrice"> & {
  /** JSON inside the JSON: read when it is asked for. A list of a thousand asks for none of them. */
  readonly spec: string;
  readonly price: StoredMoney | null;
  readonly onDemandPrice: StoredMoney | null;
};

export const stored = (money: Money | null): StoredMoney | null =>
  money === null ? null : { micros: microsColumn(money), currency: money.currency };
const unstored = (money: StoredMoney | null): Money | null => (money === null ? null : moneyFromColumns(money.micros, money.currency));

/** The record that a stored text stands for. */
export function fromBody(body: StoredRecord): InstanceRecord {
  const text = body.spec;
  let spec: InstanceSpec | undefined;
  // Completed in place: a copy of a thousand records is a tenth of what `ls` may take.
  return Object.defineProperty(Object.assign(body, { price: unstored(body.price), onDemandPrice: unstored(body.onDemandPrice) }), "spec", {
    enumerable: true,
    configurable: true,
    get: () => {
      spec ??= JSON.parse(text) as InstanceSpec;
      return spec;
    },
  }) as unknown as InstanceRecord;
}

export function newestFirst(a: InstanceRecord, b: InstanceRecord): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.id < b.id ? 1 : -1;
}
