import type { Command } from "commander";
import type { Fleet } from "../fleet/fleet.ts";
import { takeDown } from "../fleet/park.ts";
import { removeVolume } from "../fleet/volumes/volume-removal.ts";
import { EXIT } from "../model/exit-codes.ts";
import { moneyText } from "../model/money.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { instancesView } from "../output/instances-view.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { durationOption, instanceRows, namedInstance, openFleet } from "./fleet-context.ts";

const LIMIT_MS = 15 * 60_000;

export const down: CommandModule = {
  configure(command: Command) {
    command
      .argument("[names...]", "the instances")
      .option("--all", "every instance")
      .option("--no-snapshot", "without a final checkpoint")
      .option("--volumes", "delete their volumes too: the checkpoints on them are lost");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const records = await chosen(context);
    const alive = records.filter((record) => record.state !== "gone");
    if (context.options["dryRun"] === true) return { view: instancesView(await instanceRows(context, alive)) };
    if (alive.length > 0 && !(await context.confirm(question(context, alive), "--yes")))
      throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was ended", exit: EXIT.refused });
    const fleet = await openFleet(context);
    const problems: Problem[] = [];
    const ended = await Promise.all(alive.map((record) => endOne(context, fleet, record, problems)));
    if (context.options["volumes"] === true && problems.length === 0) await removeVolumes(fleet, records, context);
    else if (problems.length === 0) await sayWhatStays(fleet, alive, context);
    context.progress.stop();
    const [first] = problems;
    if (first !== undefined) throw problems.length === 1 || context.world.signal.aborted ? first : together(problems);
    return { view: instancesView(await instanceRows(context, [...ended, ...records.filter((record) => record.state === "gone")])) };
  },
};

async function chosen(context: CommandContext): Promise<readonly InstanceRecord[]> {
  if (context.options["all"] === true) return (await context.state()).instances();
  if (context.args.length === 0) throw usageProblem("name the instances to end, or --all", "spot ls shows the names");
  return Promise.all([...new Set(context.args)].map((name) => namedInstance(context, name, true)));
}

function question(context: CommandContext, records: readonly InstanceRecord[]): string {
  const what = records.map((record) => `${record.name}${record.price === null ? "" : ` (${moneyText(record.price)}/hour)`}`).join(", ");
  const volumes = context.options["volumes"] === true ? " and DELETE its volumes with every checkpoint on them" : "";
  return `End ${what}${volumes}?`;
}

async function endOne(context: CommandContext, fleet: Fleet, record: InstanceRecord, problems: Problem[]): Promise<InstanceRecord> {
  const limitMs = durationOption(context, "timeout", LIMIT_MS);
  try {
    const gone = await takeDown(fleet, record, { signal: context.world.signal, limitMs, snapshot: context.options["snapshot"] !== false });
    context.progress.done(`${record.name} is gone`);
    return gone;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problems.push(error);
    return record;
  }
}

function together(problems: readonly Problem[]): Problem {
  return new Problem({
    code: "SPOT_E_UNCONFIRMED",
    message: problems.map((problem) => problem.message).join("\n"),
    exit: EXIT.partial,
    next: ["spot reconcile", "spot ls --refresh"],
    retryable: true,
  });
}

/** The machine is gone, the bill is not: its volumes are named. */
async function sayWhatStays(fleet: Fleet, records: readonly InstanceRecord[], context: CommandContext): Promise<void> {
  const theirs = new Set(records.flatMap((record) => record.volumes.map((volume) => volume.id)));
  const others = new Set((await fleet.state.instances()).flatMap((record) => record.volumes.map((volume) => volume.id)));
  for (const { id, name } of await fleet.state.volumes())
    if (theirs.has(id) && !others.has(id)) context.progress.note(`volume ${name} stays, and goes on billing: spot volumes rm ${name}`);
}

async function removeVolumes(fleet: Fleet, records: readonly InstanceRecord[], context: CommandContext): Promise<void> {
  const wanted = new Set(records.flatMap((record) => record.volumes.map((volume) => volume.id)));
  for (const volume of await fleet.state.volumes())
    if (wanted.has(volume.id)) {
      await removeVolume(fleet, volume, context.world.signal);
      context.progress.done(`volume ${volume.name} is deleted`);
    }
}
