import type { Billing } from "../../model/instance.ts";
import type { Money } from "../../model/money.ts";
import type { EffectivePrice } from "../effective.ts";
import type { RankedOffer } from "../rank.ts";
import { MONTH_MS, perHour, type Tariff } from "./tariff.ts";

/** What is paid on spot beside the useful hours, and by whose word. */
export type Loss = Omit<EffectivePrice, "price">;

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
  readonly loss: Loss;
  /** Paid beside the price for as long: power, space, hands. */
  readonly plus: Tariff | null;
  /** How long it is bound for at least, in milliseconds; 0 for what can be given back at any time. */
  readonly termMs: bigint;
  /** For what is paid for a time: of which spans that time is made where the work decides how long it is; 0 for the others. */
  readonly stepMs: bigint;
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
  const { price: useful, ...loss } = effective;
  const isLong = offer.billing === "monthly";
  return {
    name: `${offer.provider} ${offer.billing}`,
    billing: offer.billing,
    isLong,
    sticker: perHour(offer.price),
    effective: perHour(useful),
    loss,
    plus: null,
    termMs: isLong ? MONTH_MS : 0n,
    stepMs: isLong ? MONTH_MS : 0n,
    gpus: offer.gpu.count,
    tokensPerSecond: null,
    ranked,
  };
}
