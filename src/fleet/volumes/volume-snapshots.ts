import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { Provider, ProviderSnapshot, SnapshotOperations } from "../../providers/provider.ts";
import type { IntentRecord, VolumeRecord } from "../../state/records.ts";
import { didNothing } from "../faults.ts";
import { call, type Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import { type Stillness, whileStill } from "./held-still.ts";
import { promiseOnVolume } from "./volume-promise.ts";
import { volumeLease, withVolume } from "./volumes.ts";

/** A snapshot that the provider works on is looked at again after so many milliseconds. */
const LOOK_MS = 2_000;

/** @throws Problem when the provider's disks cannot be snapshotted. */
export function snapshotsOf(provider: Provider): SnapshotOperations {
  const snapshots = provider.volumes?.snapshots;
  if (snapshots !== undefined) return snapshots;
  throw new Problem({
    code: "SPOT_E_UNSUPPORTED",
    message: `${provider.id} makes no snapshots of volumes`,
    exit: EXIT.failed,
    hint: "a checkpoint, sealed and verified on the volume itself, works everywhere",
    next: ["spot snapshot NAME"],
  });
}

/**
 * Has the provider make a snapshot of a volume. The promise is written first; an answer that got lost is found by its token.
 * @returns the snapshot as it was when the provider accepted: most are still pending.
 */
export function snapshotVolume(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<ProviderSnapshot> {
  return withVolume(fleet, volume.name, signal, (held, until) => snapshotHeld(held, volume, until));
}

/**
 * The same, under the volume's lease. `token`: what the snapshot is to carry, where that was promised before. `beside`: what is
 * promised together with it.
 */
export async function snapshotHeld(
  fleet: Fleet,
  volume: VolumeRecord,
  signal: AbortSignal,
  { token, beside }: { readonly token?: string; readonly beside?: readonly IntentRecord[] } = {},
): Promise<ProviderSnapshot> {
  const provider = await fleet.provider(volume.provider);
  const snapshots = snapshotsOf(provider);
  const volumeId = volume.providerId;
  if (volumeId === null)
    throw new Problem({
      code: "SPOT_E_CONFLICT",
      message: `volume ${volume.name} does not exist yet`,
      exit: EXIT.failed,
      next: ["spot reconcile"],
    });
  const intent = await promiseOnVolume(fleet, volume, "volume-snapshot", token, beside);
  try {
    const spec = { name: volume.name, token: intent.token };
    const { result: made, stillness } = await whileStill(fleet, volume, signal, () =>
      call(signal, (context) => snapshots.create(volumeId, spec, context)),
    );
    await close(fleet, intent, made, { stillness });
    return made;
  } catch (error) {
    if (didNothing(error)) {
      await close(fleet, intent, null, { why: error.message });
      throw error;
    }
    const found = await settleSnapshot(fleet, provider, intent, signal);
    if (found === undefined) throw error;
    return found;
  }
}

/**
 * Waits until it can be restored from. A list may be behind: what was never in one is looked for as long as that takes there.
 * @throws Problem when it failed or is gone.
 */
export async function untilReady(fleet: Fleet, provider: Provider, made: ProviderSnapshot, signal: AbortSignal): Promise<ProviderSnapshot> {
  const listedBy = fleet.clock.now() + provider.capabilities.listSettlesMs;
  let wasListed = false;
  for (let seen: ProviderSnapshot | undefined = made; ; ) {
    if (seen?.state === "ready") return seen;
    const isGone = seen === undefined && (wasListed || fleet.clock.now() > listedBy);
    if (isGone || seen?.state === "failed")
      throw new Problem({
        code: "SPOT_E_SNAPSHOT",
        message: `the snapshot ${made.providerId} ${seen === undefined ? "is gone" : `failed (${seen.rawState})`}`,
        exit: EXIT.failed,
        next: ["spot volumes snapshot --ls"],
      });
    await fleet.clock.sleep(LOOK_MS, signal);
    const listed = await call(signal, (context) => snapshotsOf(provider).list(context));
    seen = listed.find((snapshot) => snapshot.providerId === made.providerId);
    wasListed ||= seen !== undefined;
  }
}

/**
 * Closes the promises of snapshots that a killed command left.
 * @returns what is still open, by volume name, with the reason.
 */
export async function settleSnapshots(
  fleet: Fleet,
  signal: AbortSignal,
): Promise<readonly { readonly volume: string; readonly why: string }[]> {
  const open: { readonly volume: string; readonly why: string }[] = [];
  for (const intent of await fleet.state.pendingIntents()) {
    if (intent.kind !== "volume-snapshot") continue;
    const volume = String(intent.detail["name"]);
    try {
      // Whoever is making it has the lease, and closes its own promise.
      await whileHolding(fleet, volumeLease(volume), signal, async (held) => {
        if ((await held.fleet.state.intentByToken(intent.token))?.status !== "pending") return;
        await settleSnapshot(held.fleet, await held.fleet.provider(intent.provider), intent, held.signal);
      });
    } catch (error) {
      signal.throwIfAborted();
      open.push({ volume, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return open;
}

/** Finds out what became of it: undefined when it certainly came to nothing (its promise is closed), or may still appear. */
export async function settleSnapshot(
  fleet: Fleet,
  provider: Provider,
  intent: IntentRecord,
  signal: AbortSignal,
): Promise<ProviderSnapshot | undefined> {
  const listed = await call(signal, (context) => snapshotsOf(provider).list(context));
  const found = listed.find((snapshot) => snapshot.token === intent.token);
  if (found !== undefined) await close(fleet, intent, found);
  else if (fleet.clock.now() - intent.createdAt >= provider.capabilities.listSettlesMs)
    await close(fleet, intent, null, { why: "it never arrived" });
  return found;
}

async function close(
  fleet: Fleet,
  intent: IntentRecord,
  made: ProviderSnapshot | null,
  detail: { readonly why?: string; readonly stillness?: Stillness } = {},
): Promise<void> {
  const at = fleet.clock.now();
  const { provider, id } = intent;
  const volume = intent.detail["name"];
  const told = { action: "volume-snapshot", volume, providerId: made?.providerId, ...detail };
  await fleet.state.commit({
    closeIntents: [{ id, status: made === null ? "failed" : "done", at, detail }],
    events: made === null ? [] : [{ at, type: "action", instance: null, provider, data: told }],
  });
}
