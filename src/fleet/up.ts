import { EXIT } from "../model/exit-codes.ts";
import { newId } from "../model/ids.ts";
import type { Offer } from "../model/offer.ts";
import { FRESH_OUTLOOK } from "../model/outlook.ts";
import { Problem } from "../model/problem.ts";
import { hasFailed } from "../model/workload-end.ts";
import type { InstanceRecord, InstanceSpec } from "../state/records.ts";
import { isUp } from "./deciding/decide.ts";
import { asOffered } from "./deciding/offer-choice.ts";
import { drive } from "./drive.ts";
import type { Fleet } from "./fleet.ts";
import { interrupted } from "./interrupted.ts";
import { overruled } from "./park.ts";
import { isMadeFor, removeFreshVolume } from "./volumes/fresh-volume.ts";
import { volumeNamed } from "./volumes/volumes.ts";
import { wish } from "./wish.ts";

/** How long an undo may take before it is left to `reconcile`. */
const UNDO_LIMIT_MS = 30_000;

/** The record that a spec begins with; nothing is rented yet. */
export function newRecord(fleet: Fleet, spec: InstanceSpec, offer: Offer): InstanceRecord {
  const now = fleet.clock.now();
  return {
    id: newId("i", fleet.rng),
    name: spec.name,
    spec,
    desired: "running",
    state: "requested",
    rawState: "",
    ...asOffered(offer),
    providerId: null,
    createdAt: now,
    readyAt: null,
    protectedUntil: null,
    notice: null,
    parked: null,
    volumes: [],
    ssh: null,
    fleet: spec.fleet,
    ttlEndsAt: null,
    idleMs: spec.idleMs,
    labels: spec.labels,
    generation: 1,
    skipSnapshot: false,
    parkOnly: false,
    sealedAsleep: false,
    retainAddress: false,
    rootVolume: null,
    dataKeptUntil: null,
    endpoints: [],
    wakeBy: null,
    outlook: { ...FRESH_OUTLOOK, needsSince: now },
    forgottenAt: null,
    account: null,
    reason: null,
    changedAt: now,
    version: 1,
  };
}

/** Writes the record down. False when a living instance has the name already: somebody else was first. */
export async function claimName(fleet: Fleet, record: InstanceRecord): Promise<boolean> {
  const result = await fleet.state.commit({
    addInstance: record,
    events: [{ at: record.createdAt, type: "intent", instance: record.name, provider: record.provider, data: { intent: "up" } }],
  });
  return result === "committed";
}

export interface UpOptions {
  readonly signal: AbortSignal;
  readonly limitMs: number;
  /** `machine`: until the provider has accepted; `ready`: until it serves. */
  readonly waitFor: "machine" | "ready";
  /** Whether this command made the record: only then is a failed or interrupted attempt undone. */
  readonly ours: boolean;
}

/**
 * Brings a record up, or as far as its command comes: one that has failed meanwhile is given back as it is, and its machine goes
 * on, for whoever reads its log. What this command began and cannot finish, it undoes: nothing is left billing unseen.
 * @throws Problem: exit 5 without capacity, 124 at the limit, 130 when interrupted, 6 when the undo is not confirmed.
 */
export async function bringUp(fleet: Fleet, record: InstanceRecord, options: UpOptions): Promise<InstanceRecord> {
  let last: InstanceRecord;
  let looks = 0;
  // What is stopped, or has failed, is started by somebody else, and nobody knows when; but it may have been since it was looked at last.
  const staysDown = (now: InstanceRecord) => (now.state === "stopped" || hasFailed(now)) && looks++ > 0;
  try {
    last = await drive(fleet, record.id, {
      until: (now) =>
        now.state === "gone" ||
        now.desired !== "running" ||
        (options.waitFor === "machine" ? now.providerId !== null : isUp(now) || staysDown(now)),
      signal: options.signal,
      limitMs: options.limitMs,
      // Whoever named a fallback waits for it.
      persist: (problem) => record.spec.fallbackAfterMs !== null && problem instanceof Problem && problem.exit === EXIT.noCapacity,
    });
  } catch (error) {
    const stays = options.ours ? await undo(fleet, record, error) : undefined;
    const bills = stays === undefined ? null : `its machine is ended; the volume ${stays} stays and goes on billing`;
    if (!options.signal.aborted) {
      if (bills !== null) fleet.say(`${record.name}: ${bills} (spot volumes rm ${stays})`);
      throw error;
    }
    const how = options.ours ? (bills ?? "everything that was begun is undone, nothing is billed") : "the other command goes on";
    const next = stays === undefined ? ["spot ls"] : ["spot ls", `spot volumes rm ${stays}`];
    throw interrupted(options.signal, `${record.name}: ${how}`, next, error);
  }
  if (last.desired === "running" && last.state !== "gone") return last;
  throw overruled(last);
}

/** @returns the name of a volume that was made for it and stays: something may have been written on it. */
async function undo(fleet: Fleet, record: InstanceRecord, cause: unknown): Promise<string | undefined> {
  fleet.say(`${record.name}: undoing what was begun`);
  // Ctrl-C has already fired: the undo has a signal and a limit of its own.
  const { signal } = new AbortController();
  try {
    await wish(fleet, record.id, { desired: "gone", skipSnapshot: true });
    await drive(fleet, record.id, { until: (now) => now.state === "gone", signal, limitMs: UNDO_LIMIT_MS, persist: () => true });
    if (await removeFreshVolume(fleet, record, signal, { neverServed: true })) return undefined;
    const volume = record.spec.volume === null ? undefined : await volumeNamed(fleet, record.spec.volume.name);
    return volume !== undefined && (await isMadeFor(fleet, volume, record)) ? volume.name : undefined;
  } catch (error) {
    throw new Problem({
      code: "SPOT_E_UNCONFIRMED",
      message: `${record.name} could not be undone and may still be billing (${error instanceof Error ? error.message : String(error)})`,
      exit: EXIT.partial,
      next: ["spot reconcile", `spot show ${record.name}`],
      cause,
    });
  }
}
