import fc from "fast-check";
import { expect, test } from "vitest";
import type { Money } from "../../src/model/money.ts";
import { bestMix } from "../../src/pricing/comparison/best-mix.ts";
import { type Ask, type Demand, demandOf, paceOf, unitsIn } from "../../src/pricing/comparison/demand.ts";
import { singleOf, tokensOnly } from "../../src/pricing/comparison/mix.ts";
import { parseOwnRow } from "../../src/pricing/comparison/own-row.ts";
import { longCost } from "../../src/pricing/comparison/rental.ts";
import { HOUR_MS, hoursMs, MONTH_MS, tariffCost } from "../../src/pricing/comparison/tariff.ts";
import type { MachineWay, TokenWay } from "../../src/pricing/comparison/way.ts";
import { BUNDLED_RATE, worthIn } from "../../src/pricing/currency.ts";
import { anyApi, anyAsk, anyWay, compared, MILLION, monthOf, plainAsk, usd, way } from "./ways.ts";

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
      const bill = api === null ? null : tokensOnly(api, demand, reckoning);
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
    { numRuns: 300 },
  );
  expect(mixed).toBeGreaterThan(5);
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
        let sum = worth(longCost(base, machines * MONTH_MS));
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

test("each block has the kind by the hour that is the cheapest there, and two kinds of long rental may stand side by side", () => {
  const mixed = (profile: Ask["profile"], ...rows: readonly string[]) => {
    const [one] = compared({ rows: rows.map(parseOwnRow), ask: { ...plainAsk, profile }, gpu: { model: "X", count: 1 } });
    return [one?.mix?.total, one?.mix?.parts.map(({ way: { name }, machines, usefulMs }) => [name, machines, usefulMs / HOUR_MS])];
  };
  const day = [
    { ms: hoursMs(16), machines: MILLION },
    { ms: hoursMs(8), machines: 8n * MILLION },
  ];
  expect(mixed(day, "name=big,price=4,gpus=8", "name=small,price=1,gpus=1")).toEqual([
    usd("1440"),
    [
      ["small", 1n, 480n],
      ["big", 1n, 240n],
    ],
  ]);
  const nine = [{ ms: hoursMs(24), machines: 9n * MILLION }];
  expect(mixed(nine, "name=rack8,price=4000/month,gpus=8", "name=single,price=700/month", "name=od,price=3")).toEqual([
    usd("4700"),
    [
      ["rack8", 1n, 720n],
      ["single", 1n, 720n],
    ],
  ]);
});

test("the useful hours of a base are those in which it is wanted; all of its hours are paid", () => {
  const profile = [
    { ms: hoursMs(8), machines: 2n * MILLION },
    { ms: hoursMs(4), machines: MILLION },
  ];
  const [one] = compared({ rows: [parseOwnRow("name=rack,price=1/month")], ask: { ...plainAsk, profile } });
  expect(one?.mix?.parts.map(({ machines, usefulMs, hoursPaid }) => [machines, usefulMs / HOUR_MS, hoursPaid])).toEqual([[2n, 600n, 1440]]);
});

