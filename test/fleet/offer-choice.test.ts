import fc from "fast-check";
import { expect, test } from "vitest";
import {
  chooseOffers,
  isBurnt,
  NO_PREFERENCES,
  offerKey,
  priceCap,
  refusal,
  whyNothingFits,
} from "../../src/fleet/deciding/offer-choice.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { exchangeRateFrom } from "../../src/pricing/currency.ts";
import { paperSpec } from "../simulation/paper-world.ts";
import { offer } from "./samples.ts";

const usd = (amount: string) => moneyFromDecimal(amount, "USD");
const nobody: ReadonlySet<string> = new Set();

test.each([
  ["it fits", {}, {}, null, null],
  ["another GPU", { gpu: { model: "A100", count: 1, vramGb: 80 } }, {}, null, "gpu"],
  ["another count", { gpu: { model: "H100", count: 8, vramGb: 80 } }, {}, null, "gpu"],
  ["a model in other letters", { gpu: { model: "h100", count: 1, vramGb: 80 } }, {}, null, null],
  ["any GPU", { gpu: { model: "A100", count: 8, vramGb: 80 } }, { gpu: null }, null, null],
  ["on demand when spot is wanted", { billing: "on-demand" }, {}, null, "billing"],
  ["on demand when either will do", { billing: "on-demand" }, { billing: "auto" }, null, null],
  ["by the month is never rented", { billing: "monthly" }, { billing: "auto" }, null, "billing"],
  ["another region", {}, { regions: ["south"] }, null, "place"],
  ["a zone by its name", {}, { regions: ["north-a"] }, null, null],
  ["away from its volume", {}, {}, { provider: "paper", region: "south", zone: null }, "place"],
  ["in another zone than its volume", {}, {}, { provider: "paper", region: "north", zone: "north-b" }, "place"],
  ["at another provider than its volume", {}, {}, { provider: "other", region: "north", zone: null }, "place"],
  ["too dear", { price: usd("2.000001") }, { maxPrice: "2" }, null, "price"],
  ["exactly the cap", { price: usd("2") }, { maxPrice: "2" }, null, null],
  ["a price of zero is no price", { price: usd("0") }, {}, null, "price"],
  ["sold out", { stock: 0 }, {}, null, "stock"],
  ["unknown stock is worth asking", { stock: "unknown" }, {}, null, null],
] as const)("%s", (_what, set, wanted, tie, expected) => {
  expect(refusal(offer(set), paperSpec(wanted), tie)).toBe(expected);
});

test("spot before on demand, then the cheapest, then by name; what just said no is left out", () => {
  const cheap = offer({ price: usd("0.5"), billing: "on-demand" });
  const a = offer({ zone: "north-a" });
  const b = offer({ zone: "north-b" });
  const dear = offer({ zone: "north-c", price: usd("1.5") });
  const spec = paperSpec({ billing: "auto" });
  expect(chooseOffers([cheap, dear, b, a], spec, null, nobody)).toEqual([a, b, dear, cheap]);
  expect(chooseOffers([cheap, dear, b, a], spec, null, new Set([offerKey(a), offerKey(cheap)]))).toEqual([b, dear]);
});

const cny = (amount: string) => moneyFromDecimal(amount, "CNY");
const rate = exchangeRateFrom("6.77");

test("yuan and dollars are tried in the order of what they are worth", () => {
  const six = offer({ type: "six", price: cny("6") });
  const dollar = offer({ type: "dollar", price: usd("1") });
  const seven = offer({ type: "seven", price: cny("7") });
  expect(chooseOffers([seven, dollar, six], paperSpec(), null, nobody, rate)).toEqual([six, dollar, seven]);
  expect(chooseOffers([seven, dollar, six], paperSpec(), null, nobody, exchangeRateFrom("5"))).toEqual([dollar, six, seven]);
});

test.each([
  ["2", "13.54", "CNY", null],
  ["2", "13.540001", "CNY", "price"],
  ["13.54CNY", "2", "USD", null],
  ["13.54CNY", "2.000001", "USD", "price"],
  ["13.54CNY", "13.54", "CNY", null],
  ["2", "0.01", "EUR", "price"],
] as const)("at most %s an hour for an offer of %s %s", (maxPrice, amount, currency, expected) => {
  const price = moneyFromDecimal(amount, currency);
  expect(refusal(offer({ price }), paperSpec({ maxPrice }), null, rate)).toBe(expected);
});

