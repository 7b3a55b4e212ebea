import type { Checkpoint, CheckpointReason } from "../model/checkpoint.ts";
import type { State } from "./records.ts";
import type { Executor, Tables } from "./tables.ts";

function fromRow(row: Tables["checkpoints"]): Checkpoint {
  return {
    id: row.id,
    instance: row.instance,
    volume: row.volume,
    createdAt: row.created_at,
    files: row.files,
    bytes: row.bytes,
    sha256: row.sha256,
    sealed: row.sealed === 1,
    verifiedAt: row.verified_at,
    step: row.step,
    reason: row.reason as CheckpointReason,
  };
}

export async function putCheckpoints(database: Executor, checkpoints: readonly Checkpoint[]): Promise<void> {
  for (const checkpoint of checkpoints) {
    const { id, createdAt, verifiedAt, sealed, ...same } = checkpoint;
    const rest = { ...same, created_at: createdAt, verified_at: verifiedAt, sealed: sealed ? 1 : 0 };
    await database
      .insertInto("checkpoints")
      .values({ id, ...rest })
      .onConflict((conflict) => conflict.columns(["id", "volume"]).doUpdateSet(rest))
      .execute();
  }
}

export async function removeCheckpoints(database: Executor, gone: readonly Pick<Checkpoint, "id" | "volume">[]): Promise<void> {
  for (const { id, volume } of gone) await database.deleteFrom("checkpoints").where("id", "=", id).where("volume", "=", volume).execute();
}

export function checkpointQueries(database: Executor): Pick<State, "checkpoints"> {
  return {
    async checkpoints(filter = {}) {
      let query = database.selectFrom("checkpoints").selectAll().orderBy("created_at", "desc").orderBy("id", "desc");
      if (filter.instance !== undefined) query = query.where("instance", "=", filter.instance);
      if (filter.volume !== undefined) query = query.where("volume", "=", filter.volume);
      return (await query.execute()).map(fromRow);
    },
  };
}
