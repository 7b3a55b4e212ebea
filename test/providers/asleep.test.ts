import { expect, test } from "vitest";
import { ASLEEP_ITEMS, type AsleepTerms, asleepRate, type Source } from "../../src/model/asleep.ts";
import { moneyToDecimal } from "../../src/model/money.ts";
import { createProvider, knownProviders } from "../../src/providers/registry.ts";
import { testWorld } from "../world.ts";

/**
 * Kept a second time, by hand: what a change of the tables must change here as well. Per way: memory; GPU, root disk, volume,
 * address; how long it is kept.
 */
const HELD: Readonly<Record<string, readonly string[]>> = {
  local: ["native: lost; not-billed, billed, billed, gone; until-deleted", "parked: lost; gone, gone, billed, gone; until-deleted"],
  ppio: ["parked: lost; gone, gone, billed, gone; until-deleted"],
  novita: ["parked: lost; gone, gone, billed, gone; until-deleted"],
  hyperstack: [
    // No longest time is documented, and no vendor's word that memory survives was borne out.
    "native: lost; not-billed, billed, billed, if-kept; unknown",
    "parked: lost; gone, gone, billed, gone; until-deleted",
  ],
  // Its root disk is kept as a volume.
  verda: ["parked: lost; gone, billed, billed, gone; until-deleted"],
  aws: ["parked: lost; gone, gone, billed, gone; until-deleted"],
  gcp: ["parked: lost; gone, gone, billed, gone; until-deleted"],
  alibaba: ["parked: lost; gone, gone, billed, gone; until-deleted"],
};

function lineOf(way: string, terms: AsleepTerms): string {
  return `${way}: ${terms.memory.value}; ${ASLEEP_ITEMS.map((item) => terms.billed[item].value).join(", ")}; ${terms.kept.value}`;
}

const sourcesOf = ({ back, memory, billed, kept }: AsleepTerms): readonly Source[] =>
  [back, memory, kept, ...Object.values(billed)].map(({ source }) => source);

test("every provider is in the table", () => {
  expect(Object.keys(HELD).toSorted()).toEqual([...knownProviders()].toSorted());
});

test.each(knownProviders())("%s says of every item what it does asleep, and who says so", async (id) => {
  const { capabilities } = await createProvider(id, testWorld());
  const { native, parked, unused } = capabilities.asleep;
  const ways: readonly (readonly [string, AsleepTerms])[] = [...(native === null ? [] : [["native", native] as const]), ["parked", parked]];
  expect(ways.map(([way, terms]) => lineOf(way, terms))).toEqual(HELD[id]);
  const sources = [...ways.flatMap(([, terms]) => sourcesOf(terms)), ...unused.map(({ source }) => source)];
  for (const { document, date } of sources) {
    expect(document.length).toBeGreaterThan(11);
    expect(date).toMatch(/^20\d\d(-\d\d(-\d\d)?)?$/);
  }
  for (const [, terms] of ways) {
    // What is kept for a limited time says for how long, and nothing else does.
    expect(terms.kept.days !== undefined).toBe(terms.kept.value === "limited");
    // A price stands only where something is billed.
    for (const { value, price } of Object.values(terms.billed)) if (price !== undefined) expect(["billed", "if-kept"]).toContain(value);
  }
  // The tables and what the adapter can do say the same.
  expect(native !== null).toBe(capabilities.hibernate === "native");
  expect(native?.billed.address.value === "if-kept").toBe(capabilities.retainsAddress);
  expect(parked.billed.rootDisk.value === "billed").toBe(capabilities.keepsRoot);
});

test.each([
  // 100 GB of Cloud-SSD are the 0.0097 an hour that the vendor's own arithmetic comes to.
  [{ amount: "0.000096774", currency: "USD", per: "gb-hour" }, 100, "0.009677", "7.064502"],
  [{ amount: "0.002", currency: "USD", per: "gb-day" }, 10, "0.000833", "0.608333"],
  [{ amount: "0.08", currency: "USD", per: "gb-month" }, 50, "0.005479", "4.000000"],
  // By the hour, whatever the size.
  [{ amount: "0.00672043", currency: "USD", per: "hour" }, 999, "0.006720", "4.905914"],
] as const)("%o comes for %d GB to %s an hour and %s a month", (price, sizeGb, hour, month) => {
  const rate = asleepRate(price, sizeGb);
  expect([moneyToDecimal(rate.hour), moneyToDecimal(rate.month)]).toEqual([hour, month]);
});
