import fc from "fast-check";
import { expect, test } from "vitest";
import { addMoney, costOf, type Money, moneyFromDecimal, moneyText, moneyToDecimal, savingsShare } from "../../src/model/money.ts";

const usd = (text: string) => moneyFromDecimal(text, "USD");
const anyMoney = fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }).map((micros): Money => ({ micros, currency: "USD" }));

test.each([
  ["1.99", 1_990_000n],
  ["0", 0n],
  ["-0.5", -500_000n],
  ["0.0000004", 0n],
  ["0.0000005", 1n],
  ["0.9999995", 1_000_000n],
  ["12345.678901", 12_345_678_901n],
])("reads %s as %d millionths", (text, micros) => {
  expect(usd(text).micros).toBe(micros);
});

test.each(["", "1,5", "1.", ".5", "1e3", "$1", "NaN", "Infinity", "--1", "1 2"])("refuses %j", (text) => {
  expect(() => usd(text)).toThrow(RangeError);
});

test.each([
  ["1.99", "$1.99"],
  ["0.0042", "$0.0042"],
  ["0.00424", "$0.0042"],
  ["0.05", "$0.050"],
  ["0", "$0.00"],
  ["1234.5", "$1234.50"],
  ["-1.5", "-$1.50"],
])("%s reads %s", (text, shown) => {
  expect(moneyText(usd(text))).toBe(shown);
});

test("a currency without a sign is named", () => {
  expect(moneyText(moneyFromDecimal("12.5", "CHF"))).toBe("12.50 CHF");
});

test("currencies are never mixed", () => {
  expect(() => addMoney(usd("1"), moneyFromDecimal("1", "EUR"))).toThrow(RangeError);
  expect(savingsShare(usd("1"), moneyFromDecimal("2", "EUR"))).toBeNull();
});

test("decimal text and back is the same money", () => {
  fc.assert(
    fc.property(anyMoney, (money) => {
      expect(moneyFromDecimal(moneyToDecimal(money), "USD")).toEqual(money);
    }),
  );
});

test("the cost of a rate is exact to half a millionth and grows with time", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.nat({ max: 10 ** 10 }), fc.nat({ max: 10 ** 10 }), (micros, a, b) => {
      const rate: Money = { micros, currency: "USD" };
      const exact = micros * BigInt(a);
      const rounded = costOf(rate, a).micros * 3_600_000n;
      expect(rounded - exact <= 1_800_000n && exact - rounded <= 1_800_000n).toBe(true);
      expect(costOf(rate, a + b).micros).toBeGreaterThanOrEqual(costOf(rate, a).micros);
    }),
  );
});

test("savings are a share of the dearer price", () => {
  expect(savingsShare(usd("1"), usd("4"))).toBe(0.75);
  expect(savingsShare(usd("5"), usd("4"))).toBe(-0.25);
  expect(savingsShare(usd("1"), usd("0"))).toBeNull();
});
