import type { Command } from "commander";
import { instancesView } from "../output/instances-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { instanceRows } from "./fleet-context.ts";

export const ls: CommandModule = {
  configure(command: Command) {
    command
      .option("--refresh", "ask the providers first")
      .option("-a, --all", "the ones that are gone too")
      .option("--state <state>", "only instances in this state")
      .option("--fleet <name>", "only instances of this fleet")
      .addHelpText(
        "after",
        `
GUARD says who ends it at its TTL or when it is idle, and when its agent was last heard:
"agent, 12s ago", "cloud", "spot" (watch or reconcile), "agent silent 6m: cloud".

Examples:
  $ spot ls --refresh
  $ spot ls -o columns=name,state,guard,ttl
  $ spot ls --json | jq -r '.data[] | select(.state == "running") | .name'`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { options } = context;
    const { state, fleet } = options;
    if (state !== undefined) await mustBeState(String(state));
    if (options["refresh"] === true) await refresh(context);
    const listing = await context.listing();
    const records = (await listing.instances({ includeGone: options["all"] === true })).filter(
      (record) => (state === undefined || record.state === state) && (fleet === undefined || record.fleet === fleet),
    );
    if (options["quiet"] === true) return { view: namesView(records.map((record) => record.name)) };
    const empty = state === undefined && fleet === undefined ? undefined : "No instance fits; spot ls shows them all.";
    const ledger = await listing.ledger(records.map(({ id }) => id));
    return { view: instancesView(await instanceRows(context, records, ledger, listing.guards), empty) };
  },
};

/** @throws Problem (usage, with the nearest state) for what is none. */
async function mustBeState(text: string): Promise<void> {
  const { INSTANCE_STATES } = await import("../model/instance.ts");
  if (INSTANCE_STATES.some((state) => state === text)) return;
  const [{ usageProblem }, { suggestion }] = await Promise.all([import("../model/problem.ts"), import("../model/nearest.ts")]);
  throw usageProblem(`there is no state ${JSON.stringify(text)}`, suggestion(text, INSTANCE_STATES));
}

/** Asks the providers and writes down what they say. */
export async function refresh(context: CommandContext, names?: readonly string[]): Promise<void> {
  const [{ openFleet }, { look }] = await Promise.all([import("./fleet-context.ts"), import("../fleet/hearing/look.ts")]);
  for (const { provider, why } of await look(await openFleet(context), context.world.signal, names))
    context.progress.warn(`${provider} does not answer, what is shown of it is as it was last seen: ${why}`);
}

function namesView(names: readonly string[]) {
  return { schema: "spot.names/1", data: names, render: () => names.join("\n") };
}
