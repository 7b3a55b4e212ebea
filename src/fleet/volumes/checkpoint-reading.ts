import { newId } from "../../model/ids.ts";
import type { Fleet } from "../fleet.ts";
import { hold } from "../leases/lease.ts";
import { withVolume } from "./volumes.ts";

/** What a checkpoint is read for; whoever prunes says it. */
export type ReadingFor = "restored" | "copied" | "verified";

const PREFIX = "reading:";

/**
 * Reads a checkpoint in such a way that nobody prunes it meanwhile: under a lease of its own, of which a checkpoint may have
 * many. It is taken under the volume's lease, under which checkpoints are removed as well, so one of the two always sees the
 * other. Not to be called by who holds that lease.
 * @param volume the volume's name.
 * @throws LeaseLost from `work`
 */
export async function whileReading<Result>(
  fleet: Fleet,
  { id, volume }: { readonly id: string; readonly volume: string },
  what: ReadingFor,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const name = `${PREFIX}${id}:${what}:${newId("r", fleet.rng)}`;
  const held = await withVolume(fleet, volume, signal, () => hold(fleet, name, signal));
  if (held === undefined) throw new Error(`nobody else can have the lease ${name}`);
  try {
    return await work(held.signal);
  } finally {
    await held.release();
  }
}

/** The checkpoints that a living process reads now, by id, with what for: `being restored`. */
export async function checkpointsRead(fleet: Fleet): Promise<ReadonlyMap<string, string>> {
  const read = new Map<string, string>();
  for (const { name, owner } of await fleet.state.leasesUnder(PREFIX, fleet.clock.now())) {
    const [id = "", what = ""] = name.slice(PREFIX.length).split(":");
    if (!fleet.ownerIsDead(owner)) read.set(id, `being ${what}`);
  }
  return read;
}
