import type { GuardRecord, State } from "./records.ts";
import type { Executor } from "./tables.ts";

/** One entry an instance, in place of what was known; those of instances that are gone go with them. */
export async function putGuards(database: Executor, guards: readonly GuardRecord[]): Promise<void> {
  for (const { instanceId, providerId, heartbeatAt, askedAt, silentAt, warned } of guards) {
    const rest = { provider_id: providerId, heartbeat_at: heartbeatAt, asked_at: askedAt, silent_at: silentAt, warned: warned ? 1 : 0 };
    await database
      .insertInto("guards")
      .values({ instance_id: instanceId, ...rest })
      .onConflict((conflict) => conflict.column("instance_id").doUpdateSet(rest))
      .execute();
  }
  if (guards.length === 0) return;
  const living = database.selectFrom("instances").select("id").where("live_name", "is not", null);
  await database.deleteFrom("guards").where("instance_id", "not in", living).execute();
}

export function guardQueries(database: Executor): Pick<State, "guards"> {
  return {
    async guards(filter = {}) {
      let query = database.selectFrom("guards").selectAll();
      if (filter.instanceId !== undefined) query = query.where("instance_id", "=", filter.instanceId);
      return (await query.execute()).map((row) => ({
        instanceId: row.instance_id,
        providerId: row.provider_id,
        heartbeatAt: row.heartbeat_at,
        askedAt: row.asked_at,
        silentAt: row.silent_at,
        warned: row.warned === 1,
      }));
    },
  };
}
