import { PostgresAdapter, sql } from "kysely";
import type { Change, State } from "./records.ts";
import type { Executor } from "./tables.ts";

const isShared = (database: Executor) => database.getExecutor().adapter instanceof PostgresAdapter;

/** By whose clock leases run out: a file's processes have one, computers that share a PostgreSQL go by the database's. */
function clockOf(database: Executor, now: number) {
  return isShared(database) ? sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint` : sql<number>`${now}`;
}

/**
 * Whether all of them are still this owner's. Asked inside a transaction: from here to its end nobody takes one of them. In
 * PostgreSQL the rows are locked, always by name in order, so that a renewal and a commit never wait for each other in a ring.
 */
export async function holdsLeases(database: Executor, { leases, owner, now }: NonNullable<Change["under"]>): Promise<boolean> {
  if (leases.length === 0) return true;
  const asked = database
    .selectFrom("leases")
    .select("name")
    .where("name", "in", [...leases])
    .where("owner", "=", owner)
    .where("expires_at", ">", clockOf(database, now))
    .orderBy("name");
  const rows = await (isShared(database) ? asked.forShare() : asked).execute();
  const held = new Set(rows.map(({ name }) => name));
  return leases.every((name) => held.has(name));
}

type LeaseQueries = Pick<State, "acquireLease" | "renewLeases" | "leaseHolder" | "lease" | "releaseLease">;

export function leaseQueries(database: Executor): LeaseQueries {
  return {
    async acquireLease(name, owner, now, ttlMs) {
      const clock = clockOf(database, now);
      const lease = { owner, expires_at: sql<number>`${clock} + ${ttlMs}` };
      return database.transaction().execute(async (transaction) => {
        const result = await transaction
          .insertInto("leases")
          .values({ name, ...lease, since: clock })
          .onConflict((conflict) =>
            conflict
              .column("name")
              .doUpdateSet({ ...lease, since: sql<number>`case when leases.owner = ${owner} then leases.since else ${clock} end` })
              .where((where) => where.or([where("leases.owner", "=", owner), where("leases.expires_at", "<=", clock)])),
          )
          .executeTakeFirst();
        return result.numInsertedOrUpdatedRows === 1n;
      });
    },
    async renewLeases(owner, now, ttlMs) {
      const clock = clockOf(database, now);
      return database.transaction().execute(async (transaction) => {
        const own = transaction.selectFrom("leases").select("name").where("owner", "=", owner).where("expires_at", ">", clock);
        const rows = await transaction
          .updateTable("leases")
          .set({ expires_at: sql<number>`${clock} + ${ttlMs}` })
          .where("name", "in", isShared(database) ? own.orderBy("name").forUpdate() : own)
          .returning("name")
          .execute();
        return new Set(rows.map((row) => row.name));
      });
    },
    async leaseHolder(name, now) {
      const row = await database
        .selectFrom("leases")
        .select(["owner", "expires_at"])
        .where("name", "=", name)
        .where("expires_at", ">", clockOf(database, now))
        .executeTakeFirst();
      return row && { owner: row.owner, expiresAt: row.expires_at };
    },
    async lease(name, now) {
      const row = await database
        .selectFrom("leases")
        .select(["owner", "since", sql<number>`expires_at - ${clockOf(database, now)}`.as("leftMs")])
        .where("name", "=", name)
        .executeTakeFirst();
      return row && { owner: row.owner, since: row.since, leftMs: row.leftMs };
    },
    async releaseLease(name, owner) {
      await database.transaction().execute(async (transaction) => {
        await transaction.deleteFrom("leases").where("name", "=", name).where("owner", "=", owner).execute();
      });
    },
  };
}
