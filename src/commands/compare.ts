import { type Command, Option } from "commander";
import { gpuMatcher } from "../model/gpu-names.ts";
import { usageProblem } from "../model/problem.ts";
import { comparisonCsv } from "../output/comparison-csv.ts";
import { type ComparisonParts, comparisonView } from "../output/comparison-view.ts";
import { compareWays } from "../pricing/comparison/compare.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { ownRows, tokenApi, workloadAsked } from "./compare-flags.ts";
import { addRateFlag, exchangeRate } from "./exchange-rate.ts";
import { offersAtHand } from "./offers-at-hand.ts";
import { pagePlace, writePage } from "./page-file.ts";
import { gpuFlag } from "./price-flags.ts";
import { addWorkFlags, workFlags } from "./work-flags.ts";

const takeAll = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value];

const HELP = `
For each GPU: the cheapest offer in stock of each billing mode, what --own describes, and an API by
the token. Spot is reckoned with its lost work (see spot offers --help), and shown at its sticker
price as well; a monthly commitment is paid for all 720 hours of 30 days, in a job for whole months. The cheapest mix of a long
rental, machines by the hour and tokens is found by trying them; docs/prices.md says which are tried,
and how all of it is reckoned.

A row of your own is KEY=VALUE, by comma, or @FILE with one row a line:
  name          what it is called
  price         1.98CNY/hour, 30000CNY/month, 240000CNY/3years, 120.30USD/730h; USD when no currency is said
  plus          running costs beside, for example 2000CNY/month
  term          how long it is bound for at least, for example 12months
  billing       spot, on-demand, monthly or owned; up to a day it is on-demand, for longer monthly
  gpu, gpus     what it is compared with (MODEL or MODEL:COUNT), and how many GPUs it has: else as
                many as --gpu says, else one
  throughput    tokens a second of the whole machine
  interruptions an hour, and notice, for spot

Examples:
  $ spot compare --gpu H100 --hours 200 --deadline 48h
  $ spot compare --gpu 4090 --hours-per-day 8 --own "name=rack,price=30000CNY/month,gpus=8" --html compare.html
  $ spot compare --gpu H100 --profile 16x1,8x4 --tokens-per-day 250M --token-price 4CNY --throughput 2500`;

/** `spot compare`: what a workload costs in every way to buy it, at the prices of this moment. */
export const compare: CommandModule = {
  configure(command: Command) {
    command
      .option("--gpu <model[:count]>", "only this GPU, for example H100, H100:8, 4090 or A100-80GB")
      .option("--hours <n>", "a job of so many useful hours")
      .option("--deadline <duration>", "by when that job is to be done; several machines at once where one is too slow")
      .option("--hours-per-day <n>", "a month of 30 days with so many useful hours a day (24 unless told)")
      .option("--profile <hoursxmachines,...>", "a month of 30 days like this: 16x1,8x4 is one machine for 16 hours, four for 8")
      .option("--tokens-per-day <n>", "a month of so many tokens a day: 250M, 1.5B")
      .option("--token-price <amount>", "what an API takes for a million tokens: 0.6, or 4CNY")
      .option("--throughput <n>", "tokens a second that one GPU makes at full use")
      .option("--utilisation <share>", "the share of its paid time in which a machine is at full use (1 unless told)")
      .addOption(new Option("--own <row>", "a way to buy of your own, once for each; see below").argParser(takeAll))
      .option("--no-offers", "only what --own and --token-price say; nobody is asked")
      .option("--each-provider", "the cheapest of each provider rather than of all")
      .option("--provider <ids>", "only these clouds, by comma")
      .option("--source <where>", "live, catalog or bundled prices only")
      .option("--csv", "comma-separated values (RFC 4180) instead of a table")
      .option("--html <file>", "writes a page with charts as well");
    addWorkFlags(command);
    addRateFlag(command);
    command.addHelpText("after", HELP);
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const isCsv = context.options["csv"] === true;
    if (isCsv && context.machine) throw usageProblem("--csv and JSON or YAML exclude each other");
    const place = await pagePlace(context);
    const gpu = gpuFlag(context);
    const { ask, text } = workloadAsked(context);
    const api = tokenApi(context);
    const [rows, rate, work] = [await ownRows(context), await exchangeRate(context), await workFlags(context)];
    const isAsked = context.options["offers"] !== false;
    if (!isAsked && rows.length === 0 && api === null)
      throw usageProblem("--no-offers leaves nothing to compare", "describe a way to buy with --own");
    const market = isAsked ? await offersAtHand(context, { read: { by: "price", bestOf: "machine" } }) : undefined;
    const isGpu = gpu === undefined ? () => true : gpuMatcher(gpu.model);
    const offers = (market?.offers ?? []).filter(
      (offer) => isGpu(offer.gpu) && (gpu?.count === undefined || offer.gpu.count === gpu.count),
    );
    const now = context.world.clock.now();
    const comparisons = compareWays({
      offers,
      rows,
      api,
      ask,
      work,
      rate,
      gpu: gpu ?? null,
      isByProvider: context.options["eachProvider"] === true,
      // Who names no cloud has nothing of prices that are made up.
      isInventedAsked: (await context.setting("provider")) !== undefined,
      now,
    });
    const parts: ComparisonParts = { comparisons, ask, api, workloadText: text, work, rate, sources: market?.sources ?? [], now };
    if (place !== undefined) {
      const { comparisonPage } = await import("../output/comparison-page.ts");
      await writePage(context, place, comparisonPage(parts));
    }
    const view = comparisonView(parts);
    const beside = { ...view.beside, ...market?.beside };
    const shown = isCsv ? { ...view, render: () => comparisonCsv(parts) } : view;
    return { view: { ...shown, beside }, ...(market?.problem === undefined ? {} : { problem: market.problem }) };
  },
};
