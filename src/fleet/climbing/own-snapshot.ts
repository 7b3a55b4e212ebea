import { newId } from "../../model/ids.ts";
import { deadlineBy } from "../../platform/clock.ts";
import { isFault } from "../../providers/errors.ts";
import type { ProviderSnapshot } from "../../providers/provider.ts";
import type { InstanceRecord, IntentRecord, VolumeRecord } from "../../state/records.ts";
import { requireAccount } from "../account.ts";
import { call, type Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";
import { instanceLease, whileHolding } from "../leases/lease.ts";
import { snapshotHeld, snapshotsOf } from "../volumes/volume-snapshots.ts";
import { withVolume } from "../volumes/volumes.ts";

/** Between two tries of `--until-up` a snapshot stays for the next one; whoever tidies up leaves it for so long after a try began. */
const NEXT_TRY_MS = 3_600_000;
/** The command that came back, or did not, waits no longer for its snapshot to go. */
const END_MS = 30_000;

/** What an open promise about a snapshot says that a way back made for itself. */
interface OwnSnapshot {
  /** The id of the record that comes back. */
  readonly for: string;
  readonly volumeId: string;
  readonly name: string;
  /** What the snapshot carries. */
  readonly token: string;
}

function ownSnapshot({ kind, detail }: Pick<IntentRecord, "kind" | "detail">): OwnSnapshot | undefined {
  const { for: owner, volumeId, name, snapshot: token } = detail;
  if (kind !== "snapshot-end") return undefined;
  const isWhole = typeof owner === "string" && typeof volumeId === "string" && typeof name === "string" && typeof token === "string";
  return isWhole ? { for: owner, volumeId, name, token } : undefined;
}

/** The tokens of the snapshots that go with the way back for which they were made. */
export async function ownTokens({ state }: Pick<Fleet, "state">): Promise<ReadonlySet<string>> {
  return new Set((await state.pendingIntents()).flatMap((intent) => ownSnapshot(intent)?.token ?? []));
}

/** Whether a snapshot that was made for the way back of this record is still to be deleted. */
export async function hasOwnSnapshot({ state }: Pick<Fleet, "state">, { id }: Pick<InstanceRecord, "id">): Promise<boolean> {
  return (await state.pendingIntents()).some((intent) => ownSnapshot(intent)?.for === id);
}

/**
 * Has a snapshot made for a way back. In the same transaction as its promise stands that it is deleted once that is over: whoever
 * comes after a crash does it.
 */
export function snapshotForWayBack(
  fleet: Fleet,
  record: Pick<InstanceRecord, "id">,
  home: VolumeRecord,
  signal: AbortSignal,
): Promise<ProviderSnapshot> {
  const token = newId("t", fleet.rng);
  const detail = { for: record.id, volumeId: home.id, name: home.name, snapshot: token };
  const end = newIntent(fleet, { kind: "snapshot-end", provider: home.provider, detail });
  return withVolume(fleet, home.name, signal, (held, until) => snapshotHeld(held, home, until, { token, beside: [end] }));
}

/** Deletes what a way back that has ended made for itself; what cannot be deleted now is left to `reconcile`, and said. */
export async function endOwnSnapshots(fleet: Fleet, { id, name }: Pick<InstanceRecord, "id" | "name">): Promise<void> {
  // Ctrl-C has fired already: this has a limit of its own.
  const limit = deadlineBy(fleet.clock, new AbortController().signal, END_MS);
  try {
    if (!(await hasOwnSnapshot(fleet, { id }))) return;
    const open = await settleOwnSnapshots(fleet, limit.signal, { for: id });
    for (const { volume, why } of open)
      fleet.say(`${name}: the snapshot of ${volume} that was made on its way back still bills (${why}); spot reconcile deletes it`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    fleet.say(`${name}: the snapshot that was made on its way back may still bill (${why}); spot reconcile deletes it`);
  } finally {
    limit.done();
  }
}

/**
 * Deletes the snapshots that ways back made for themselves, as far as those are over. `for`: the id of the one whose command has
 * just ended; of any other one that sleeps its snapshot is left for another try that may be about to begin.
 * @returns what should be over and is not, by volume name, with the reason.
 */
export async function settleOwnSnapshots(
  fleet: Fleet,
  signal: AbortSignal,
  options: { readonly for?: string } = {},
): Promise<readonly { readonly volume: string; readonly why: string }[]> {
  const open: { readonly volume: string; readonly why: string }[] = [];
  for (const intent of await fleet.state.pendingIntents()) {
    const own = ownSnapshot(intent);
    if (own === undefined || (options.for !== undefined && options.for !== own.for)) continue;
    try {
      // Whoever is on that way back holds it: nothing is taken away under its hands.
      const why = await whileHolding(fleet, instanceLease(own.for), signal, (held) =>
        settleHeld(held.fleet, intent, own, options.for !== undefined, held.signal),
      );
      if (why !== undefined && why !== null) open.push({ volume: own.name, why });
    } catch (error) {
      signal.throwIfAborted();
      open.push({ volume: own.name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return open;
}

/** @returns why it is not over although it should be; null where it is, or is to stay for now. @throws ProviderError, Problem */
async function settleHeld(
  fleet: Fleet,
  intent: IntentRecord,
  own: OwnSnapshot,
  isLast: boolean,
  signal: AbortSignal,
): Promise<string | null> {
  if ((await fleet.state.intentByToken(intent.token))?.status !== "pending") return null;
  const promise = await fleet.state.intentByToken(own.token);
  // What arrives all the same, too late, nobody knows: that is ended as a stray.
  if (promise === undefined || promise.status === "failed") return close(fleet, intent, own, null);
  if (await isOnItsWay(fleet, own, isLast)) return null;
  if (promise.status === "pending") return isLast ? "nobody knows yet whether it was made" : null;
  const [volume] = await fleet.state.volumes({ ids: [own.volumeId], includeGone: true });
  if (volume !== undefined) await requireAccount(fleet, volume, signal);
  const provider = await fleet.provider(intent.provider);
  const listed = await call(signal, (context) => snapshotsOf(provider).list(context));
  const found = listed.find(({ token }) => token === own.token);
  if (found === undefined) {
    const isKnown = fleet.clock.now() - (promise.closedAt ?? promise.createdAt) > provider.capabilities.listSettlesMs;
    return isKnown ? close(fleet, intent, own, null) : isLast ? "it is not listed yet" : null;
  }
  // Not every cloud lets one go before it is made, or while a disk is made of it.
  if (found.state === "pending") return isLast ? "it is still being made" : null;
  if (await isBeingUsed(fleet, found)) return isLast ? "it is being used" : null;
  try {
    await call(signal, (context) => snapshotsOf(provider).remove(found.providerId, context));
  } catch (error) {
    if (isFault(error, "invalid-request", "unsupported")) return giveUp(fleet, intent, found, error.message);
    if (!isFault(error, "not-found")) throw error;
  }
  return close(fleet, intent, own, found);
}

/** Whether the way back that it was made for goes on, or may be about to be tried again. */
async function isOnItsWay(fleet: Fleet, own: OwnSnapshot, isLast: boolean): Promise<boolean> {
  const owner = await fleet.state.instance(own.for);
  if (owner === undefined || owner.state === "gone" || owner.desired === "gone" || owner.forgottenAt !== null) return false;
  if (owner.desired === "running") return owner.outlook.comeback != null;
  const began = owner.outlook.needsSince;
  return !isLast && began !== null && fleet.clock.now() - began < NEXT_TRY_MS;
}

/** Whether somebody who is to come back waits for it, or has a volume made from it now. One that sleeps waits for nothing. */
async function isBeingUsed({ state }: Fleet, { providerId }: ProviderSnapshot): Promise<boolean> {
  if ((await state.instances()).some(({ desired, outlook }) => desired === "running" && outlook.comeback?.snapshot?.id === providerId))
    return true;
  return (await state.pendingIntents()).some(({ kind, detail }) => {
    const copy = detail["copy"];
    return kind === "volume-create" && typeof copy === "object" && copy !== null && "snapshot" in copy && copy.snapshot === providerId;
  });
}

async function close(fleet: Fleet, { id, provider }: IntentRecord, own: OwnSnapshot, gone: ProviderSnapshot | null): Promise<null> {
  const at = fleet.clock.now();
  const data = { action: "snapshot-remove", volume: own.name, providerId: gone?.providerId };
  await fleet.state.commit({
    closeIntents: [{ id, status: "done", at }],
    events: gone === null ? [] : [{ at, type: "action", instance: null, provider, data }],
  });
  return null;
}

/** It stays, and that is said where whoever was not there reads it. */
async function giveUp(fleet: Fleet, { id, provider }: IntentRecord, { providerId, name }: ProviderSnapshot, why: string): Promise<null> {
  const at = fleet.clock.now();
  const message = `the snapshot ${providerId} of ${name}, made on a way back, stays and bills: ${why}; spot volumes snapshot --rm ${providerId}`;
  fleet.say(message);
  await fleet.state.commit({
    closeIntents: [{ id, status: "failed", at, detail: { why } }],
    events: [{ at, type: "warning", instance: null, provider, data: { guard: "volume", volume: name, message } }],
  });
  return null;
}
