import { type Money, moneyJson } from "../model/money.ts";
import type { TokenBreakEven } from "../pricing/comparison/break-even.ts";
import type { ComparedOption, Comparison } from "../pricing/comparison/compare.ts";
import type { Ask } from "../pricing/comparison/demand.ts";
import type { Mix } from "../pricing/comparison/mix.ts";
import { HOUR_MS, MONTH_MS, type Tariff } from "../pricing/comparison/tariff.ts";
import { isRentable } from "../pricing/spot-terms.ts";

const hours = (ms: bigint) => Number(ms) / Number(HOUR_MS);
const moneyOrNull = (money: Money | null) => (money === null ? null : moneyJson(money));

/** A span in words: `hour`, `month`, `36 months`, `730 hours`. */
function spanText(ms: bigint): string {
  if (ms === HOUR_MS) return "hour";
  if (ms % MONTH_MS === 0n) return ms === MONTH_MS ? "month" : `${ms / MONTH_MS} months`;
  return `${hours(ms)} hours`;
}

function tariffJson({ price, perMs }: Tariff) {
  return { ...moneyJson(price), per: spanText(perMs), of: "instance", perHours: hours(perMs) };
}

function machineJson({ way }: ComparedOption) {
  if (way === null) return {};
  const offer = way.ranked?.offer;
  return {
    provider: offer?.provider ?? null,
    region: offer?.region ?? null,
    zone: offer?.zone ?? null,
    type: offer?.type ?? null,
    price: tariffJson(way.sticker),
    plus: way.plus === null ? null : tariffJson(way.plus),
    effectivePrice: tariffJson(way.effective),
    effective: way.loss,
    gpus: way.gpus,
    termHours: hours(way.termMs),
    source: offer?.source ?? "given",
    observedAt: offer === undefined ? null : new Date(offer.observedAt).toISOString(),
    rentable: offer === undefined ? null : isRentable(offer.provider),
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
    parts: mix.parts.map(({ role, way, machines, usefulMs, hoursPaid, tokens, cost, worth }) => ({
      role,
      name: way.name,
      machines: machines === null ? null : Number(machines),
      usefulHours: hours(usefulMs),
      hoursPaid,
      tokens: Number(tokens),
      cost: moneyJson(cost),
      worth: moneyJson(worth),
    })),
    total: { ...moneyJson(mix.total), basis: "estimated" },
  };
}

function tokenJson({ way, api, perPaidHour, perDay, tokens, can, isReachable }: TokenBreakEven) {
  return {
    of: way.name,
    against: api.name,
    tokensPerPaidHour: Number(perPaidHour),
    tokensPerDay: perDay === null ? null : Number(perDay),
    tokens: tokens === null ? null : Number(tokens),
    // What one machine makes: a day, in all of a job, or by the hour in an hour.
    makes: can === null ? null : Number(can),
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
    hoursBreakEven: comparison.hours.map(({ long, against, ms, canMs, ofMs, tokens }) => ({
      of: long.name,
      against: against.name,
      // Of the other machine, in a month.
      hoursPerMonth: ms === null ? null : hours((ms * MONTH_MS) / ofMs),
      // The same in the time that is paid for, and up to how many one machine does.
      hours: ms === null ? null : hours(ms),
      upToHours: hours(canMs),
      ofHours: hours(ofMs),
      tokens: tokens === null ? null : Number(tokens),
    })),
    tokenBreakEven: comparison.tokens.map(tokenJson),
    mix: mix === null ? null : { ...mixJson(mix), savings: mixSavings },
    unable: comparison.unable.map(({ name }) => name),
    leftOut: comparison.unable,
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
