import { type ExchangeRate, worthIn } from "../currency.ts";
import { apiTotal, type ComparedOption, type Comparison } from "./compare.ts";
import { type Ask, demandOf } from "./demand.ts";
import { singleOf } from "./mix.ts";
import { leastRental, longCost } from "./rental.ts";
import { HOUR_MS, hoursMs, MONTH_MS } from "./tariff.ts";
import type { TokenWay } from "./way.ts";

/** What each way costs when there is more or less to do. */
export interface Curves {
  readonly of: "hours" | "hours-a-day" | "tokens-a-day";
  /** Where the axis ends, in its unit. */
  readonly to: number;
  /** The workload that was asked for. */
  readonly asked: number;
  readonly lines: readonly { readonly option: ComparedOption; readonly points: readonly { readonly x: number; readonly y: number }[] }[];
}

/** Bills of whole machines rise by steps, which have to be seen as such. */
const STEPS = 160;

/** The same workload with another amount of it; the unit is that of the axis. */
function asking(ask: Ask, of: Curves["of"], amount: number): Ask {
  if (of === "hours") return { ...ask, job: { ms: hoursMs(amount), deadlineMs: ask.job?.deadlineMs ?? null } };
  if (of === "tokens-a-day") return { ...ask, tokensPerDay: BigInt(Math.round(amount)) };
  return { ...ask, profile: [{ ms: hoursMs(amount), machines: 1_000_000n }] };
}

function axisOf(ask: Ask, { demand }: Comparison): Omit<Curves, "lines"> | null {
  if (ask.job !== null) {
    const hours = Number(ask.job.ms) / Number(HOUR_MS);
    const most = ask.job.deadlineMs === null ? Number(MONTH_MS / HOUR_MS) : hours * 2;
    return { of: "hours", to: Math.max(most, hours * 1.25), asked: hours };
  }
  if (demand.unit === "tokens" && ask.tokensPerDay !== null)
    return { of: "tokens-a-day", to: Number(ask.tokensPerDay) * 2, asked: Number(ask.tokensPerDay) };
  const machines = (ask.profile ?? []).filter(({ machines }) => machines !== 1_000_000n);
  if (machines.length > 0 || (ask.profile ?? []).length > 1) return null;
  return { of: "hours-a-day", to: 24, asked: Number(ask.profile?.[0]?.ms ?? 24n * HOUR_MS) / Number(HOUR_MS) };
}

/** What each way of a comparison costs over more and less of its workload; null for a profile, which has no one axis. */
export function curvesOf(comparison: Comparison, ask: Ask, api: TokenWay | null, rate: ExchangeRate): Curves | null {
  const axis = axisOf(ask, comparison);
  if (axis === null) return null;
  const { currency, count, options } = comparison;
  const demands = Array.from({ length: STEPS + 1 }, (_, index) => {
    const x = (axis.to * index) / STEPS;
    // At nothing at all a machine that is paid for a time is paid for all the same.
    return { x, demand: demandOf(asking(ask, axis.of, index === 0 ? axis.to / 1e6 : x), count) };
  });
  const lines = options.flatMap((option) => {
    const { way, worth } = option;
    if (worth === null) return [];
    const points = demands.flatMap(({ x, demand }) => {
      const total = way === null ? (api === null ? null : apiTotal(api, demand, rate)) : wayTotal(way, demand, rate);
      const money = total === null ? null : worthIn(total, currency, rate);
      return money === null ? [] : [{ x, y: Number(money.micros) / 1e6 }];
    });
    return points.length < 2 ? [] : [{ option, points }];
  });
  return { ...axis, lines };
}

function wayTotal(way: Parameters<typeof singleOf>[0], demand: ReturnType<typeof demandOf>, rate: ExchangeRate) {
  const mix = singleOf(way, demand, { currency: way.sticker.price.currency, rate });
  if (mix === null) return null;
  return mix.parts.length === 0 && way.isLong ? longCost(way, leastRental(way, demand).paidMs) : mix.total;
}
