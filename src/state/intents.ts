import type { Change, IntentRecord, State } from "./records.ts";
import type { Executor, Tables } from "./tables.ts";

function fromRow(row: Tables["intents"]): IntentRecord {
  return {
    id: row.id,
    kind: row.kind as IntentRecord["kind"],
    instanceId: row.instance_id,
    provider: row.provider,
    token: row.token,
    createdAt: row.created_at,
    status: row.status as IntentRecord["status"],
    closedAt: row.closed_at,
    detail: JSON.parse(row.detail_json),
  };
}

export async function openIntents(database: Executor, intents: readonly IntentRecord[]): Promise<void> {
  for (const intent of intents) {
    await database
      .insertInto("intents")
      .values({
        id: intent.id,
        kind: intent.kind,
        instance_id: intent.instanceId,
        provider: intent.provider,
        token: intent.token,
        created_at: intent.createdAt,
        status: intent.status,
        closed_at: intent.closedAt,
        detail_json: JSON.stringify(intent.detail),
      })
      .execute();
  }
}

/** The first to close an intent decides how it ended. A `detail` is merged over what was kept when it was opened. */
export async function closeIntents(database: Executor, closings: NonNullable<Change["closeIntents"]>): Promise<void> {
  for (const { id, status, at, detail } of closings) {
    const row = await database
      .selectFrom("intents")
      .select("detail_json")
      .where("id", "=", id)
      .where("status", "=", "pending")
      .executeTakeFirst();
    if (row === undefined) continue;
    const merged = detail === undefined ? row.detail_json : JSON.stringify({ ...JSON.parse(row.detail_json), ...detail });
    await database
      .updateTable("intents")
      .set({ status, closed_at: at, detail_json: merged })
      .where("id", "=", id)
      // Once more: on PostgreSQL somebody else may have closed it since it was read.
      .where("status", "=", "pending")
      .execute();
  }
}

/** A machine's own disk carries the machine's token: what is asked of that token is asked of the machine. */
const MAKING: readonly IntentRecord["kind"][] = ["launch", "volume-create", "volume-snapshot"];

/**
 * Of the intents of one token, oldest first, the one whose resource it is now. Who took it over last comes before who made it,
 * whatever their clocks say: the earlier record has nothing to do with it any more.
 */
function whoMadeIt(intents: readonly IntentRecord[]): IntentRecord | undefined {
  const kind = MAKING.find((making) => intents.some((intent) => intent.kind === making));
  const made = intents.filter((intent) => intent.kind === kind);
  return made.findLast(({ detail }) => detail["adopted"] === true) ?? made[0] ?? intents[0];
}

export function intentQueries(
  database: Executor,
): Pick<State, "pendingIntents" | "intentByToken" | "volumePromise" | "promisedProviders" | "volumesGivenUp"> {
  return {
    async pendingIntents(filter = {}) {
      let query = database.selectFrom("intents").selectAll().where("status", "=", "pending").orderBy("created_at").orderBy("id");
      if (filter.instanceId !== undefined) query = query.where("instance_id", "=", filter.instanceId);
      return (await query.execute()).map(fromRow);
    },
    async intentByToken(token) {
      const rows = await database
        .selectFrom("intents")
        .selectAll()
        .where("token", "=", token)
        .orderBy("created_at")
        .orderBy("id")
        .execute();
      return whoMadeIt(rows.map(fromRow));
    },
    async volumePromise(volumeId) {
      const rows = await database
        .selectFrom("intents")
        .selectAll()
        .where("kind", "=", "volume-create")
        .where("detail_json", "like", `%${JSON.stringify(volumeId)}%`)
        .orderBy("created_at")
        .orderBy("id")
        .execute();
      return rows.map(fromRow).find((intent) => intent.detail["volumeId"] === volumeId);
    },
    async promisedProviders(since) {
      const rows = await database
        .selectFrom("intents")
        .select("provider")
        .distinct()
        .where((where) => where.or([where("created_at", ">=", since), where("status", "=", "pending")]))
        .execute();
      return rows.map((row) => row.provider);
    },
    async volumesGivenUp(since, kind = "volume-create") {
      const rows = await database
        .selectFrom("intents")
        .select("provider")
        .distinct()
        .where("kind", "=", kind)
        .where("status", "=", "failed")
        .where("created_at", ">=", since)
        .execute();
      return rows.map((row) => row.provider);
    },
  };
}
