import { durationText } from "../../model/duration.ts";
import type { Offer } from "../../model/offer.ts";
import type { Waiting } from "../../model/outlook.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { isBurnt, offerKey, type Preferences } from "./offer-choice.ts";
import { FIRST_LOOK_MS, RAREST_LOOK_MS } from "./policy.ts";

/** Since when the record is in need of a machine, in epoch milliseconds. */
export function needsSince({ outlook, changedAt }: Pick<InstanceRecord, "outlook" | "changedAt">): number {
  return outlook.needsSince ?? changedAt;
}

/** From when on-demand may be rented because spot is refused, in epoch milliseconds; null: never, or it may be anyway. */
export function onDemandFrom(record: Pick<InstanceRecord, "outlook" | "changedAt" | "spec">): number | null {
  const { billing, fallbackAfterMs } = record.spec;
  return fallbackAfterMs === null || billing !== "spot" ? null : needsSince(record) + fallbackAfterMs;
}

/**
 * Until when to wait for capacity. The pauses grow with the time that has passed in vain, from one second to a minute, and
 * begin anew when the reason is another; each is shorter or longer by chance (`chance` from 0 to 1), so that a fleet does not
 * ask as one. The moment from which on-demand may be had is not slept through. Pure.
 */
export function waitFor(record: InstanceRecord, reason: string, now: number, chance: number): Waiting {
  const before = record.outlook.waiting;
  const since = before?.reason === reason ? Math.min(before.since, now) : now;
  const pause = Math.min(RAREST_LOOK_MS, Math.max(FIRST_LOOK_MS, (now - since) / 2)) * (0.75 + chance / 2);
  const fallback = onDemandFrom(record);
  const nextLook = Math.round(now + pause);
  return { reason, since, nextLook: fallback !== null && fallback > now ? Math.min(nextLook, fallback) : nextLook };
}

/** What was weighed when an offer was taken; null when it is simply the best one. Pure. */
export function launchReason(record: InstanceRecord, offer: Offer, prefer: Preferences, now: number): string | null {
  const reasons: string[] = [];
  if (offer.billing === "on-demand" && record.spec.billing === "spot")
    reasons.push(`spot was not to be had for ${durationText(now - needsSince(record))}: on demand, as ${whoAllows(record)}`);
  if (prefer.burnt.size > 0) {
    const instead = isBurnt(offer, prefer) ? "and nothing else that fits has capacity: there all the same" : "passed over for now";
    reasons.push(`it was taken back too often in ${[...prefer.burnt.keys()].join(" and ")}, ${instead}`);
  }
  if (prefer.shaken.has(offerKey(offer))) reasons.push("its pool has just taken machines back, and nothing else is about as cheap");
  else if (prefer.shaken.size > 0) reasons.push(`machines were taken back a moment ago in ${[...prefer.shaken].join(" and ")}`);
  return reasons.length === 0 ? null : reasons.join("; ");
}

function whoAllows({ outlook }: Pick<InstanceRecord, "outlook">): string {
  return outlook.comeback?.allow.includes("on-demand") === true ? "its restore allows" : "--fallback-after says";
}

/** How long until it is worth another look, in milliseconds; 0 when it is now. */
export function waitsForMs({ outlook }: Pick<InstanceRecord, "outlook">, now: number): number {
  const { waiting } = outlook;
  // A clock that was set back must not make it wait for longer than it ever would.
  return waiting === null ? 0 : Math.min(2 * RAREST_LOOK_MS, Math.max(0, waiting.nextLook - now));
}
