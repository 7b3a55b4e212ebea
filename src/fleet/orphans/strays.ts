import { isFault } from "../../providers/errors.ts";
import type { Provider, ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { call, type Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import type { Listing } from "../observe.ts";
import { booksOf } from "./orphan-search.ts";
import { explain, machineResource, placeKey, shouldBeOver, snapshotResource, volumeResource } from "./orphans.ts";

export interface Stray {
  readonly provider: string;
  readonly providerId: string;
}

/** The lease under which one process at a time ends a resource that has no record, or takes it over. */
export function resourceLease(provider: string, providerId: string): string {
  return `resource:${provider}/${providerId}`;
}

/**
 * Ends machines that carry a token of ours whose promise was closed, each checked again at the moment of ending. One whose
 * record was forgotten is left alone: that was its owner's wish.
 */
export async function endStrays(
  fleet: Fleet,
  listings: ReadonlyMap<string, Listing>,
  known: readonly Pick<InstanceRecord, "provider" | "providerId" | "outlook">[],
  signal: AbortSignal,
): Promise<readonly Stray[]> {
  const ended: Stray[] = [];
  for (const { provider, instance } of await oddOnes(fleet, listings, known))
    if (await endHeld(fleet, provider, instance, signal)) ended.push({ provider: provider.id, providerId: instance.providerId });
  return ended;
}

/** Those that would be ended, by these lists. */
export async function straysAmong(
  fleet: Fleet,
  listings: ReadonlyMap<string, Listing>,
  known: readonly Pick<InstanceRecord, "provider" | "providerId" | "outlook">[],
): Promise<readonly Stray[]> {
  return (await oddOnes(fleet, listings, known)).map(({ provider, instance }) => ({
    provider: provider.id,
    providerId: instance.providerId,
  }));
}

async function oddOnes(
  fleet: Fleet,
  listings: ReadonlyMap<string, Listing>,
  known: readonly Pick<InstanceRecord, "provider" | "providerId" | "outlook">[],
): Promise<readonly { readonly provider: Provider; readonly instance: ProviderInstance }[]> {
  // Most machines are somebody's, and nothing has to be looked up for them.
  const theirs = new Set(
    known.flatMap(({ provider, providerId, outlook }) => [
      placeKey(provider, providerId ?? ""),
      placeKey(provider, outlook.successor?.providerId ?? ""),
    ]),
  );
  const found: { readonly provider: Provider; readonly instance: ProviderInstance }[] = [];
  for (const [id, listing] of listings) {
    if (typeof listing === "string") continue;
    const provider = await fleet.provider(id);
    const odd = listing.filter(({ state, providerId }) => state !== "gone" && !theirs.has(placeKey(id, providerId)));
    for (const instance of await thoseOver(fleet, provider, odd)) found.push({ provider, instance });
  }
  return found;
}

/** Those of whom our books say that they should be over. */
async function thoseOver(fleet: Fleet, provider: Provider, machines: readonly ProviderInstance[]): Promise<readonly ProviderInstance[]> {
  const ours = machines.filter(({ token }) => token !== null);
  if (ours.length === 0) return [];
  const books = await booksOf(fleet.state, ours);
  return ours.filter((instance) => shouldBeOver(explain(machineResource(provider, instance), books)));
}

async function endHeld(fleet: Fleet, { id }: Provider, instance: ProviderInstance, signal: AbortSignal): Promise<boolean> {
  const ended = await whileHolding(fleet, resourceLease(id, instance.providerId), signal, async (held) =>
    endStray(held.fleet, await held.fleet.provider(id), instance, held.signal),
  );
  return ended === true;
}

async function endStray(fleet: Fleet, provider: Provider, listed: ProviderInstance, signal: AbortSignal): Promise<boolean> {
  // The list is older than what this pass, or somebody else, has done since: ask for this very machine, and read again.
  const now = await call(signal, (context) => provider.get(listed.providerId, context));
  if (now === undefined || now.state === "gone" || now.state === "terminating") return false;
  if ((await thoseOver(fleet, provider, [now])).length === 0) return false;
  const keepRoot = await isRootKept(fleet, provider.id, now);
  await call(signal, (context) => provider.destroy(now.providerId, context, { keepRoot }));
  await noteEnded(fleet, provider.id, now, "end-stray");
  return true;
}

/** A root disk that was kept for a living record must not go with a machine that took it by accident. */
export async function isRootKept(fleet: Fleet, provider: string, { rootVolumeId }: ProviderInstance): Promise<boolean> {
  const living = await fleet.state.volumes();
  return living.some((volume) => volume.provider === provider && volume.providerId === rootVolumeId);
}

/**
 * Deletes volumes whose making was given up and that arrived all the same. Nothing was ever written to them: no
 * record names them, so no machine was ever given them.
 */
export async function removeStrayVolumes(fleet: Fleet, providers: Iterable<string>, signal: AbortSignal): Promise<readonly Stray[]> {
  const removed: Stray[] = [];
  for (const id of providers) {
    const { volumes } = await fleet.provider(id);
    if (volumes === undefined) continue;
    const free = (await call(signal, (context) => volumes.list(context))).filter(({ attachedTo }) => attachedTo === null);
    const books = await booksOf(fleet.state, free);
    for (const volume of free) {
      const verdict = explain(volumeResource(id, volume), books);
      const isNew = books.intents.get(volume.token ?? "")?.kind === "volume-create";
      if (!isNew || verdict.kind !== "orphan" || verdict.why !== "closed") continue;
      try {
        await call(signal, (context) => volumes.remove(volume.providerId, context));
      } catch (error) {
        if (!isFault(error, "not-found")) throw error;
      }
      await noteEnded(fleet, id, volume, "remove-stray-volume");
      removed.push({ provider: id, providerId: volume.providerId });
    }
  }
  return removed;
}

/** Deletes snapshots whose making was given up and that arrived all the same: whoever asked for them was told that there are none. */
export async function removeStraySnapshots(fleet: Fleet, providers: Iterable<string>, signal: AbortSignal): Promise<readonly Stray[]> {
  const removed: Stray[] = [];
  for (const id of providers) {
    const snapshots = (await fleet.provider(id)).volumes?.snapshots;
    if (snapshots === undefined) continue;
    const listed = await call(signal, (context) => snapshots.list(context));
    const books = await booksOf(fleet.state, listed);
    for (const snapshot of listed) {
      const verdict = explain(snapshotResource(id, snapshot), books);
      if (verdict.kind !== "orphan" || verdict.why !== "closed") continue;
      try {
        await call(signal, (context) => snapshots.remove(snapshot.providerId, context));
      } catch (error) {
        if (!isFault(error, "not-found")) throw error;
      }
      await noteEnded(fleet, id, snapshot, "remove-stray-snapshot");
      removed.push({ provider: id, providerId: snapshot.providerId });
    }
  }
  return removed;
}

async function noteEnded(
  fleet: Fleet,
  provider: string,
  resource: { readonly name: string; readonly providerId: string },
  action: string,
): Promise<void> {
  const at = fleet.clock.now();
  await fleet.state.commit({
    events: [{ at, type: "action", instance: resource.name, provider, data: { action, providerId: resource.providerId } }],
  });
}
