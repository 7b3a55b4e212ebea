import type { Command } from "commander";
import { EXIT } from "../../model/exit-codes.ts";
import { mayBillGpu } from "../../model/instance.ts";
import { Problem } from "../../model/problem.ts";
import { detailView } from "../../output/detail-view.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { installedKeepers, keepersOf, keeperWorld } from "./keepers.ts";

interface Unwatched {
  readonly name: string;
  readonly provider: string;
  readonly state: string;
  /** What still ends it without a watch, for people. */
  readonly guard: string;
}

/** `spot service uninstall`: takes away what `install` wrote, and says what goes on without it. */
export const serviceUninstall: CommandModule = {
  configure(command: Command) {
    command.description("Stop the service and remove what install wrote; machines go on running.").addHelpText(
      "after",
      `
Examples:
  $ spot service uninstall --dry-run
  $ spot service uninstall --yes`,
    );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world, options, progress } = context;
    const outside = keeperWorld(world);
    const keepers = await installedKeepers(keepersOf(world, outside));
    const unwatched = keepers.length === 0 ? [] : await goingOn(context);
    const isDry = options["dryRun"] === true;
    if (!isDry && keepers.length > 0) {
      if (unwatched.length > 0 && !(await context.confirm(question(unwatched), "--yes")))
        throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was removed", exit: EXIT.refused });
      for (const keeper of keepers) await keeper.remove();
    }
    for (const { name, provider, guard } of unwatched) progress.warn(`${name} (${provider}) goes on with nobody watching it: ${guard}`);
    const removed = keepers.map(({ kind, name, path }) => ({ kind, name, path }));
    const data = { done: isDry ? "planned" : "removed", removed, ran: outside.run.changes, unwatched };
    const lines = [
      ...removed.map(({ kind, path }) => `${isDry ? "would remove" : "removed"} ${kind}: ${path}`),
      ...outside.run.changes.map((line) => `ran  ${line}`),
    ];
    const text = lines.length === 0 ? "nothing is installed" : lines.join("\n");
    return { view: { ...detailView({ schema: "spot.service-uninstall/1", data, blocks: [] }), render: () => text } };
  },
};

function question(unwatched: readonly Unwatched[]): string {
  return `Stop watching ${unwatched.map(({ name }) => name).join(", ")}?`;
}

/** The machines that may cost something and that nobody will look after any more. */
async function goingOn(context: CommandContext): Promise<readonly Unwatched[]> {
  const records = (await (await context.state()).instances()).filter(({ state }) => mayBillGpu(state));
  return Promise.all(
    records.map(async (record) => ({
      name: record.name,
      provider: record.provider,
      state: record.state,
      guard: await guardOf(context, record),
    })),
  );
}

async function guardOf(context: CommandContext, { name, provider, ttlEndsAt }: InstanceRecord): Promise<string> {
  if (ttlEndsAt === null) return `it has no --ttl, so it runs and costs until spot down ${name} or a reclaim`;
  const at = new Date(ttlEndsAt).toISOString();
  const { endsAtTtl, machine } = (await context.provider(provider)).capabilities;
  if (machine.endsItself) return `its agent ends it at ${at}${endsAtTtl ? ", and else the cloud itself" : ""}`;
  if (endsAtTtl) return `the cloud itself ends it at ${at}`;
  return `its agent stops the work at ${at}, but only spot reconcile or spot down ${name} ends the machine`;
}
