import { EXIT } from "../../model/exit-codes.ts";
import type { Offer } from "../../model/offer.ts";
import { Problem } from "../../model/problem.ts";
import type { ProviderError } from "../../providers/errors.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { NO_CAPACITY, offerKey } from "../deciding/offer-choice.ts";
import { onDemandFrom, waitFor, waitsForMs } from "../deciding/waiting.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";

/** An offer that just said no is passed over for this long (the same three minutes as Karpenter's). */
export const BLOCK_MS = 180_000;

/** What a refusal says of a limit: how much of the market it holds for, and why. */
export interface Quota {
  readonly scope: "region" | "provider";
  readonly why: string;
}

/**
 * Why an offer is passed over for a while after a refusal; null where it is not. In words that are the same for whatever the
 * refusal holds for: what is waited for is told once for each reason.
 */
export function passedOverFor({ fault, message }: ProviderError, { provider, region }: Offer): string | null {
  switch (fault.kind) {
    case "no-capacity":
      return NO_CAPACITY;
    case "price-too-low":
      return `${provider} asks more than the price limit by now`;
    case "quota":
      return `${fault.scope === "region" ? `${provider} ${region}` : provider} allows no more (${message})`;
    default:
      return null;
  }
}

/** A quota or a balance that is used up is so for every offer of its provider, or of its region there: none of them is asked for one by one. */
export async function passOver(fleet: Fleet, offers: readonly Offer[], { provider, region }: Offer, { scope, why }: Quota): Promise<void> {
  const until = fleet.clock.now() + BLOCK_MS;
  const blockOffers = offers
    .filter((offer) => offer.provider === provider && (scope === "provider" || offer.region === region))
    .map((offer) => ({ key: offerKey(offer), until, why }));
  await fleet.state.commit({ blockOffers });
}

/** Writes down that it waits, why, and until when; an event tells it once for each reason. */
export async function noteWaiting(fleet: Fleet, record: InstanceRecord, reason: string): Promise<InstanceRecord> {
  const now = fleet.clock.now();
  const waiting = waitFor(record, reason, now, fleet.rng.next());
  const { nextLook } = waiting;
  const told =
    record.outlook.waiting?.reason === reason
      ? []
      : [eventOf({ ...fleet, because: reason }, record, "action", { action: "wait", nextLook, onDemandFrom: onDemandFrom(record) })];
  return changeRecord(fleet, record, { reason, outlook: { ...record.outlook, waiting } }, { events: told });
}

/** How long a step that found no capacity is not worth another try, in milliseconds; 0 where that is not what stopped it. */
export async function untilCapacityIsAsked(fleet: Fleet, id: string, problem: unknown): Promise<number> {
  if (!(problem instanceof Problem) || problem.code !== "SPOT_E_NO_CAPACITY") return 0;
  const record = await fleet.state.instance(id);
  return record === undefined ? 0 : waitsForMs(record, fleet.clock.now());
}

/** @throws Problem always (exit 5): a moment ago there was no machine for it, and it is too early to ask again. */
export function stillWaiting({ name, outlook }: InstanceRecord): never {
  const { waiting } = outlook;
  const next = waiting === null ? "" : `; looks again at ${new Date(waiting.nextLook).toISOString().slice(11, 19)}Z`;
  throw new Problem({
    code: "SPOT_E_NO_CAPACITY",
    message: `no machine for ${name}: ${waiting?.reason ?? "there is no capacity"}${next}`,
    exit: EXIT.noCapacity,
    retryable: true,
    next: ["spot offers"],
  });
}
