import { durationText } from "../model/duration.ts";
import { type Money, moneyJson, moneyText } from "../model/money.ts";
import type { Standing } from "../pricing/budget.ts";
import { scopeName } from "../pricing/budget-scope.ts";
import { type ExchangeRate, exchangeRateText, ratesJson, ratesText } from "../pricing/currency.ts";
import { isoTime } from "./json.ts";
import { listView } from "./list-view.ts";
import type { View } from "./view.ts";

const rate = (money: Money) => ({ ...moneyJson(money), per: "hour" });

/** Budgets and where they stand, as `spot.budgets/1`. */
export function budgetsView(standings: readonly Standing[], now: number, exchange: ExchangeRate): View {
  return listView<Standing>({
    schema: "spot.budgets/1",
    items: standings,
    toJson: (item) => standingJson(item, exchange),
    columns: [
      { key: "scope", header: "BUDGET", value: ({ budget }) => budget.scope, paint: (text, _, painter) => painter.bold(text) },
      { key: "cap", header: "CAP", align: "right", value: ({ budget }) => moneyText(budget.cap) },
      { key: "spent", header: "SPENT", align: "right", value: spentText },
      {
        key: "share",
        header: "USED",
        align: "right",
        value: ({ percent }) => `${percent}%`,
        paint: (text, { state }, painter) =>
          state === "ok" ? painter.green(text) : state === "near" ? painter.yellow(text) : painter.red(text),
      },
      { key: "burn", header: "PER HOUR", align: "right", value: ({ burn }) => moneyText(burn), drop: 2 },
      { key: "reached", header: "REACHED", value: (item) => reachedText(item, now) },
      { key: "dayEnd", header: "BY MIDNIGHT UTC", align: "right", value: ({ atDayEnd }) => moneyText(atDayEnd), drop: 3 },
      { key: "atCap", header: "AT THE CAP", value: ({ budget }) => budget.atCap, drop: 1 },
      { key: "basis", header: "BASIS", value: ({ basis }) => basis, drop: 4 },
    ],
    empty: "No budget is set. Set one with: spot budget set 250",
    ...(standings.length === 0 ? {} : { footer: footer(standings, exchange) }),
  });
}

function standingJson({ budget, scope, ...standing }: Standing, exchange: ExchangeRate) {
  return {
    scope: budget.scope,
    fleet: scope.fleet,
    perDay: scope.perDay,
    cap: moneyJson(budget.cap),
    atCap: budget.atCap,
    spent: moneyJson(standing.spent),
    burn: rate(standing.burn),
    // Of the cap, 0–1 and above.
    share: standing.percent / 100,
    state: standing.state,
    reachesCapAt: isoTime(standing.reachesAt),
    dayEndsAt: isoTime(standing.dayEnds),
    forecastAtDayEnd: moneyJson(standing.atDayEnd),
    basis: standing.basis,
    atLeast: standing.uncounted.length > 0,
    uncounted: standing.uncounted.map(moneyJson),
    converted: standing.isConverted ? convertedJson(exchange) : null,
    createdAt: isoTime(budget.createdAt),
  };
}

/** The yuan's rate, and those of all currencies. */
function convertedJson(exchange: ExchangeRate) {
  const rates = ratesJson(exchange, Object.keys(exchange.perUsd));
  return { cnyPerUsd: exchangeRateText(exchange), source: exchange.perUsd["CNY"]?.source ?? "", rates };
}

function spentText({ spent, basis, uncounted }: Standing): string {
  return `${uncounted.length > 0 ? "≥ " : ""}${basis === "billed" ? "" : "~"}${moneyText(spent)}`;
}

function reachedText({ state, reachesAt }: Standing, now: number): string {
  if (state === "reached") return "yes";
  return reachesAt === null ? "not at this rate" : `in ${durationText(reachesAt - now)}`;
}

function footer(standings: readonly Standing[], exchange: ExchangeRate): string {
  return [
    "Counted: machines and disks by spot's own ledger, as billed where the provider has said so (~ is estimated); a day is a calendar day in UTC.",
    ...(standings.some(({ isConverted }) => isConverted)
      ? [`Other currencies are converted at ${ratesText(exchange, Object.keys(exchange.perUsd))}.`]
      : []),
    ...(standings.some(({ uncounted }) => uncounted.length > 0) ? ["≥: amounts in a currency without a rate are not in it."] : []),
  ].join(" ");
}

/** One line about the budget that is nearest to its cap. */
export function nearestBudgetText(standing: Standing, now: number): string {
  const { budget, burn, state, reachesAt } = standing;
  const ahead =
    state === "reached" || reachesAt === null ? "" : `, reached in ${durationText(reachesAt - now)} at ${moneyText(burn)} an hour`;
  const name = scopeName(budget.scope);
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}: ${spentText(standing)} of ${moneyText(budget.cap)} (${standing.percent}%)${ahead}.`;
}
