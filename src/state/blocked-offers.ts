import type { Change, State } from "./records.ts";
import type { Executor } from "./tables.ts";

export async function blockOffers(database: Executor, blocks: NonNullable<Change["blockOffers"]>): Promise<void> {
  for (const { key, until, why } of blocks) {
    await database
      .insertInto("blocked_offers")
      .values({ offer_key: key, until_at: until, why })
      .onConflict((conflict) => conflict.column("offer_key").doUpdateSet({ until_at: until, why }))
      .execute();
  }
}

export function blockedOfferQueries(database: Executor): Pick<State, "blockedOffers"> {
  return {
    async blockedOffers(now) {
      const rows = await database.selectFrom("blocked_offers").select(["offer_key", "why"]).where("until_at", ">", now).execute();
      return new Map(rows.map((row) => [row.offer_key, row.why]));
    },
  };
}
