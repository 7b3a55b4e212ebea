import type { Command } from "commander";
import { type Adopted, adopt as adoptRows } from "../fleet/orphans/adopt.ts";
import type { Orphan } from "../fleet/orphans/orphans.ts";
import { EXIT } from "../model/exit-codes.ts";
import { notFoundProblem, Problem, usageProblem } from "../model/problem.ts";
import { adoptView } from "../output/orphans-view.ts";
import { safeLine } from "../platform/terminal.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { openFleet } from "./fleet-context.ts";
import { type Search, searchOrphans } from "./orphan-providers.ts";

export const adopt: CommandModule = {
  configure(command: Command) {
    command
      .argument("[ids...]", "as spot orphans shows them: ID, or provider/ID")
      .option("--all", "every orphan without any record: machines, volumes, kept root disks, snapshots")
      .option("--provider <ids>", "only these, separated by commas")
      .addHelpText(
        "after",
        `
A machine is taken over with its volumes, under the name that it carries; what it was ordered with
is read from the agent inside it when that can be reached. Nothing is rented or ended. What could
not be found out is said at the end. --all rebuilds a lost state; what was merely forgotten, or
should be over, is taken over by its ID only.

Examples:
  $ spot adopt i-0abc1234
  $ spot adopt --all --yes`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const all = context.options["all"] === true;
    if (!all && context.args.length === 0) throw usageProblem("name what to take over, or --all", undefined, ["spot orphans"]);
    if (all && context.args.length > 0)
      throw usageProblem("--all and an ID contradict each other", "--all takes over whatever has no record", ["spot orphans"]);
    const search = await searchOrphans(context, { harmless: false });
    const rows = all
      ? search.orphans.filter(isWithoutRecord)
      : context.args.flatMap((id) => withVolumes(named(search, id), search.orphans));
    const chosen = [...new Set(rows)];
    if (context.options["dryRun"] === true)
      return {
        view: adoptView(
          chosen.map((row) => ({ row, outcome: "skipped", name: row.name, why: "nothing was done", missing: [] })),
          noneText(search),
        ),
      };
    if (all && chosen.length > 0 && !(await context.confirm(question(chosen), "--yes")))
      throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was taken over", exit: EXIT.refused });
    const fleet = await openFleet(context);
    const results = await adoptRows(fleet, chosen, context.world.signal);
    context.progress.stop();
    await sayWhatIsMissing(context, results);
    const isWhole = search.silent.length === 0 && results.every(({ outcome }) => outcome === "adopted");
    return { view: adoptView(results, noneText(search)), exit: isWhole ? EXIT.done : EXIT.partial };
  },
};

/** Whoever else has a state of their own in the same account would see their machines in two of them. */
function question(rows: readonly Orphan[]): string {
  const machines = rows.filter(({ kind }) => kind === "machine").length;
  return `Take over ${machines} machine${machines === 1 ? "" : "s"} and ${rows.length - machines} more? If another state stands for them, both will act on them.`;
}

function isWithoutRecord({ why, kind }: Orphan): boolean {
  return why === "no-record" && ["machine", "volume", "snapshot"].includes(kind);
}

/** Why there was nothing to take over: what `--all` leaves alone is no part of a lost state. */
function noneText({ orphans, silent }: Search): string {
  const left = orphans.filter(({ why }) => why !== "in-flight");
  const unheard = [...new Set(silent.map(({ provider }) => provider))];
  if (unheard.length > 0) return `Nothing to take over was seen, but not everything was told by: ${unheard.join(", ")}.`;
  if (left.length === 0) return "Nothing to take over: everything that carries our tag has a record.";
  const whys = [...new Set(left.map(({ why }) => why))].join(", ");
  return `Nothing was lost with a state. ${left.length} orphan${left.length === 1 ? "" : "s"} (${whys}) left alone by --all: spot orphans, then spot adopt ID.`;
}

/** @throws Problem (exit 9) when there is none of that id, (usage) when there are several. */
function named({ orphans, silent }: Search, id: string): Orphan {
  const exact = orphans.filter(({ provider, providerId }) => id === providerId || id === `${provider}/${providerId}`);
  const found = exact.length > 0 ? exact : orphans.filter(({ providerId }) => providerId.endsWith(`/${id}`));
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined)
    throw usageProblem(
      `${JSON.stringify(id)} is the id of ${found.length} orphans`,
      found.map(({ provider, providerId }) => `${provider}/${providerId}`).join(", "),
    );
  const alike = orphans.filter(({ name, instance, kind }) => kind === "machine" && (name === id || instance === id));
  if (alike.length > 0)
    throw usageProblem(
      `${JSON.stringify(id)} is the name of an orphan, and names are not unique: its ID is wanted`,
      undefined,
      alike.map(({ provider, providerId }) => `spot adopt ${provider}/${providerId}`),
    );
  const quiet = silent.map(({ provider }) => provider);
  throw notFoundProblem("orphan", id, quiet.length === 0 ? ["spot orphans", "spot ls"] : ["spot orphans", "spot doctor"]);
}

/** A machine is taken over with its volumes; they are named so that what becomes of each is said. */
function withVolumes(row: Orphan, orphans: readonly Orphan[]): readonly Orphan[] {
  const held = orphans.filter((one) => one.kind === "volume" && one.provider === row.provider && one.attachedTo === row.providerId);
  return row.kind === "machine" ? [row, ...held] : [row];
}

async function sayWhatIsMissing(context: CommandContext, results: readonly Adopted[]): Promise<void> {
  const { progress } = context;
  for (const { row, name, outcome, why, missing } of results) {
    if (outcome === "skipped") progress.warn(`${lineOf(row)} was not taken over: ${safeLine(why ?? "")}`);
    else if (row.kind === "machine" && missing.length > 0) progress.note(`${name}: not known: ${safeLine(missing.join("; "))}`);
  }
  const free = results.filter(({ row, outcome }) => outcome === "adopted" && row.kind === "volume" && row.attachedTo === null);
  for (const { name } of free) {
    const [newest] = name === null ? [] : await (await context.state()).checkpoints({ volume: name });
    const whose = newest === undefined ? "NAME-IT-HAD" : safeLine(newest.instance);
    context.progress.note(
      `volume ${name} has no machine. If an instance slept on it, its record is lost: spot up --name ${whose} --volume ${name} goes on from its checkpoints`,
    );
  }
}

/** What a thing is called, in one line that can steer nothing. */
function lineOf({ kind, name, provider, providerId }: Orphan): string {
  return safeLine(`${kind} ${name} (${provider} ${providerId})`);
}
