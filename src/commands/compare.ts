import type { Command } from "commander";
import { gpuMatcher } from "../model/gpu-names.ts";
import { usageProblem } from "../model/problem.ts";
import { comparisonView } from "../output/comparison-view.ts";
import { compareOffers, jobOf, monthOf, type Workload } from "../pricing/compare.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { gpuFlag, offersAtHand, requireKnownGpu, textFlag, workFlags } from "./price-flags.ts";

/** `spot compare`: what a workload costs on demand, on spot and by the month, at the offers of this moment. */
export const compare: CommandModule = {
  configure(command: Command) {
    command
      .option("--gpu <model[:count]>", "only this GPU, for example H100, H100:8, 4090 or A100-80GB")
      .option("--hours <n>", "a job of so many useful hours")
      .option("--hours-per-day <n>", "a month of 30 days with so many useful hours a day (24 unless told)")
      .option("--provider <ids>", "only these providers, by comma; the configured ones when not given")
      .option("--checkpoint-every <duration>", "how often the workload saves its work", "10m")
      .addHelpText(
        "after",
        `
The cheapest offer in stock of each billing mode, for each GPU. Spot is reckoned with its lost work
(see spot offers --help); a monthly commitment is paid for all 720 hours of 30 days.

Examples:
  $ spot compare --gpu H100 --hours 200
  $ spot compare --hours-per-day 8`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const gpu = gpuFlag(context);
    const { workload, workloadText } = workloadOf(context);
    const work = workFlags(context);
    const { offers: atHand, beside } = await offersAtHand(context);
    if (gpu !== undefined) requireKnownGpu(gpu.model, atHand);
    const isGpu = gpu === undefined ? () => true : gpuMatcher(gpu.model);
    const wanted = atHand.filter((offer) => isGpu(offer.gpu) && (gpu?.count === undefined || offer.gpu.count === gpu.count));
    const view = comparisonView({ comparisons: compareOffers(wanted, workload, work), workload, workloadText, work });
    return { view: { ...view, beside } };
  },
};

function workloadOf(context: CommandContext): { readonly workload: Workload; readonly workloadText: string } {
  const hours = textFlag(context, "hours");
  const perDay = textFlag(context, "hoursPerDay");
  if (hours !== undefined && perDay !== undefined) throw usageProblem("--hours and --hours-per-day exclude each other");
  if (hours !== undefined) {
    const amount = positive("--hours", hours, 100_000);
    return { workload: jobOf(amount), workloadText: `a job of ${amount} useful hour${amount === 1 ? "" : "s"}` };
  }
  const amount = positive("--hours-per-day", perDay ?? "24", 24);
  return { workload: monthOf(amount), workloadText: `30 days with ${amount} useful hour${amount === 1 ? "" : "s"} a day` };
}

function positive(flag: string, text: string, most: number): number {
  const amount = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(amount > 0 && amount <= most)) throw usageProblem(`${flag}: ${JSON.stringify(text)} is not a number above 0 and up to ${most}`);
  return amount;
}
