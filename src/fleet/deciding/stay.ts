import { durationText } from "../../model/duration.ts";
import { type Money, moneyText } from "../../model/money.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { expectedRunMs } from "./history.ts";
import {
  ageGateMs,
  breakEvenMs,
  DEAR_MS,
  LEAST_STAY_MS,
  PRECAUTION_AGAIN_MS,
  SPOT_LOOK_MS,
  USUAL_CHANGEOVER_MS,
  YOUNG_CHECKPOINT_MS,
} from "./policy.ts";

/** What is known around an instance that serves. */
export interface Near {
  /** Another instance of ours that is being taken back from the very pool that this one runs in. */
  readonly neighbour: string | null;
  /** When its last checkpoint was sealed, in epoch milliseconds; null when none is known, or nobody needed to know. */
  readonly sealedAt: number | null;
  /** What it may cost at the most per hour, in the currency of its machine's price; null for no limit. */
  readonly cap: Money | null;
}

export const NOTHING_NEAR: Near = { neighbour: null, sealedAt: null, cap: null };

/** What becomes of an instance that serves, and of which nobody wants anything else. */
export type StayAction =
  /** A checkpoint before its own notice comes. */
  | { readonly do: "precaution"; readonly instance: ProviderInstance }
  /** Its price has risen above what was allowed, or has fallen again. */
  | { readonly do: "note-dear"; readonly since: number | null }
  /** It is put to sleep until somebody wants it back. */
  | { readonly do: "leave-dear" }
  /** On demand: is spot back? */
  | { readonly do: "look-for-spot" }
  /** Its work is sealed, its machine ended, and another one is rented. */
  | { readonly do: "move"; readonly instance: ProviderInstance };

export interface StayDecision {
  readonly action: StayAction;
  readonly why: string;
}

const step = (action: StayAction, why: string): StayDecision => ({ action, why });

/** What to do about an instance that serves without a notice; null when it simply stays. Pure. */
export function decideStay(record: InstanceRecord, near: Near, instance: ProviderInstance, now: number): StayDecision | null {
  return decidePrecaution(record, near, instance, now) ?? decidePrice(record, near, instance, now) ?? decideReturn(record, instance, now);
}

/** Machines of one type and zone are taken back together: the neighbour's notice is the only warning that there may be. */
function decidePrecaution(
  record: InstanceRecord,
  { neighbour, sealedAt }: Near,
  instance: ProviderInstance,
  now: number,
): StayDecision | null {
  if (neighbour === null || record.spec.volume === null || instance.reach === null) return null;
  const { precautionAt } = record.outlook;
  if (isWithin(precautionAt, PRECAUTION_AGAIN_MS, now) || isWithin(sealedAt, YOUNG_CHECKPOINT_MS, now)) return null;
  return step({ do: "precaution", instance }, `a neighbour in the same pool got its notice (${neighbour})`);
}

function isWithin(at: number | null, ms: number, now: number): boolean {
  // What lies ahead of a clock that was set back counts as just now, but not for ever.
  return at !== null && Math.abs(now - at) < ms;
}

/** What was said to be the most an hour may cost holds for a machine that runs, too, where its cloud says what it costs now. */
function decidePrice(record: InstanceRecord, { cap }: Near, { price, ...rest }: ProviderInstance, now: number): StayDecision | null {
  const { dearSince } = record.outlook;
  const isDear =
    cap !== null && price !== null && record.billing === "spot" && price.currency === cap.currency && price.micros > cap.micros;
  if (!isDear) return dearSince === null ? null : step({ do: "note-dear", since: null }, "its price is no longer above what is allowed");
  const told = `its price is ${moneyText(price)} an hour, more than ${moneyText(cap)}`;
  if (dearSince === null || dearSince > now) return step({ do: "note-dear", since: now }, told);
  // Without a volume there is nothing that it could take along: it is said, and left to its owner.
  if (now - dearSince < DEAR_MS || record.spec.volume === null) return null;
  const lasting = `${told}, for ${durationText(now - dearSince)}`;
  if (record.spec.onReclaim === "replace") return step({ do: "move", instance: { price, ...rest } }, lasting);
  return step({ do: "leave-dear" }, lasting);
}

/** Whether it runs on demand for want of spot, and is to go back. Without a volume it could not take its work along. */
export function mayReturn({ billing, spec }: Pick<InstanceRecord, "billing" | "spec">): boolean {
  return billing === "on-demand" && spec.billing !== "on-demand" && spec.returnToSpot && spec.volume !== null;
}

function decideReturn(record: InstanceRecord, instance: ProviderInstance, now: number): StayDecision | null {
  const { outlook, readyAt } = record;
  if (!mayReturn(record) || readyAt === null) return null;
  const look = outlook.spot;
  const due = look === null ? readyAt + SPOT_LOOK_MS : Math.min(look.nextLook, look.at + 2 * SPOT_LOOK_MS);
  if (now >= due) return step({ do: "look-for-spot" }, "it runs on demand for want of spot");
  if (look === null || look.since === null || look.best === null || now - look.at > SPOT_LOOK_MS) return null;
  if (whyNotYet(record, now) !== null) return null;
  const ages = `on offer for ${durationText(look.at - look.since)}, for ${Math.round(100 / look.best.ratio)} % of the price`;
  return step({ do: "move", instance }, `spot is back (${look.best.pool}): ${ages}`);
}

/**
 * What still speaks against going back to spot that is on offer; null when nothing does. Pure. In order: it moved a short
 * while ago; spot has not been on offer for long enough (by how long the change takes); the run to be expected, or what is
 * left of its time, does not pay for the change.
 */
export function whyNotYet(record: Pick<InstanceRecord, "outlook" | "readyAt" | "ttlEndsAt">, now: number): string | null {
  const { outlook, readyAt, ttlEndsAt } = record;
  const { spot } = outlook;
  if (spot === null || spot.since === null || spot.best === null) return "spot is not on offer";
  if (readyAt === null || now - readyAt < LEAST_STAY_MS) return `it has served for less than ${durationText(LEAST_STAY_MS)}`;
  const changeoverMs = outlook.changeoverMs ?? USUAL_CHANGEOVER_MS;
  const age = spot.at - spot.since;
  if (age < ageGateMs(changeoverMs)) return `spot has been on offer for ${durationText(age)} only`;
  const expected = Math.min(expectedRunMs(outlook.reclaims), ttlEndsAt === null ? Number.POSITIVE_INFINITY : ttlEndsAt - now);
  const needed = breakEvenMs(changeoverMs, spot.best.ratio);
  if (expected <= needed) return `a run on spot is expected to last ${durationText(expected)}, which does not pay for the change`;
  return null;
}
