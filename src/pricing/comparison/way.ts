import type { Billing } from "../../model/instance.ts";
import type { Money } from "../../model/money.ts";
import type { RankedOffer } from "../rank.ts";
import { MONTH_MS, perHour, type Tariff } from "./tariff.ts";

/** A machine that can be paid for, whole, in one way. */
export interface MachineWay {
  /** For people: where it comes from, or what its owner calls it. */
  readonly name: string;
  readonly billing: Billing | "owned";
  /** Paid for every hour of its term, used or not; else by the hour that it runs. */
  readonly isLong: boolean;
  /** What stands on the price list. */
  readonly sticker: Tariff;
  /** What a useful hour costs: on spot with the work that is lost, else the same. */
  readonly effective: Tariff;
  /** Of the useful hours, what is paid beside them on spot. */
  readonly lostShare: number;
  /** Paid beside the price for as long: power, space, hands. */
  readonly plus: Tariff | null;
  /** How long it is bound for at least, in milliseconds; 0 for what can be given back at any time. */
  readonly termMs: bigint;
  readonly gpus: number;
  /** Millionths of a token a second of the whole machine; null where it follows from its GPUs. */
  readonly tokensPerSecond: bigint | null;
  /** The offer that it is; null for a row that a person described. */
  readonly ranked: RankedOffer | null;
}

/** An API that is paid by the token. */
export interface TokenWay {
  readonly name: string;
  readonly perMillion: Money;
}

/** An offer as a way to pay. A monthly price is stated per hour of a month of 30 days, and paid for all of them. */
export function offeredWay(ranked: RankedOffer): MachineWay {
  const { offer, effective } = ranked;
  const isLong = offer.billing === "monthly";
  return {
    name: `${offer.provider} ${offer.billing}`,
    billing: offer.billing,
    isLong,
    sticker: perHour(offer.price),
    effective: perHour(effective.price),
    lostShare: effective.lostShare,
    plus: null,
    termMs: isLong ? MONTH_MS : 0n,
    gpus: offer.gpu.count,
    tokensPerSecond: null,
    ranked,
  };
}
