import { isOver } from "../model/instance.ts";
import type { Money } from "../model/money.ts";
import { microsColumn, moneyFromColumns } from "./columns.ts";
import { isUniqueViolation } from "./problems.ts";
import type { Change, CommitResult, InstanceRecord, State } from "./records.ts";
import type { Executor } from "./tables.ts";

interface StoredMoney {
  readonly micros: number;
  readonly currency: string;
}
type StoredRecord = Omit<InstanceRecord, "id" | "version" | "price" | "onDemandPrice"> & {
  readonly price: StoredMoney | null;
  readonly onDemandPrice: StoredMoney | null;
};

const stored = (money: Money | null): StoredMoney | null =>
  money === null ? null : { micros: microsColumn(money), currency: money.currency };
const unstored = (money: StoredMoney | null): Money | null => (money === null ? null : moneyFromColumns(money.micros, money.currency));

function toRow(record: InstanceRecord) {
  const { id, version, ...rest } = record;
  const body: StoredRecord = { ...rest, price: stored(record.price), onDemandPrice: stored(record.onDemandPrice) };
  return {
    id,
    name: record.name,
    live_name: isOver(record.state) ? null : record.name,
    version,
    created_at: record.createdAt,
    record_json: JSON.stringify(body),
  };
}

function fromRow(row: { readonly id: string; readonly version: number; readonly record_json: string }): InstanceRecord {
  const body = JSON.parse(row.record_json) as StoredRecord;
  // Completed in place: a copy of a thousand records is a tenth of what `ls` may take.
  return Object.assign(body, {
    id: row.id,
    version: row.version,
    price: unstored(body.price),
    onDemandPrice: unstored(body.onDemandPrice),
  });
}

function newestFirst(a: InstanceRecord, b: InstanceRecord): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.id < b.id ? 1 : -1;
}

const rows = (database: Executor) => database.selectFrom("instances").select(["id", "version", "record_json"]);

export async function addInstance(database: Executor, record: InstanceRecord): Promise<CommitResult> {
  try {
    await database.insertInto("instances").values(toRow(record)).execute();
    return "committed";
  } catch (error) {
    if (isUniqueViolation(error)) return "name-taken";
    throw error;
  }
}

export async function changeInstance(database: Executor, change: NonNullable<Change["instance"]>): Promise<CommitResult> {
  const row = await rows(database).where("id", "=", change.id).where("version", "=", change.version).executeTakeFirst();
  if (row === undefined) return "stale";
  const next = toRow({ ...fromRow(row), ...change.set, id: change.id, version: change.version + 1 });
  try {
    const result = await database
      .updateTable("instances")
      .set(next)
      .where("id", "=", change.id)
      .where("version", "=", change.version)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n ? "committed" : "stale";
  } catch (error) {
    if (isUniqueViolation(error)) return "name-taken";
    throw error;
  }
}

export function instanceQueries(database: Executor): Pick<State, "instances" | "instance" | "instanceByName"> {
  return {
    async instances(filter = {}) {
      if (filter.names?.length === 0) return [];
      let query = rows(database);
      if (filter.includeGone !== true) query = query.where("live_name", "is not", null);
      if (filter.names !== undefined) query = query.where("name", "in", [...filter.names]);
      // Sorted here, because SQLite would carry the whole records through its sorter, at twice the time of reading them.
      return (await query.execute()).map(fromRow).sort(newestFirst);
    },
    async instance(id) {
      const row = await rows(database).where("id", "=", id).executeTakeFirst();
      return row && fromRow(row);
    },
    async instanceByName(name) {
      const living = await rows(database).where("live_name", "=", name).executeTakeFirst();
      if (living !== undefined) return fromRow(living);
      const gone = await rows(database)
        .where("name", "=", name)
        .orderBy("created_at", "desc")
        .orderBy("id", "desc")
        .limit(1)
        .executeTakeFirst();
      return gone && fromRow(gone);
    },
  };
}
