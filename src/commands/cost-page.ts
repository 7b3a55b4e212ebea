import { costPage } from "../output/cost-page.ts";
import { summarize } from "../pricing/summary.ts";
import type { CommandContext } from "./command.ts";
import type { FullCostReport } from "./cost-report.ts";
import { writePage } from "./page-file.ts";

/** Writes the page of a report to a place that `pagePlace` has found. */
export async function writeCostPage(context: CommandContext, report: FullCostReport, place: string): Promise<void> {
  const { since, until, now, ledger, books } = report;
  const days = summarize(ledger, "day", { since: since ?? 0, now, ...(until === null ? {} : { until }) }, books);
  await writePage(context, place, costPage(report, days));
}
