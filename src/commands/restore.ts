import type { Command } from "commander";
import { wakeUp } from "../fleet/waking.ts";
import { durationText } from "../model/duration.ts";
import { EXIT } from "../model/exit-codes.ts";
import { moneyText } from "../model/money.ts";
import { Problem } from "../model/problem.ts";
import { instancesView } from "../output/instances-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { durationOption, instanceRows, namedInstance, openFleet, requiredName } from "./fleet-context.ts";

const WITHIN_MS = 8 * 60_000;
const CAP_MS = 10 * 60_000;
const SLEEP_LIMIT_MS = 5 * 60_000;

export const restore: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .option("--within <duration>", "the target: a slower restore is said to be slow", "8m")
      .option("--cap <duration>", "the hard cap: past it, it is put back to sleep (exit 124)", "10m");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const record = await namedInstance(context, requiredName(context));
    if (record.desired === "gone")
      throw new Problem({ code: "SPOT_E_CONFLICT", message: `${record.name} is being ended`, exit: EXIT.failed, next: ["spot reconcile"] });
    const { clock, signal } = context.world;
    const withinMs = durationOption(context, "within", WITHIN_MS);
    const capMs = durationOption(context, "cap", CAP_MS);
    const fleet = await openFleet(context);
    if (context.options["dryRun"] === true) return { view: instancesView(await instanceRows(context, [record])) };
    context.progress.note(
      `restoring ${record.name}${record.price === null ? "" : ` at about ${moneyText(record.price)}/hour`}, cap ${durationText(capMs)}`,
    );
    const start = clock.monotonic();
    const awake = await wakeUp(fleet, record, { signal, capMs, sleepLimitMs: SLEEP_LIMIT_MS });
    const took = clock.monotonic() - start;
    context.progress.done(`${record.name} serves again after ${durationText(took)}`);
    if (took > withinMs) context.progress.warn(`that is slower than the target of ${durationText(withinMs)}`);
    return { view: instancesView(await instanceRows(context, [awake])) };
  },
};