test("the cap that a cloud is told is in its own currency, and never more than was said", () => {
  expect(priceCap({ maxPrice: "2" }, "CNY", rate)).toEqual(cny("13.54"));
  expect(priceCap({ maxPrice: "10CNY" }, "USD", rate)).toEqual(usd("1.477104"));
  expect(priceCap({ maxPrice: "2" }, "USD", rate)).toEqual(usd("2"));
  expect(priceCap({ maxPrice: null }, "CNY", rate)).toBeNull();
});

test("the same market gives the same plan, in whatever order it answers", () => {
  const anOffer = fc
    .record({
      zone: fc.constantFrom("a", "b", "c"),
      price: fc.integer({ min: 0, max: 3_000_000 }).map((micros) => ({ micros: BigInt(micros), currency: "USD" })),
      billing: fc.constantFrom("spot" as const, "on-demand" as const, "monthly" as const),
      stock: fc.constantFrom(0, 1, "unknown" as const),
    })
    .map(offer);
  const unique = fc.uniqueArray(anOffer, { selector: (each) => `${offerKey(each)} ${each.price.micros}`, maxLength: 12 });
  fc.assert(
    fc.property(unique, fc.constantFrom("spot" as const, "auto" as const), (offers, billing) => {
      const spec = paperSpec({ billing, maxPrice: "2" });
      const plan = chooseOffers(offers, spec, null, nobody);
      expect(chooseOffers([...offers].reverse(), spec, null, nobody)).toEqual(plan);
      for (const each of plan) expect(refusal(each, spec, null)).toBeNull();
      expect(plan.length === 0 && offers.some((each) => refusal(each, spec, null) === null)).toBe(false);
    }),
  );
});

test.each([
  ["no provider offers this GPU", [{ gpu: { model: "A100", count: 1, vramGb: 80 } }], null],
  ["no spot offer for this GPU", [{ billing: "on-demand" }], null],
  ["every offer that fits is sold out", [{ stock: 0 }, { price: usd("9") }], null],
  ["every offer that fits costs more than $2 an hour", [{ price: usd("9") }, { billing: "on-demand" }], null],
  ["no offer in paper south, where the volume lies", [{}], { provider: "paper", region: "south", zone: null }],
  ["every offer that fits has just said that it has no capacity", [{}], null],
] as const)("%s", (expected, sets, tie) => {
  expect(whyNothingFits(sets.map(offer), paperSpec({ maxPrice: "2" }), tie)).toBe(expected);
});

const SOLD = "every offer that fits has just said that it has no capacity";
const LIMIT = "paper allows no more (the balance is used up)";
test.each([
  ["capacity alone", ["no capacity", "no capacity: accepted, and then there was none"], SOLD],
  ["a quota alone", [LIMIT, LIMIT], `every offer that fits is passed over for now: ${LIMIT}`],
  ["both", ["no capacity", LIMIT], `every offer that fits is passed over for now: ${LIMIT}; the others have no capacity`],
  ["many reasons", ["e", "d", "c", "b", "a"], "every offer that fits is passed over for now: a; b; c; 2 more reasons"],
] as const)("why offers are passed over: %s", (_what, reasons, expected) => {
  const passed = reasons.map((why, index) => ({ why, offer: offer({ zone: `north-${index}` }) }));
  const blocked = new Map(passed.map((one) => [offerKey(one.offer), one.why]));
  const offers = passed.map((one) => one.offer);
  expect(whyNothingFits(offers, paperSpec(), null, undefined, undefined, blocked)).toBe(expected);
  expect(whyNothingFits([...offers].reverse(), paperSpec(), null, undefined, undefined, blocked)).toBe(expected);
});

const zones = ["north-a", "north-b", "north-c"];
const anyOffer = fc
  .record({
    zone: fc.constantFrom(...zones),
    type: fc.constantFrom("h100.1", "h100.2"),
    billing: fc.constantFrom("spot" as const, "on-demand" as const),
    cents: fc.integer({ min: 1, max: 500 }),
    stock: fc.constantFrom(0, 3),
  })
  .map(({ cents, ...rest }) => offer({ ...rest, price: usd((cents / 100).toFixed(2)) }));
