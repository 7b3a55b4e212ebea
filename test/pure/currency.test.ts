import fc from "fast-check";
import { expect, test } from "vitest";
import { type Money, moneyFromDecimal } from "../../src/model/money.ts";
import {
  BUNDLED_RATE,
  capIn,
  compareMoney,
  exchangeRateFrom,
  exchangeRateText,
  parsePrice,
  priceText,
  quotedRate,
  ratesText,
  withRates,
  worthIn,
} from "../../src/pricing/currency.ts";

const usd = (text: string) => moneyFromDecimal(text, "USD");
const cny = (text: string) => moneyFromDecimal(text, "CNY");
const rate = exchangeRateFrom("6.77");

const anyMoney = fc
  .tuple(fc.bigInt({ min: 0n, max: 90_000_000n }), fc.constantFrom("USD", "CNY", "EUR", "CHF"))
  .map(([micros, currency]): Money => ({ micros, currency }));

test.each([
  ["2.5", usd("2.5"), "2.5"],
  ["$2.50", usd("2.5"), "2.5"],
  ["2.5USD", usd("2.5"), "2.5"],
  ["2.5 usd", usd("2.5"), "2.5"],
  ["18CNY", cny("18"), "18CNY"],
  ["18.00 cny", cny("18"), "18CNY"],
  ["¥18", cny("18"), "18CNY"],
  ["10", usd("10"), "10"],
  ["100CNY", cny("100"), "100CNY"],
] as const)("%s is a price, and has one spelling", (text, money, spelling) => {
  expect(parsePrice(text)).toEqual(money);
  expect(priceText(money)).toBe(spelling);
  expect(parsePrice(spelling)).toEqual(money);
});

test.each(["", "two", "1,5", "2.5EUR", "$18CNY", "¥2USD", "18CN", "1e3", "0x10", "2.5 2", "CNY"])("%j is no price", (text) => {
  expect(() => parsePrice(text)).toThrow(RangeError);
});

test.each([
  ["6.77", 6_770_000n],
  ["7", 7_000_000n],
  ["0.1", 100_000n],
  ["100", 100_000_000n],
])("a rate of %s", (text, micros) => {
  expect(exchangeRateFrom(text).perUsd["CNY"]?.micros).toBe(micros);
  expect(exchangeRateText(exchangeRateFrom(text))).toBe(text);
});

test.each(["", "0", "0.09", "100.01", "-7", "6,77", "six", "1e1", "NaN"])("%j is no rate", (text) => {
  expect(() => exchangeRateFrom(text)).toThrow(RangeError);
});

test("the bundled rate is a plausible one and says where it is from", () => {
  const { CNY } = BUNDLED_RATE.perUsd;
  expect(CNY?.micros).toBeGreaterThan(6_000_000n);
  expect(CNY?.micros).toBeLessThan(8_000_000n);
  expect(CNY?.source).toMatch(/\d{4}-\d{2}-\d{2}/);
});

test("amounts of two currencies are ordered by what they are worth", () => {
  expect(compareMoney(usd("1"), cny("6.770001"), rate)).toBe(-1);
  expect(compareMoney(usd("1"), cny("6.77"), rate)).toBe(0);
  expect(compareMoney(usd("1"), cny("6.769999"), rate)).toBe(1);
  expect(compareMoney(usd("1000"), moneyFromDecimal("0.01", "EUR"), rate)).toBe(-1);
});

test.each([
  ["EUR", "0.92", 920_000n, "fx.EUR, of no stated day"],
  ["EUR", "0.92@2026-06-19", 920_000n, "fx.EUR, of 2026-06-19"],
  ["KRW", "1390.5", 1_390_500_000n, "fx.KRW, of no stated day"],
])("one USD is so many %s: %s", (currency, text, micros, source) => {
  expect(quotedRate(currency, text, `fx.${currency}`)).toEqual({ micros, source });
});

test.each(["0", "-1", "0.92@yesterday", "0.92@2026-13-01", "0.92@2026-02-30", "1e3", "0.1234567", "12345678"])(
  "%j is no rate of the euro",
  (text) => {
    expect(() => quotedRate("EUR", text, "x")).toThrow(/is not how many EUR one USD is/);
  },
);

test("a rate that is being stated is of no day that is still to come, wherever one is", () => {
  const at = (hour: number) => Date.UTC(2026, 10, 22, hour);
  expect(quotedRate("EUR", "0.92@2026-11-23", "--fx", at(10)).source).toBe("--fx, of 2026-11-23");
  expect(() => quotedRate("EUR", "0.92@2026-11-23", "--fx", at(9))).toThrow("is the rate of a day that has not come");
  expect(() => exchangeRateFrom("6.77@2099-01-01", at(9))).toThrow("has not come");
  // What was kept is read.
  expect(quotedRate("EUR", "0.92@2099-01-01", "fx.EUR").source).toBe("fx.EUR, of 2099-01-01");
});

test("with a rate of its own a third currency is ordered and converted too", () => {
  const eur = (text: string) => moneyFromDecimal(text, "EUR");
  const three = withRates(rate, { EUR: { micros: 500_000n, source: "test" } });
  expect(compareMoney(eur("1"), usd("2"), three)).toBe(0);
  expect(compareMoney(eur("1"), cny("13.54"), three)).toBe(0);
  expect(compareMoney(eur("1"), cny("13.540001"), three)).toBe(-1);
  expect(worthIn(eur("1"), "CNY", three)).toEqual(cny("13.54"));
  expect(ratesText(three, ["USD", "EUR", "CNY", "CHF"])).toBe("1 USD for 6.77 CNY (fxCny, of no stated day) and 0.5 EUR (test)");
  expect(ratesText(three, ["USD"])).toBe("");
});

test("the order is total: antisymmetric and transitive, and exact within a currency", () => {
  fc.assert(
    fc.property(anyMoney, anyMoney, anyMoney, (a, b, c) => {
      expect(compareMoney(a, b, rate) + compareMoney(b, a, rate)).toBe(0);
      if (compareMoney(a, b, rate) <= 0 && compareMoney(b, c, rate) <= 0) expect(compareMoney(a, c, rate)).toBeLessThanOrEqual(0);
      if (a.currency === b.currency)
        expect(Math.sign(compareMoney(a, b, rate))).toBe(a.micros < b.micros ? -1 : a.micros > b.micros ? 1 : 0);
    }),
  );
});

test("a cap that is converted is never worth more than it was, and less by at most a millionth", () => {
  expect(capIn(usd("2"), "CNY", rate)).toEqual(cny("13.54"));
  expect(capIn(cny("13.54"), "USD", rate)).toEqual(usd("2"));
  expect(capIn(usd("2"), "EUR", rate)).toBeNull();
  expect(capIn(moneyFromDecimal("2", "EUR"), "USD", rate)).toBeNull();
  fc.assert(
    fc.property(anyMoney, fc.constantFrom("USD", "CNY", "EUR"), (cap, currency) => {
      const converted = capIn(cap, currency, rate);
      if (converted === null) return;
      expect(converted.currency).toBe(currency);
      expect(compareMoney(converted, cap, rate)).toBeLessThanOrEqual(0);
      expect(compareMoney({ ...converted, micros: converted.micros + 1n }, cap, rate)).toBe(1);
    }),
  );
});
