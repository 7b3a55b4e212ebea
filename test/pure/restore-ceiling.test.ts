import { expect, test } from "vitest";
import { ceilingOf } from "../../src/commands/restore-options.ts";
import { parsePrice } from "../../src/pricing/currency.ts";
import { sampleSpec, usd } from "../state/sample-records.ts";

const free = sampleSpec("train", { maxPrice: null });

test.each([
  ["what it cost before", false, { spec: free, price: usd(1_500_000) }, "1.5"],
  ["nothing, where nobody knows what it cost", false, { spec: free, price: null }, "0"],
  ["no ceiling, once it was agreed to", true, { spec: free, price: null }, null],
  ["no ceiling beside the limit of its spec", false, { spec: sampleSpec("train", { maxPrice: "2" }), price: null }, null],
] as const)("the price from which on a way back is to be agreed to: %s", (_what, isAgreed, record, expected) => {
  const ceiling = ceilingOf(isAgreed, record);
  expect(ceiling).toBe(expected);
  if (ceiling !== null) expect(parsePrice(ceiling).currency).toBe("USD");
});
