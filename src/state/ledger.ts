import type { Billing } from "../model/instance.ts";
import { microsColumn, moneyFromColumns, moneyOrNull } from "./columns.ts";
import type { Differences } from "./differences.ts";
import type { Change, LedgerRecord, State } from "./records.ts";
import type { Executor, Tables } from "./tables.ts";

function toRow(entry: LedgerRecord): Tables["ledger"] {
  return {
    id: entry.id,
    instance_id: entry.instanceId,
    instance: entry.instance,
    fleet: entry.fleet,
    provider: entry.provider,
    provider_id: entry.providerId,
    kind: entry.kind,
    billing: entry.billing,
    from_at: entry.from,
    to_at: entry.to,
    rate_micros: microsColumn(entry.rate),
    rate_currency: entry.rate.currency,
    on_demand_micros: entry.onDemandRate && microsColumn(entry.onDemandRate),
    on_demand_currency: entry.onDemandRate?.currency ?? null,
    billed_micros: entry.billed && microsColumn(entry.billed),
    billed_currency: entry.billed?.currency ?? null,
    seen_at: entry.seenAt ?? null,
  };
}

/** The interval that a row stands for. */
function fromLedgerRow(row: Tables["ledger"]): LedgerRecord {
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
    ...(row.seen_at === null ? {} : { seenAt: row.seen_at }),
  };
}

const LEDGER_COLUMNS = [
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
  "seen_at",
] as const satisfies readonly (keyof Tables["ledger"])[];

function oldestFirst(a: Tables["ledger"], b: Tables["ledger"]): number {
  return a.from_at - b.from_at || (a.id < b.id ? -1 : 1);
}

export async function putLedger(database: Executor, entries: readonly LedgerRecord[]): Promise<void> {
  for (const entry of entries) {
    const { id, ...rest } = toRow(entry);
    await database
      .insertInto("ledger")
      .values({ id, ...rest })
      .onConflict((conflict) => conflict.column("id").doUpdateSet(rest))
      .execute();
  }
}

/** A database takes some ten thousand values in one statement. */
const NOTED_AT_ONCE = 10_000;

/** Changes nothing else of the intervals: somebody may end one of them meanwhile. */
export async function noteIntervalsSeen(database: Executor, { intervals, at }: NonNullable<Change["seen"]>): Promise<void> {
  for (let begin = 0; begin < intervals.length; begin += NOTED_AT_ONCE)
    await database
      .updateTable("ledger")
      .set({ seen_at: at })
      .where("id", "in", intervals.slice(begin, begin + NOTED_AT_ONCE))
      .execute();
}

export function ledgerQueries(database: Executor, differs: Differences): Pick<State, "ledger"> {
  return {
    /** Oldest first. `since` keeps every stretch that reaches past it. */
    async ledger(filter = {}) {
      // As one text: SQLite's binding takes five times as long to hand over a thousand rows cell by cell.
      let query = database.selectFrom("ledger").select(differs.rowsAsOne(LEDGER_COLUMNS).as("packed"));
      const { since } = filter;
      if (since !== undefined) query = query.where((where) => where.or([where("to_at", "is", null), where("to_at", ">", since)]));
      if (filter.openOnly === true) query = query.where("to_at", "is", null);
      if (filter.instanceId !== undefined) query = query.where("instance_id", "=", filter.instanceId);
      const { packed } = await query.executeTakeFirstOrThrow();
      return (JSON.parse(packed) as Tables["ledger"][]).sort(oldestFirst).map(fromLedgerRow);
    },
  };
}
