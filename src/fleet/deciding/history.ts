import type { Outlook, Reclaim } from "../../model/outlook.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { offerKey, zoneOf } from "./offer-choice.ts";
import { CHURN, SHAKEN_MS, USUAL_RUN_MS } from "./policy.ts";

/** So many reclaims are remembered of an instance. */
const REMEMBERED = 16;

/** The outlook with a reclaim in it, where it was one; a notice and the loss that follows it are one. */
export function withReclaim(outlook: Outlook, reclaim: Reclaim | null): Outlook {
  if (reclaim === null || outlook.reclaims.some(({ machine }) => machine === reclaim.machine)) return outlook;
  return { ...outlook, reclaims: [...outlook.reclaims, reclaim].slice(-REMEMBERED) };
}

/** The outlook after a notice was withdrawn. */
export function withoutReclaim(outlook: Outlook, machine: string | null): Outlook {
  return { ...outlook, reclaims: outlook.reclaims.filter((reclaim) => reclaim.machine !== machine) };
}

/** The machine that a record has now, as taken back; null when it has none. */
export function reclaimOf(record: InstanceRecord, now: number): Reclaim | null {
  const { providerId, readyAt } = record;
  if (providerId === null) return null;
  return { machine: providerId, pool: offerKey(record), at: now, ranMs: readyAt === null ? null : Math.max(0, now - readyAt) };
}

const isSpot = ({ pool }: Reclaim) => pool.endsWith("/spot");

/**
 * The churn breaker. After `CHURN.reclaims` reclaims of one instance within `CHURN.withinMs` every zone they came from is
 * burnt, and so is each zone that takes it back while the breaker is still open.
 * @returns zone (`provider/region/zone`) → epoch milliseconds until which it is passed over.
 */
export function burntZones(reclaims: readonly Reclaim[], now: number): ReadonlyMap<string, number> {
  const burnt = new Map<string, number>();
  const spot = reclaims.filter(isSpot);
  for (const { at } of spot) {
    const until = at + CHURN.passOverMs;
    const recent = spot.filter((other) => other.at <= at && other.at > at - CHURN.withinMs);
    if (recent.length < CHURN.reclaims || until <= now) continue;
    for (const { pool } of recent) burnt.set(zoneOf(pool), Math.max(until, burnt.get(zoneOf(pool)) ?? 0));
  }
  return burnt;
}

/**
 * How long the next spot machine is expected to serve, in milliseconds: the mean of the runs that were cut short, with the
 * usual one counted among them.
 */
export function expectedRunMs(reclaims: readonly Reclaim[]): number {
  const runs = reclaims.filter(isSpot).flatMap(({ ranMs }) => (ranMs === null ? [] : [ranMs]));
  return (USUAL_RUN_MS + runs.reduce((sum, ranMs) => sum + ranMs, 0)) / (runs.length + 1);
}

/** All living records, and what they say of each other's pools. */
export interface Neighbourhood {
  readonly records: readonly InstanceRecord[];
  /** Spot pools from which machines of ours are being taken, or were a moment ago, with the instances that had them. */
  readonly shaken: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Looks over all records at once: machines of one type and zone are not independent. Pure. */
export function neighbourhoodOf(records: readonly InstanceRecord[], now: number): Neighbourhood {
  const shaken = new Map<string, Set<string>>();
  for (const { name, outlook } of records)
    for (const reclaim of outlook.reclaims) {
      // A moment that is still to come was written by a clock that has been set back since.
      if (!isSpot(reclaim) || Math.abs(now - reclaim.at) >= SHAKEN_MS) continue;
      const names = shaken.get(reclaim.pool) ?? new Set<string>();
      shaken.set(reclaim.pool, names.add(name));
    }
  return { records, shaken };
}

/** An instance of ours that is being taken back from the very pool that this one runs in; null when there is none. */
export function shakenNeighbour(record: InstanceRecord, { shaken }: Pick<Neighbourhood, "shaken">): string | null {
  if (shaken.size === 0 || record.billing !== "spot" || record.providerId === null) return null;
  for (const name of shaken.get(offerKey(record)) ?? []) if (name !== record.name) return name;
  return null;
}
