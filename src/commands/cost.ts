import type { Command } from "commander";
import { followBilling } from "../fleet/billed.ts";
import { parseDuration } from "../model/duration.ts";
import { suggestion } from "../model/nearest.ts";
import { usageProblem } from "../model/problem.ts";
import { costView } from "../output/cost-view.ts";
import { SUMMARY_KEYS, type SummaryKey, summarize } from "../pricing/summary.ts";
import { nearestBudget } from "./budget/nearest.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { openFleet } from "./fleet-context.ts";

export const cost: CommandModule = {
  configure(command: Command) {
    command
      .option("--since <when>", "a duration back from now (24h, 7d) or an ISO date")
      .option("--by <group>", SUMMARY_KEYS.join(", "), "instance")
      .option("--no-refresh", "without asking the providers what they billed");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const by = groupOf(context);
    const now = context.world.clock.now();
    const since = sinceOf(context, now);
    const fleet = await openFleet(context);
    if (context.options["refresh"] !== false) {
      const silent = await followBilling(fleet, since ?? 0, context.world.signal);
      for (const { provider, why } of silent) context.progress.warn(`${provider} did not say what it billed: ${why}`);
    }
    const ledger = await fleet.state.ledger(since === null ? {} : { since });
    return { view: costView(summarize(ledger, by, { since: since ?? 0, now }), by, await nearestBudget(context)) };
  },
};

function groupOf(context: CommandContext): SummaryKey {
  const text = String(context.options["by"] ?? "instance");
  const group = SUMMARY_KEYS.find((known) => known === text);
  if (group === undefined) throw usageProblem(`--by: there is no group ${JSON.stringify(text)}`, suggestion(text, SUMMARY_KEYS));
  return group;
}

function sinceOf(context: CommandContext, now: number): number | null {
  const text = context.options["since"];
  if (typeof text !== "string") return null;
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date;
  try {
    return now - parseDuration(text);
  } catch {
    throw usageProblem(`--since: ${JSON.stringify(text)} is neither a duration nor a date`, "for example 24h, 7d or 2026-01-31");
  }
}
