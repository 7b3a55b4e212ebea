import type { State } from "./records.ts";
import type { Executor } from "./tables.ts";

export function leaseQueries(database: Executor): Pick<State, "acquireLease" | "leaseHolder" | "releaseLease"> {
  return {
    async acquireLease(name, owner, now, ttlMs) {
      const lease = { owner, expires_at: now + ttlMs };
      return database.transaction().execute(async (transaction) => {
        const result = await transaction
          .insertInto("leases")
          .values({ name, ...lease })
          .onConflict((conflict) =>
            conflict
              .column("name")
              .doUpdateSet(lease)
              .where((where) => where.or([where("leases.owner", "=", owner), where("leases.expires_at", "<=", now)])),
          )
          .executeTakeFirst();
        return result.numInsertedOrUpdatedRows === 1n;
      });
    },
    async leaseHolder(name, now) {
      const row = await database
        .selectFrom("leases")
        .select(["owner", "expires_at"])
        .where("name", "=", name)
        .where("expires_at", ">", now)
        .executeTakeFirst();
      return row && { owner: row.owner, expiresAt: row.expires_at };
    },
    async releaseLease(name, owner) {
      await database.transaction().execute(async (transaction) => {
        await transaction.deleteFrom("leases").where("name", "=", name).where("owner", "=", owner).execute();
      });
    },
  };
}
