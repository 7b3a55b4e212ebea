import type { Command } from "commander";
import type { Fleet } from "../fleet/fleet.ts";
import { controllerText, livingController } from "../fleet/leases/controller.ts";
import { reconcile as onePass, type PassItem, type PassReport } from "../fleet/pass.ts";
import { EXIT, type ExitCode } from "../model/exit-codes.ts";
import { mayBillGpu } from "../model/instance.ts";
import { Problem } from "../model/problem.ts";
import { listView } from "../output/list-view.ts";
import type { View } from "../output/view.ts";
import { notePasses } from "../platform/service-pulse.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { durationOption, openFleet } from "./fleet-context.ts";

const LIMIT_MS = 60_000;

interface Line {
  readonly what: string;
  readonly outcome: string;
  readonly why: string | null;
}

export const reconcile: CommandModule = {
  configure(command: Command) {
    command
      .description("Make records and clouds agree: finish what a killed command began, replace what was lost, end strays.")
      .addHelpText(
        "after",
        `
Exit 6: something that is to end may still be billing, a command failed before it was ready and its
machine bills on, or a cloud did not answer. 8: it only takes longer, and the next pass goes on with it.

Examples:
  $ spot reconcile --dry-run
  $ * * * * * spot reconcile --quiet      in cron; spot service install --cron writes such a line`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const fleet = await openFleet(context);
    if (context.options["dryRun"] === true) return rehearsed(context, fleet);
    const controller = await livingController(fleet);
    // Each instance has a lease of its own: two may work side by side, and this one takes what is left to it.
    if (controller !== undefined)
      context.progress.note(`${controllerText(controller)}, acts on this fleet; this pass works on what nobody else works on`);
    const report = await onePass(fleet, { signal: context.world.signal, limitMs: limitOf(context) });
    await notePasses(context.world, "reconcile")(troubleOf(report));
    context.progress.stop();
    const lines: Line[] = [
      ...report.items.map(({ instance, outcome, why }) => ({ what: instance, outcome, why })),
      ...report.strays.map(({ provider, providerId }) => ({
        what: `${provider} ${providerId}`,
        outcome: "ended",
        why: "it carried our token and no record explained it",
      })),
      ...report.unended.map(({ what, why }) => ({ what, outcome: "open", why })),
      ...report.volumes.map(({ volume, why }) => ({ what: `volume ${volume}`, outcome: "open", why })),
      ...report.reaps.map(({ what, why }) => ({ what, outcome: "open", why })),
      ...report.silent.map(({ provider, why }) => ({ what: provider, outcome: "silent", why })),
    ];
    const openElsewhere = report.unended.length + report.volumes.length + report.reaps.length + report.silent.length;
    return { view: viewOf(lines), exit: await exitOf(context, report.items, openElsewhere) };
  },
};

function viewOf(lines: readonly Line[]): View {
  return listView<Line>({
    schema: "spot.reconcile/1",
    items: lines,
    toJson: (line) => line,
    columns: [
      { key: "what", header: "WHAT", value: (line) => line.what },
      {
        key: "outcome",
        header: "OUTCOME",
        value: (line) => line.outcome,
        paint: (text, line, painter) => (line.outcome === "settled" ? painter.green(text) : painter.yellow(text)),
      },
      { key: "why", header: "WHY", value: (line) => line.why ?? "", drop: 1 },
    ],
    empty: "Nothing to reconcile: no living records, nothing open.",
  });
}

/** With `--dry-run`: the same looks and the same decisions, and nothing done. */
async function rehearsed(context: CommandContext, fleet: Fleet): Promise<CommandResult> {
  const { changesNothing, rehearse } = await import("../fleet/rehearse.ts");
  const { items, strays, silent } = await rehearse(fleet, context.world.signal);
  context.progress.stop();
  context.progress.note("nothing was done: this is what a pass would begin with; budgets, volumes and what follows are not foreseen");
  const lines: Line[] = [
    ...items.map(({ instance, action, why }) =>
      changesNothing(action) ? { what: instance, outcome: "settled", why: null } : { what: instance, outcome: `would-${action}`, why },
    ),
    ...strays.map(({ provider, providerId }) => ({
      what: `${provider} ${providerId}`,
      outcome: "would-end",
      why: "it carries our token and no record explains it",
    })),
    ...silent.map(({ provider, why }) => ({ what: provider, outcome: "silent", why })),
  ];
  return { view: viewOf(lines), exit: silent.length > 0 ? EXIT.partial : EXIT.done };
}

/** What did not work, for `spot service status`. */
function troubleOf({ items, unended, volumes, silent }: PassReport): string | null {
  const stuck = items.filter(({ outcome }) => outcome === "stuck").map(({ instance, why }) => `${instance}: ${why ?? "stuck"}`);
  const open = [
    ...unended.map(({ what, why }) => `${what}: ${why}`),
    ...volumes.map(({ volume, why }) => `volume ${volume}: ${why}`),
    ...silent.map(({ provider, why }) => `${provider}: ${why}`),
  ];
  return [...stuck, ...open].join("; ") || null;
}

/** A little less than `--timeout`, so that what is left open can still be reported. */
function limitOf(context: CommandContext): number {
  return Math.max(500, durationOption(context, "timeout", LIMIT_MS + 1_000) - 1_000);
}

/** 6 when something that is to end may still bill; the stuck one's own code when there is one; 8 when it only takes longer. */
async function exitOf(context: CommandContext, items: readonly PassItem[], openElsewhere: number): Promise<ExitCode> {
  const state = await context.state();
  const living = await state.instances();
  const open = items.filter((item) => item.outcome === "waiting" || item.outcome === "stuck");
  const unconfirmed = living.filter(
    (record) => record.desired !== "running" && mayBillGpu(record.state) && open.some((item) => item.instance === record.name),
  );
  if (unconfirmed.length > 0 || openElsewhere > 0) return EXIT.partial;
  const stuck = items.find((item) => item.outcome === "stuck");
  if (stuck !== undefined) return stuck.problem instanceof Problem ? stuck.problem.exit : EXIT.failed;
  return open.length > 0 ? EXIT.pending : EXIT.done;
}
