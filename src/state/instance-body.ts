import type { Money } from "../model/money.ts";
import { FRESH_OUTLOOK } from "../model/outlook.ts";
import { microsColumn, moneyFromColumns } from "./columns.ts";
import type { InstanceSpec, ListedRecord } from "./records.ts";

interface StoredMoney {
  readonly micros: number;
  readonly currency: string;
}
/**
 * What most records have. It is left out of the stored text, because a list reads a thousand of them; and some of it came
 * later than the oldest records.
 */
const USUAL = {
  protectedUntil: null,
  notice: null,
  parked: null,
  ssh: null,
  fleet: null,
  ttlEndsAt: null,
  idleMs: null,
  labels: {},
  skipSnapshot: false,
  parkOnly: false,
  sealedAsleep: false,
  retainAddress: false,
  rootVolume: null,
  dataKeptUntil: null,
  endpoints: [],
  wakeBy: null,
  forgottenAt: null,
  outlook: FRESH_OUTLOOK,
  account: null,
  reason: null,
} as const satisfies Partial<ListedRecord>;
const USUAL_TEXTS = Object.entries(USUAL).map(([field, value]) => [field, JSON.stringify(value)] as const);
type Usual = keyof typeof USUAL;

type Body = Omit<ListedRecord, "price" | "onDemandPrice"> & {
  readonly price: StoredMoney | null;
  readonly onDemandPrice: StoredMoney | null;
};
/** A record without its spec, as it is stored: what is as usual may be missing. */
export type StoredRecord = Omit<Body, Usual> & Partial<Pick<Body, Usual>>;

export const stored = (money: Money | null): StoredMoney | null =>
  money === null ? null : { micros: microsColumn(money), currency: money.currency };
const unstored = (money: StoredMoney | null): Money | null => (money === null ? null : moneyFromColumns(money.micros, money.currency));

/** The text that stands for a record. */
export function bodyText({ price, onDemandPrice, ...record }: ListedRecord): string {
  const body: Record<string, unknown> = { ...record, price: stored(price), onDemandPrice: stored(onDemandPrice) };
  for (const [field, usual] of USUAL_TEXTS) if (JSON.stringify(body[field]) === usual) body[field] = undefined;
  return JSON.stringify(body);
}

/**
 * The record that a stored text stands for. Completed in place and field by field: to copy a thousand, or to go through a
 * list of fields for each, takes longer than to read them.
 */
export function fromBody(stored: StoredRecord): ListedRecord {
  const record = stored as { -readonly [Field in keyof StoredRecord]: StoredRecord[Field] };
  record.protectedUntil ??= USUAL.protectedUntil;
  record.notice ??= USUAL.notice;
  record.parked ??= USUAL.parked;
  record.ssh ??= USUAL.ssh;
  record.fleet ??= USUAL.fleet;
  record.ttlEndsAt ??= USUAL.ttlEndsAt;
  record.idleMs ??= USUAL.idleMs;
  record.labels ??= USUAL.labels;
  record.skipSnapshot ??= USUAL.skipSnapshot;
  record.parkOnly ??= USUAL.parkOnly;
  record.sealedAsleep ??= USUAL.sealedAsleep;
  record.retainAddress ??= USUAL.retainAddress;
  record.rootVolume ??= USUAL.rootVolume;
  record.dataKeptUntil ??= USUAL.dataKeptUntil;
  record.endpoints ??= USUAL.endpoints;
  record.wakeBy ??= USUAL.wakeBy;
  record.forgottenAt ??= USUAL.forgottenAt;
  record.outlook ??= USUAL.outlook;
  record.account ??= USUAL.account;
  record.reason ??= USUAL.reason;
  const { price, onDemandPrice } = stored;
  return Object.assign(record as Body, { price: unstored(price), onDemandPrice: unstored(onDemandPrice) });
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
