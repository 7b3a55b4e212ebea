import type { Interruptions } from "./checkpoint-interval.ts";
import type { Comeback } from "./comeback.ts";
import type { Gpu } from "./gpu.ts";
import type { Billing } from "./instance.ts";
import type { MeasuredSeal } from "./measured-seal.ts";
import type { WakeUnderWay } from "./wake.ts";
import type { WorkloadEnd } from "./workload-end.ts";

/** A machine that its provider took back, or was about to. */
export interface Reclaim {
  /** The provider's id of the machine: a notice and the loss that follows it are one. */
  readonly machine: string;
  /** `provider/region/zone/type/billing`, as offers are kept apart. */
  readonly pool: string;
  /** When we learnt of it, in epoch milliseconds. */
  readonly at: number;
  /** How long it had served until then, in milliseconds; null when it never did. */
  readonly ranMs: number | null;
}

/** Why an instance has no machine now, and when it is worth another look. */
export interface Waiting {
  /** For people; without times, so that it changes only when the reason does. */
  readonly reason: string;
  /** When that reason began, in epoch milliseconds: the longer it lasts, the rarer the looks. */
  readonly since: number;
  readonly nextLook: number;
}

/** What a look at the spot market found, for an instance that runs on demand and may go back. */
export interface SpotLook {
  readonly at: number;
  readonly nextLook: number;
  /** Since when every look found an offer worth going back to; null when the last one found none. */
  readonly since: number | null;
  /** The best offer of the last look: its pool, and on-demand price / spot price; null without one. */
  readonly best: { readonly pool: string; readonly ratio: number } | null;
}

/** A machine that was rented ahead: it boots while the one before it still seals, and takes its place when that is gone. */
export interface Successor {
  /** Of the launch; the machine carries it. */
  readonly token: string;
  /** Null until the provider has said it. */
  readonly providerId: string | null;
  readonly provider: string;
  readonly region: string;
  readonly zone: string;
  readonly type: string;
  readonly gpu: Gpu;
  readonly billing: Billing;
  /** Per hour, as a spec writes prices; null when the provider does not say. */
  readonly price: string | null;
  readonly onDemandPrice: string | null;
}

/** A checkpoint that was sealed as soon as there was a notice, while the work goes on. Times are epoch milliseconds. */
export interface EarlySeal {
  /** The provider's id of the machine. */
  readonly machine: string;
  readonly at: number;
  /** How long its hook and its seal took, in milliseconds; null when nothing came of it. */
  readonly tookMs: number | null;
  /** Until when the work goes on, as was last said; null before that. */
  readonly worksUntil: number | null;
}

/** What deciding remembers of an instance from one look to the next. Times are epoch milliseconds. */
export interface Outlook {
  /** Since when it is in need of a machine; null while it has one that serves, or rests. */
  readonly needsSince: number | null;
  /** From the answer to a launch until it served, as last measured; null before the first time. */
  readonly changeoverMs: number | null;
  /** Where and when that was seen; absent from a record that was written before it was kept: it may then be until somebody looked. */
  readonly changeoverOf?: { readonly provider: string; readonly at: number };
  /** The newest last, the last sixteen. */
  readonly reclaims: readonly Reclaim[];
  readonly waiting: Waiting | null;
  readonly spot: SpotLook | null;
  /** Since when its machine's price is above what was allowed; null while it is not, or nobody says. */
  readonly dearSince: number | null;
  /** When it was last told to seal because of a neighbour's notice. */
  readonly precautionAt: number | null;
  /** The machine that is to take the place of the present one; it is paid for from its beginning. */
  readonly successor: Successor | null;
  /** When one was last asked for in vain. */
  readonly refusedAheadAt: number | null;
  /** Absent from a record that was written before this was known, as null. */
  readonly early?: EarlySeal | null;
  /** When it was last said that its machine does not come to serve; absent: never. */
  readonly overdueToldAt?: number;
  /** When a checkpoint was last tried of a machine whose sleep or end was put off; absent: never. */
  readonly sealedAgainAt?: number;
  /** From when on it sleeps or ends even if nothing can be sealed of it, because its time is up; null or absent: never. */
  readonly endsUnsealedAt?: number | null;
  /** How often its machine was said to be interrupted when it was ordered, from which its agent chooses when to seal; absent: not known. */
  readonly interruptions?: Interruptions;
  /** What its agent last said of its checkpoints; absent: nothing yet. */
  readonly sealing?: MeasuredSeal;
  /** What the restore under way may do; null or absent: none is. */
  readonly comeback?: Comeback | null;
  /** Until when a machine of it that is gone may have written on its volume, whoever watched; absent: none did, that is not in the ledger. */
  readonly usedUntil?: number;
  /** When its machine, about to be ended, was last seen not to have begun; absent: it may have. */
  readonly unusedAt?: number;
  /** Our ids of the volumes that a machine of it was given as copies, and of those that they stood in for; absent: none. */
  readonly given?: readonly string[];
  /** Our ids of the volumes to which a checkpoint was on its way while a machine of it had them: what has arrived there stays; absent: none. */
  readonly vessels?: readonly string[];
  /** Until when a machine worked that was lost then, or ended without a last checkpoint: what it sealed may not be known; absent: none. */
  readonly unsealedUntil?: number;
  /** How far the wake under way has come; null or absent: none is. */
  readonly wake?: WakeUnderWay | null;
  /** How the workload of its machine ended, when its agent said so last; null or absent: it has not, or nobody heard. */
  readonly ended?: WorkloadEnd | null;
}

export const FRESH_OUTLOOK: Outlook = {
  needsSince: null,
  changeoverMs: null,
  reclaims: [],
  waiting: null,
  spot: null,
  dearSince: null,
  precautionAt: null,
  successor: null,
  refusedAheadAt: null,
};

/** The same once a way back has ended, well or not. */
export function withoutComeback({ comeback: _, ...outlook }: Outlook): Outlook {
  return outlook;
}