const anyPreferences = fc
  .record({
    burnt: fc.subarray(zones),
    shaken: fc.subarray(zones),
    beside: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 }),
    before: fc.integer({ min: 0, max: 5 }),
    onDemand: fc.boolean(),
  })
  .map(({ burnt, shaken, beside, before, onDemand }) => ({
    burnt: new Map(burnt.map((name) => [`paper/north/${name}`, 1])),
    shaken: new Set(shaken.map((name) => `paper/north/${name}/h100.1/spot`)),
    beside: new Map(zones.map((name, index) => [`paper/north/${name}/h100.1/spot`, beside[index] ?? 0])),
    before,
    onDemand,
  }));

test("a burnt zone's spot is chosen only where nothing else fits, and not while on-demand is still to come", () => {
  fc.assert(
    fc.property(fc.array(anyOffer), anyPreferences, fc.constantFrom("spot", "auto"), fc.boolean(), (offers, prefer, billing, fallsBack) => {
      const spec = paperSpec({ billing, fleet: "f", fallbackAfterMs: fallsBack ? 1 : null });
      const chosen = chooseOffers(offers, spec, null, nobody, undefined, prefer);
      const fitting = offers.filter((one) => refusal(one, spec, null, undefined, prefer.onDemand) === null);
      const calm = fitting.filter((one) => !isBurnt(one, prefer));
      const isLast = calm.length === 0 && (!fallsBack || prefer.onDemand);
      expect(new Set(chosen)).toEqual(new Set(isLast ? fitting : calm));
      // On demand comes last, and only where it is allowed.
      const first = chosen.findIndex((one) => one.billing === "on-demand");
      if (first >= 0) expect(chosen.slice(first).every((one) => one.billing === "on-demand")).toBe(true);
      if (billing === "spot" && !prefer.onDemand) expect(first).toBe(-1);
    }),
  );
});

test("a shaken pool counts as twice as dear, and is taken where nothing else is about as cheap", () => {
  const a = offer({ zone: "north-a", price: usd("1") });
  const b = offer({ zone: "north-b", price: usd("1.9") });
  const c = offer({ zone: "north-c", price: usd("2.1") });
  const prefer = { ...NO_PREFERENCES, shaken: new Set([offerKey(a)]) };
  expect(chooseOffers([c, b, a], paperSpec(), null, nobody, undefined, prefer)).toEqual([b, a, c]);
  expect(chooseOffers([a], paperSpec(), null, nobody, undefined, prefer)).toEqual([a]);
});

test("a fleet is spread over the pools that are at most a tenth dearer than the best, and others choose as if one after another", () => {
  const a = offer({ zone: "north-a", price: usd("1") });
  const b = offer({ zone: "north-b", price: usd("1.1") });
  const c = offer({ zone: "north-c", price: usd("1.11") });
  const choose = (set: Partial<typeof NO_PREFERENCES>, fleet: string | null = "f") =>
    chooseOffers([a, b, c], paperSpec({ fleet }), null, nobody, undefined, { ...NO_PREFERENCES, ...set });
  const beside = new Map([[offerKey(a), 1]]);
  expect(choose({})).toEqual([a, b, c]);
  expect(choose({ beside })).toEqual([b, a, c]);
  expect(
    choose({
      beside: new Map([
        [offerKey(a), 1],
        [offerKey(b), 1],
      ]),
    }),
  ).toEqual([a, b, c]);
  expect([0, 1, 2, 3].map((before) => choose({ before })[0]?.zone)).toEqual(["north-a", "north-b", "north-a", "north-b"]);
  expect(choose({ beside }, null)).toEqual([a, b, c]);
});

test("who was taken back too often is told so", () => {
  const prefer = { ...NO_PREFERENCES, burnt: new Map([["paper/north/north-a", 1]]) };
  expect(whyNothingFits([offer()], paperSpec({ fallbackAfterMs: 1 }), null, undefined, prefer)).toBe(
    "it was taken back too often in north-a, and nothing else that fits has capacity",
  );
  const other = offer({ zone: "north-b" });
  const blocked = new Map([[offerKey(other), LIMIT]]);
  expect(whyNothingFits([offer(), other], paperSpec({ fallbackAfterMs: 1 }), null, undefined, prefer, blocked)).toBe(
    `it was taken back too often in north-a, and the rest is passed over for now: ${LIMIT}`,
  );
});
