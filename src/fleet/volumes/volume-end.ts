import { deletesVolume, makesSnapshot } from "../../model/volume-policy.ts";
import { isFault, ProviderError } from "../../providers/errors.ts";
import type { Provider, ProviderSnapshot } from "../../providers/provider.ts";
import type { IntentRecord, VolumeRecord } from "../../state/records.ts";
import { requireAccount } from "../account.ts";
import { call, type Fleet } from "../fleet.ts";
import { interrupted } from "../interrupted.ts";
import { whileHolding } from "../leases/lease.ts";
import { keptVolume, lostVolume, unfinishedEnd } from "./end-problems.ts";
import { type EndOrder, endIntent, endOrder } from "./end-promise.ts";
import { removeHeld } from "./volume-removal.ts";
import { settleSnapshot, snapshotHeld, snapshotsOf } from "./volume-snapshots.ts";
import { userOf } from "./volume-use.ts";
import { pendingCreate, volumeLease } from "./volumes.ts";

/** How often it is looked at how far a snapshot has come, in milliseconds. */
const LOOK_MS = 2_000;
/** How long after a refusal it is asked again. */
const AGAIN_MS = 30_000;

/** What has become of one promise about the end of a volume. */
export type EndOutcome =
  | { readonly kind: "done"; readonly snapshot: ProviderSnapshot | null }
  /** `intent` is the open promise: another one where the first try came to nothing. */
  | { readonly kind: "open"; readonly why: string; readonly intent: IntentRecord; readonly waitsFor?: "its instance" }
  /** It was given up: the volume is there, and bills. */
  | { readonly kind: "kept"; readonly why: string }
  /** The volume is gone, and its snapshot was not made. */
  | { readonly kind: "lost"; readonly why: string };

/** What the provider says to a snapshot that another try would not change. */
function isFinal(error: unknown): error is ProviderError {
  return isFault(error, "invalid-request", "unsupported", "not-found", "quota");
}

/**
 * Goes on with the end of a volume as far as that goes now: once its instance is gone, its snapshot is made, and the volume is
 * deleted when the provider says that the snapshot can be restored from, in this order and never otherwise. Whoever comes after a
 * crash goes on where the last one stopped.
 * @throws ProviderError, Problem when the provider does not do it now; the promise stays open.
 */
export async function settleEnd(fleet: Fleet, intent: IntentRecord, signal: AbortSignal): Promise<EndOutcome> {
  const order = endOrder(intent);
  if (order === undefined) return { kind: "kept", why: "its end was ordered in words that this version does not know" };
  const owner = await fleet.state.instance(order.for);
  if (owner !== undefined && owner.forgottenAt !== null) return giveUp(fleet, intent, order, `${owner.name} was forgotten`);
  if (owner !== undefined && owner.state !== "gone")
    return { kind: "open", why: `${owner.name} is still being ended`, intent, waitsFor: "its instance" };
  const held = await whileHolding(fleet, volumeLease(order.name), signal, (lease) => settleHeld(lease.fleet, intent, order, lease.signal));
  return held ?? { kind: "open", why: "another process works on it", intent };
}

async function settleHeld(fleet: Fleet, intent: IntentRecord, order: EndOrder, signal: AbortSignal): Promise<EndOutcome> {
  // Read again: whoever held the lease before us may have finished it.
  if (!(await fleet.state.pendingIntents()).some(({ id }) => id === intent.id)) {
    return outcomeOf(fleet, intent);
  }
  const [volume] = await fleet.state.volumes({ ids: [order.volumeId], includeGone: true });
  if (volume === undefined || volume.state === "gone") return settleGone(fleet, intent, order, volume, signal);
  await requireAccount(fleet, volume, signal);
  const before = deletesVolume(order.policy) ? await hindrance(fleet, intent, order, volume) : undefined;
  if (before !== undefined) return before;
  let snapshot: ProviderSnapshot | null = null;
  if (makesSnapshot(order.policy)) {
    if (volume.providerId === null) return settleUnmade(fleet, intent, order, volume);
    const made = await snapshotFor(fleet, volume, intent, order, signal);
    if (made.kind !== "ready") return made;
    snapshot = made.snapshot;
  }
  if (deletesVolume(order.policy)) {
    // Read again: `up` names a volume before it waits for the lease, and the snapshot took its time.
    if ((await fleet.state.intentByToken(intent.token))?.status !== "pending") return outcomeOf(fleet, intent);
    const next = await hindrance(fleet, intent, order, volume);
    if (next !== undefined) return next;
    try {
      await removeHeld(fleet, volume, signal);
    } catch (error) {
      if (isFault(error, "invalid-request", "unsupported")) return giveUp(fleet, intent, order, error.message);
      throw error;
    }
  }
  return done(fleet, intent, snapshot);
}

