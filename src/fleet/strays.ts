import { isFault } from "../providers/errors.ts";
import type { ProviderInstance, ProviderVolume } from "../providers/provider.ts";
import { call, type Fleet } from "./fleet.ts";
import type { Listing } from "./observe.ts";

export interface Stray {
  readonly provider: string;
  readonly providerId: string;
}

/** Ends machines that carry a token of ours whose promise was closed, each checked again at the moment of ending. */
export async function endStrays(fleet: Fleet, listings: ReadonlyMap<string, Listing>, signal: AbortSignal): Promise<readonly Stray[]> {
  const ended: Stray[] = [];
  for (const [id, listing] of listings) {
    if (typeof listing === "string") continue;
    const provider = await fleet.provider(id);
    for (const instance of listing) {
      if (instance.state === "gone" || !(await isStray(fleet, instance))) continue;
      // The list is older than what this pass has done since: ask for this very machine.
      const now = await call(signal, (context) => provider.get(instance.providerId, context));
      if (now === undefined || now.state === "gone" || now.state === "terminating") continue;
      // A root disk that was kept for a living record must not go with a machine that took it by accident.
      const living = await fleet.state.volumes();
      const keepRoot = living.some((volume) => volume.provider === id && volume.providerId === instance.rootVolumeId);
      await call(signal, (context) => provider.destroy(instance.providerId, context, { keepRoot }));
      await noteEnded(fleet, id, instance, "end-stray");
      ended.push({ provider: id, providerId: instance.providerId });
    }
  }
  return ended;
}

async function isStray(fleet: Fleet, instance: ProviderInstance): Promise<boolean> {
  if (instance.token === null) return false;
  const intent = await fleet.state.intentByToken(instance.token);
  // A token that we do not know belongs to somebody else; a promise still open is settled with its record.
  if (intent === undefined || intent.kind !== "launch" || intent.status === "pending") return false;
  const owner = intent.instanceId === null ? undefined : await fleet.state.instance(intent.instanceId);
  return owner === undefined || owner.state === "gone" || owner.providerId !== instance.providerId;
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
    for (const volume of await call(signal, (context) => volumes.list(context))) {
      if (volume.attachedTo !== null || !(await isStrayVolume(fleet, volume))) continue;
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

async function isStrayVolume(fleet: Fleet, volume: ProviderVolume): Promise<boolean> {
  if (volume.token === null) return false;
  const intent = await fleet.state.intentByToken(volume.token);
  if (intent === undefined || intent.kind !== "volume-create" || intent.status !== "failed") return false;
  return (await fleet.state.volumes({ includeGone: true })).every((record) => record.providerId !== volume.providerId);
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
