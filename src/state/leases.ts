import { sql } from "kysely";
import type { Differences } from "./differences.ts";
import type { Write } from "./group-commit.ts";
import type { Change, State } from "./records.ts";
import type { Executor } from "./tables.ts";

/**
 * Whether all of them are still this owner's. Asked inside a transaction: from here to its end nobody takes one of them. In
 * PostgreSQL the rows are locked, always by name in order, so that a renewal and a commit never wait for each other in a ring.
 */
export async function holdsLeases(
  database: Executor,
  differs: Differences,
  { leases, owner, now }: NonNullable<Change["under"]>,
): Promise<boolean> {
  if (leases.length === 0) return true;
  const asked = database
    .selectFrom("leases")
    .select("name")
    .where("name", "in", [...leases])
    .where("owner", "=", owner)
    .where("expires_at", ">", differs.clock(now))
    .orderBy("name");
  const rows = await (differs.locksRows ? asked.forShare() : asked).execute();
  const held = new Set(rows.map(({ name }) => name));
  return leases.every((name) => held.has(name));
}

type LeaseQueries = Pick<State, "acquireLease" | "renewLeases" | "leaseHolder" | "leasesUnder" | "lease" | "releaseLease">;

export function leaseQueries(database: Executor, differs: Differences, write: Write): LeaseQueries {
  return {
    async acquireLease(name, owner, now, ttlMs) {
      const clock = differs.clock(now);
      const lease = { owner, expires_at: sql<number>`${clock} + ${ttlMs}` };
      return write(async (transaction) => {
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
      const clock = differs.clock(now);
      return write(async (transaction) => {
        const own = transaction.selectFrom("leases").select("name").where("owner", "=", owner).where("expires_at", ">", clock);
        const rows = await transaction
          .updateTable("leases")
          .set({ expires_at: sql<number>`${clock} + ${ttlMs}` })
          .where("name", "in", differs.locksRows ? own.orderBy("name").forUpdate() : own)
          .returning("name")
          .execute();
        return new Set(rows.map((row) => row.name));
      });
    },
    async leaseHolder(name, now) {
      const clock = differs.clock(now);
      const row = await database
        .selectFrom("leases")
        .select(["owner", sql<number>`expires_at - ${clock}`.as("leftMs")])
        .where("name", "=", name)
        .where("expires_at", ">", clock)
        .executeTakeFirst();
      // By the clock of whoever asks, whatever the server's says.
      return row && { owner: row.owner, expiresAt: now + row.leftMs };
    },
    async leasesUnder(prefix, now) {
      const rows = await database
        .selectFrom("leases")
        .select(["name", "owner"])
        .where("name", "like", `${prefix}%`)
        .where("expires_at", ">", differs.clock(now))
        .orderBy("name")
        .execute();
      // SQLite's LIKE does not tell capitals apart, and in both an underscore is any character.
      return rows.filter(({ name }) => name.startsWith(prefix));
    },
    async lease(name, now) {
      const row = await database
        .selectFrom("leases")
        .select(["owner", "since", sql<number>`expires_at - ${differs.clock(now)}`.as("leftMs")])
        .where("name", "=", name)
        .executeTakeFirst();
      return row && { owner: row.owner, since: row.since, leftMs: row.leftMs };
    },
    async releaseLease(name, owner) {
      await write(async (transaction) => {
        await transaction.deleteFrom("leases").where("name", "=", name).where("owner", "=", owner).execute();
      });
    },
  };
}
