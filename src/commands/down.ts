import type { Command } from "commander";
import type { Fleet } from "../fleet/fleet.ts";
import { takeDown } from "../fleet/park.ts";
import { removeVolume } from "../fleet/volumes/volume-removal.ts";
import { userOf } from "../fleet/volumes/volume-use.ts";
import { EXIT } from "../model/exit-codes.ts";
import { moneyText } from "../model/money.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { instancesView } from "../output/instances-view.ts";
import type { InstanceRecord, VolumeRecord } from "../state/records.ts";
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
    const doomed = context.options["volumes"] === true ? await theirVolumes(context, records) : [];
    if (alive.length + doomed.length > 0 && !(await context.confirm(await question(context, alive, doomed), "--yes")))
      throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was ended", exit: EXIT.refused });
    const fleet = await openFleet(context);
    const problems: Problem[] = [];
    const ended = await Promise.all(alive.map((record) => endOne(context, fleet, record, problems)));
    if (context.options["volumes"] === true && problems.length === 0) await removeVolumes(fleet, doomed, context);
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

async function question(context: CommandContext, records: readonly InstanceRecord[], doomed: readonly VolumeRecord[]): Promise<string> {
  const state = await context.state();
  const what = records.map((record) => `${record.name}${record.price === null ? "" : ` (${moneyText(record.price)}/hour)`}`).join(", ");
  const held = await Promise.all(
    doomed.map(async ({ name }) => {
      const { length } = await state.checkpoints({ volume: name });
      return `${name} with ${length} checkpoint${length === 1 ? "" : "s"} on it`;
    }),
  );
  const end = records.length === 0 ? [] : [`End ${what}`];
  return `${[...end, ...(held.length === 0 ? [] : [`DELETE the volume${held.length === 1 ? "" : "s"} ${held.join(", ")}`])].join(" and ")}?`;
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

/** The volumes that these records have, or had when they ended, but for those that somebody else uses: these are named. */
async function theirVolumes(context: CommandContext, records: readonly InstanceRecord[]): Promise<readonly VolumeRecord[]> {
  const wanted = new Set(records.flatMap((record) => record.volumes.map((volume) => volume.id)));
  const ending = records.map(({ id }) => id);
  const state = await context.state();
  const doomed: VolumeRecord[] = [];
  for (const volume of (await state.volumes()).filter(({ id }) => wanted.has(id))) {
    const user = await userOf({ state }, volume, ending);
    if (user === undefined) doomed.push(volume);
    else context.progress.note(`volume ${volume.name} stays: ${user.name} (${user.state}) uses it`);
  }
  return doomed;
}

/** What was agreed to, and nothing that somebody has begun to use meanwhile. */
async function removeVolumes(fleet: Fleet, doomed: readonly VolumeRecord[], context: CommandContext): Promise<void> {
  for (const volume of doomed) {
    await removeVolume(fleet, volume, context.world.signal);
    context.progress.done(`volume ${volume.name} is deleted`);
  }
}
