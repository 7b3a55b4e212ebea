import { expect, test } from "vitest";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { costText, instancesView } from "../../src/output/instances-view.ts";
import { instanceJson } from "../../src/output/json.ts";
import { offersView } from "../../src/output/offers-view.ts";
import { plainPainter } from "../../src/output/painter.ts";
import { planView } from "../../src/output/plan-view.ts";
import { exchangeRateFrom } from "../../src/pricing/currency.ts";
import { USUAL_WORK } from "../../src/pricing/effective.ts";
import { comparedCurrencies, rankOffers } from "../../src/pricing/rank.ts";
import { offer, record } from "../fleet/samples.ts";
import { paperSpec } from "../simulation/paper-world.ts";

const usd = (text: string) => moneyFromDecimal(text, "USD");
const cny = (text: string) => moneyFromDecimal(text, "CNY");
const rate = exchangeRateFrom("6.77");
const offers = [offer({ type: "dollars", price: usd("1") }), offer({ type: "yuan", price: cny("5.5") })];

async function offersText(list: typeof offers): Promise<string> {
  const rows = rankOffers(list, {}, "price", USUAL_WORK, rate).map((ranked) => ({ ranked }));
  const currencies = comparedCurrencies(list, {});
  return offersView(rows, { rate, currencies, empty: "none", now: 0, sources: [], more: 0 }).render(plainPainter, 400);
}

test("offers in two currencies keep their prices, and the rate of their order is said", async () => {
  const text = await offersText(offers);
  expect(text).toMatch(/PER HOUR/);
  expect(text).toMatch(/¥5\.50[\s\S]*\$1\.00/);
  expect(text).toContain("Currencies are compared at 1 USD for 6.77 CNY (fxCny, of no stated day); no price is converted.");
  const dollars = await offersText(offers.slice(0, 1));
  expect(dollars).toContain("$/HOUR");
  expect(dollars).not.toContain("CNY");
});

test("a plan over two currencies asks for a sum of each", () => {
  const lines = offers.map((one) => ({ spec: paperSpec(), offer: one }));
  expect(planView([...lines, ...lines]).question).toBe("Rent 4 instances at $2.00/hour ($1460.00/month) + ¥11.00/hour (¥8030.00/month)?");
});

test("an instance that was paid for in two currencies shows both", async () => {
  const cost = { amount: cny("7.5"), also: [usd("3")], basis: "estimated" } as const;
  expect(costText(cost)).toBe("~¥7.50 + $3.00");
  expect(instanceJson(record(), cost)["cost"]).toEqual({
    amount: "7.500000",
    currency: "CNY",
    basis: "estimated",
    also: [{ amount: "3.000000", currency: "USD" }],
  });
  const view = (price: typeof cost.amount) =>
    instancesView([{ record: record({ price }), cost: undefined, now: 0 }]).render(plainPainter, 200);
  expect(await view(cny("1"))).toContain("PER HOUR");
  expect(await view(usd("1"))).toContain("$/HOUR");
});
