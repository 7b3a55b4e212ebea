import type { Money } from "../model/money.ts";
import { FRESH_OUTLOOK } from "../model/outlook.ts";
import { microsColumn, moneyFromColumns } from "./columns.ts";
import type { InstanceSpec, ListedRecord } from "./records.ts";

interface StoredMoney {
  readonly micros: number;
  readonly currency: string;
}
/** A record without its spec, as it is stored. */
export type StoredRecord = Omit<ListedRecord, "price" | "onDemandPrice"> & {
  readonly price: StoredMoney | null;
  readonly onDemandPrice: StoredMoney | null;
};

/** What came later to the record, and what it was before. */
const LATER = {
  parkOnly: false,
  sealedAsleep: false,
  retainAddress: false,
  rootVolume: null,
  dataKeptUntil: null,
  endpoints: [],
  outlook: FRESH_OUTLOOK,
  forgottenAt: null,
  account: null,
  idleMs: null,
} as const;

export const stored = (money: Money | null): StoredMoney | null =>
  money === null ? null : { micros: microsColumn(money), currency: money.currency };
const unstored = (money: StoredMoney | null): Money | null => (money === null ? null : moneyFromColumns(money.micros, money.currency));

/** The record that a stored text stands for; completed in place, because a copy of a thousand is felt in `ls`. */
export function fromBody(stored: StoredRecord): ListedRecord {
  // A record that was written before these were known lacks them.
  const body =
    "forgottenAt" in stored && "outlook" in stored && "account" in stored && "idleMs" in stored
      ? stored
      : Object.assign({ ...LATER }, stored);
  return Object.assign(body, { price: unstored(body.price), onDemandPrice: unstored(body.onDemandPrice) });
}

/** A spec as any version of spot has stored it: the fields that came later are missing in the older ones. */
export type StoredSpec = Omit<InstanceSpec, LaterField> & Partial<Pick<InstanceSpec, LaterField>>;
type LaterField = "ports" | "registryAuth" | "onRebalance" | "fallbackAfterMs" | "returnToSpot" | "idleBy";

/** The spec that a stored text stands for. Every spec that is read from the database passes here. */
export function fromStoredSpec(stored: StoredSpec): InstanceSpec {
  // Completed in place, like the records.
  const { ports = [], registryAuth = null, onRebalance = "log", fallbackAfterMs = null, returnToSpot = false, idleBy = "exit" } = stored;
  return Object.assign(stored, { ports, registryAuth, onRebalance, fallbackAfterMs, returnToSpot, idleBy });
}

export function newestFirst(a: ListedRecord, b: ListedRecord): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.id < b.id ? 1 : -1;
}
