import type { Asleep } from "../../model/asleep.ts";
import type { Offer } from "../../model/offer.ts";
import type { InstanceRecord, InstanceSpec, VolumeRecord } from "../../state/records.ts";
import { call, type Fleet } from "../fleet.ts";
import { copiesInBuckets } from "../volumes/bucket-copies.ts";
import { volumeNamed } from "../volumes/volumes.ts";
import { type KnownDisk, preflight } from "./preflight.ts";

const diskOf = ({ sizeGb, pricePerHour, state }: VolumeRecord): KnownDisk => ({ sizeGb, pricePerHour, isGone: state === "gone" });

/** What is known of an instance's disks. Asks nobody. */
async function disksOf({ state }: Pick<Fleet, "state">, { volumes, rootVolume }: InstanceRecord) {
  const ids = [...volumes.map(({ id }) => id), ...(rootVolume === null ? [] : [rootVolume])];
  const known = ids.length === 0 ? [] : await state.volumes({ ids, includeGone: true });
  const volume = known.find(({ id }) => id === volumes[0]?.id);
  const root = known.find(({ id }) => id === rootVolume);
  return { volume: volume === undefined ? null : diskOf(volume), root: root === undefined || root.state === "gone" ? null : diskOf(root) };
}

/** Whether its cloud can hibernate this very machine; null when it cannot be asked now. */
async function canHibernate(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<boolean | null> {
  if (record.parkOnly) return false;
  const { providerId } = record;
  const provider = await fleet.provider(record.provider);
  if (providerId === null || provider.capabilities.hibernate !== "native") return null;
  try {
    return (await call(signal, (context) => provider.get(providerId, context)))?.canHibernate ?? null;
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}

/**
 * Of an instance that there is. `asking`: the cloud is asked whether this very machine can be hibernated, at most once;
 * without it nobody is asked.
 */
export async function preflightOf(
  fleet: Pick<Fleet, "state" | "clock" | "provider">,
  record: InstanceRecord,
  options: { readonly retainsAddress: boolean; readonly asking?: { readonly fleet: Fleet; readonly signal: AbortSignal } },
): Promise<Asleep> {
  const { capabilities, volumes } = await fleet.provider(record.provider);
  const [newest] = await fleet.state.checkpoints({ instance: record.name });
  const { asking } = options;
  return preflight({
    now: fleet.clock.now(),
    spec: record.spec,
    capabilities,
    hasSnapshots: volumes?.snapshots !== undefined,
    hasBucketCopy: (await copiesInBuckets(fleet.state, record)).length > 0,
    canHibernate: asking === undefined ? (record.parkOnly ? false : null) : await canHibernate(asking.fleet, record, asking.signal),
    parked: record.state === "hibernated" ? record.parked : null,
    ...(await disksOf(fleet, record)),
    sealedAt: newest?.createdAt ?? null,
    ttlEndsAt: record.ttlEndsAt,
    retainsAddress: options.retainsAddress || record.retainAddress,
  });
}

/** Of one that is only planned. */
export async function preflightOfPlan(fleet: Fleet, spec: InstanceSpec, offer: Offer): Promise<Asleep> {
  const { capabilities, volumes } = await fleet.provider(offer.provider);
  const there = spec.volume === null ? undefined : await volumeNamed(fleet, spec.volume.name);
  return preflight({
    now: fleet.clock.now(),
    spec,
    capabilities,
    hasSnapshots: volumes?.snapshots !== undefined,
    hasBucketCopy: false,
    canHibernate: null,
    parked: null,
    volume: there === undefined ? null : diskOf(there),
    root: null,
    ttlEndsAt: null,
    retainsAddress: false,
  });
}
