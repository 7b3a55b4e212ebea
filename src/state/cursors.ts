import type { Change, State } from "./records.ts";
import type { Executor } from "./tables.ts";

export async function putCursors(database: Executor, cursors: NonNullable<Change["cursors"]>): Promise<void> {
  for (const { name, seq, at } of cursors) {
    await database
      .insertInto("cursors")
      .values({ name, seq, at })
      .onConflict((conflict) => conflict.column("name").doUpdateSet({ seq, at }))
      .execute();
  }
}

export function cursorQueries(database: Executor): Pick<State, "cursor"> {
  return {
    cursor: (name) => database.selectFrom("cursors").select(["seq", "at"]).where("name", "=", name).executeTakeFirst(),
  };
}
