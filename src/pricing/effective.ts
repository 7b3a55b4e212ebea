import { ASSUMED_BETWEEN_SECONDS, ASSUMED_CHECKPOINT_SECONDS, checkpointInterval } from "../model/checkpoint-interval.ts";
import type { Money } from "../model/money.ts";
import type { Offer } from "../model/offer.ts";
import { type InterruptedWork, type LostTerms, lostTerms } from "./interrupted-work.ts";
import { type Experience, rateByHistory } from "./interruption-rate.ts";
import { isRentable } from "./spot-terms.ts";
import { MOST_PER_HOUR } from "./work-text.ts";

/** Where a figure comes from: whoever asks said it, our own machines were measured, or nobody knows. */
export type WorkBasis = "given" | "history" | "assumed";

/** How a workload saves its work, and what else decides what an interruption costs. */
export interface WorkModel {
  readonly checkpointIntervalSeconds: number;
  /** Time in which the GPU waits for one checkpoint to be written. */
  readonly checkpointSeconds: number;
  /** What is paid of a replacement until it computes: it boots, mounts and restores. Waiting for a machine is not paid. */
  readonly restartSeconds: number;
  /** Interruptions per instance-hour taken where neither the provider nor our history says anything. */
  readonly assumedInterruptionsPerHour: number;
  /** The interval is Daly's for each offer's own rate, as the agent chooses it; `checkpointIntervalSeconds` does not count. */
  readonly isDaly?: boolean;
  /** Holds for every offer, whatever is known of it. */
  readonly given?: {
    readonly interruptionsPerHour?: number;
    readonly noticeSeconds?: number;
    readonly protectionSeconds?: number;
  };
  /** How our own machines fared, by kind. */
  readonly history?: readonly Experience[];
  /** What our own machines took until they served, where that was measured; counts unless the time is given. */
  readonly restarts?: readonly { readonly provider: string; readonly seconds: number }[];
  /** Where the times come from; absent: assumed. */
  readonly basis?: { readonly checkpointInterval?: WorkBasis; readonly checkpoint?: WorkBasis; readonly restart?: WorkBasis };
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
  /** What is paid beside the useful hours, as a share of them: the sum of the terms. */
  readonly lostShare: number;
  readonly terms: LostTerms;
  /** False: so little gets done that a useful hour costs more than `MOST_PAID_HOURS`, and the price is that of so many. */
  readonly finishes: boolean;
  readonly interruptionsPerHour: number;
  /**
   * Where the interruptions come from: whoever asks said it, the provider's word, our own machines, an assumption of ours, or
   * a billing mode that has none.
   */
  readonly basis: "given" | "provider" | "history" | "assumed" | "uninterrupted";
}

const NOTHING_LOST: LostTerms = { lostWork: 0, checkpoints: 0, restarts: 0 };

type PricedOffer = Pick<Offer, "price" | "billing" | "interruptionsPerHour" | "noticeSeconds"> &
  Partial<Pick<Offer, "provider" | "region" | "type" | "protectionSeconds" | "source">>;

/** Where each figure comes from that an effective price is reckoned from. */
export interface WorkSources {
  readonly interruptions: EffectivePrice["basis"];
  /** Unknown: nobody has told us that cloud's terms, and none are taken. */
  readonly protection: "given" | "provider" | "unknown";
  readonly notice: "given" | "provider" | "unknown";
  readonly checkpointInterval: WorkBasis | "daly";
  readonly checkpoint: WorkBasis;
  readonly restart: WorkBasis;
}

function rateOf(offer: PricedOffer, work: WorkModel, protectionSeconds: number): readonly [number, WorkSources["interruptions"]] {
  const said = work.given?.interruptionsPerHour;
  if (said !== undefined) return [said, "given"];
  const theirs = offer.interruptionsPerHour;
  if (theirs !== null && theirs >= 0) return [theirs, "provider"];
  const { provider, region, type } = offer;
  const own = work.history?.find((past) => past.provider === provider && past.region === region && past.type === type);
  const ours = own === undefined ? null : rateByHistory(own, work.assumedInterruptionsPerHour, protectionSeconds);
  return ours === null ? [work.assumedInterruptionsPerHour, "assumed"] : [ours, "history"];
}

/** Whether somebody has said how a machine ends there: its cloud itself, or its documents. */
export function areTermsKnown({ source = "live", provider = "" }: Partial<Pick<Offer, "source" | "provider">>): boolean {
  return source === "live" || isRentable(provider);
}

/** What the effective price of an offer on spot is reckoned from, and where each figure comes from. */
export function workOn(offer: PricedOffer, work: WorkModel): { readonly work: InterruptedWork; readonly from: WorkSources } {
  const { checkpointSeconds, given, basis } = work;
  const protectionSeconds = given?.protectionSeconds ?? offer.protectionSeconds ?? 0;
  const [rate, interruptions] = rateOf(offer, work, protectionSeconds);
  const interruptionsPerHour = Math.min(MOST_PER_HOUR, rate);
  const measured = basis?.restart === "given" ? undefined : work.restarts?.find(({ provider }) => provider === offer.provider);
  const terms = areTermsKnown(offer) ? "provider" : "unknown";
  // Whatever is rarer than once in a hundred thousand years is the same to it.
  const between = 3600 / Math.max(interruptionsPerHour, 1e-9);
  return {
    work: {
      interruptionsPerHour,
      noticeSeconds: given?.noticeSeconds ?? offer.noticeSeconds,
      protectionSeconds,
      checkpointIntervalSeconds: work.isDaly ? checkpointInterval(checkpointSeconds, between) : work.checkpointIntervalSeconds,
      checkpointSeconds,
      restartSeconds: measured?.seconds ?? work.restartSeconds,
    },
    from: {
      interruptions,
      protection: given?.protectionSeconds === undefined ? terms : "given",
      notice: given?.noticeSeconds === undefined ? terms : "given",
      checkpointInterval: work.isDaly ? "daly" : (basis?.checkpointInterval ?? "assumed"),
      checkpoint: basis?.checkpoint ?? "assumed",
      restart: measured === undefined ? (basis?.restart ?? "assumed") : "history",
    },
  };
}

/**
 * The price × (1 + lost work + checkpoints + restarts), rounded half up to the millionth; see `lostTerms`. On demand and by the
 * month nothing is lost.
 */
export function effectivePrice(offer: PricedOffer, work: WorkModel): EffectivePrice {
  if (offer.billing !== "spot")
    return { price: offer.price, lostShare: 0, terms: NOTHING_LOST, finishes: true, interruptionsPerHour: 0, basis: "uninterrupted" };
  const { work: interrupted, from } = workOn(offer, work);
  const { terms, finishes } = lostTerms(interrupted);
  const lostShare = terms.lostWork + terms.checkpoints + terms.restarts;
  const { interruptionsPerHour } = interrupted;
  return { price: timesShare(offer.price, 1 + lostShare), lostShare, terms, finishes, interruptionsPerHour, basis: from.interruptions };
}

const PARTS = 1_000_000n;

/** Money times a factor that is known to the millionth, rounded half up. */
export function timesShare(money: Money, factor: number): Money {
  const parts = BigInt(Math.round(factor * Number(PARTS)));
  return { micros: (money.micros * parts + PARTS / 2n) / PARTS, currency: money.currency };
}
