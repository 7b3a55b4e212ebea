import fc from "fast-check";
import { expect, test } from "vitest";
import { type Money, moneyFromDecimal, moneyToDecimal } from "../../src/model/money.ts";
import type { Offer } from "../../src/model/offer.ts";
import { hoursBreakEven, tokenBreakEven } from "../../src/pricing/comparison/break-even.ts";
import { type CompareInput, compareWays } from "../../src/pricing/comparison/compare.ts";
import { type Ask, demandOf, paceOf, unitsIn } from "../../src/pricing/comparison/demand.ts";
import { bestMix, longCost, mixOf, singleOf } from "../../src/pricing/comparison/mix.ts";
import { parseOwnRow } from "../../src/pricing/comparison/own-row.ts";
import { DAY_MS, HOUR_MS, hoursMs, MONTH_MS, parseSpan, parseTariff, tariffCost } from "../../src/pricing/comparison/tariff.ts";
import type { MachineWay, TokenWay } from "../../src/pricing/comparison/way.ts";
import { BUNDLED_RATE, exchangeRateFrom, worthIn } from "../../src/pricing/currency.ts";
import { USUAL_WORK } from "../../src/pricing/effective.ts";

const usd = (text: string) => moneyFromDecimal(text, "USD");
const cny = (text: string) => moneyFromDecimal(text, "CNY");
const MILLION = 1_000_000n;

