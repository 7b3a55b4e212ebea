import type { Command } from "commander";
import { putToSleep } from "../fleet/park.ts";
import { preflightOf } from "../fleet/sleeping/facts.ts";
import type { Asleep } from "../model/asleep.ts";
import { durationText } from "../model/duration.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { asleepLine } from "../output/asleep-text.ts";
import { asleepView } from "../output/asleep-view.ts";
import { instancesView } from "../output/instances-view.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { durationOption, instanceRows, namedInstance, openFleet, requiredName } from "./fleet-context.ts";

const LIMIT_MS = 20 * 60_000;

export const hibernate: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .option("--no-snapshot", "rely on the last sealed checkpoint")
      .option("--retain-ip", "keep the public address, where the cloud can; it goes on billing")
      .option("--anyway", "even if it certainly could not come back with its work")
      .addHelpText(
        "after",
        `
--dry-run changes nothing and says how it would sleep: whether and how it comes back, what is billed meanwhile, how long it
is kept, and who says so.

Examples:
  $ spot hibernate trainer --dry-run
  $ spot hibernate trainer --dry-run --json | jq '.data[0].asleep.billed'`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const record = await namedInstance(context, requiredName(context));
    if (record.desired === "gone")
      throw new Problem({ code: "SPOT_E_CONFLICT", message: `${record.name} is being ended`, exit: EXIT.failed, next: ["spot reconcile"] });
    const fleet = await openFleet(context);
    const { capabilities } = await fleet.provider(record.provider);
    const retainAddress = context.options["retainIp"] === true;
    if (retainAddress && !capabilities.retainsAddress)
      throw usageProblem(`${record.provider} cannot keep a hibernated machine's address`, "leave out --retain-ip");
    const asking = { fleet, signal: context.world.signal };
    const asleep = await preflightOf(fleet, record, { retainsAddress: retainAddress, asking });
    if (context.options["dryRun"] === true) {
      context.progress.note(`${record.name} was left as it is: ${asleepLine(asleep)}`);
      const rows = await instanceRows(context, [record]);
      return { view: asleepView(rows, [asleep]) };
    }
    const isAnyway = context.options["anyway"] === true;
    if (record.state !== "hibernated") agreeTo(context, record, asleep, isAnyway);
    const start = context.world.clock.monotonic();
    const after = await putToSleep(fleet, record, {
      signal: context.world.signal,
      limitMs: durationOption(context, "timeout", LIMIT_MS),
      // What has nothing to be sealed on would not be let go of otherwise.
      snapshot: context.options["snapshot"] !== false && !(isAnyway && asleep.refusals.length > 0),
      retainAddress,
    });
    if (after.state !== "hibernated")
      throw new Problem({
        code: "SPOT_E_GONE",
        message: `${record.name} ended meanwhile (${after.reason ?? "no reason given"})`,
        exit: EXIT.failed,
      });
    const how =
      after.parked === "recreate" ? "parked on its volume; a new machine takes over on restore" : "by the cloud itself; its disks stay";
    if (record.state === "hibernated") context.progress.done(`${record.name} is hibernated already (${how})`);
    else context.progress.done(`${record.name} hibernated in ${durationText(context.world.clock.monotonic() - start)} (${how})`);
    return { view: instancesView(await instanceRows(context, [after])) };
  },
};

/** Says what is coming. @throws Problem (exit 3) when it could not come back, and nobody said that this is no matter. */
function agreeTo({ progress }: CommandContext, { name }: InstanceRecord, asleep: Asleep, isAnyway: boolean): void {
  const [refusal] = asleep.refusals;
  if (refusal !== undefined && !isAnyway)
    throw new Problem({
      code: "SPOT_E_NO_WAY_BACK",
      message: `${name} was not put to sleep: ${refusal}`,
      exit: EXIT.refused,
      hint: "nothing was changed; --anyway puts it to sleep all the same",
      next: [`spot hibernate ${name} --dry-run`, `spot hibernate ${name} --anyway`, `spot down ${name}`],
    });
  for (const warning of [...asleep.refusals, ...asleep.warnings]) progress.warn(`${name}: ${warning}`);
  progress.note(`${name}: ${asleepLine(asleep)}`);
}
