import type { Command } from "commander";
import { instancesView } from "../output/instances-view.ts";
import type { InstanceRecord } from "../state/records.ts";
import { nearestBudget } from "./budget/nearest.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { instanceRows } from "./fleet-context.ts";

/** `spot` alone: the fleet, and what one would most likely type next. */
export const overview: CommandModule = {
  configure(_command: Command) {},
  async run(context: CommandContext): Promise<CommandResult> {
    const records = await (await context.state()).instances();
    const list = instancesView(await instanceRows(context, records));
    const next = nextCommands(records);
    const budget = await nearestBudget(context);
    return {
      view: {
        ...list,
        async render(painter, width, options) {
          const table = await list.render(painter, width, options);
          const widest = Math.max(...next.map(([command]) => command.length));
          const lines = next.map(([command, why]) => `  ${painter.cyan(command.padEnd(widest))}  ${painter.dim(why)}`);
          return [table, ...(budget === null ? [] : [painter.dim(budget)]), lines.join("\n")].join("\n\n");
        },
      },
    };
  },
};

/** Pure: the useful commands for this fleet, most useful first. */
export function nextCommands(records: readonly InstanceRecord[]): readonly (readonly [string, string])[] {
  const [first] = records;
  if (first === undefined)
    return [
      ["spot demo", "the whole story in a minute, on this machine, without an account"],
      ["spot offers", "what can be rented now, and at what price"],
      ["spot up --name trainer -- COMMAND", "rent the cheapest offer that fits and run a command on it"],
      ["spot --help", "every command"],
    ];
  const urgent = records.find((record) => record.state === "reclaiming");
  const asleep = records.find((record) => record.state === "hibernated");
  const unconfirmed = records.find(
    (record) => record.desired !== record.state && record.state !== "running" && record.state !== "reclaiming",
  );
  return [
    ...(urgent === undefined ? [] : [["spot watch --act", `${urgent.name} is being reclaimed: checkpoint and replace`] as const]),
    ...(unconfirmed === undefined ? [] : [["spot reconcile", `finish what was begun with ${unconfirmed.name}`] as const]),
    ...(asleep === undefined ? [] : [[`spot restore ${asleep.name}`, "come back to serving"] as const]),
    [`spot show ${first.name}`, "everything about it"],
    [`spot logs ${first.name} -f`, "what it says"],
    ["spot cost", "what was paid, against on-demand"],
    [`spot down ${first.name}`, "final checkpoint, end it, confirm that it is gone"],
  ];
}
