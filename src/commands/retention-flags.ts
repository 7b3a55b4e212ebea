import type { Command } from "commander";
import { hasRule, type RetentionRules } from "../checkpoints/retention.ts";
import { parseDuration } from "../model/duration.ts";
import { usageProblem } from "../model/problem.ts";

const LARGEST = 100_000;

/** The flags of everything that can be thinned out. */
export function addRetentionFlags(command: Command): Command {
  return command
    .option("--keep-last <n>", "keep the newest n")
    .option("--keep-hourly <n>", "keep the newest one of each of the last n hours that have any (UTC)")
    .option("--keep-daily <n>", "keep the newest one of each of the last n days that have any (UTC)")
    .option("--keep-within <duration>", "keep what is not older than this, reckoned from the newest one: 12h, 7d");
}

function count(options: Readonly<Record<string, unknown>>, key: string, flag: string): number | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(String(text)) || value < 1 || value > LARGEST)
    throw usageProblem(`${flag}: ${JSON.stringify(text)} is not a count`, `a whole number from 1 to ${LARGEST}`);
  return value;
}

function within(options: Readonly<Record<string, unknown>>): number | undefined {
  const text = options["keepWithin"];
  if (text === undefined) return undefined;
  try {
    return parseDuration(String(text));
  } catch (error) {
    throw usageProblem(`--keep-within: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @throws Problem (usage) for a value that is none, and when no rule was given at all. */
export function retentionRules(options: Readonly<Record<string, unknown>>): RetentionRules {
  const entries = {
    keepLast: count(options, "keepLast", "--keep-last"),
    keepHourly: count(options, "keepHourly", "--keep-hourly"),
    keepDaily: count(options, "keepDaily", "--keep-daily"),
    keepWithinMs: within(options),
  };
  const rules = Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as RetentionRules;
  if (!hasRule(rules))
    throw usageProblem(
      "no rule says what to keep, so nothing would be kept but the newest",
      "give at least one of --keep-last, --keep-hourly, --keep-daily, --keep-within",
    );
  return rules;
}