/** Whoever uses it is not to lose it; undefined where nobody does. */
async function hindrance(fleet: Fleet, intent: IntentRecord, order: EndOrder, volume: VolumeRecord): Promise<EndOutcome | undefined> {
  const user = await userOf(fleet, volume);
  if (user === undefined) return undefined;
  if (user.desired === "gone") return { kind: "open", why: `${user.name} is still being ended`, intent, waitsFor: "its instance" };
  return giveUp(fleet, intent, order, `${user.name} uses it`);
}

/** What somebody else has made of it. */
async function outcomeOf(fleet: Fleet, intent: IntentRecord): Promise<EndOutcome> {
  const closed = await fleet.state.intentByToken(intent.token);
  if (closed?.status !== "failed") return { kind: "done", snapshot: null };
  const { why, next, lost } = closed.detail;
  const following = typeof next === "string" ? await fleet.state.intentByToken(next) : undefined;
  if (following !== undefined) return { kind: "open", why: String(why), intent: following };
  return { kind: lost === true ? "lost" : "kept", why: String(why) };
}

/** Somebody else has deleted it: that is an end as it was ordered only where the snapshot was made before. */
async function settleGone(
  fleet: Fleet,
  intent: IntentRecord,
  order: EndOrder,
  volume: VolumeRecord | undefined,
  signal: AbortSignal,
): Promise<EndOutcome> {
  // What was never made has nothing that could be in a snapshot.
  if (!makesSnapshot(order.policy) || volume === undefined || volume.providerId === null) return done(fleet, intent, null);
  const promised = await fleet.state.intentByToken(order.snapshot ?? "");
  if (promised?.status === "done") return done(fleet, intent, null);
  if (promised?.status === "pending") {
    const found = await settleSnapshot(fleet, await fleet.provider(volume.provider), promised, signal);
    if (found !== undefined) return done(fleet, intent, found);
    const isOver = (await fleet.state.intentByToken(promised.token))?.status !== "pending";
    if (!isOver) return { kind: "open", why: "nothing is known of its snapshot", intent };
  }
  const why = "was deleted before its snapshot was made";
  await close(fleet, intent, order, { why, lost: true }, `volume ${order.name} ${why}`);
  return { kind: "lost", why };
}

/** There is nothing yet of which a snapshot could be made. */
async function settleUnmade(fleet: Fleet, intent: IntentRecord, order: EndOrder, volume: VolumeRecord): Promise<EndOutcome> {
  if ((await pendingCreate(fleet, volume)) !== undefined) return { kind: "open", why: "nobody knows yet whether it was ever made", intent };
  return giveUp(fleet, intent, order, "it was never made");
}

/** The snapshot that was promised, as soon as it can be restored from. Asked for once, and again only where nothing came of it. */
async function snapshotFor(
  fleet: Fleet,
  volume: VolumeRecord,
  intent: IntentRecord,
  order: EndOrder,
  signal: AbortSignal,
): Promise<EndOutcome | { readonly kind: "ready"; readonly snapshot: ProviderSnapshot }> {
  const provider = await fleet.provider(volume.provider);
  const token = order.snapshot ?? "";
  const promised = await fleet.state.intentByToken(token);
  if (promised === undefined) {
    try {
      return judge(fleet, intent, order, await snapshotHeld(fleet, volume, signal, { token }));
    } catch (error) {
      if (isFinal(error)) return giveUp(fleet, intent, order, `no snapshot can be made of it: ${error.message}`);
      if (!(error instanceof ProviderError)) throw error;
      // Whether it was refused, or whether nobody knows, is told by its own promise.
      const open = await tryAgain(fleet, intent, order, token, error.message);
      if (isFault(error, "auth")) throw error;
      return open;
    }
  }
  if (promised.status === "pending") {
    const found = await settleSnapshot(fleet, provider, promised, signal);
    if (found !== undefined) return judge(fleet, intent, order, found);
  } else if (promised.status === "done") {
    const found = await listed(provider, token, signal);
    if (found !== undefined) return judge(fleet, intent, order, found);
    const closedAt = promised.closedAt ?? promised.createdAt;
    if (fleet.clock.now() - closedAt > provider.capabilities.listSettlesMs)
      return giveUp(fleet, intent, order, "its snapshot was made, and is gone");
    return { kind: "open", why: "its snapshot is not listed yet", intent };
  }
  return tryAgain(fleet, intent, order, token, "nothing is known of its snapshot");
}

async function listed(provider: Provider, token: string, signal: AbortSignal): Promise<ProviderSnapshot | undefined> {
  const all = await call(signal, (context) => snapshotsOf(provider).list(context));
  return all.find((snapshot) => snapshot.token === token);
}

