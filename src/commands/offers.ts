import type { Command } from "commander";
import { usageProblem } from "../model/problem.ts";
import { offersView } from "../output/offers-view.ts";
import { parsePrice } from "../pricing/currency.ts";
import { bestOfEach, OFFER_GROUPS, OFFER_SORTS, type RankQuery, rankOffers } from "../pricing/rank.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { exchangeRate } from "./exchange-rate.ts";
import { choiceFlag, gpuFlag, offersAtHand, parsedFlag, requireKnownGpu, textFlag, workFlags } from "./price-flags.ts";

const BILLINGS = ["spot", "on-demand", "monthly", "any"] as const;

/** `spot offers`: what can be rented now, ranked. */
export const offers: CommandModule = {
  configure(command: Command) {
    command
      .option("--gpu <model[:count]>", "only this GPU, for example H100, H100:8, 4090 or A100-80GB")
      .option("--billing <mode>", `${BILLINGS.join(", ")}`, "spot")
      .option("--sort <by>", `${OFFER_SORTS.join(", ")}; prices are compared per GPU`, "effective")
      .option("--group-by <what>", `the best of each ${OFFER_GROUPS.join(", ")}`)
      .option("--provider <ids>", "only these providers, by comma; the configured ones when not given")
      .option("--max-price <amount>", "at most this much an instance-hour: 2.5 is USD, or 18CNY")
      .option("--checkpoint-every <duration>", "how often the workload saves its work, for the effective price", "10m")
      .addHelpText(
        "after",
        `
The effective price is what a useful hour costs: price × (1 + lost share), where
lost share = interruptions per hour × (half the checkpoint interval + 5 min to come back)
           + 5 s for each checkpoint / the interval.
Where the notice is long enough to seal in (20 s), an interruption costs one more checkpoint
instead of half an interval.
Offers in several currencies stand in one order, by the rate that the setting fxCny says; every
price is shown in its own currency.
Where a provider does not say how often it interrupts, 5 % an hour is assumed and marked with ~.

Examples:
  $ spot offers --gpu H100 --billing any
  $ spot offers --group-by gpu --sort savings`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const gpu = gpuFlag(context);
    const billing = choiceFlag("--billing", textFlag(context, "billing") ?? "spot", BILLINGS);
    const sort = choiceFlag("--sort", textFlag(context, "sort") ?? "effective", OFFER_SORTS);
    const groupText = textFlag(context, "groupBy");
    const group = groupText === undefined ? undefined : choiceFlag("--group-by", groupText, OFFER_GROUPS);
    const query: RankQuery = {
      ...(gpu === undefined ? {} : { gpuModel: gpu.model }),
      ...(gpu?.count === undefined ? {} : { gpuCount: gpu.count }),
      ...(billing === "any" ? {} : { billing }),
      ...maxPriceOf(context),
    };
    const work = workFlags(context);
    const { offers: atHand, beside } = await offersAtHand(context);
    if (gpu !== undefined) requireKnownGpu(gpu.model, atHand);
    const rate = await exchangeRate(context);
    const ranked = rankOffers(atHand, query, sort, work, rate);
    const rows =
      group === undefined
        ? ranked.map((one) => ({ ranked: one }))
        : bestOfEach(ranked, group).map(({ best, count }) => ({ ranked: best, count }));
    const view = offersView(rows, rate, "No offer fits. spot offers --billing any shows all of them.");
    return { view: Object.assign(view, { beside }) };
  },
};

function maxPriceOf(context: CommandContext): Pick<RankQuery, "maxPrice"> {
  const text = textFlag(context, "maxPrice");
  if (text === undefined) return {};
  const maxPrice = parsedFlag("--max-price", () => parsePrice(text));
  if (maxPrice.micros <= 0n) throw usageProblem(`--max-price: ${text} is not more than zero`);
  return { maxPrice };
}
