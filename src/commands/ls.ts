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
      .option("--fleet <name>", "only instances of this fleet");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { options } = context;
    if (options["refresh"] === true) await refresh(context);
    const listing = await context.listing();
    const records = (await listing.instances({ includeGone: options["all"] === true })).filter(
      (record) =>
        (options["state"] === undefined || record.state === options["state"]) &&
        (options["fleet"] === undefined || record.fleet === options["fleet"]),
    );
    if (options["quiet"] === true) return { view: namesView(records.map((record) => record.name)) };
    return { view: instancesView(await instanceRows(context, records, await listing.ledger())) };
  },
};

/** Asks the providers and writes down what they say. */
export async function refresh(context: CommandContext, names?: readonly string[]): Promise<void> {
  const [{ openFleet }, { look }] = await Promise.all([import("./fleet-context.ts"), import("../fleet/pass.ts")]);
  await look(await openFleet(context), context.world.signal, names);
}

function namesView(names: readonly string[]) {
  return { schema: "spot.names/1", data: names, render: () => names.join("\n") };
}
