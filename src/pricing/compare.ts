import { productName } from "../model/gpu-names.ts";
import type { Billing } from "../model/instance.ts";
import { costOf, type Money, savingsShare } from "../model/money.ts";
import type { Offer } from "../model/offer.ts";
import { BUNDLED_RATE } from "./currency.ts";
import type { WorkModel } from "./effective.ts";
import { type RankedOffer, rankOffers } from "./rank.ts";

/** A monthly commitment is paid for every hour of 30 days. */
export const HOURS_OF_A_MONTH = 720;
const MS_PER_HOUR = 3_600_000;

/** How much is to be computed: useful hours in all, within so many months of 30 days. */
export interface Workload {
  readonly hours: number;
  readonly months: number;
}

/** One way to pay for the workload. */
export interface ComparedOption {
  readonly billing: Billing;
  readonly ranked: RankedOffer;
  /** Hours that are paid: the lost work of spot and the idle hours of a month included. */
  readonly hoursBilled: number;
  readonly total: Money;
  /** Against on demand; null without an on-demand price. */
  readonly savings: number | null;
}

/** From how many useful hours in a month the monthly price is the cheaper one; null when it never is. */
export interface BreakEven {
  readonly against: "on-demand" | "spot";
  readonly hoursPerMonth: number | null;
}

/** All ways to pay for one kind of machine, cheapest first. */
export interface Comparison {
  readonly model: string;
  /** See `productName`. */
  readonly product: string;
  readonly count: number;
  readonly currency: string;
  readonly options: readonly ComparedOption[];
  readonly breakEven: readonly BreakEven[];
}

/** A job of so many hours: a monthly commitment is bought for as many months as the hours need at least. */
export function jobOf(hours: number): Workload {
  return { hours, months: Math.max(1, Math.ceil(hours / HOURS_OF_A_MONTH)) };
}

/** One month of 30 days with so many useful hours a day. */
export function monthOf(hoursPerDay: number): Workload {
  return { hours: hoursPerDay * 30, months: 1 };
}

function hoursBilled(ranked: RankedOffer, workload: Workload): number {
  if (ranked.offer.billing === "monthly") return workload.months * HOURS_OF_A_MONTH;
  return workload.hours * (1 + ranked.effective.lostShare);
}

/** What stands on the bill for the workload. */
function totalOf(ranked: RankedOffer, workload: Workload): Money {
  const { offer, effective } = ranked;
  // Spot is reckoned at its effective price for useful hours, so that it agrees with what `offers` shows.
  if (offer.billing === "monthly") return costOf(offer.price, workload.months * HOURS_OF_A_MONTH * MS_PER_HOUR);
  return costOf(effective.price, workload.hours * MS_PER_HOUR);
}

function breakEven(monthly: RankedOffer, other: RankedOffer, against: BreakEven["against"]): BreakEven {
  const perUsefulHour = other.effective.price.micros;
  const hours = Number((monthly.offer.price.micros * BigInt(HOURS_OF_A_MONTH) * 1000n) / perUsefulHour) / 1000;
  return { against, hoursPerMonth: hours <= HOURS_OF_A_MONTH ? hours : null };
}

function compareOne(group: readonly RankedOffer[], workload: Workload): Pick<Comparison, "options" | "breakEven"> {
  const cheapest = (billing: Billing) => group.find((ranked) => ranked.offer.billing === billing && ranked.offer.stock !== 0);
  const onDemand = cheapest("on-demand");
  const spot = cheapest("spot");
  const monthly = cheapest("monthly");
  const baseline = onDemand === undefined ? undefined : totalOf(onDemand, workload);
  const options = [onDemand, spot, monthly]
    .filter((ranked) => ranked !== undefined)
    .map((ranked) => {
      const total = totalOf(ranked, workload);
      return {
        billing: ranked.offer.billing,
        ranked,
        hoursBilled: hoursBilled(ranked, workload),
        total,
        savings: baseline === undefined ? null : savingsShare(total, baseline),
      };
    })
    .sort((a, b) => (a.total.micros < b.total.micros ? -1 : a.total.micros > b.total.micros ? 1 : 0));
  const breakEvens: BreakEven[] = [];
  if (monthly !== undefined && onDemand !== undefined) breakEvens.push(breakEven(monthly, onDemand, "on-demand"));
  if (monthly !== undefined && spot !== undefined) breakEvens.push(breakEven(monthly, spot, "spot"));
  return { options, breakEven: breakEvens };
}

/** Compares, for each GPU and count on offer, the cheapest machine of each billing mode. Sold-out offers do not count. */
export function compareOffers(offers: readonly Offer[], workload: Workload, work: WorkModel): readonly Comparison[] {
  const groups = new Map<string, RankedOffer[]>();
  // Each group has one currency: no rate has a say in who is the cheapest of it.
  for (const ranked of rankOffers(offers, {}, "effective", work, BUNDLED_RATE)) {
    const { gpu, price } = ranked.offer;
    const key = `${productName(gpu)}\u0000${String(gpu.count).padStart(4, "0")}\u0000${price.currency}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [ranked]);
    else group.push(ranked);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]) => {
      const first = group[0];
      if (first === undefined) return [];
      const { gpu, price } = first.offer;
      return [{ model: gpu.model, product: productName(gpu), count: gpu.count, currency: price.currency, ...compareOne(group, workload) }];
    })
    .filter((comparison) => comparison.options.length > 0);
}
