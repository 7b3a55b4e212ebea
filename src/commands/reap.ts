import { resolve } from "node:path";
import type { Command } from "commander";
import { holdsWork, type Orphan } from "../fleet/orphans/orphans.ts";
import { type Reaped, reap as reapPlan } from "../fleet/orphans/reap.ts";
import { readPlan } from "../fleet/orphans/reap-plan.ts";
import { EXIT, type ExitCode } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { costText, reapView } from "../output/orphans-view.ts";
import { safeLine } from "../platform/terminal.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { durationOption, openFleet } from "./fleet-context.ts";

const LIMIT_MS = 10 * 60_000;

export const reap: CommandModule = {
  configure(command: Command) {
    command
      .argument("<plan>", "the file that spot orphans --save wrote")
      .option("--volumes", "delete its volumes and snapshots too: every checkpoint on them is lost")
      .option("--yes-old", "also when the plan is older than a day")
      .addHelpText(
        "after",
        `
Ends exactly what the plan names and nothing else. Each row is asked for once more at the moment of
ending, and skipped, with the reason, when it is not what it was: gone, another token, taken over or
explained by a record meanwhile, attached to something that goes on, younger than the plan.
Exit 6: something is not confirmed gone, and is named; spot reconcile goes on with it.

Examples:
  $ spot orphans --save plan.json
  $ spot reap plan.json --dry-run
  $ spot reap plan.json --volumes --yes`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { options, world } = context;
    const [file] = context.args;
    if (file === undefined) throw usageProblem("which plan?", undefined, ["spot orphans --save plan.json"]);
    const path = resolve(world.cwd, file);
    const plan = await readPlan(path, { now: world.clock.now(), anyAge: options["yesOld"] === true });
    const volumes = options["volumes"] === true;
    const dryRun = options["dryRun"] === true;
    if (!dryRun && plan.rows.length > 0 && !(await context.confirm(question(plan.rows, volumes), "--yes")))
      throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was ended", exit: EXIT.refused });
    const fleet = await openFleet(context);
    const limitMs = durationOption(context, "timeout", LIMIT_MS);
    const results = await reapPlan(fleet, plan, { signal: world.signal, limitMs, volumes, dryRun });
    context.progress.stop();
    sayWhatStays(context, results);
    return { view: reapView(results), exit: exitOf(results) };
  },
};

/** For people: "2 machines, 1 volume"; empty for none. */
function countsOf(rows: readonly Orphan[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of rows) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => `${count} ${kind}${count === 1 ? "" : "s"}`).join(", ");
}

function question(rows: readonly Orphan[], volumes: boolean): string {
  const wanted = rows.filter((row) => volumes || !holdsWork(row));
  const what = countsOf(wanted);
  const cost = costText(wanted);
  const unknown = wanted.filter(({ price, class: kind }) => kind === "bills" && price === null).length;
  const price = [...(cost === "" ? [] : [cost]), ...(unknown === 0 ? [] : [`${unknown} of unknown price`])].join(", ");
  const disks = wanted.some(holdsWork);
  const loss = disks ? " Volumes and snapshots are DELETED with every checkpoint on them." : "";
  const kept = rows.filter((row) => !wanted.includes(row));
  const stays = kept.length === 0 ? "" : ` ${countsOf(kept)} ${kept.length === 1 ? "stays" : "stay"} (--volumes).`;
  return `End ${what === "" ? "nothing" : what}${price === "" ? "" : ` (${price})`}?${loss}${stays}`;
}

function sayWhatStays(context: CommandContext, results: readonly Reaped[]): void {
  for (const { row, outcome } of results)
    if (outcome === "kept") context.progress.note(`${lineOf(row)} is kept, and goes on billing: --volumes`);
  for (const { row, outcome, why } of results)
    if (outcome === "unconfirmed" || outcome === "failed")
      context.progress.warn(`${lineOf(row)} may go on billing: ${safeLine(why ?? "")}; spot reconcile goes on with it`);
}

function exitOf(results: readonly Reaped[]): ExitCode {
  return results.some(({ outcome }) => outcome === "unconfirmed" || outcome === "failed") ? EXIT.partial : EXIT.done;
}

/** What a thing is called, in one line that can steer nothing. */
function lineOf({ kind, name, provider, providerId }: Orphan): string {
  return safeLine(`${kind} ${name} (${provider} ${providerId})`);
}
