import type { Checkpoint } from "../../model/checkpoint.ts";
import { type Comeback, RUNGS, type RungName } from "../../model/comeback.ts";
import { gpuFromName } from "../../model/gpu-names.ts";
import { percentile, wakeMs } from "../../model/wake.ts";
import { BUNDLED_RATE, parsePrice } from "../../pricing/currency.ts";
import { isFault } from "../../providers/errors.ts";
import type { ProviderSnapshot } from "../../providers/provider.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import { neighbourhoodOf } from "../deciding/history.ts";
import { type LadderInput, ladder, type Rung, type Source } from "../deciding/ladder.ts";
import type { Tie } from "../deciding/offer-choice.ts";
import { preferencesOf } from "../deciding/preferences.ts";
import { call, type Fleet } from "../fleet.ts";
import { askMarket } from "../market.ts";
import { readSealed } from "../volumes/checkpoint-sync.ts";
import { isRootSeen, isWithVolume, rootOf } from "../volumes/root-volume.ts";
import { copyOf, volumeNamed } from "../volumes/volumes.ts";
import { wakesOf } from "../wakes/wake-log.ts";
import { twinsOf, vesselsOf } from "./twins.ts";

/** What is known of the ways back of one instance, and what they are made of. */
export interface Survey {
  readonly rungs: readonly Rung[];
  readonly home: VolumeRecord | undefined;
  /** On the home volume, as it is read now; where it cannot be read, as far as the catalogue knows. */
  readonly newest: Checkpoint | undefined;
  /** Of the home volume, not older than that checkpoint; the one that is ready sooner. */
  readonly snapshot: ProviderSnapshot | undefined;
  /** Volumes that hold what the home volume holds. */
  readonly twins: readonly VolumeRecord[];
  /** Volumes to which the copy from a bucket was on its way. */
  readonly vessels: readonly VolumeRecord[];
  readonly input: LadderInput;
  /** Providers that did not answer, with their reasons. */
  readonly silent: readonly { readonly provider: string; readonly why: string }[];
}

/** What may be done: a comeback's, or what a person asks about. */
export type Allowed = Pick<Comeback, "allow" | "ceiling" | "oldest">;

/** Asks the market, the snapshots and the catalogue what ways back there are. Changes nothing. */
export async function surveyLadder(fleet: Fleet, record: InstanceRecord, allowed: Allowed, signal: AbortSignal): Promise<Survey> {
  const { spec } = record;
  const now = fleet.clock.now();
  const home = spec.volume === null ? undefined : await volumeNamed(fleet, spec.volume.name);
  const newest = home === undefined ? undefined : await newestOn(fleet, home, signal);
  const providers = await Promise.all([...new Set([...spec.providers, home?.provider ?? record.provider])].map((id) => fleet.provider(id)));
  const gpu = spec.gpu === null ? {} : { gpuCount: spec.gpu.count, gpuModel: gpuFromName(spec.gpu.model).model };
  const market = await askMarket(providers, gpu, signal);
  const usedAt = await lastUsedAt(fleet, record);
  // It began empty, and the checkpoint that it was for is not known to have been sealed on it: a copy of it may be as empty.
  const isBare = home !== undefined && newest === undefined && (await copyOf(fleet, home))?.source !== undefined;
  const snapshots =
    home === undefined ? null : await snapshotsOfHome(fleet, record, home, Math.max(newest?.createdAt ?? 0, usedAt), signal);
  const twins = home === undefined || isBare ? [] : await twinsOf(fleet, record, home, newest, usedAt);
  const among = providers.map(({ id }) => id);
  const source = await sourceOf(fleet, record, home, newest, among, signal);
  const copied = "why" in source ? undefined : source.bucket?.checkpoint;
  const vessels = home === undefined || copied === undefined ? [] : await vesselsOf(fleet, record, home, copied);
  const input: LadderInput = {
    record,
    home: home === undefined ? null : { ...home, isZonal: (await fleet.provider(home.provider)).capabilities.zonalVolumes },
    root: await rootTie(fleet, record, signal),
    market: market.offers,
    blocked: await fleet.state.blockedOffers(now),
    rate: fleet.exchange ?? BUNDLED_RATE,
    prefer: preferencesOf(spec, record, fleet.neighbours ?? neighbourhoodOf(await fleet.state.instances(), now), now),
    allow: allowed.allow,
    ceiling: allowed.ceiling === null ? null : parsePrice(allowed.ceiling),
    snapshots: snapshots === null ? null : { fresh: snapshots.length > 0, pending: snapshots.every(({ state }) => state !== "ready") },
    isBare,
    twins,
    vessels,
    source,
    oldest: allowed.oldest ?? null,
    took: await tookBefore(fleet, record),
  };
  const snapshot = snapshots?.find(({ state }) => state === "ready") ?? snapshots?.[0];
  return { rungs: ladder(input), home, newest, snapshot, twins, vessels, input, silent: market.failures };
}

