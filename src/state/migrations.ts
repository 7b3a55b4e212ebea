import { type Kysely, sql } from "kysely";
import type { Differences } from "./differences.ts";
import { newerProblem } from "./problems.ts";
import { MIGRATIONS } from "./schema.ts";
import type { Tables } from "./tables.ts";

/**
 * Brings the database to the newest version, in one transaction: other processes see the old schema or the new one.
 * Does nothing when another process was faster.
 * @throws Problem (`SPOT_E_STATE_NEWER`) when it is already past what this program knows.
 */
export async function migrate(
  database: Kysely<Tables>,
  differs: Differences,
  name: string,
  migrations: readonly (readonly string[])[] = MIGRATIONS,
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await differs.alone("migrations")?.execute(transaction);
    await sql`CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY)`.execute(transaction);
    const row = await transaction
      .selectFrom("schema_migrations")
      .select((select) => select.fn.max("version").as("version"))
      .executeTakeFirst();
    const found = row?.version ?? 0;
    if (found > migrations.length) throw newerProblem(name, found, migrations.length);
    for (const [index, statements] of migrations.entries()) {
      if (index < found) continue;
      for (const statement of statements) await sql.raw(differs.schema(statement)).execute(transaction);
      await transaction
        .insertInto("schema_migrations")
        .values({ version: index + 1 })
        .execute();
    }
  });
}
