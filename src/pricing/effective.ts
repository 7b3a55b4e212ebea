import { ASSUMED_BETWEEN_SECONDS, ASSUMED_CHECKPOINT_SECONDS } from "../model/checkpoint-interval.ts";
import type { Money } from "../model/money.ts";
import type { Offer } from "../model/offer.ts";

/** How a workload saves its work; decides what an interruption costs. */
export interface WorkModel {
  readonly checkpointIntervalSeconds: number;
  /** Time in which the GPU waits for one checkpoint to be written. */
  readonly checkpointSeconds: number;
  /** From the reclaim until the replacement computes again. */
  readonly restartSeconds: number;
  /** Interruptions per instance-hour taken where the provider says nothing. */
  readonly assumedInterruptionsPerHour: number;
}

/** A checkpoint of 5 s every 10 minutes, 5 minutes to come back, and one interruption in 20 hours where nobody knows better. */
export const USUAL_WORK: WorkModel = {
  checkpointIntervalSeconds: 600,
  checkpointSeconds: ASSUMED_CHECKPOINT_SECONDS,
  restartSeconds: 300,
  assumedInterruptionsPerHour: 3600 / ASSUMED_BETWEEN_SECONDS,
};

export interface EffectivePrice {
  /** Per useful instance-hour. */
  readonly price: Money;
  /** Work that is paid for a second time or waited for, as a share of the useful hours. */
  readonly lostShare: number;
  readonly interruptionsPerHour: number;
  /** Where the interruptions come from: the provider's word, our assumption, or a billing mode that has none. */
  readonly basis: "provider" | "assumed" | "uninterrupted";
}

/** A notice is heard by polling, and a seal takes as long again where it has to be sure. */
const HEARD_WITHIN_SECONDS = 10;

/** Whether a notice of that length is enough to save what was done since the last checkpoint. */
export function noticeSavesWork(noticeSeconds: number, { checkpointSeconds }: WorkModel): boolean {
  return noticeSeconds >= HEARD_WITHIN_SECONDS + 2 * checkpointSeconds;
}

/**
 * The share of work lost on a machine that is interrupted `interruptionsPerHour` times an hour. First order, after
 * Young (1974) and Daly (2006): each interruption costs half a checkpoint interval and the restart; each interval costs
 * its checkpoint. Where the notice is long enough, the interruption costs one more checkpoint instead of half an interval.
 */
export function lostShare(interruptionsPerHour: number, work: WorkModel, noticeSeconds = 0): number {
  const lostSeconds = noticeSavesWork(noticeSeconds, work) ? work.checkpointSeconds : work.checkpointIntervalSeconds / 2;
  const hoursPerInterruption = (lostSeconds + work.restartSeconds) / 3600;
  return interruptionsPerHour * hoursPerInterruption + work.checkpointSeconds / work.checkpointIntervalSeconds;
}

/** The price × (1 + lost share), rounded half up to the millionth. On demand and by the month nothing is lost. */
export function effectivePrice(
  offer: Pick<Offer, "price" | "billing" | "interruptionsPerHour" | "noticeSeconds">,
  work: WorkModel,
): EffectivePrice {
  if (offer.billing !== "spot") return { price: offer.price, lostShare: 0, interruptionsPerHour: 0, basis: "uninterrupted" };
  const interruptionsPerHour = offer.interruptionsPerHour ?? work.assumedInterruptionsPerHour;
  const share = lostShare(interruptionsPerHour, work, offer.noticeSeconds);
  return {
    price: timesShare(offer.price, 1 + share),
    lostShare: share,
    interruptionsPerHour,
    basis: offer.interruptionsPerHour === null ? "assumed" : "provider",
  };
}

const PARTS = 1_000_000n;

/** Money times a factor that is known to the millionth, rounded half up. */
export function timesShare(money: Money, factor: number): Money {
  const parts = BigInt(Math.round(factor * Number(PARTS)));
  return { micros: (money.micros * parts + PARTS / 2n) / PARTS, currency: money.currency };
}
