import { sql } from "kysely";
import { microsColumn, moneyOrNull } from "./columns.ts";
import type { Differences } from "./differences.ts";
import type { CommitResult, State, VolumeRecord } from "./records.ts";
import type { Executor, Tables } from "./tables.ts";

function toRow(volume: VolumeRecord) {
  return {
    id: volume.id,
    name: volume.name,
    live_name: volume.state === "gone" ? null : volume.name,
    provider: volume.provider,
    provider_id: volume.providerId,
    region: volume.region,
    zone: volume.zone,
    // As text: it may have a fraction, which every other number in this database has lost.
    size_gb: sql<number>`CAST(${String(volume.sizeGb)} AS DOUBLE PRECISION)`,
    state: volume.state,
    created_at: volume.createdAt,
    price_micros: volume.pricePerHour && microsColumn(volume.pricePerHour),
    price_currency: volume.pricePerHour?.currency ?? null,
    account: volume.account ?? null,
  };
}

function fromRow(row: Tables["volumes"]): VolumeRecord {
  return {
    id: row.id,
    name: row.name,
    provider: row.provider,
    providerId: row.provider_id,
    region: row.region,
    zone: row.zone,
    sizeGb: row.size_gb,
    state: row.state as VolumeRecord["state"],
    createdAt: row.created_at,
    pricePerHour: moneyOrNull(row.price_micros, row.price_currency),
    ...(row.account === null ? {} : { account: row.account }),
  };
}

export async function putVolumes(database: Executor, differs: Differences, volumes: readonly VolumeRecord[]): Promise<CommitResult> {
  for (const volume of volumes) {
    const { id, ...rest } = toRow(volume);
    try {
      await database
        .insertInto("volumes")
        .values({ id, ...rest })
        .onConflict((conflict) => conflict.column("id").doUpdateSet(rest))
        .execute();
    } catch (error) {
      if (differs.isUniqueViolation(error)) return "name-taken";
      throw error;
    }
  }
  return "committed";
}

export function volumeQueries(database: Executor): Pick<State, "volumes"> {
  return {
    async volumes(filter = {}) {
      if (filter.ids?.length === 0) return [];
      let query = database.selectFrom("volumes").selectAll().orderBy("created_at", "desc").orderBy("id", "desc");
      if (filter.includeGone !== true) query = query.where("live_name", "is not", null);
      if (filter.ids !== undefined) query = query.where("id", "in", filter.ids);
      if (filter.name !== undefined) query = query.where("name", "=", filter.name);
      return (await query.execute()).map(fromRow);
    },
  };
}
