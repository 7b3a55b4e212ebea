import type { EventType, FleetEvent } from "../model/event.ts";
import type { Differences } from "./differences.ts";
import type { NewEvent, State } from "./records.ts";
import type { Executor } from "./tables.ts";

const MOST_AT_ONCE = 1000;

/**
 * The last thing that a transaction does before its end. On PostgreSQL each of them takes its turn here: a number is drawn
 * before it can be seen, and a reader who has come as far as 8 would never go back for a 7 that is committed later.
 */
export async function appendEvents(database: Executor, differs: Differences, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await differs.alone("events")?.execute(database);
  for (const event of events) {
    await database
      .insertInto("events")
      .values({ at: event.at, type: event.type, instance: event.instance, provider: event.provider, data_json: JSON.stringify(event.data) })
      .execute();
  }
}

export function eventQueries(database: Executor): Pick<State, "events" | "lastSeq"> {
  return {
    async events(filter) {
      if (filter.instances?.length === 0) return [];
      let query = database
        .selectFrom("events")
        .selectAll()
        .orderBy("seq")
        .limit(filter.limit ?? MOST_AT_ONCE);
      if (filter.afterSeq !== undefined) query = query.where("seq", ">", filter.afterSeq);
      if (filter.since !== undefined) query = query.where("at", ">=", filter.since);
      if (filter.types !== undefined) query = query.where("type", "in", [...filter.types]);
      if (filter.instances !== undefined) query = query.where("instance", "in", [...filter.instances]);
      const rows = await query.execute();
      return rows.map(({ data_json, type, ...row }): FleetEvent => ({ ...row, type: type as EventType, data: JSON.parse(data_json) }));
    },
    async lastSeq() {
      const row = await database
        .selectFrom("events")
        .select((select) => select.fn.max("seq").as("seq"))
        .executeTakeFirst();
      return row?.seq ?? 0;
    },
  };
}
