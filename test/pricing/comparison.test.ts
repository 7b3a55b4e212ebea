import { expect, test } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import type { Offer } from "../../src/model/offer.ts";
import type { Ask } from "../../src/pricing/comparison/demand.ts";
import { parseOwnRow } from "../../src/pricing/comparison/own-row.ts";
import { DAY_MS, HOUR_MS, hoursMs, MONTH_MS, parseSpan, parseTariff, tariffCost } from "../../src/pricing/comparison/tariff.ts";
import type { TokenWay } from "../../src/pricing/comparison/way.ts";
import { exchangeRateFrom, worthIn } from "../../src/pricing/currency.ts";
import { USUAL_WORK } from "../../src/pricing/effective.ts";
import { cny, compared, jobOf, MILLION, monthOf, offer, plainAsk, usd } from "./ways.ts";

test("a job is compared on demand, on spot and by the month", () => {
  const offers = [
    offer({ billing: "on-demand", price: usd("3"), onDemandPrice: null }),
    offer({ price: usd("1") }),
    offer({ billing: "monthly", price: usd("0.9"), onDemandPrice: null }),
    offer({ price: usd("0.1"), stock: 0 }),
  ];
  const [job] = compared({ offers, ask: jobOf(100) });
  const spot = job?.options.find(({ billing }) => billing === "spot");
  const lost = spot?.way?.loss.lostShare ?? 0;
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
});

