import { type Money, moneyJson } from "../model/money.ts";
import type { TokenBreakEven } from "../pricing/comparison/break-even.ts";
import type { ComparedOption, Comparison } from "../pricing/comparison/compare.ts";
import type { Ask } from "../pricing/comparison/demand.ts";
import type { Mix } from "../pricing/comparison/mix.ts";
import { HOUR_MS, MONTH_MS, type Tariff } from "../pricing/comparison/tariff.ts";

const hours = (ms: bigint) => Number(ms) / Number(HOUR_MS);
const moneyOrNull = (money: Money | null) => (money === null ? null : moneyJson(money));

function tariffJson({ price, perMs }: Tariff) {
  return { ...moneyJson(price), perHours: hours(perMs) };
}

function machineJson({ way }: ComparedOption) {
  if (way === null) return {};
  const { ranked } = way;
  const sticker = ranked === null ? tariffJson(way.sticker) : { ...moneyJson(ranked.offer.price), per: "hour", of: "instance" };
  const effective = ranked === null ? tariffJson(way.effective) : { ...moneyJson(ranked.effective.price), per: "hour", of: "instance" };
  return {
    ...(ranked === null
      ? { provider: null, region: null, zone: null, type: null }
      : { provider: ranked.offer.provider, region: ranked.offer.region, zone: ranked.offer.zone, type: ranked.offer.type }),
    price: sticker,
    effectivePrice: effective,
    effective: {
      interruptionsPerHour: ranked?.effective.interruptionsPerHour ?? null,
      lostShare: way.lostShare,
      basis: ranked?.effective.basis ?? (way.billing === "spot" ? "assumed" : "uninterrupted"),
    },
    gpus: way.gpus,
    termHours: hours(way.termMs),
    source: ranked === null ? "given" : ranked.offer.source,
    observedAt: ranked === null ? null : new Date(ranked.offer.observedAt).toISOString(),
  };
}

function optionJson(option: ComparedOption) {
  const { name, billing, machines, hoursBilled, total, stickerTotal, worth, savings, stickerSavings } = option;
  return {
    name,
    billing,
    ...machineJson(option),
    machines: machines === null ? null : Number(machines),
    hoursBilled,
    total: { ...moneyJson(total), basis: "estimated" },
    stickerTotal: { ...moneyJson(stickerTotal), basis: "estimated" },
    // In the currency of the comparison, by the rate that is shown.
    worth: moneyOrNull(worth),
    savings,
    stickerSavings,
  };
}

function mixJson(mix: Mix) {
  return {
    parts: mix.parts.map(({ role, way, machines, usefulMs, tokens, cost, worth }) => ({
      role,
      name: way.name,
      machines: machines === null ? null : Number(machines),
      usefulHours: hours(usefulMs),
      tokens: Number(tokens),
      cost: moneyJson(cost),
      worth: moneyJson(worth),
    })),
    total: { ...moneyJson(mix.total), basis: "estimated" },
  };
}

function tokenJson({ way, api, perPaidHour, perDay, isReachable }: TokenBreakEven) {
  return {
    of: way.name,
    against: api.name,
    tokensPerPaidHour: Number(perPaidHour),
    tokensPerDay: perDay === null ? null : Number(perDay),
    reachable: isReachable,
  };
}

/** One comparison of `spot.comparison/1`. */
export function comparisonJson(comparison: Comparison): unknown {
  const { model, product, count, currency, demand, options, breakEven, mix, mixSavings } = comparison;
  return {
    gpu: { model, product, count },
    currency,
    tokens: demand.tokens === null ? null : Number(demand.tokens),
    options: options.map(optionJson),
    breakEven,
    hoursBreakEven: comparison.hours.map(({ long, against, ms, ofMs, tokens }) => ({
      of: long.name,
      against: against.name,
      // Of the other machine, in a month.
      hoursPerMonth: ms === null ? null : hours((ms * MONTH_MS) / ofMs),
      tokens: tokens === null ? null : Number(tokens),
    })),
    tokenBreakEven: comparison.tokens.map(tokenJson),
    mix: mix === null ? null : { ...mixJson(mix), savings: mixSavings },
    unable: comparison.unable,
  };
}

/** The demand as it was asked for. */
export function demandJson({ job, profile, tokensPerDay, throughput, utilisation }: Ask): unknown {
  return {
    kind: job === null ? "month" : "job",
    deadlineHours: job?.deadlineMs == null ? null : hours(job.deadlineMs),
    profile: profile === null ? null : profile.map(({ ms, machines }) => ({ hours: hours(ms), machines: Number(machines) / 1e6 })),
    tokensPerDay: tokensPerDay === null ? null : Number(tokensPerDay),
    tokensPerSecondOfGpu: throughput === null ? null : Number(throughput) / 1e6,
    utilisation: Number(utilisation) / 1e6,
  };
}
