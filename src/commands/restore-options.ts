import type { Command } from "commander";
import { RUNGS, type RungName, USUAL_RUNGS } from "../model/comeback.ts";
import type { Money } from "../model/money.ts";
import { suggestion } from "../model/nearest.ts";
import { usageProblem } from "../model/problem.ts";
import { parsePrice, priceText } from "../pricing/currency.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { CommandContext } from "./command.ts";

export function configureRestore(command: Command): void {
  command
    .argument("<name>", "the instance")
    .option("--within <duration>", "the target: a slower restore is said to be slow", "8m")
    .option("--cap <duration>", "the hard cap over all ways back: past it, it is put back to sleep (exit 124)", "10m")
    .option("--allow <ways>", "these ways back as well, by comma; on-demand is the one that has to be allowed")
    .option("--on-demand", "as --allow on-demand: when there is no spot by any other way")
    .option("--until-up", "try again and again, with growing pauses in which it sleeps")
    .option("--for <duration>", "with --until-up: no longer than this (exit 5 or 124)")
    .option("--max-cost <amount>", "with --until-up: its machines may cost no more than this until it is up (exit 5 or 124)");
  command.addHelpText(
    "after",
    `
Examples:
  $ spot restore trainer --dry-run           # the ways back, priced, in their order
  $ spot restore trainer --on-demand --yes
  $ spot restore trainer --until-up --for 6h --max-cost 20`,
  );
}

/** The ways back that are allowed. @throws Problem (usage). */
export function allowedWays(context: CommandContext): readonly RungName[] {
  const { allow, onDemand } = context.options;
  const more = typeof allow === "string" ? allow.split(",").map((part) => part.trim()) : [];
  const strange = more.find((word) => !RUNGS.some((rung) => rung === word));
  if (strange !== undefined)
    throw usageProblem(`--allow: there is no way back called ${JSON.stringify(strange)}`, suggestion(strange, RUNGS) ?? RUNGS.join(", "));
  return RUNGS.filter((rung) => USUAL_RUNGS.includes(rung) || more.includes(rung) || (rung === "on-demand" && onDemand === true));
}

/** What its machines may cost until it is up; null when nothing was said. @throws Problem (usage). */
export function maxCostOf(context: CommandContext): Money | null {
  const text = context.options["maxCost"];
  if (typeof text !== "string") return null;
  try {
    return parsePrice(text);
  } catch (error) {
    throw usageProblem(`--max-cost: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Less than any price that is to be paid. */
const NOTHING = "0";

/**
 * The price from which on anything but its own place, or on demand, is to be agreed to: what it cost before. Where nobody knows
 * that (it was taken over), any price is. Null: all was agreed to, or its spec has a limit.
 */
export function ceilingOf(isAgreed: boolean, { spec, price }: Pick<InstanceRecord, "spec" | "price">): string | null {
  if (isAgreed || spec.maxPrice !== null) return null;
  return price === null ? NOTHING : priceText(price);
}
