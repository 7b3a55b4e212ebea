import type { Command } from "commander";
import type { PriceSeries } from "../../model/listed-price.ts";
import { isUnicode } from "../../output/charset.ts";
import { type DrawnSeries, historyCsv, priceHistoryView } from "../../output/price-history-view.ts";
import { rateNote } from "../../output/rate-note.ts";
import { compareMoney, type ExchangeRate } from "../../pricing/currency.ts";
import { priceFigures } from "../../pricing/history.ts";
import { mergedSeries, onDemandOf, stepsOf } from "../../pricing/history-groups.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { addRateFlag, exchangeRate } from "../exchange-rate.ts";
import { countFlag } from "../price-flags.ts";
import { type Observed, observedOptions, observedPrices } from "./observed.ts";

/** So many people see unless they ask for more: lines, or plots. */
const MOST_LINES = 40;
const MOST_PLOTS = 4;
const MOST = 100_000;

/** `spot price history`: what was observed of prices, drawn. */
export const priceHistory: CommandModule = {
  configure(command: Command) {
    addRateFlag(command);
    observedOptions(command.description("How prices went: a line for each machine in each zone, and a plot where there is one of them."))
      .option("--plot", "a plot of each instead of a line")
      .option("--limit <n>", `how many are drawn (default: ${MOST_LINES}, of plots ${MOST_PLOTS})`)
      .addHelpText(
        "after",
        `
What is drawn was observed: by price sync in the public catalogues, by offers at the providers, and
with --refresh by AWS and Alibaba themselves. A price holds until the next observation; after the
last one nothing is assumed. The cheapest come first, by what was observed last.

Examples:
  $ spot price history --gpu H100
  $ spot price history --type g5.xlarge --zone us-east-1a --since 90d --refresh
  $ spot price history --gpu 4090 --csv > prices.csv`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const observed = await observedPrices(context);
    const { window, of, empty, beside } = observed;
    const plot = context.options["plot"] === true;
    const rate = await exchangeRate(context);
    const rows = drawn(observed, rate);
    if (context.options["csv"] === true)
      return { view: { schema: "spot.price-history/1", data: null, render: () => historyCsv(rows, of) } };
    const scene = {
      ...{ of, since: window.since, until: window.until, plot, empty, beside },
      unicode: isUnicode(context.world.env),
      limit: countFlag(context, "limit", "--limit", MOST) ?? (plot ? MOST_PLOTS : MOST_LINES),
      order: rateNote(rate, new Set(rows.map(({ series }) => series.currency))),
    };
    return { view: priceHistoryView(rows, scene) };
  },
};

function drawnOf(series: PriceSeries, { window, of }: Observed): DrawnSeries | null {
  const steps = stepsOf(series, of, window);
  const figures = priceFigures([steps]);
  const last = steps.held.at(-1);
  return figures === null || last === undefined ? null : { series, steps, figures, last: last.micros, onDemand: onDemandOf(series, of) };
}

function drawn(observed: Observed, rate: ExchangeRate): readonly DrawnSeries[] {
  const price = ({ last, series }: DrawnSeries) => ({ micros: last, currency: series.currency });
  return mergedSeries(observed.series)
    .flatMap((series) => drawnOf(series, observed) ?? [])
    .toSorted((a, b) => compareMoney(price(a), price(b), rate) || a.series.zone.localeCompare(b.series.zone));
}