test("a deadline takes several machines of what is paid by the month, and no more hours of the others", () => {
  const ask: Ask = { ...plainAsk, job: { ms: hoursMs(200), deadlineMs: hoursMs(48) } };
  const rows = [parseOwnRow("name=m,price=100/month"), parseOwnRow("name=h,price=2")];
  const [one] = compared({ rows, ask });
  expect(one?.options.map(({ name, machines, total }) => [name, machines, moneyToDecimal(total)])).toEqual([
    ["h", 5n, "400.000000"],
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
  expect(one?.unable).toEqual([{ name: "slow", why: "too many" }]);
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

test("a row that does not say how many GPUs it has has as many as were asked for, else one, whatever it is compared with", () => {
  const offers = [1, 8].map((count) => offer({ billing: "on-demand", gpu: { model: "H100", count, vramGb: 80 } }));
  const rows = [parseOwnRow("name=mine,price=2.5"), parseOwnRow("name=too,price=2.5,gpu=H100")];
  const machines = (gpu: { readonly model: string; readonly count?: number } | null) =>
    compared({ offers, rows, ask: monthOf(8), gpu }).map(({ count, options }) => [
      count,
      ...options.filter(({ name }) => name !== "local on-demand").map((option) => [option.machines, moneyToDecimal(option.total)]),
    ]);
  const one = [1, [1n, "600.000000"], [1n, "600.000000"]];
  expect(machines(null)).toEqual([one, [8, [8n, "4800.000000"], [8n, "4800.000000"]]]);
  expect(machines({ model: "H100", count: 8 })).toEqual([one, [8, [1n, "600.000000"], [1n, "600.000000"]]]);
});

test("what rows call their GPU in several ways is one product, and each stands there once", () => {
  const rows = ["H100", "H100-80GB", "NVIDIA H100 80GB HBM3"].map((gpu, index) => parseOwnRow(`name=r${index},price=1,gpu=${gpu}`));
  const found = compared({ rows }).map(({ product, options }) => [product, options.map(({ name }) => name)]);
  expect(found).toEqual([["H100-80GB SXM", ["r0", "r1", "r2"]]]);
  const offers = [offer({ gpu: { model: "H100", count: 1, vramGb: 80, form: "PCIe" } })];
  expect(compared({ offers, rows: [parseOwnRow("price=1,gpu=H100 PCIe")] }).map(({ product }) => product)).toEqual(["H100-80GB PCIe"]);
});

test("rows of one name are told apart", () => {
  const rows = ["1.6", "600/month", "2.0", "900/month"].map((price) => parseOwnRow(`price=${price}`));
  const api: TokenWay = { name: "API", perMillion: usd("1") };
  const [one] = compared({ rows: [...rows, parseOwnRow("name=API,price=9")], api, ask: { ...plainAsk, tokensPerDay: 1n } });
  expect(one?.options.map(({ name }) => name).sort()).toEqual(["API", "API (2)", "monthly", "monthly (2)", "on-demand", "on-demand (2)"]);
});

test("a price that is made up is no measure of a real one, and stands aside unless its cloud was asked for", () => {
  const made = offer({ billing: "on-demand", price: usd("3") });
  const real = offer({ provider: "ppio", price: usd("1") });
  const shown = (isInventedAsked: boolean, set = {}) =>
    compared({ offers: [made, real], ask: jobOf(10), isInventedAsked, ...set }).map(({ options, hidesInvented }) => [
      hidesInvented,
      ...options.map(({ name, savings }) => [name, savings]),
    ]);
  expect(shown(false)).toEqual([[true, ["ppio spot", null]]]);
  expect(shown(true)).toEqual([[false, ["ppio spot", null], ["local on-demand", null]]]);
  expect(shown(false, { offers: [made] })).toEqual([[false, ["local on-demand", 0]]]);
  const rows = [parseOwnRow("name=mine,price=2")];
  expect(shown(false, { offers: [made], rows })).toEqual([[true, ["mine", 0]]]);
  const eight = offer({ gpu: { model: "H100", count: 8, vramGb: 80 } });
  expect(shown(false, { offers: [eight, real], rows })).toEqual([[true, ["ppio spot", 0.4873], ["mine", 0]]]);
  expect(shown(true, { offers: [made], rows })).toEqual([[false, ["mine", 0], ["local on-demand", -0.5]]]);
});

test("a list of another year speaks only where nothing younger does", () => {
  const day = 24 * 3_600_000;
  const old = offer({ provider: "ppio", source: "bundled", price: usd("0.5"), observedAt: 0 });
  const young = offer({ provider: "aws", source: "catalog", price: usd("1"), observedAt: 99 * day });
  const names = (offers: readonly Offer[]) => compared({ offers, now: 100 * day })[0]?.options.map(({ name }) => name);
  expect([names([old, young]), names([old])]).toEqual([["aws spot"], ["ppio spot"]]);
});

test("how often a row says that it is interrupted holds for it, whatever holds for all; nobody's word is marked", () => {
  const rows = [parseOwnRow("name=said,price=1,billing=spot,interruptions=0.5"), parseOwnRow("name=unsaid,price=1,billing=spot")];
  const losses = (work = USUAL_WORK) =>
    compared({ rows, work, ask: jobOf(10) })[0]?.options.map(({ name, way }) => [name, way?.loss.interruptionsPerHour, way?.loss.basis]);
  expect(losses()).toEqual([
    ["unsaid", 0.05, "assumed"],
    ["said", 0.5, "given"],
  ]);
  expect(losses({ ...USUAL_WORK, given: { interruptionsPerHour: 0.02 } })).toEqual([
    ["unsaid", 0.02, "given"],
    ["said", 0.5, "given"],
  ]);
});

test("what never finishes is no way to do the work", () => {
  const rows = [parseOwnRow("name=mad,price=0.01,billing=spot,interruptions=3600"), parseOwnRow("name=h,price=2")];
  const [one] = compared({ rows, ask: jobOf(10) });
  expect(one?.options.map(({ name }) => name)).toEqual(["h"]);
  expect(one?.unable).toEqual([{ name: "mad", why: "never" }]);
  expect(one?.mix?.parts.map(({ way: { name } }) => name)).toEqual(["h"]);
  const [none] = compared({ rows: rows.slice(0, 1), ask: jobOf(10) });
  expect([none?.options, none?.mix]).toEqual([[], null]);
});

test("a deadline says how many machines by the hour run at once, and too many are none", () => {
  const rows = [parseOwnRow("name=h,price=2")];
  const within = (deadlineMs: bigint) => compared({ rows, ask: { ...plainAsk, job: { ms: hoursMs(10), deadlineMs } } })[0];
  expect(within(hoursMs(3))?.options.map(({ machines }) => machines)).toEqual([4n]);
  expect(within(1000n)).toMatchObject({ options: [], unable: [{ name: "h", why: "too many" }], mix: null });
});

test.each([
  ["name=rack,price=30000CNY/month,gpus=8", { name: "rack", billing: "monthly", gpus: 8, termMs: MONTH_MS }],
  ["price=1.98CNY/hour", { name: "on-demand", billing: "on-demand", gpus: null, termMs: 0n }],
  ["price=240000CNY/365d", { billing: "monthly", termMs: 365n * DAY_MS, stepMs: 365n * DAY_MS }],
  ["price=10/day", { billing: "on-demand", termMs: 0n, stepMs: 0n }],
  ["price=2,billing=monthly", { stepMs: MONTH_MS }],
  ["price=2,billing=owned", { stepMs: DAY_MS }],
  ["price=300/month,term=7d", { termMs: 7n * DAY_MS, stepMs: 7n * DAY_MS }],
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
