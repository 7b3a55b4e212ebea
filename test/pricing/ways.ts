import fc from "fast-check";
import { moneyFromDecimal } from "../../src/model/money.ts";
import type { Offer } from "../../src/model/offer.ts";
import { compareWays } from "../../src/pricing/comparison/compare.ts";
import type { Ask } from "../../src/pricing/comparison/demand.ts";
import type { CompareInput } from "../../src/pricing/comparison/groups.ts";
import { HOUR_MS, hoursMs, MONTH_MS } from "../../src/pricing/comparison/tariff.ts";
import type { MachineWay, TokenWay } from "../../src/pricing/comparison/way.ts";
import { exchangeRateFrom } from "../../src/pricing/currency.ts";
import { USUAL_WORK } from "../../src/pricing/effective.ts";

export const usd = (text: string) => moneyFromDecimal(text, "USD");
export const cny = (text: string) => moneyFromDecimal(text, "CNY");
export const MILLION = 1_000_000n;

export function offer(set: Partial<Offer> = {}): Offer {
  return {
    provider: "local",
    region: "r",
    zone: "r-a",
    type: "h100.1",
    gpu: { model: "H100", count: 1, vramGb: 80 },
    vcpus: 8,
    memoryGb: 64,
    billing: "spot",
    price: usd("1"),
    onDemandPrice: usd("3"),
    stock: 4,
    noticeSeconds: 0,
    protectionSeconds: 0,
    interruptionsPerHour: 0.1,
    source: "live",
    observedAt: 0,
    ...set,
  };
}

export const plainAsk: Ask = { job: null, profile: null, tokensPerDay: null, throughput: null, utilisation: MILLION };
export const jobOf = (hours: number): Ask => ({ ...plainAsk, job: { ms: hoursMs(hours), deadlineMs: null } });
export const monthOf = (hours: number): Ask => ({ ...plainAsk, profile: [{ ms: hoursMs(hours), machines: MILLION }] });

export function compared(set: Partial<CompareInput>) {
  return compareWays({
    offers: [],
    rows: [],
    api: null,
    ask: plainAsk,
    work: USUAL_WORK,
    rate: exchangeRateFrom("6.77"),
    gpu: null,
    isByProvider: false,
    isInventedAsked: true,
    now: 0,
    ...set,
  });
}

const NOTHING_LOST: MachineWay["loss"] = {
  lostShare: 0,
  terms: { lostWork: 0, checkpoints: 0, restarts: 0 },
  finishes: true,
  interruptionsPerHour: 0,
  basis: "uninterrupted",
};

export function way(set: Partial<MachineWay> = {}): MachineWay {
  const price = { price: usd("1"), perMs: HOUR_MS };
  return {
    name: "w",
    billing: "on-demand",
    isLong: false,
    sticker: price,
    effective: price,
    loss: NOTHING_LOST,
    plus: null,
    termMs: 0n,
    stepMs: 0n,
    gpus: 1,
    tokensPerSecond: null,
    ranked: null,
    ...set,
  };
}

export const anyAsk: fc.Arbitrary<Ask> = fc.record({
  job: fc.option(
    fc.record({
      ms: fc.integer({ min: 1, max: 400 }).map(hoursMs),
      deadlineMs: fc.option(fc.integer({ min: 100, max: 800 }).map(hoursMs)),
    }),
    { freq: 1 },
  ),
  profile: fc.option(
    fc.array(
      fc.record({
        ms: fc.integer({ min: 1, max: 8 }).map(hoursMs),
        machines: fc.integer({ min: 0, max: 4_000_000 }).map((one) => BigInt(one) + 1n),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  ),
  tokensPerDay: fc.option(fc.integer({ min: 1, max: 400_000_000 }).map(BigInt)),
  throughput: fc.option(fc.integer({ min: 300, max: 5_000 }).map((perSecond) => BigInt(perSecond) * MILLION)),
  utilisation: fc.integer({ min: 200_000, max: 1_000_000 }).map(BigInt),
});

// Near enough to each other that mixes pay: a month is 80 to 700 hours' worth, and a yuan a seventh of a dollar.
export const anyWay: fc.Arbitrary<MachineWay> = fc
  .record({
    isLong: fc.boolean(),
    micros: fc.bigInt({ min: 300_000n, max: 3_000_000n }),
    hours: fc.bigInt({ min: 80n, max: 700n }),
    gpus: fc.integer({ min: 1, max: 3 }),
    currency: fc.constantFrom("USD", "CNY"),
    index: fc.nat(),
  })
  .map(({ isLong, micros, hours, gpus, currency, index }) => {
    const price = { micros: micros * BigInt(gpus) * (currency === "CNY" ? 7n : 1n) * (isLong ? hours : 1n), currency };
    const tariff = { price, perMs: isLong ? MONTH_MS : HOUR_MS };
    const billing = isLong ? "monthly" : "spot";
    const bound = isLong ? { termMs: MONTH_MS, stepMs: MONTH_MS } : {};
    return way({ name: `w${index}`, isLong, billing, sticker: tariff, effective: tariff, gpus, ...bound });
  });

export const anyApi = fc.option(
  fc
    .record({ micros: fc.bigInt({ min: 20_000n, max: 4_000_000n }), currency: fc.constantFrom("USD", "CNY") })
    .map((perMillion): TokenWay => ({ name: "api", perMillion })),
);
