import type { Kysely } from "kysely";
import { blockedOfferQueries } from "./blocked-offers.ts";
import { bucketCopyQueries } from "./bucket-copies.ts";
import { budgetQueries } from "./budgets.ts";
import { checkpointQueries } from "./checkpoints.ts";
import { commitChange } from "./commit.ts";
import { cursorQueries } from "./cursors.ts";
import type { Differences } from "./differences.ts";
import { eventQueries } from "./events.ts";
import { writesOn } from "./group-commit.ts";
import { guardQueries } from "./guards.ts";
import { instanceQueries } from "./instances.ts";
import { intentQueries } from "./intents.ts";
import { leaseQueries } from "./leases.ts";
import { ledgerQueries } from "./ledger.ts";
import { migrate } from "./migrations.ts";
import { peerQueries } from "./peers.ts";
import { newerProblem } from "./problems.ts";
import type { State } from "./records.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import type { Tables } from "./tables.ts";
import { volumeQueries } from "./volumes.ts";

/** The schema's version; 0 for a database without any table of ours. */
async function versionOf(database: Kysely<Tables>, differs: Differences): Promise<number> {
  try {
    const row = await database
      .selectFrom("schema_migrations")
      .select((select) => select.fn.max("version").as("version"))
      .executeTakeFirst();
    return row?.version ?? 0;
  } catch (error) {
    if (differs.isMissingTable(error)) return 0;
    throw error;
  }
}

/**
 * The state on an open database, which is brought to the newest version first, and closed when that fails.
 * @param name of the database, for people.
 * @throws Problem (`SPOT_E_STATE_NEWER`) when it was written by a newer spot, or whatever the database says.
 */
export async function stateOn(database: Kysely<Tables>, differs: Differences, name: string): Promise<State> {
  try {
    const version = await versionOf(database, differs);
    if (version > SCHEMA_VERSION) throw newerProblem(name, version, SCHEMA_VERSION);
    if (version < SCHEMA_VERSION) await migrate(database, differs, name);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  const write = writesOn(database, differs);
  return {
    commit: (change) => commitChange(write, differs, change),
    ...instanceQueries(database, differs),
    ...intentQueries(database),
    ...volumeQueries(database),
    ...checkpointQueries(database),
    ...bucketCopyQueries(database),
    ...ledgerQueries(database, differs),
    ...eventQueries(database),
    ...blockedOfferQueries(database),
    ...budgetQueries(database),
    ...cursorQueries(database),
    ...guardQueries(database),
    ...peerQueries(database),
    ...leaseQueries(database, differs, write),
    close: () => database.destroy(),
  };
}
