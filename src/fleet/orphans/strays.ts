import { isFault } from "../../providers/errors.ts";
import type { CallContext, Provider, ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { call, type Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import type { Listing } from "../observe.ts";
import { rootOf } from "../volumes/root-volume.ts";
import { booksOf } from "./orphan-search.ts";
import { explain, machineResource, placeKey, shouldBeOver, snapshotResource, volumeResource } from "./orphans.ts";

export interface Stray {
  readonly provider: string;
  readonly providerId: string;
}

/** Something that should be over and could not be ended: it may bill on. */
export interface Unended {
  readonly provider: string;
  readonly what: string;
  readonly why: string;
}

/** What came of ending strays. */
export interface StraysEnded {
  readonly ended: readonly Stray[];
  readonly open: readonly Unended[];
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
): Promise<StraysEnded> {
  const odd = await oddOnes(fleet, listings, known);
  return endEach(
    fleet,
    odd.map(({ provider, instance }) => ({ provider: provider.id, row: instance })),
    signal,
    async (held, provider, instance, until) => endStray(held, await held.provider(provider), instance, until),
  );
}

/**
 * Each on its own and under its own lease, so that nobody takes over meanwhile what is being ended: one that cannot be ended (it
 * is protected, a permission is missing, its cloud is down) keeps nobody from the others. `end` says whether it did.
 */
async function endEach<Row extends { readonly providerId: string }>(
  fleet: Fleet,
  rows: readonly { readonly provider: string; readonly row: Row }[],
  signal: AbortSignal,
  end: (fleet: Fleet, provider: string, row: Row, signal: AbortSignal) => Promise<boolean>,
): Promise<StraysEnded> {
  const ended: Stray[] = [];
  const open: Unended[] = [];
  for (const { provider, row } of rows) {
    const { providerId } = row;
    try {
      const isEnded = await whileHolding(fleet, resourceLease(provider, providerId), signal, (held) =>
        end(held.fleet, provider, row, held.signal),
      );
      if (isEnded === true) ended.push({ provider, providerId });
    } catch (error) {
      signal.throwIfAborted();
      open.push({
        provider,
        what: `${provider} ${providerId}`,
        why: `no record explains it, and it could not be ended: ${wordsOf(error)}`,
      });
    }
  }
  return { ended, open };
}

const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

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

/**
 * A root disk that was kept for a living record must not go with a machine that took it by accident. One that is only ordered
 * does not say which disk it boots from: then its promise says for whom it was, and that one's disk stays.
 */
export async function isRootKept(fleet: Fleet, provider: string, { rootVolumeId, token }: ProviderInstance): Promise<boolean> {
  if (rootVolumeId === null) {
    const promise = token === null ? undefined : await fleet.state.intentByToken(token);
    const owner = promise?.instanceId == null ? undefined : await fleet.state.instance(promise.instanceId);
    return owner !== undefined && (await rootOf(fleet, owner)) !== undefined;
  }
  const living = await fleet.state.volumes();
  return living.some((volume) => volume.provider === provider && volume.providerId === rootVolumeId);
}

/**
 * Deletes volumes whose making was given up and that arrived all the same, each looked at again at the moment of deleting. Nothing
 * was ever written to them: no record names them, so no machine was ever given them.
 */
export function removeStrayVolumes(fleet: Fleet, providers: Iterable<string>, signal: AbortSignal): Promise<StraysEnded> {
  return removeLate(fleet, providers, signal, {
    what: "volumes",
    action: "remove-stray-volume",
    find: lateVolumes,
    remove: async ({ volumes }, id, context) => volumes?.remove(id, context),
  });
}

/** Deletes snapshots whose making was given up and that arrived all the same: whoever asked for them was told that there are none. */
export function removeStraySnapshots(fleet: Fleet, providers: Iterable<string>, signal: AbortSignal): Promise<StraysEnded> {
  return removeLate(fleet, providers, signal, {
    what: "snapshots",
    action: "remove-stray-snapshot",
    find: lateSnapshots,
    remove: async ({ volumes }, id, context) => volumes?.snapshots?.remove(id, context),
  });
}

interface Late {
  readonly name: string;
  readonly providerId: string;
}

interface LateKind {
  readonly what: string;
  readonly action: string;
  readonly find: (fleet: Fleet, provider: Provider, signal: AbortSignal) => Promise<readonly Late[]>;
  readonly remove: (provider: Provider, providerId: string, context: CallContext) => Promise<void>;
}

async function removeLate(fleet: Fleet, providers: Iterable<string>, signal: AbortSignal, kind: LateKind): Promise<StraysEnded> {
  const found: { readonly provider: string; readonly row: Late }[] = [];
  const unasked: Unended[] = [];
  for (const id of providers)
    try {
      for (const row of await kind.find(fleet, await fleet.provider(id), signal)) found.push({ provider: id, row });
    } catch (error) {
      signal.throwIfAborted();
      unasked.push({ provider: id, what: `${kind.what} at ${id}`, why: `could not be asked for what arrived too late: ${wordsOf(error)}` });
    }
  const { ended, open } = await endEach(fleet, found, signal, async (held, id, { providerId }, until) => {
    const provider = await held.provider(id);
    // The list and the books are older than the lease: somebody may have taken it over meanwhile.
    const now = (await kind.find(held, provider, until)).find((one) => one.providerId === providerId);
    if (now === undefined) return false;
    try {
      await call(until, (context) => kind.remove(provider, providerId, context));
    } catch (error) {
      if (!isFault(error, "not-found")) throw error;
    }
    await noteEnded(held, id, now, kind.action);
    return true;
  });
  return { ended, open: [...unasked, ...open] };
}

async function lateVolumes(fleet: Fleet, { id, volumes }: Provider, signal: AbortSignal): Promise<readonly Late[]> {
  if (volumes === undefined) return [];
  const free = (await call(signal, (context) => volumes.list(context))).filter(({ attachedTo }) => attachedTo === null);
  const books = await booksOf(fleet.state, free);
  return free.filter((volume) => {
    const verdict = explain(volumeResource(id, volume), books);
    const isNew = books.intents.get(volume.token ?? "")?.kind === "volume-create";
    return isNew && verdict.kind === "orphan" && verdict.why === "closed";
  });
}

async function lateSnapshots(fleet: Fleet, { id, volumes }: Provider, signal: AbortSignal): Promise<readonly Late[]> {
  const snapshots = volumes?.snapshots;
  if (snapshots === undefined) return [];
  const listed = await call(signal, (context) => snapshots.list(context));
  const books = await booksOf(fleet.state, listed);
  return listed.filter((snapshot) => {
    const verdict = explain(snapshotResource(id, snapshot), books);
    return verdict.kind === "orphan" && verdict.why === "closed";
  });
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
