import type { InstanceRecord } from "../state/records.ts";
import { settleOwnSnapshots } from "./climbing/own-snapshot.ts";
import type { Fleet } from "./fleet.ts";
import { LATE_MS } from "./intent.ts";
import type { Listing } from "./observe.ts";
import { settleReaps } from "./orphans/reap-settle.ts";
import { endStrays, removeStraySnapshots, removeStrayVolumes, type Stray, type Unended } from "./orphans/strays.ts";
import { settleEnds } from "./volumes/volume-end.ts";
import { settleVolumes } from "./volumes/volume-removal.ts";
import { settleSnapshots } from "./volumes/volume-snapshots.ts";

/** What belongs to no record's work: what should be over, and what a killed command left open. */
export interface LooseEnds {
  /** Machines, volumes and snapshots of ours that no record explained; each was ended. */
  readonly strays: readonly Stray[];
  /** Those that could not be ended. */
  readonly unended: readonly Unended[];
  readonly volumes: readonly { readonly volume: string; readonly why: string }[];
  /** What a `reap` began to end, and nobody has confirmed. */
  readonly reaps: readonly { readonly what: string; readonly why: string }[];
}

/** The looks of a watch at its loose ends, one at a time, beside its passes. */
export interface LooseEndsPace {
  underway: Promise<void> | null;
  /** What the last look has come to; what could not be ended stays until its provider's next list. */
  last: LooseEnds;
  /** The last answers of the providers that no look has begun with. */
  readonly listings: Map<string, Listing>;
}

/**
 * Ends what should be over, and settles what was left open. Whoever works on any of it holds its lease, in this process too, and
 * what is being made has an open promise: so nothing waits here for the work on records to end. Within a single pass; beside
 * the passes of a watch (`pace`), so that a cloud which takes its time keeps no notice from being heard.
 */
export async function tieUp(
  fleet: Fleet,
  listings: ReadonlyMap<string, Listing>,
  records: readonly InstanceRecord[],
  pace: LooseEndsPace | null,
  signal: AbortSignal,
): Promise<LooseEnds> {
  if (pace === null) return tieAll(fleet, listings, records, signal);
  for (const [id, listing] of listings) pace.listings.set(id, listing);
  // Who did not let it be ended, or did not answer, is asked again at the pace of the lists, however often a pass is made.
  if (pace.underway === null && pace.listings.size > 0) pace.underway = lookOnce(fleet, records, pace, signal);
  return pace.last;
}

async function lookOnce(fleet: Fleet, records: readonly InstanceRecord[], pace: LooseEndsPace, signal: AbortSignal): Promise<void> {
  const listings = new Map(pace.listings);
  pace.listings.clear();
  const asBefore = pace.last.unended.filter(({ provider }) => provider !== NOWHERE && !listings.has(provider));
  try {
    const found = await tieAll(fleet, listings, records, signal);
    pace.last = { ...found, unended: [...asBefore, ...found.unended] };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const failure = { provider: NOWHERE, what: "what no record explains", why };
    if (!signal.aborted) pace.last = { ...pace.last, unended: [...asBefore, failure] };
  } finally {
    pace.underway = null;
  }
}

/** No provider's own: our database, say. */
const NOWHERE = "";

async function tieAll(
  fleet: Fleet,
  listings: ReadonlyMap<string, Listing>,
  records: readonly InstanceRecord[],
  signal: AbortSignal,
): Promise<LooseEnds> {
  const machines = await endStrays(fleet, listings, records, signal);
  // What a snapshot has come to is asked by whoever waits for it; a removal that was begun is finished first, unless a
  // snapshot is owed.
  const removals = await settleVolumes(fleet, signal);
  const ends = await settleEnds(fleet, signal);
  const volumes = [...removals, ...ends, ...(await settleSnapshots(fleet, signal)), ...(await settleOwnSnapshots(fleet, signal))];
  const reaps = await settleReaps(fleet, signal);
  const answering = [...listings].filter(([, listing]) => typeof listing !== "string").map(([id]) => id);
  // Volumes and snapshots are listed only where one of ours may have arrived too late.
  const since = fleet.clock.now() - LATE_MS;
  const at = async (kind: "volume-create" | "volume-snapshot") => {
    const givenUp = new Set(await fleet.state.volumesGivenUp(since, kind));
    return answering.filter((id) => givenUp.has(id));
  };
  const disks = await removeStrayVolumes(fleet, await at("volume-create"), signal);
  const snapshots = await removeStraySnapshots(fleet, await at("volume-snapshot"), signal);
  const all = [machines, disks, snapshots];
  return { strays: all.flatMap(({ ended }) => ended), unended: all.flatMap(({ open }) => open), volumes, reaps };
}
