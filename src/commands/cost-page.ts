import { resolve } from "node:path";
import { costPage } from "../output/cost-page.ts";
import { writeFileAtomic } from "../platform/files.ts";
import { summarize } from "../pricing/summary.ts";
import type { CommandContext } from "./command.ts";
import type { FullCostReport } from "./cost-report.ts";

/** Writes the page, readable for whoever may read the folder: it is made to be passed on. */
export async function writeCostPage({ world, progress }: CommandContext, report: FullCostReport, file: string): Promise<void> {
  const { since, until, now, ledger, books } = report;
  const days = summarize(ledger, "day", { since: since ?? 0, now, ...(until === null ? {} : { until }) }, books);
  const path = resolve(world.cwd, file);
  await writeFileAtomic(path, costPage(report, days), 0o644);
  progress.done(`written: ${path}`);
}