/** Its last machine may have sealed one at its very end of which nobody has heard. */
async function newestOn(fleet: Fleet, home: VolumeRecord, signal: AbortSignal): Promise<Checkpoint | undefined> {
  const read = await readSealed(fleet, home, signal).catch(() => {
    signal.throwIfAborted();
    return null;
  });
  return (read?.sealed ?? (await fleet.state.checkpoints({ volume: home.name })))[0];
}

/**
 * Until when a machine of it was paid for, or may have worked unseen: whatever is as old may lack what was written since, also
 * checkpoints of which nobody could read. Epoch milliseconds; 0 when there was none.
 */
async function lastUsedAt(fleet: Fleet, { id, outlook }: InstanceRecord): Promise<number> {
  const machines = (await fleet.state.ledger({ instanceId: id })).filter(({ kind }) => kind === "gpu");
  return machines.reduce((latest, { to }) => Math.max(latest, to ?? fleet.clock.now()), outlook.usedUntil ?? 0);
}

/**
 * The home volume's snapshots that are no older than `since`: its newest checkpoint, and its last machine. Null where its cloud
 * makes none. The one that was made for this very way back is fresh, whatever its cloud's clock says.
 */
async function snapshotsOfHome(
  fleet: Fleet,
  { outlook }: InstanceRecord,
  home: VolumeRecord,
  since: number,
  signal: AbortSignal,
): Promise<readonly ProviderSnapshot[] | null> {
  const provider = await fleet.provider(home.provider);
  const operations = provider.volumes?.snapshots;
  if (operations === undefined) return null;
  // A disk that any machine of its region can have needs none.
  if (!provider.capabilities.zonalVolumes || home.providerId === null) return [];
  const ours = outlook.comeback?.snapshot?.id;
  const isFresh = ({ providerId, createdAt }: ProviderSnapshot) =>
    providerId === ours || (since > 0 && createdAt !== null && createdAt >= since);
  const listed = await call(signal, (context) => operations.list(context)).catch((error: unknown) => {
    // A cloud that is down has no offers either, and keeps nobody from going elsewhere.
    if (signal.aborted || !isFault(error, "unavailable", "ambiguous")) throw error;
    return [];
  });
  return listed.filter((one) => one.volumeId === home.providerId && one.state !== "failed" && isFresh(one));
}

async function rootTie(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<Tie | null> {
  const root = await rootOf(fleet, record);
  if (root === undefined || !(await isWithVolume(fleet, record, root)) || !(await isRootSeen(fleet, root, signal))) return null;
  const { zonalVolumes } = (await fleet.provider(root.provider)).capabilities;
  return { provider: root.provider, region: root.region, zone: zonalVolumes ? root.zone : null };
}

async function sourceOf(
  fleet: Fleet,
  record: InstanceRecord,
  home: VolumeRecord | undefined,
  newest: Checkpoint | undefined,
  among: readonly string[],
  signal: AbortSignal,
): Promise<Source> {
  if (home === undefined || (newest === undefined && fleet.travel === undefined)) return { why: "no sealed checkpoint of it is known" };
  if (fleet.travel === undefined) return { why: `${newest?.id} can be read only by a machine that has ${home.name}` };
  return fleet.travel.source(home, newest, among, signal, record);
}

/** How long its last wakes took, by rung, in milliseconds: the middle one of each. */
async function tookBefore(fleet: Fleet, record: InstanceRecord): Promise<Partial<Record<RungName, number>>> {
  const wakes = wakesOf(await fleet.state.events({ instances: [record.name], since: record.createdAt, limit: 100_000 }));
  const middles = RUNGS.map((rung) => {
    const took = wakes.filter((wake) => wake.rung === rung).map(wakeMs);
    return [
      rung,
      percentile(
        took.filter((ms) => ms !== null),
        50,
      ),
    ] as const;
  });
  return Object.fromEntries(middles.filter(([, ms]) => ms !== undefined));
}
