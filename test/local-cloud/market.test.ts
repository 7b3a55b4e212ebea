import fc from "fast-check";
import { expect, test } from "vitest";
import { freeMachines, MACHINE_TYPES, offersAt, spotPrice, ZONES } from "../../src/local-cloud/market.ts";
import { DEFAULT_MARKET } from "../../src/local-cloud/records.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";

const moment = fc.integer({ min: 0, max: 4_000_000_000_000 });
const seed = fc.integer({ min: 0, max: 1_000_000 });
const type = fc.constantFrom(...MACHINE_TYPES);
const zone = fc.constantFrom(...ZONES.map((one) => one.zone));

test("a price depends on the seed and the time alone, and lies between nothing and on demand", () => {
  fc.assert(
    fc.property(seed, moment, type, zone, (chosen, now, machine, place) => {
      const settings = { ...DEFAULT_MARKET, seed: chosen };
      const price = spotPrice(settings, machine, place, now);
      expect(spotPrice({ ...settings, hazardPerHour: 3, profile: "ppio" }, machine, place, now)).toBe(price);
      const { micros } = moneyFromDecimal(price, "USD");
      expect(micros > 0n && micros < moneyFromDecimal(machine.onDemand, "USD").micros).toBe(true);
    }),
  );
});

test("this is the walk of seed 1: it never changes between versions", () => {
  const [h100] = MACHINE_TYPES;
  const start = Date.UTC(2026, 0, 1);
  const walk = Array.from({ length: 6 }, (_, hour) => h100 && spotPrice(DEFAULT_MARKET, h100, "local-east-a", start + hour * 3_600_000));
  expect(walk).toMatchInlineSnapshot(`
    [
      "1.720900",
      "1.736400",
      "1.703200",
      "1.833800",
      "1.796900",
      "1.701900",
    ]
  `);
});

test("prices move slowly: never more than a tenth from one step to the next", () => {
  fc.assert(
    fc.property(seed, moment, type, zone, (chosen, now, machine, place) => {
      const settings = { ...DEFAULT_MARKET, seed: chosen };
      const [a, b] = [now, now + 300_000].map((at) => Number(spotPrice(settings, machine, place, at)));
      expect(Math.abs((b ?? 0) - (a ?? 0)) / (a ?? 1)).toBeLessThan(0.1);
    }),
  );
});

test("stock stays within what a zone has, and the seed can be overruled", () => {
  fc.assert(
    fc.property(seed, moment, type, zone, (chosen, now, machine, place) => {
      const free = freeMachines({ ...DEFAULT_MARKET, seed: chosen }, machine, place, now, []);
      expect(free).toBeGreaterThanOrEqual(machine.stock[0]);
      expect(free).toBeLessThanOrEqual(machine.stock[1]);
      expect(freeMachines({ ...DEFAULT_MARKET, stock: { [machine.type]: 0 } }, machine, place, now, [])).toBe(0);
    }),
  );
});

test("every type is offered in every zone in three ways, notice and protection as the profile has them", () => {
  const offers = offersAt({ ...DEFAULT_MARKET, profile: "ppio" }, 0, []);
  expect(offers).toHaveLength(MACHINE_TYPES.length * ZONES.length * 3);
  expect(new Set(offers.filter(({ billing }) => billing === "spot").map((one) => `${one.noticeSeconds} ${one.protectionSeconds}`))).toEqual(
    new Set(["3600 3600"]),
  );
  expect(offers.filter(({ billing, noticeSeconds }) => billing !== "spot" && noticeSeconds !== 0)).toEqual([]);
});
