import type { State } from "./records.ts";
import type { Executor } from "./tables.ts";

export function peerQueries(database: Executor): Pick<State, "putPeer" | "peers"> {
  return {
    async putPeer({ host, publicKey }, at) {
      const rest = { public_key: publicKey, seen_at: at };
      await database.transaction().execute(async (transaction) => {
        await transaction
          .insertInto("peers")
          .values({ host, ...rest })
          .onConflict((conflict) => conflict.column("host").doUpdateSet(rest))
          .execute();
      });
    },
    async peers(since) {
      const rows = await database.selectFrom("peers").selectAll().where("seen_at", ">=", since).execute();
      return rows
        .map((row) => ({ host: row.host, publicKey: row.public_key, seenAt: row.seen_at }))
        .sort((a, b) => (a.host < b.host ? -1 : 1));
    },
  };
}
