import type { Billing } from "../model/instance.ts";
import { moneyFromColumns, moneyOrNull } from "./columns.ts";
import type { LedgerRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

/** The interval that a row stands for. */
export function fromLedgerRow(row: Tables["ledger"]): LedgerRecord {
  return {
    id: row.id,
    instanceId: row.instance_id,
    instance: row.instance,
    fleet: row.fleet,
    provider: row.provider,
    providerId: row.provider_id,
    kind: row.kind as LedgerRecord["kind"],
    billing: row.billing as Billing,
    from: row.from_at,
    to: row.to_at,
    rate: moneyFromColumns(row.rate_micros, row.rate_currency),
    onDemandRate: moneyOrNull(row.on_demand_micros, row.on_demand_currency),
    billed: moneyOrNull(row.billed_micros, row.billed_currency),
  };
}

export const LEDGER_COLUMNS = [
  "id",
  "instance_id",
  "instance",
  "fleet",
  "provider",
  "provider_id",
  "kind",
  "billing",
  "from_at",
  "to_at",
  "rate_micros",
  "rate_currency",
  "on_demand_micros",
  "on_demand_currency",
  "billed_micros",
  "billed_currency",
] as const satisfies readonly (keyof Tables["ledger"])[];

export function oldestFirst(a: Tables["ledger"], b: Tables["ledger"]): number {
  return a.from_at - b.from_at || (a.id < b.id ? -1 : 1);
}
