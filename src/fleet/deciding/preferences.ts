import type { InstanceRecord, InstanceSpec } from "../../state/records.ts";
import { burntZones, type Neighbourhood, neighbourhoodOf } from "./history.ts";
import { NO_PREFERENCES, offerKey, type Preferences } from "./offer-choice.ts";
import { onDemandFrom } from "./waiting.ts";

/** What is known of one instance, and of all others, as far as it matters for its next machine. Pure. */
export function preferencesOf(
  spec: InstanceSpec,
  record: InstanceRecord | undefined,
  { records, shaken }: Neighbourhood,
  now: number,
): Preferences {
  const siblings = spec.fleet === null ? [] : records.filter((other) => isSibling(other, spec, record));
  const fallback = record === undefined ? null : onDemandFrom(record);
  return {
    burnt: record === undefined ? NO_PREFERENCES.burnt : burntZones(record.outlook.reclaims, now),
    // Whoever asks for a first machine is shown the best price; a replacement is to last.
    shaken:
      record === undefined || record.generation === 1 ? NO_PREFERENCES.shaken : new Set([...shaken.keys(), ...ownTremors(record, now)]),
    beside: countPools(siblings.filter(({ providerId }) => providerId !== null)),
    before: siblings.filter((other) => other.providerId === null && other.state === "requested" && other.name < spec.name).length,
    onDemand: fallback !== null && now >= fallback,
  };
}

/** Its own reclaim may be younger than what is known of the neighbours. */
function ownTremors(record: InstanceRecord, now: number): Iterable<string> {
  return neighbourhoodOf([record], now).shaken.keys();
}

function isSibling(other: InstanceRecord, spec: InstanceSpec, record: InstanceRecord | undefined): boolean {
  return other.fleet === spec.fleet && other.id !== record?.id && other.desired === "running" && other.state !== "gone";
}

function countPools(records: readonly InstanceRecord[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const record of records) counts.set(offerKey(record), (counts.get(offerKey(record)) ?? 0) + 1);
  return counts;
}
