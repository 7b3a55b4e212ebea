import { expect, test } from "vitest";
import { productName } from "../../src/model/gpu-names.ts";
import { costOf, moneyText, savingsShare } from "../../src/model/money.ts";
import { bundledPrices } from "../../src/pricing/bundled-prices.ts";
import { BUNDLED_RATE, worthIn } from "../../src/pricing/currency.ts";

const HOUR_MS = 3_600_000;
const all = bundledPrices();
const of = (provider: string, product: string, billing: string) =>
  all.filter((row) => row.provider === provider && row.billing === billing && productName(row.gpu) === product);

test("what a document states can be reckoned back from the price of an hour, to the cent", () => {
  for (const { stated, price } of all) {
    const back = costOf(price, stated.hours * HOUR_MS);
    const cents = (micros: bigint) => (micros + 5_000n) / 10_000n;
    expect([stated.amount.currency, cents(back.micros)]).toEqual([price.currency, cents(stated.amount.micros)]);
    // A document's own last digit is not lost either: an amount of whole cents.
    expect(stated.amount.micros % 10_000n).toBe(0n);
  }
});

test("every price has a document, a date that has been, a known GPU and a currency with a rate", () => {
  expect(all.length).toBeGreaterThan(20);
  for (const row of all) {
    expect(row.document.length).toBeGreaterThan(20);
    expect(row.dated).toMatch(/^20\d\d(-\d\d(-\d\d)?)?$/);
    expect(new Date(row.observedAt).toISOString().startsWith(row.dated)).toBe(true);
    expect(row.observedAt).toBeLessThan(Date.UTC(2026, 10, 22));
    expect(row.since).toBe(row.observedAt);
    expect(row.source).toBe("bundled");
    expect(row.gpu.vramGb).toBeGreaterThan(0);
    expect(worthIn(row.price, "CNY", BUNDLED_RATE)?.micros ?? 0n).toBeGreaterThan(500_000n);
  }
  const places = all.map(({ provider, type, zone, billing }) => [provider, type, zone, billing].join("|"));
  expect(new Set(places).size).toBe(places.length);
});

test("the documented cases stand there as they were stated", () => {
  const stated = (provider: string, product: string, billing: string) =>
    of(provider, product, billing).map((row) => moneyText(row.stated.amount));
  expect([stated("ppio", "RTX4090", "spot"), stated("ppio", "RTX4090", "on-demand")]).toEqual([["¥0.99"], ["¥1.98"]]);
  expect(stated("aws", "T4", "spot")).toEqual(["$120.30", "$129.72"]);
  expect(new Set(stated("aws", "T4", "on-demand"))).toEqual(new Set(["$383.98"]));
  expect(of("aws", "T4", "on-demand")[0]?.price.micros).toBe(526_000n);
  const gn7i = ["on-demand", "monthly", "spot"].map((billing) => stated("alibaba", "A10", billing)[0]);
  expect(gn7i).toEqual(["¥6958.70", "¥4575.60", "¥2436.00"]);
  expect(of("alibaba", "A10", "monthly")[0]?.price.micros).toBe(6_355_000n);
});

test("a spot price says what it saves against the same document", () => {
  for (const row of all.filter(({ billing, onDemandPrice }) => billing === "spot" && onDemandPrice !== null)) {
    const saved = savingsShare(row.price, row.onDemandPrice ?? row.price) ?? 0;
    expect(saved).toBeGreaterThan(0.15);
    expect(saved).toBeLessThan(0.7);
  }
  const hyperstack = of("hyperstack", "H100-80GB PCIe", "spot")[0];
  expect([hyperstack?.price.micros, hyperstack?.onDemandPrice?.micros]).toEqual([2_000_000n, 2_500_000n]);
});
