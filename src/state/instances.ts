import { isOver } from "../model/instance.ts";
import type { Differences } from "./differences.ts";
import { bodyText, fromBody, fromStoredSpec, newestFirst, type StoredRecord, type StoredSpec } from "./instance-body.ts";
import type { Change, CommitResult, InstanceRecord, State } from "./records.ts";
import type { Executor } from "./tables.ts";

function toRow(record: InstanceRecord) {
  const { spec, ...rest } = record;
  return {
    id: record.id,
    name: record.name,
    live_name: isOver(record.state) ? null : record.name,
    version: record.version,
    created_at: record.createdAt,
    record_json: bodyText(rest),
    spec_json: JSON.stringify(spec),
  };
}

const whole = (body: StoredRecord, spec: StoredSpec): InstanceRecord => Object.assign(fromBody(body), { spec: fromStoredSpec(spec) });

const fromRow = (row: { readonly record_json: string; readonly spec_json: string }) =>
  whole(JSON.parse(row.record_json) as StoredRecord, JSON.parse(row.spec_json) as StoredSpec);

const rows = (database: Executor) => database.selectFrom("instances").select(["record_json", "spec_json"]);

export async function addInstance(database: Executor, differs: Differences, record: InstanceRecord): Promise<CommitResult> {
  try {
    await database.insertInto("instances").values(toRow(record)).execute();
    return "committed";
  } catch (error) {
    if (differs.isUniqueViolation(error)) return "name-taken";
    throw error;
  }
}

export async function changeInstance(
  database: Executor,
  differs: Differences,
  change: NonNullable<Change["instance"]>,
): Promise<CommitResult> {
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
    if (differs.isUniqueViolation(error)) return "name-taken";
    throw error;
  }
}

export function instanceQueries(database: Executor, differs: Differences): Pick<State, "instances" | "instance" | "instanceByName"> {
  return {
    async instances(filter = {}) {
      if (filter.names?.length === 0) return [];
      // As two texts: SQLite's binding takes five times as long to hand over a thousand rows one by one.
      const [records, specs] = [differs.textsAsOne("record_json"), differs.textsAsOne("spec_json")];
      let query = database.selectFrom("instances").select([records.as("records"), specs.as("specs")]);
      if (filter.includeGone !== true) query = query.where("live_name", "is not", null);
      if (filter.names !== undefined) query = query.where("name", "in", [...filter.names]);
      // Sorted here, because SQLite would carry the whole records through its sorter, at twice the time of reading them.
      const packed = await query.executeTakeFirstOrThrow();
      const asked = JSON.parse(packed.specs) as StoredSpec[];
      const found = (JSON.parse(packed.records) as StoredRecord[]).flatMap((body, index) => {
        const spec = asked[index];
        return spec === undefined ? [] : [whole(body, spec)];
      });
      return found.sort(newestFirst);
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
