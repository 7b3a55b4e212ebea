import type { Command } from "commander";
import { putToSleep } from "../fleet/park.ts";
import { durationText } from "../model/duration.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { instancesView } from "../output/instances-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { durationOption, instanceRows, namedInstance, openFleet, requiredName } from "./fleet-context.ts";

const LIMIT_MS = 20 * 60_000;

export const hibernate: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .option("--no-snapshot", "rely on the last sealed checkpoint")
      .option("--retain-ip", "keep the public address, where the cloud can; it goes on billing");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const record = await namedInstance(context, requiredName(context));
    if (record.desired === "gone")
      throw new Problem({ code: "SPOT_E_CONFLICT", message: `${record.name} is being ended`, exit: EXIT.failed, next: ["spot reconcile"] });
    const fleet = await openFleet(context);
    const { capabilities } = await fleet.provider(record.provider);
    if (context.options["dryRun"] === true) {
      context.progress.note(preflight(record.name, capabilities.hibernate));
      return { view: instancesView(await instanceRows(context, [record])) };
    }
    const retainAddress = context.options["retainIp"] === true;
    if (retainAddress && !capabilities.retainsAddress)
      throw usageProblem(`${record.provider} cannot keep a hibernated machine's address`, "leave out --retain-ip");
    const start = context.world.clock.monotonic();
    const asleep = await putToSleep(fleet, record, {
      signal: context.world.signal,
      limitMs: durationOption(context, "timeout", LIMIT_MS),
      snapshot: context.options["snapshot"] !== false,
      retainAddress,
    });
    if (asleep.state !== "hibernated")
      throw new Problem({
        code: "SPOT_E_GONE",
        message: `${record.name} ended meanwhile (${asleep.reason ?? "no reason given"})`,
        exit: EXIT.failed,
      });
    const how =
      asleep.parked === "recreate" ? "parked on its volume; a new machine takes over on restore" : "by the cloud itself; its disks stay";
    if (record.state === "hibernated") context.progress.done(`${record.name} is hibernated already (${how})`);
    else context.progress.done(`${record.name} hibernated in ${durationText(context.world.clock.monotonic() - start)} (${how})`);
    return { view: instancesView(await instanceRows(context, [asleep])) };
  },
};

function preflight(name: string, way: "native" | "park"): string {
  return way === "native"
    ? `${name} would be hibernated by its cloud: the GPU stops billing, its disks go on billing, and coming back needs stock`
    : `${name} would be parked: its machine is deleted, the volume stays and goes on billing, and coming back rents a new machine`;
}