function offer(set: Partial<Offer> = {}): Offer {
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

const plainAsk: Ask = { job: null, profile: null, tokensPerDay: null, throughput: null, utilisation: MILLION };
const jobOf = (hours: number): Ask => ({ ...plainAsk, job: { ms: hoursMs(hours), deadlineMs: null } });
const monthOf = (hours: number): Ask => ({ ...plainAsk, profile: [{ ms: hoursMs(hours), machines: MILLION }] });

function compared(set: Partial<CompareInput>) {
  return compareWays({
    offers: [],
    rows: [],
    api: null,
    ask: plainAsk,
    work: USUAL_WORK,
    rate: exchangeRateFrom("6.77"),
    gpu: null,
    isByProvider: false,
    ...set,
  });
}

function way(set: Partial<MachineWay> = {}): MachineWay {
  const price = { price: usd("1"), perMs: HOUR_MS };
  return {
    name: "w",
    billing: "on-demand",
    isLong: false,
    sticker: price,
    effective: price,
    lostShare: 0,
    plus: null,
    termMs: 0n,
    gpus: 1,
    tokensPerSecond: null,
    ranked: null,
    ...set,
  };
}

test("a job is compared on demand, on spot and by the month", () => {
  const offers = [
    offer({ billing: "on-demand", price: usd("3"), onDemandPrice: null }),
    offer({ price: usd("1") }),
    offer({ billing: "monthly", price: usd("0.9"), onDemandPrice: null }),
    offer({ price: usd("0.1"), stock: 0 }),
  ];
  const [job] = compared({ offers, ask: jobOf(100) });
  const spot = job?.options.find(({ billing }) => billing === "spot");
  const lost = spot?.way?.lostShare ?? 0;
  expect(lost).toBeGreaterThan(0.01);
  const effective = BigInt(Math.round((1 + lost) * 1e6));
  expect(job?.options.map(({ billing, total }) => [billing, moneyToDecimal(total)])).toEqual([
    ["spot", moneyToDecimal({ micros: effective * 100n, currency: "USD" })],
    ["on-demand", "300.000000"],
    ["monthly", "648.000000"],
  ]);
  expect(job?.options.map(({ hoursBilled }) => Number(hoursBilled.toFixed(6)))).toEqual([Number((100 * (1 + lost)).toFixed(6)), 100, 720]);
  expect([moneyToDecimal(spot?.stickerTotal ?? usd("0")), spot?.stickerSavings]).toEqual(["100.000000", 0.6666]);
  // 0.9 × 720 / 3, and / the effective price
  expect(job?.breakEven).toEqual([
    { against: "on-demand", hoursPerMonth: 216 },
    { against: "spot", hoursPerMonth: Math.floor((648 / (Number(effective) / 1e6)) * 1000) / 1000 },
  ]);
  const [month] = compared({ offers, ask: monthOf(24) });
  expect(month?.options[0]?.billing).toBe("monthly");
  expect(demandOf(jobOf(721), 1).longMs).toBe(2n * MONTH_MS);
});

test("a deadline takes several machines of what is paid by the month, and no more hours of the others", () => {
  const ask: Ask = { ...plainAsk, job: { ms: hoursMs(200), deadlineMs: hoursMs(48) } };
  const rows = [parseOwnRow("name=m,price=100/month"), parseOwnRow("name=h,price=2")];
  const [one] = compared({ rows, ask });
  expect(one?.options.map(({ name, machines, total }) => [name, machines, moneyToDecimal(total)])).toEqual([
    ["h", null, "400.000000"],
    ["m", 5n, "500.000000"],
  ]);
});

test("ways in several currencies stand in one order, each total in its own", () => {
  const rows = [
    parseOwnRow("name=yuan,price=6.77CNY/hour,billing=on-demand"),
    parseOwnRow("name=dollars,price=0.5USD/hour,billing=spot,interruptions=0"),
    parseOwnRow("name=francs,price=0.01CHF/hour"),
  ];
  const [one] = compared({ rows, ask: jobOf(10) });
  expect(one?.currency).toBe("CNY");
  expect(one?.options.map(({ name, total, worth }) => [name, total.currency, worth?.currency ?? null])).toEqual([
    ["dollars", "USD", "CNY"],
    ["yuan", "CNY", "CNY"],
    ["francs", "CHF", null],
  ]);
  const dollars = one?.options[0];
  expect(dollars?.worth).toEqual(worthIn(dollars?.total ?? usd("0"), "CNY", exchangeRateFrom("6.77")));
  expect(dollars?.stickerSavings).toBe(0.5);
});

test("an API that is cheaper than every machine is the cheapest, also where nobody knows what part of the work it does", () => {
  const rows = [parseOwnRow("name=server,price=30000CNY/month")];
  const api: TokenWay = { name: "api", perMillion: cny("4") };
  const [one] = compared({ rows, api, ask: { ...plainAsk, tokensPerDay: 1_000_000n } });
  expect(one?.mix).toMatchObject({ parts: [{ role: "tokens", tokens: 30_000_000n, cost: cny("120") }], total: cny("120") });
  expect(one?.mixSavings).toBe(0);
  const [more] = compared({ rows, api, ask: { ...plainAsk, tokensPerDay: 260_000_000n } });
  expect(more?.mix?.parts.map(({ way: { name } }) => name)).toEqual(["server"]);
});

test("what would take thousands of machines is left out and named", () => {
  const rows = [parseOwnRow("name=slow,price=1,throughput=1"), parseOwnRow("name=quick,price=5,throughput=100000")];
  const ask: Ask = { ...plainAsk, tokensPerDay: 1_000_000_000n, throughput: MILLION, profile: [{ ms: DAY_MS, machines: MILLION }] };
  const [one] = compared({ rows, ask });
  expect(one?.options.map(({ name }) => name)).toEqual(["quick"]);
  expect(one?.unable).toEqual(["slow"]);
});

test("a row stands in every comparison, or where its GPU is", () => {
  const offers = [offer({}), offer({ gpu: { model: "T4", count: 1, vramGb: 16 } })];
  const rows = [parseOwnRow("name=any,price=1"), parseOwnRow("name=mine,price=1,gpu=H100"), parseOwnRow("name=odd,price=1,gpu=A100:4")];
  const names = compared({ offers, rows }).map(({ product, count, options }) => [product, count, options.map(({ name }) => name).sort()]);
  expect(names).toEqual([
    ["A100", 4, ["any", "odd"]],
    ["H100-80GB", 1, ["any", "local spot", "mine"]],
    ["T4", 1, ["any", "local spot"]],
  ]);
});

test.each([
  ["name=rack,price=30000CNY/month,gpus=8", { name: "rack", billing: "monthly", gpus: 8, termMs: MONTH_MS }],
  ["price=1.98CNY/hour", { name: "on-demand", billing: "on-demand", gpus: null, termMs: 0n }],
  ["price=2.5", { price: { price: usd("2.5"), perMs: HOUR_MS } }],
  ["price=120.30USD/730h,billing=spot,interruptions=0.02,notice=2m", { billing: "spot", interruptionsPerHour: 0.02, noticeSeconds: 120 }],
  [
    "price=240000CNY/3years,billing=owned,plus=2000CNY/month",
    { billing: "owned", termMs: 36n * MONTH_MS, plus: { price: cny("2000"), perMs: MONTH_MS } },
  ],
  ["price=30000CNY/month,term=12months,gpu=H100:8,throughput=20000", { termMs: 12n * MONTH_MS, gpus: 8, tokensPerSecond: 20_000_000_000n }],
])("%s is a row", (text, expected) => {
  expect(parseOwnRow(text)).toMatchObject(expected);
});

test.each([
  ["name=x", "a price is missing"],
  ["rack", '"rack" is not KEY=VALUE'],
  ["prise=3", 'did you mean "price"?'],
  ["price=0", "is not more than zero"],
  ["price=-3CNY/month", "is not more than zero"],
  ["price=3/fortnight", "is not a time"],
  ["price=3/0h", "is not a time"],
  ["price=1e3", "not an amount of money"],
  ["price=3,price=4", "price is said twice"],
  ["price=3,billing=free", "is not one of"],
  ["price=3,gpus=0", "is not a number from 1 to 1024"],
  ["price=3,plus=1", "only for what is paid by the month or owned"],
  ["price=3/month,plus=1CNY", "in another currency"],
  ["price=3,term=1month", "only for what is paid by the month or owned"],
  ["price=3,interruptions=often", "is not how often in an hour"],
  ["price=3,throughput=0", "is not how many tokens a second"],
])("%s is refused", (text, why) => {
  expect(() => parseOwnRow(text)).toThrow(why);
});

test("spans and their costs are exact", () => {
  expect([parseSpan("h"), parseSpan("730h"), parseSpan("month"), parseSpan("3 years")]).toEqual([
    HOUR_MS,
    730n * HOUR_MS,
    MONTH_MS,
    36n * MONTH_MS,
  ]);
  expect(tariffCost(parseTariff("120.30USD/730h"), 730n * HOUR_MS)).toEqual(usd("120.30"));
  expect(tariffCost(parseTariff("30000CNY/month"), MONTH_MS)).toEqual(cny("30000"));
});

const amounts = fc.bigInt({ min: 1_000n, max: 500_000_000n });

test("where hours break even the two lines cross: at the hour before the machine by the hour costs less", () => {
  fc.assert(
    fc.property(amounts, amounts, fc.constantFrom(1, 2, 8), (month, hour, gpus) => {
      const long = way({
        isLong: true,
        billing: "monthly",
        sticker: { price: { micros: month * 100n, currency: "USD" }, perMs: MONTH_MS },
        gpus,
      });
      const other = way({ effective: { price: { micros: hour, currency: "USD" }, perMs: HOUR_MS } });
      const demand = demandOf(monthOf(8), 1);
      const found = hoursBreakEven(long, other, demand, BUNDLED_RATE);
      const cost = longCost(long, MONTH_MS).micros;
      const at = (ms: bigint) => tariffCost(other.effective, ms).micros;
      if (found?.ms == null) expect(at(MONTH_MS * BigInt(gpus))).toBeLessThanOrEqual(cost);
      else {
        expect(at(found.ms)).toBeGreaterThanOrEqual(cost - 1n);
        expect(at(found.ms - 1n)).toBeLessThanOrEqual(cost + 1n);
        // Of one millisecond less the bill is really below: exact, without the rounding of an amount.
        expect((found.ms - 1n) * hour).toBeLessThan(cost * HOUR_MS);
        expect(found.ms * hour).toBeGreaterThanOrEqual(cost * HOUR_MS);
      }
    }),
  );
});

test("where tokens break even the API's bill is the machine's, and a token less costs less", () => {
  fc.assert(
    fc.property(amounts, fc.bigInt({ min: 1_000n, max: 100_000_000n }), fc.boolean(), (price, perMillion, isLong) => {
      const tariff = { price: { micros: price * (isLong ? 1000n : 1n), currency: "CNY" }, perMs: isLong ? MONTH_MS : HOUR_MS };
      const machine = way({ isLong, sticker: tariff, effective: tariff });
      const api: TokenWay = { name: "api", perMillion: { micros: perMillion, currency: "CNY" } };
      const found = tokenBreakEven(machine, api, demandOf(monthOf(24), 1), BUNDLED_RATE);
      const tokens = isLong ? found?.perDay : found?.perPaidHour;
      expect(typeof tokens).toBe("bigint");
      const ms = isLong ? DAY_MS : HOUR_MS;
      const bill = (amount: bigint) => amount * perMillion * tariff.perMs;
      const machineBill = tariff.price.micros * MILLION * ms;
      expect(bill(tokens ?? 0n)).toBeGreaterThanOrEqual(machineBill);
      expect(bill((tokens ?? 0n) - 1n)).toBeLessThan(machineBill);
    }),
  );
});

test("bills in two currencies cross where the rate says", () => {
  const tariff = { price: cny("677"), perMs: MONTH_MS };
  const rack = way({ isLong: true, billing: "monthly", sticker: tariff, effective: tariff });
  const rate = exchangeRateFrom("6.77");
  const demand = demandOf(monthOf(8), 1);
  expect(hoursBreakEven(rack, way(), demand, rate)?.ms).toBe(100n * HOUR_MS);
  expect(tokenBreakEven(way(), { name: "api", perMillion: cny("6.77") }, demand, rate)?.perPaidHour).toBe(MILLION);
  expect(tokenBreakEven(rack, { name: "api", perMillion: usd("1") }, demand, rate)?.perDay).toBe(3_333_334n);
  expect(hoursBreakEven(rack, way({ effective: parseTariff("1CHF") }), demand, rate)).toBeNull();
});

const anyAsk: fc.Arbitrary<Ask> = fc.record({
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
const anyWay: fc.Arbitrary<MachineWay> = fc
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
    return way({ name: `w${index}`, isLong, billing, sticker: tariff, effective: tariff, gpus, termMs: isLong ? MONTH_MS : 0n });
  });

const anyApi = fc.option(
  fc
    .record({ micros: fc.bigInt({ min: 20_000n, max: 4_000_000n }), currency: fc.constantFrom("USD", "CNY") })
    .map((perMillion): TokenWay => ({ name: "api", perMillion })),
);

test("tokens that are spread over a day's blocks add up to all of them, in proportion to hours and machines", () => {
  fc.assert(
    fc.property(anyAsk, (ask) => {
      const perDay = 12_345_678_901n;
      const profile = ask.profile ?? [{ ms: HOUR_MS, machines: MILLION }];
      const { blocks, tokens } = demandOf({ ...ask, job: null, profile, tokensPerDay: perDay, throughput: MILLION }, 1);
      expect(blocks.reduce((sum, { units }) => sum + units, 0n)).toBe(perDay * MILLION);
      expect(tokens).toBe(perDay * 30n);
      const weight = profile.reduce((sum, { ms, machines }) => sum + ms * machines, 0n);
      for (const [index, { ms, machines }] of profile.entries()) {
        const off = (blocks[index]?.units ?? 0n) * weight - perDay * MILLION * ms * machines;
        expect(off < weight && -off < weight).toBe(true);
      }
    }),
  );
});

const sumOf = (parts: readonly { readonly worth: Money }[]) => parts.reduce((sum, { worth }) => sum + worth.micros, 0n);

test("the mix does all of the work, costs the sum of its parts, and is never dearer than one way alone", () => {
  let mixed = 0;
  fc.assert(
    fc.property(anyAsk, fc.array(anyWay, { minLength: 1, maxLength: 4 }), anyApi, (ask, ways, api) => {
      const demand = demandOf(ask, 1);
      const reckoning = { currency: "USD", rate: BUNDLED_RATE };
      const mix = bestMix(ways, api, demand, reckoning);
      const singles = ways.map((one) => singleOf(one, demand, reckoning)).filter((one) => one !== null);
      const bill = api === null || demand.unit !== "tokens" ? null : mixOf(demand, { base: null, burst: null, tokens: api }, reckoning);
      for (const single of [...singles, ...(bill === null ? [] : [bill])])
        expect(mix === null ? null : mix.total.micros <= single.total.micros).toBe(true);
      if (mix === null) return;
      expect(mix.total.micros).toBe(sumOf(mix.parts));
      for (const { cost, worth } of mix.parts) expect(worth).toEqual(worthIn(cost, "USD", BUNDLED_RATE));
      if (mix.parts.length > 1) mixed++;
      if (demand.isBatch) return;
      // Machines and tokens together cover each block; machines alone are counted by their most.
      const done = demand.blocks.reduce((sum, { units }) => sum + units, 0n) * demand.days;
      const could = mix.parts.reduce((sum, { role, way: one, usefulMs, tokens }) => {
        if (role === "tokens") return sum + tokens * MILLION;
        const pace = paceOf(one as MachineWay, demand);
        return sum + unitsIn(pace, usefulMs);
      }, 0n);
      expect(could + 1_000_000n * 30n).toBeGreaterThanOrEqual(done);
    }),
    { numRuns: 400 },
  );
  expect(mixed).toBeGreaterThan(20);
});

test("a base, a burst and a tail: each does what it is the cheapest for", () => {
  const profile = [
    { ms: hoursMs(16), machines: MILLION },
    { ms: hoursMs(6), machines: 2_100_000n },
    { ms: hoursMs(2), machines: 4n * MILLION },
  ];
  // A machine makes 3.6 million tokens an hour: 36.6 machine-hours a day.
  const ask: Ask = { ...plainAsk, profile, throughput: 1000n * MILLION, tokensPerDay: 131_760_000n };
  const rows = [parseOwnRow("name=rack,price=300/month"), parseOwnRow("name=spot,price=1,billing=on-demand")];
  const [one] = compared({ rows, ask, api: { name: "api", perMillion: usd("0.5") } });
  expect(
    one?.mix?.parts.map(({ way: { name }, machines, usefulMs, tokens, cost }) => [name, machines, usefulMs / HOUR_MS, tokens, cost]),
  ).toEqual([
    ["rack", 1n, 720n, 0n, usd("300")],
    // One machine for six hours, three for two: the tenth of a machine beside them is cheaper in tokens.
    ["spot", 3n, 360n, 0n, usd("360")],
    ["api", null, 0n, 64_800_000n, usd("32.4")],
  ]);
  expect(one?.mix?.total).toEqual(usd("692.4"));
});

test("nobody finds a cheaper mix by trying every number of machines in every block", () => {
  fc.assert(
    fc.property(anyAsk, anyWay, anyWay, anyApi, (ask, first, second, api) => {
      const demand = demandOf({ ...ask, job: null, profile: ask.profile ?? [{ ms: hoursMs(8), machines: 2n * MILLION }] }, 1);
      const [base, burst] = [
        { ...first, isLong: true },
        { ...second, isLong: false },
      ];
      const reckoning = { currency: "USD", rate: BUNDLED_RATE };
      const apis = demand.unit === "tokens" ? api : null;
      const best = bestMix([base, burst], api, demand, reckoning);
      const worth = (money: Money) => worthIn(money, "USD", BUNDLED_RATE)?.micros ?? 0n;
      let least: bigint | null = null;
      for (let machines = 0n; machines <= 12n; machines++) {
        let sum = machines * worth(longCost(base, MONTH_MS));
        let isDone = true;
        for (const { ms, units } of demand.blocks) {
          const rest = units - machines * unitsIn(paceOf(base, demand), ms);
          const each = unitsIn(paceOf(burst, demand), ms);
          let cheapest: bigint | null = null;
          for (let count = 0n; rest > 0n && count <= 12n; count++) {
            const left = rest - count * each;
            if (left > 0n && apis === null) continue;
            const tokens = left > 0n && apis !== null ? (left * 30n * apis.perMillion.micros) / 1_000_000_000_000n : 0n;
            const cost =
              worth(tariffCost(burst.effective, count * ms * 30n)) + (apis === null ? 0n : worth({ ...apis.perMillion, micros: tokens }));
            if (cheapest === null || cost < cheapest) cheapest = cost;
          }
          if (rest > 0n && cheapest === null) isDone = false;
          sum += cheapest ?? 0n;
        }
        if (isDone && (least === null || sum < least)) least = sum;
      }
      // What is rounded up once for each block there is rounded once here.
      if (least !== null) expect(best === null ? null : best.total.micros <= least + 10n).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("more work never costs less, in any way", () => {
  fc.assert(
    fc.property(anyWay, fc.integer({ min: 1, max: 23 }), (one, hours) => {
      const reckoning = { currency: "USD", rate: BUNDLED_RATE };
      const [less, more] = [hours, hours + 1].map((amount) => singleOf(one, demandOf(monthOf(amount), 1), reckoning)?.total.micros ?? 0n);
      expect(more).toBeGreaterThanOrEqual(less ?? 0n);
    }),
  );
});
