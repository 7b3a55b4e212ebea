import { EXIT } from "../../model/exit-codes.ts";
import { newId } from "../../model/ids.ts";
import type { Offer } from "../../model/offer.ts";
import { Problem } from "../../model/problem.ts";
import type { Provider, ProviderVolume, VolumeOperations } from "../../providers/provider.ts";
import type { IntentRecord, VolumeRecord } from "../../state/records.ts";
import { accountFor, requireAccount } from "../account.ts";
import { didNothing } from "../faults.ts";
import { call, type Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";
import { whileHolding } from "../leases/lease.ts";
import { callOffRemovals, mayBeDeleted } from "./open-removal.ts";

/** What is asked for. */
interface VolumeOrder {
  readonly name: string;
  readonly sizeGb: number;
  /** Whose cost it is. */
  readonly fleet?: string | null;
  /** The id of the record for which it is made, if there is none of that name. */
  readonly madeFor?: string;
  /** What it is a copy of: made from a snapshot of that volume, or with a checkpoint of it put on. */
  readonly copy?: VolumeCopy;
}

/** Written into the promise of a volume that is a copy of another one. */
export interface VolumeCopy {
  /** Our id of the other one. */
  readonly of: string;
  /** Its newest sealed checkpoint at that time; null when it had none. */
  readonly checkpoint: string | null;
  /** The provider's id of the snapshot that it begins with; null where it begins empty and gets that one checkpoint alone. */
  readonly snapshot: string | null;
  /** It begins empty, and its machine gets that checkpoint from there. */
  readonly source?: { readonly place: string; readonly sha256: string };
}

/** What a volume is a copy of, as its promise says; undefined for one that is none. */
export async function copyOf(fleet: Pick<Fleet, "state">, { id }: Pick<VolumeRecord, "id">): Promise<VolumeCopy | undefined> {
  const copy = (await fleet.state.volumePromise(id))?.detail["copy"];
  return typeof copy === "object" && copy !== null ? (copy as VolumeCopy) : undefined;
}

type Place = Pick<Offer, "region" | "zone">;

/** The living volume of that name, at whichever provider it lies; a finished one before one that was only asked for. */
export async function volumeNamed(fleet: Fleet, name: string): Promise<VolumeRecord | undefined> {
  const named = await fleet.state.volumes({ name });
  return named.find((volume) => volume.providerId !== null) ?? named[0];
}

/** @throws Problem when the provider has no volumes. */
export function operationsOf(provider: Provider): VolumeOperations {
  if (provider.volumes !== undefined) return provider.volumes;
  throw new Problem({
    code: "SPOT_E_UNSUPPORTED",
    message: `${provider.id} has no volumes`,
    exit: EXIT.failed,
    hint: "run without a volume: --volume none",
  });
}

/** The lease under which one process at a time makes or removes a volume. */
export function volumeLease(name: string): string {
  return `volume:${name}`;
}

/** Waits for the volume's lease: whoever holds it is making or removing that very volume. */
export async function withVolume<Result>(
  fleet: Fleet,
  name: string,
  signal: AbortSignal,
  work: (fleet: Fleet, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  for (;;) {
    const held = await whileHolding(fleet, volumeLease(name), signal, async (lease) => ({ result: await work(lease.fleet, lease.signal) }));
    if (held !== undefined) return held.result;
    await fleet.clock.sleep(200, signal);
  }
}

/**
 * Makes sure that a volume exists where the offer is, and returns it with the provider's id.
 * The promise is written first; an answer that got lost is found again by the token.
 * @throws ProviderError, Problem
 */
export async function ensureVolume(
  fleet: Fleet,
  provider: Provider,
  wanted: VolumeOrder,
  place: Place,
  signal: AbortSignal,
): Promise<VolumeRecord> {
  const there = await volumeNamed(fleet, wanted.name);
  if (there !== undefined && there.providerId !== null && !(await mayBeDeleted(fleet, there))) {
    await requireAccount(fleet, there, signal);
    return there;
  }
  return withVolume(fleet, wanted.name, signal, async (held, until) =>
    findOrCreate(held, await held.provider(provider.id), wanted, place, until),
  );
}

async function findOrCreate(
  fleet: Fleet,
  provider: Provider,
  wanted: VolumeOrder,
  place: Place,
  signal: AbortSignal,
): Promise<VolumeRecord> {
  const known = await keptVolume(fleet, wanted.name, signal);
  if (known !== undefined && known.providerId !== null) return known;
  const pending = known === undefined ? undefined : await pendingCreate(fleet, known);
  if (known !== undefined && pending !== undefined) {
    const settled = await settleVolume(fleet, provider, known, pending, signal);
    if (settled !== undefined) return settled;
  }
  return createVolume(fleet, provider, wanted, place, signal);
}

/** The volume of that name, which no interrupted deletion takes away any more. */
async function keptVolume(fleet: Fleet, name: string, signal: AbortSignal): Promise<VolumeRecord | undefined> {
  for (;;) {
    const known = await volumeNamed(fleet, name);
    if (known === undefined || known.providerId === null) return known;
    await requireAccount(fleet, known, signal);
    if (await callOffRemovals(fleet, known, signal)) return known;
  }
}

/** The open promise to make this volume, if there is one. */
export async function pendingCreate(fleet: Fleet, volume: VolumeRecord): Promise<IntentRecord | undefined> {
  return (await fleet.state.pendingIntents()).find((intent) => intent.kind === "volume-create" && intent.detail["volumeId"] === volume.id);
}

async function createVolume(
  fleet: Fleet,
  provider: Provider,
  wanted: VolumeOrder,
  place: Place,
  signal: AbortSignal,
): Promise<VolumeRecord> {
  const operations = operationsOf(provider);
  const now = fleet.clock.now();
  const token = newId("t", fleet.rng);
  const account = await accountFor(fleet, provider.id, signal);
  const record: VolumeRecord = {
    id: newId("v", fleet.rng),
    name: wanted.name,
    provider: provider.id,
    providerId: null,
    region: place.region,
    zone: place.zone,
    sizeGb: wanted.sizeGb,
    state: "requested",
    createdAt: now,
    pricePerHour: null,
    ...(account === null ? {} : { account: account.id }),
  };
  const intent = newIntent(fleet, {
    kind: "volume-create",
    provider: provider.id,
    token,
    detail: {
      volumeId: record.id,
      name: record.name,
      sizeGb: record.sizeGb,
      fleet: wanted.fleet ?? null,
      ...(wanted.madeFor === undefined ? {} : { madeFor: wanted.madeFor }),
      ...(wanted.copy === undefined ? {} : { copy: wanted.copy }),
    },
  });
  const promised = await fleet.state.commit({
    volumes: [record],
    openIntents: [intent],
    events: [{ at: now, type: "intent", instance: null, provider: provider.id, data: { intent: "volume-create", volume: record.name } }],
  });
  if (promised !== "committed")
    throw new Problem({
      code: "SPOT_E_CONFLICT",
      message: `the volume ${wanted.name} is being made by another command`,
      exit: EXIT.failed,
      retryable: true,
    });
  try {
    const begins = wanted.copy?.snapshot == null ? {} : { fromSnapshotId: wanted.copy.snapshot };
    const spec = { name: wanted.name, sizeGb: wanted.sizeGb, region: place.region, zone: place.zone, token, ...begins };
    const made = await call(signal, (context) => operations.create(spec, context));
    return await recordVolume(fleet, record, intent, made);
  } catch (error) {
    if (didNothing(error)) await dropVolume(fleet, record, intent, error.message);
    throw error;
  }
}

async function recordVolume(fleet: Fleet, record: VolumeRecord, intent: IntentRecord, made: ProviderVolume): Promise<VolumeRecord> {
  const volume: VolumeRecord = {
    ...record,
    providerId: made.providerId,
    region: made.region,
    zone: made.zone,
    sizeGb: made.sizeGb,
    state: "available",
    pricePerHour: made.pricePerHour,
  };
  const at = fleet.clock.now();
  await fleet.state.commit({
    volumes: [volume],
    closeIntents: [{ id: intent.id, status: "done", at }],
    events: [
      {
        at,
        type: "action",
        instance: null,
        provider: record.provider,
        data: { action: "volume-create", volume: record.name, providerId: made.providerId },
      },
    ],
    ledger:
      made.pricePerHour === null
        ? []
        : [
            {
              id: `${record.id}/${at}`,
              instanceId: null,
              instance: record.name,
              fleet: fleetOf(intent),
              provider: record.provider,
              providerId: made.providerId,
              kind: "disk",
              billing: "on-demand",
              from: at,
              to: null,
              rate: made.pricePerHour,
              onDemandRate: made.pricePerHour,
              billed: null,
            },
          ],
  });
  return volume;
}

function fleetOf({ detail }: IntentRecord): string | null {
  return typeof detail["fleet"] === "string" ? detail["fleet"] : null;
}

async function dropVolume(fleet: Fleet, record: VolumeRecord, intent: IntentRecord, why: string): Promise<void> {
  const at = fleet.clock.now();
  await fleet.state.commit({
    volumes: [{ ...record, state: "gone" }],
    closeIntents: [{ id: intent.id, status: "failed", at, detail: { why } }],
  });
}

/**
 * Finds out what became of a volume whose making was never confirmed.
 * @returns the volume when it exists, undefined when it certainly does not (its record is then closed).
 */
export async function settleVolume(
  fleet: Fleet,
  provider: Provider,
  record: VolumeRecord,
  intent: IntentRecord,
  signal: AbortSignal,
): Promise<VolumeRecord | undefined> {
  const operations = operationsOf(provider);
  for (;;) {
    const found = (await call(signal, (context) => operations.list(context))).find((volume) => volume.token === intent.token);
    if (found !== undefined) return recordVolume(fleet, record, intent, found);
    const age = fleet.clock.now() - intent.createdAt;
    if (age < 0 || age >= provider.capabilities.listSettlesMs) break;
    await fleet.clock.sleep(Math.min(500, provider.capabilities.listSettlesMs - age), signal);
  }
  await dropVolume(fleet, record, intent, "it never arrived");
  return undefined;
}