async function judge(
  fleet: Fleet,
  intent: IntentRecord,
  order: EndOrder,
  snapshot: ProviderSnapshot,
): Promise<EndOutcome | { readonly kind: "ready"; readonly snapshot: ProviderSnapshot }> {
  if (snapshot.state === "ready") return { kind: "ready", snapshot };
  if (snapshot.state === "failed") return giveUp(fleet, intent, order, `its snapshot ${snapshot.providerId} failed (${snapshot.rawState})`);
  return { kind: "open", why: `its snapshot ${snapshot.providerId} is still being made (${snapshot.rawState})`, intent };
}

/** Where the snapshot was certainly not made, the next one carries a token of its own; else the first one is waited for. */
async function tryAgain(fleet: Fleet, intent: IntentRecord, order: EndOrder, token: string, why: string): Promise<EndOutcome> {
  if ((await fleet.state.intentByToken(token))?.status !== "failed") return { kind: "open", why, intent };
  const { snapshot: _, ...rest } = order;
  const next = endIntent(fleet, rest, intent.provider);
  const at = fleet.clock.now();
  await fleet.state.commit({
    openIntents: [next],
    closeIntents: [{ id: intent.id, status: "failed", at, detail: { why, next: next.token } }],
  });
  return { kind: "open", why, intent: next };
}

async function done(fleet: Fleet, intent: IntentRecord, snapshot: ProviderSnapshot | null): Promise<EndOutcome> {
  await fleet.state.commit({
    closeIntents: [
      {
        id: intent.id,
        status: "done",
        at: fleet.clock.now(),
        ...(snapshot === null ? {} : { detail: { snapshotId: snapshot.providerId } }),
      },
    ],
  });
  return { kind: "done", snapshot };
}

/** The volume stays, and that is said where whoever was not there reads it. */
async function giveUp(fleet: Fleet, intent: IntentRecord, order: EndOrder, why: string): Promise<EndOutcome> {
  await close(fleet, intent, order, { why }, `volume ${order.name} stays, and goes on billing: ${why}`);
  return { kind: "kept", why };
}

/** Not as it was ordered: that is said, and stands in the log. */
async function close(fleet: Fleet, intent: IntentRecord, order: EndOrder, detail: IntentRecord["detail"], message: string): Promise<void> {
  const at = fleet.clock.now();
  fleet.say(message);
  await fleet.state.commit({
    closeIntents: [{ id: intent.id, status: "failed", at, detail }],
    events: [{ at, type: "warning", instance: null, provider: intent.provider, data: { guard: "volume", volume: order.name, message } }],
  });
}

/**
 * Waits until what was promised about a volume is done.
 * @throws Problem: exit 1 when the volume is kept because something failed, 6 when it is not done in time or its provider does
 * not let it: the promise stays open, and `reconcile` goes on with it.
 */
export async function finishEnd(
  fleet: Fleet,
  intent: IntentRecord,
  options: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<ProviderSnapshot | null> {
  const { signal, limitMs } = options;
  const name = String(intent.detail["name"]);
  const began = fleet.clock.monotonic();
  for (let current = intent; ; ) {
    let why: string;
    let waitMs = LOOK_MS;
    try {
      const outcome = await settleEnd(fleet, current, signal);
      if (outcome.kind === "done") return outcome.snapshot;
      if (outcome.kind === "kept") throw keptVolume(name, outcome.why);
      if (outcome.kind === "lost") throw lostVolume(name, outcome.why);
      why = outcome.why;
      if (outcome.intent.id !== current.id) waitMs = AGAIN_MS;
      current = outcome.intent;
    } catch (error) {
      if (signal.aborted)
        throw interrupted(
          signal,
          `what becomes of volume ${name} is written down; the next reconcile finishes it`,
          ["spot reconcile"],
          error,
        );
      if (!isFault(error, "conflict", "rate-limited", "unavailable", "ambiguous", "protocol")) throw error;
      why = error.message;
      waitMs = AGAIN_MS;
    }
    if (fleet.clock.monotonic() - began + waitMs > limitMs) throw unfinishedEnd(name, why);
    fleet.say(`volume ${name}: ${why}`);
    await fleet.clock.sleep(waitMs, signal).catch((error: unknown) => {
      throw interrupted(
        signal,
        `what becomes of volume ${name} is written down; the next reconcile finishes it`,
        ["spot reconcile"],
        error,
      );
    });
  }
}

/**
 * Goes on with what was promised about the ends of volumes.
 * @returns what is still open, by volume name, with the reason; what only waits for its instance to end is told with that.
 */
export async function settleEnds(fleet: Fleet, signal: AbortSignal): Promise<readonly { readonly volume: string; readonly why: string }[]> {
  const open: { readonly volume: string; readonly why: string }[] = [];
  for (const intent of await fleet.state.pendingIntents()) {
    const order = endOrder(intent);
    if (order === undefined) continue;
    try {
      const outcome = await settleEnd(fleet, intent, signal);
      if (outcome.kind === "open" && outcome.waitsFor === undefined) open.push({ volume: order.name, why: outcome.why });
    } catch (error) {
      signal.throwIfAborted();
      open.push({ volume: order.name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return open;
}
