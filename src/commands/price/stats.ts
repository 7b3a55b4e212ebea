import type { Command } from "commander";
import { durationText } from "../../model/duration.ts";
import type { Money } from "../../model/money.ts";
import { usageProblem } from "../../model/problem.ts";
import { priceStatsView, statsCsv } from "../../output/price-stats-view.ts";
import { rateNote } from "../../output/rate-note.ts";
import { capIn, compareMoney, parsePrice } from "../../pricing/currency.ts";
import { HISTORY_GROUPS, historyRows } from "../../pricing/history-groups.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { addRateFlag, exchangeRate } from "../exchange-rate.ts";
import { choiceFlag, countFlag, parsedFlag, textFlag } from "../price-flags.ts";
import { observedOptions, observedPrices } from "./observed.ts";

const MOST_LINES = 40;
const MOST = 100_000;

/** `spot price stats`: what was observed of prices, in figures. */
export const priceStats: CommandModule = {
  configure(command: Command) {
    addRateFlag(command);
    observedOptions(command.description("Figures of the prices that were observed, weighed by the time for which each price held."))
      .option("--group-by <what>", `a row for each ${HISTORY_GROUPS.join(", ")}`, "zone")
      .option("--under <amount>", "the share of time at or under this price: 2.5 is USD, or 18CNY; of what --per says")
      .option("--limit <n>", `how many rows are shown (default: ${MOST_LINES})`)
      .addHelpText(
        "after",
        `
P50 and P95: for half of the time, and for 95 % of it, the price was this or less. VOLATILITY is that
of a day: the root of the sum of squared logarithms of each price over the one before, by the days
observed. DEARER is the share of time in which spot cost more than on demand. Between observations
more than --max-gap apart, and after the last one, no price is assumed; OBSERVED is what is left.
GPUs, ways to pay, currencies and kinds of sources are never thrown together.

Examples:
  $ spot price stats --gpu H100 --under 2.5
  $ spot price stats --group-by region --provider aws --since 90d
  $ spot price stats --type g5.xlarge --json`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const by = choiceFlag("--group-by", textFlag(context, "groupBy") ?? "zone", HISTORY_GROUPS);
    const limit = limitOf(context);
    const most = countFlag(context, "limit", "--limit", MOST) ?? MOST_LINES;
    const { series, window, of, empty, beside } = await observedPrices(context);
    const rate = await exchangeRate(context);
    const rows = historyRows(series, {
      ...{ by, of, window },
      limitIn: (currency) => (limit === null ? null : capIn(limit, currency, rate)),
    });
    const price = ({ figures: { p50 }, currency }: (typeof rows)[number]): Money => ({ micros: p50, currency });
    const sorted = rows.toSorted((a, b) => compareMoney(price(a), price(b), rate) || (a.zone ?? "").localeCompare(b.zone ?? ""));
    const compared = new Set([...rows.map(({ currency }) => currency), ...(limit === null ? [] : [limit.currency])]);
    const footer = `Weighed by time since ${new Date(window.since).toISOString().slice(0, 16)} UTC, ${of === "gpu" ? "per GPU-hour" : "per instance-hour"}; a pause of more than ${durationText(window.maxGapMs)} is a gap, of which nothing is said.${rateNote(rate, compared)}`;
    const scene = { of, limit, most, footer, empty, beside: { ...beside, groupBy: by } };
    if (context.options["csv"] === true)
      return { view: { schema: "spot.price-stats/1", data: null, render: () => statsCsv(sorted, scene) } };
    return { view: priceStatsView(sorted, scene) };
  },
};

function limitOf(context: CommandContext): Money | null {
  const text = textFlag(context, "under");
  if (text === undefined) return null;
  const limit = parsedFlag("--under", () => parsePrice(text));
  if (limit.micros <= 0n) throw usageProblem(`--under: ${text} is not more than zero`);
  return limit;
}