/** Every number of machines of each long rental, and in each block every kind by the hour, every number of it, the rest in tokens. */
function tried(ways: readonly MachineWay[], api: TokenWay | null, demand: Demand): bigint | null {
  const worth = (money: Money) => worthIn(money, "USD", BUNDLED_RATE)?.micros ?? 0n;
  const [long, hourly] = [ways.filter(({ isLong }) => isLong), ways.filter(({ isLong }) => !isLong)];
  const least = (amounts: readonly bigint[]) =>
    amounts.reduce<bigint | null>((best, one) => (best !== null && best <= one ? best : one), null);
  const blockCost = (rest: bigint, ms: bigint): bigint | null => {
    if (rest <= 0n) return 0n;
    const tokens = (left: bigint) =>
      api === null ? 0n : worth({ ...api.perMillion, micros: (left * 30n * api.perMillion.micros) / 10n ** 12n });
    const none = api === null ? [] : [tokens(rest)];
    const some = hourly.flatMap((kind) => {
      const each = unitsIn(paceOf(kind, demand), ms);
      return Array.from({ length: 14 }, (_, index) => BigInt(index + 1)).flatMap((count) => {
        const left = rest - count * each;
        if (left > 0n && api === null) return [];
        return [worth(tariffCost(kind.effective, count * ms * 30n)) + (left > 0n ? tokens(left) : 0n)];
      });
    });
    return least([...none, ...some]);
  };
  const [first, second] = long;
  const counts = (kind: MachineWay | undefined) => Array.from({ length: kind === undefined ? 1 : 9 }, (_, index) => BigInt(index));
  const all = counts(first).flatMap((one) =>
    counts(second).flatMap((other) => {
      const bases = [
        [first, one],
        [second, other],
      ] as const;
      let sum = 0n;
      for (const [kind, count] of bases) if (kind !== undefined) sum += worth(longCost(kind, count * MONTH_MS));
      for (const { ms, units } of demand.blocks) {
        const done = bases.reduce((all, [kind, count]) => all + (kind === undefined ? 0n : count * unitsIn(paceOf(kind, demand), ms)), 0n);
        const cost = blockCost(units - done, ms);
        if (cost === null) return [];
        sum += cost;
      }
      return [sum];
    }),
  );
  return least(all);
}

test("nobody finds a cheaper mix by trying every kind in every block, and two long rentals together", () => {
  let [several, paired] = [0, 0];
  const profiles = fc.array(
    fc.record({ ms: fc.integer({ min: 2, max: 8 }).map(hoursMs), machines: fc.bigInt({ min: 1n, max: 6n }).map((one) => one * MILLION) }),
    { minLength: 2, maxLength: 3 },
  );
  const share = fc.bigInt({ min: 60n, max: 100n });
  // Of three GPUs a machine costs somewhat less than three of one, and a month 100 to 600 hours.
  const four = fc.record({
    month: fc.bigInt({ min: 50n, max: 900n }),
    hours: fc.bigInt({ min: 100n, max: 600n }),
    long: share,
    hourly: share,
  });
  fc.assert(
    fc.property(profiles, four, anyApi, fc.boolean(), (profile, { month, hours, long, hourly }, api, isByTokens) => {
      const prices = [
        [MONTH_MS, 1n, month * MILLION],
        [MONTH_MS, 3n, (month * MILLION * 3n * long) / 100n],
        [HOUR_MS, 1n, (month * MILLION) / hours],
        [HOUR_MS, 3n, (month * MILLION * 3n * hourly) / (hours * 100n)],
      ] as const;
      const ways = prices.map(([perMs, gpus, micros]): MachineWay => {
        const sticker = { price: { micros, currency: "USD" }, perMs };
        return way({ isLong: perMs === MONTH_MS, sticker, effective: sticker, gpus: Number(gpus), stepMs: MONTH_MS, termMs: MONTH_MS });
      });
      const demand = demandOf({ ...plainAsk, profile, throughput: isByTokens ? 1000n * MILLION : null }, 1);
      const best = bestMix(ways, api, demand, { currency: "USD", rate: BUNDLED_RATE });
      const bound = tried(ways, isByTokens ? api : null, demand);
      const roles = best?.parts.map(({ role }) => role) ?? [];
      if (roles.filter((role) => role === "burst").length > 1) several++;
      if (roles.filter((role) => role === "base").length > 1) paired++;
      // What is rounded once for each block there is rounded once for each part here.
      if (bound !== null) expect(best === null ? null : best.total.micros <= bound + 10n).toBe(true);
    }),
    { numRuns: 300 },
  );
  expect(several).toBeGreaterThan(3);
  expect(paired).toBeGreaterThan(1);
});
