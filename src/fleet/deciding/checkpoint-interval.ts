import { ASSUMED_BETWEEN_SECONDS, type CheckpointClock, type Interruptions } from "../../model/checkpoint-interval.ts";
import type { Offer } from "../../model/offer.ts";
import type { InstanceRecord, InstanceSpec } from "../../state/records.ts";
import { offerKey } from "./offer-choice.ts";

/** What is not taken back ends by a fault: one in thirty days. */
const FAULT_BETWEEN_SECONDS = 30 * 86_400;
/** From so many reclaims on our own history is believed: the estimate is then right to about half, and the interval to a quarter. */
const ENOUGH_RECLAIMS = 4;
/** What is older says little of the market now. */
const REMEMBERED_MS = 30 * 86_400_000;

/** What a machine is for whoever asks how often its like is taken back. */
type Kind = Pick<Offer, "provider" | "region" | "zone" | "type" | "billing">;

type Past = Pick<InstanceRecord, "outlook" | "readyAt" | "providerId"> & Kind;

/** `provider/region/zone/type/billing` without the zone: one zone alone sees too little. */
function kindOf(pool: string): string {
  const [provider, region, , ...rest] = pool.split("/");
  return [provider, region, ...rest].join("/");
}

/**
 * The mean time between reclaims of machines of this type in this region, from what the living records remember: the hours that
 * such machines served, those that still serve included, for each of them that was taken back. A machine that serves still, or
 * that its owner ended, is no reclaim; the hours of the latter are not remembered, which makes the estimate rather too short.
 * @returns null while there are too few.
 */
export function betweenReclaims(offer: Kind, records: readonly Past[], now: number): number | null {
  const kind = kindOf(offerKey(offer));
  let reclaims = 0;
  let servedMs = 0;
  for (const record of records) {
    for (const { pool, at, ranMs } of record.outlook.reclaims) {
      if (kindOf(pool) !== kind || ranMs === null || now - at > REMEMBERED_MS || at > now) continue;
      reclaims += 1;
      servedMs += ranMs;
    }
    const serves = record.readyAt !== null && record.providerId !== null && kindOf(offerKey(record)) === kind;
    const counted = record.outlook.reclaims.some(({ machine }) => machine === record.providerId);
    if (serves && !counted) servedMs += Math.max(0, now - (record.readyAt ?? now));
  }
  return reclaims < ENOUGH_RECLAIMS ? null : servedMs / reclaims / 1000;
}

/** How often such a machine is interrupted: by the provider's own data, else by our own history, else by an assumption. */
export function interruptionsOf(offer: Kind & Pick<Offer, "interruptionsPerHour">, records: readonly Past[], now: number): Interruptions {
  if (offer.billing !== "spot") return { betweenSeconds: FAULT_BETWEEN_SECONDS, basis: "uninterrupted" };
  const perHour = offer.interruptionsPerHour;
  if (perHour !== null && perHour > 0) return { betweenSeconds: Math.min(FAULT_BETWEEN_SECONDS, 3600 / perHour), basis: "provider" };
  const ours = betweenReclaims(offer, records, now);
  return ours === null
    ? { betweenSeconds: ASSUMED_BETWEEN_SECONDS, basis: "assumed" }
    : { betweenSeconds: Math.max(1, ours), basis: "history" };
}

/** What was said of a record's machine when it was ordered; of an older record, what can be said without its offer. */
export function interruptionsFor(record: Kind & Pick<InstanceRecord, "outlook">, now: number): Interruptions {
  return record.outlook.interruptions ?? interruptionsOf({ ...record, interruptionsPerHour: null }, [], now);
}

/**
 * When a checkpoint is made by the clock: as was ordered; else by Daly's rule wherever there is a volume to seal it onto, however
 * long the cloud's notice is, because not every end is announced.
 */
export function checkpointClock(spec: Pick<InstanceSpec, "checkpointEveryMs" | "volume">, interruptions: Interruptions): CheckpointClock {
  if (spec.volume === null || spec.checkpointEveryMs === 0) return { kind: "never" };
  if (spec.checkpointEveryMs !== null) return { kind: "ordered", everySeconds: spec.checkpointEveryMs / 1000 };
  return { kind: "daly", interruptions };
}
