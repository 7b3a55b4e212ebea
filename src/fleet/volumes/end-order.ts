import type { Change, InstanceRecord, IntentRecord } from "../../state/records.ts";
import { requireAccount } from "../account.ts";
import type { Fleet } from "../fleet.ts";
import { promiseEnds, type VolumeEnd } from "./end-promise.ts";
import { callOffBegun, mayBeDeleted } from "./open-removal.ts";
import { withVolume } from "./volumes.ts";

/** What an order about the ends of volumes has come to so far. */
export interface OrderedEnds {
  /** The promises that it opened. */
  readonly intents: readonly IntentRecord[];
  /** Those that were to be kept or snapshotted, and are gone by a deletion that was begun before. */
  readonly lost: readonly VolumeEnd[];
}

/**
 * Orders what becomes of volumes, under the lease of each: so nobody is in the middle of an earlier order meanwhile, and a
 * deletion that one has begun is called off first, unless this one deletes as well.
 * @param write commits the order, with the fleet that holds the leases.
 * @throws ProviderError when it cannot be found out whether a deletion that was begun is done: then nothing was ordered.
 */
export async function orderEnds(
  fleet: Fleet,
  record: Pick<InstanceRecord, "id" | "name">,
  ends: readonly VolumeEnd[],
  signal: AbortSignal,
  write: (held: Fleet, change: Pick<Change, "openIntents" | "closeIntents" | "events">) => Promise<unknown>,
): Promise<OrderedEnds> {
  const names = [...new Set(ends.map(({ volume }) => volume.name))].toSorted();
  return underLeases(fleet, names, signal, async (held, until) => {
    const lost: VolumeEnd[] = [];
    for (const end of ends) if (!(await isKept(held, end, until))) lost.push(end);
    // Of what is gone nothing more is promised; what was ordered before is closed.
    const { intents, change } = await promiseEnds(
      held,
      record,
      ends.map((end) => (lost.includes(end) ? { ...end, policy: "keep" } : end)),
    );
    await write(held, change);
    return { intents, lost };
  });
}

/** In the order of the names, so that two commands never wait for each other. */
async function underLeases<Result>(
  fleet: Fleet,
  [name, ...rest]: readonly string[],
  signal: AbortSignal,
  work: (fleet: Fleet, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (name === undefined) return work(fleet, signal);
  return withVolume(fleet, name, signal, (held, until) => underLeases(held, rest, until, work));
}

/** Whether nothing that was begun before stands against what is ordered. */
async function isKept(fleet: Fleet, { volume: { id }, policy }: VolumeEnd, signal: AbortSignal): Promise<boolean> {
  if (policy === "delete") return true;
  // Read again: whoever held the lease before may have deleted it.
  const [volume] = await fleet.state.volumes({ ids: [id] });
  if (volume === undefined) return false;
  if (volume.providerId === null || !(await mayBeDeleted(fleet, volume))) return true;
  await requireAccount(fleet, volume, signal);
  return callOffBegun(fleet, volume, "it was ordered otherwise", signal);
}
