import type { Command } from "commander";
import { parseDuration } from "../model/duration.ts";
import { suggestion } from "../model/nearest.ts";
import { usageProblem } from "../model/problem.ts";
import { type Calendar, calendarOf } from "../pricing/calendar.ts";
import { SUMMARY_KEYS, type SummaryKey } from "../pricing/summary.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { pagePlace } from "./page-file.ts";
import { textFlag } from "./price-flags.ts";

export const cost: CommandModule = {
  configure(command: Command) {
    command
      .description("What was paid, against the same hours on demand: billed or estimated, lost to interruptions, stored, and expected.")
      .option("--since <when>", "a duration back from now (24h, 7d) or an ISO date")
      .option("--until <when>", "likewise; what begins then or later is left out")
      .option("--by <group>", SUMMARY_KEYS.join(", "), "instance")
      .option("--tz <zone>", "whose days and months, e.g. UTC or Europe/Berlin (default: this computer's)")
      .option("--csv", "comma-separated values instead of a table")
      .option("--html <file>", "write a page with charts to this file as well")
      .option("--no-refresh", "without asking the providers what they billed")
      .addHelpText(
        "after",
        `
A budget's day is a day in UTC: --by day --tz UTC shows what it counts. docs/prices.md says how each figure comes about.

Examples:
  $ spot cost --by day --since 2026-11-01
  $ spot cost --by month --csv > cost.csv
  $ spot cost --since 30d --html cost.html`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const by = groupOf(context);
    const now = context.world.clock.now();
    const calendar = await calendarFlag(context);
    const since = momentFlag(context, "since", calendar, now);
    const until = momentFlag(context, "until", calendar, now);
    if (until !== null && until <= (since ?? 0)) throw usageProblem("--until: it is not after --since");
    const isCsv = context.options["csv"] === true;
    if (isCsv && context.machine) throw usageProblem("--csv and -o exclude each other", "leave one of them away");
    const place = await pagePlace(context);
    const { costReport } = await import("./cost-report.ts");
    const report = await costReport(context, { by, calendar, since, until, now });
    if (place !== undefined) await import("./cost-page.ts").then(({ writeCostPage }) => writeCostPage(context, report, place));
    const [{ costCsv, costView }, { omissions }] = await Promise.all([import("../output/cost-view.ts"), import("../output/cost-text.ts")]);
    const view = costView(report);
    if (!isCsv) return { view };
    for (const text of omissions(report)) context.progress.warn(text);
    return { view: { schema: view.schema, data: view.data, render: () => costCsv(report) } };
  },
};

function groupOf(context: CommandContext): SummaryKey {
  const text = String(context.options["by"] ?? "instance");
  const group = SUMMARY_KEYS.find((known) => known === text);
  if (group === undefined) throw usageProblem(`--by: there is no group ${JSON.stringify(text)}`, suggestion(text, SUMMARY_KEYS));
  return group;
}

async function calendarFlag(context: CommandContext): Promise<Calendar> {
  const zone = textFlag(context, "tz");
  if (zone === undefined) return calendarOf((await import("../platform/time-zone.ts")).computerZone());
  try {
    return calendarOf(zone);
  } catch {
    throw usageProblem(`--tz: there is no time zone ${JSON.stringify(zone)}`, "for example UTC, Europe/Berlin or Asia/Shanghai");
  }
}

/** A date begins with its midnight in the calendar's zone, and so does a time that names no zone. */
function momentFlag(context: CommandContext, flag: "since" | "until", calendar: Calendar, now: number): number | null {
  const text = textFlag(context, flag);
  if (text === undefined) return null;
  const [, date, time, offset] = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(text) ?? [];
  try {
    if (date === undefined) return now - parseDuration(text);
    if (time === undefined) return calendar.beginOf(date);
    const begin = calendar.beginOf(date);
    if (offset !== undefined) return checked(Date.parse(`${date}T${time}${offset}`));
    // By the clock on the wall: the hours since midnight, less what the clocks were changed by until then.
    const wall = checked(Date.parse(`${date}T${time}Z`));
    return wall - calendar.aheadOfUtc(wall - calendar.aheadOfUtc(begin));
  } catch {
    throw usageProblem(`--${flag}: ${JSON.stringify(text)} is neither a duration nor a date`, "for example 24h, 7d or 2026-01-31");
  }
}

function checked(at: number): number {
  if (Number.isNaN(at)) throw new RangeError("not a time");
  return at;
}
