import type { Command } from "commander";
import { problemOf } from "../fleet/faults.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { takeDown } from "../fleet/park.ts";
import { type OrderedEnds, orderEnds } from "../fleet/volumes/end-order.ts";
import { lostVolume } from "../fleet/volumes/end-problems.ts";
import type { VolumeEnd } from "../fleet/volumes/end-promise.ts";
import { finishEnd } from "../fleet/volumes/volume-end.ts";
import { EXIT } from "../model/exit-codes.ts";
import { moneyText } from "../model/money.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { deletesVolume } from "../model/volume-policy.ts";
import { instancesView } from "../output/instances-view.ts";
import type { InstanceRecord, IntentRecord } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { type DoomedVolume, downWords, endedText, endsText, volumesAfter } from "./down-volumes.ts";
import { durationOption, instanceRows, namedInstance, openFleet } from "./fleet-context.ts";

const LIMIT_MS = 15 * 60_000;

export const down: CommandModule = {
  configure(command: Command) {
    command
      .argument("[names...]", "the instances")
      .option("--all", "every instance")
      .option("--no-snapshot", "without a final checkpoint")
      .option(
        "--volumes [policy]",
        "what becomes of their volumes: keep, snapshot (the provider's own, of the disk), snapshot-and-delete, or delete, also when none is said: the checkpoints on them are lost",
      )
      .addHelpText(
        "after",
        `
Without --volumes a volume is kept, unless the fleet file says otherwise (volume: {atDown: …}). It goes
on billing, and so does a snapshot. snapshot-and-delete deletes a volume when the provider says that
its snapshot can be restored from, and never before; when the snapshot fails the volume stays.

Examples:
  $ spot down trainer
  $ spot down trainer --volumes snapshot-and-delete
  $ spot down trainer --volumes`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { names, policy } = downWords(context);
    const records = await chosen(context, names);
    const alive = records.filter((record) => record.state !== "gone");
    const doomed = await volumesAfter(context, records, policy);
    if (context.options["dryRun"] === true) {
      for (const text of await endsText(context, doomed)) context.progress.note(`it would ${text}`);
      return { view: instancesView(await instanceRows(context, alive)) };
    }
    const changing = doomed.filter((end) => end.policy !== "keep");
    if (alive.length + changing.length > 0 && !(await context.confirm(await question(context, alive, changing), "--yes")))
      throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was ended", exit: EXIT.refused });
    const fleet = await openFleet(context);
    const problems: Problem[] = [];
    const ends = (record: InstanceRecord) => doomed.filter(({ owner }) => owner.id === record.id);
    const over = records.filter((record) => record.state === "gone");
    const ended = await Promise.all([
      ...alive.map((record) => endOne(context, fleet, record, ends(record), problems)),
      ...over.map((record) => finishOne(context, fleet, record, ends(record), problems)),
    ]);
    if (problems.length === 0) await sayWhatStays(fleet, alive, doomed, context);
    context.progress.stop();
    const [first] = problems;
    if (first !== undefined) throw problems.length === 1 || context.world.signal.aborted ? first : together(problems);
    return { view: instancesView(await instanceRows(context, ended)) };
  },
};

async function chosen(context: CommandContext, names: readonly string[]): Promise<readonly InstanceRecord[]> {
  if (context.options["all"] === true) return (await context.state()).instances();
  if (names.length === 0) throw usageProblem("name the instances to end, or --all", "spot ls shows the names");
  return Promise.all([...new Set(names)].map((name) => namedInstance(context, name, true)));
}

async function question(context: CommandContext, records: readonly InstanceRecord[], doomed: readonly DoomedVolume[]): Promise<string> {
  const what = records.map((record) => `${record.name}${record.price === null ? "" : ` (${moneyText(record.price)}/hour)`}`).join(", ");
  const end = records.length === 0 ? [] : [`End ${what}`];
  return `${[...end, ...(await endsText(context, doomed))].join(" and ").replace(/^m/, "M")}?`;
}

/** Ends it, and then does with its volumes what was promised together with that. */
async function endOne(
  context: CommandContext,
  fleet: Fleet,
  record: InstanceRecord,
  ends: readonly DoomedVolume[],
  problems: Problem[],
): Promise<InstanceRecord> {
  const limitMs = durationOption(context, "timeout", LIMIT_MS);
  try {
    const { signal } = context.world;
    let ordered: OrderedEnds = { intents: [], lost: [] };
    const gone = await takeDown(fleet, record, {
      signal,
      limitMs,
      snapshot: context.options["snapshot"] !== false,
      promise: async (write) => {
        ordered = await orderEnds(fleet, record, ends, signal, write);
        problems.push(...ordered.lost.map(lost));
      },
    });
    context.progress.done(`${record.name} is gone`);
    await finishEnds(context, fleet, ordered.intents, ends, problems);
    return gone;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problems.push(error);
    return record;
  }
}

/** The same for one that is gone already: only its volumes are left. */
async function finishOne(
  context: CommandContext,
  fleet: Fleet,
  record: InstanceRecord,
  ends: readonly DoomedVolume[],
  problems: Problem[],
): Promise<InstanceRecord> {
  if (ends.length === 0) return record;
  const ordered = await orderEnds(fleet, record, ends, context.world.signal, (held, change) => held.state.commit(change));
  problems.push(...ordered.lost.map(lost));
  await finishEnds(context, fleet, ordered.intents, ends, problems);
  return record;
}

function lost({ volume, policy }: VolumeEnd): Problem {
  return lostVolume(volume.name, policy === "keep" ? "was deleted" : "was deleted, and no snapshot of it was made");
}

async function finishEnds(
  context: CommandContext,
  fleet: Fleet,
  intents: readonly IntentRecord[],
  ends: readonly DoomedVolume[],
  problems: Problem[],
): Promise<void> {
  const limitMs = durationOption(context, "timeout", LIMIT_MS);
  for (const intent of intents) {
    const end = ends.find(({ volume }) => volume.id === intent.detail["volumeId"]);
    if (end === undefined) continue;
    try {
      const snapshot = await finishEnd(fleet, intent, { signal: context.world.signal, limitMs });
      context.progress.done(endedText(end, snapshot?.providerId ?? null));
    } catch (error) {
      const problem = problemOf(error);
      if (!(problem instanceof Problem)) throw error;
      problems.push(problem);
    }
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
async function sayWhatStays(
  fleet: Fleet,
  records: readonly InstanceRecord[],
  doomed: readonly DoomedVolume[],
  context: CommandContext,
): Promise<void> {
  const theirs = new Set(records.flatMap((record) => record.volumes.map((volume) => volume.id)));
  const others = new Set((await fleet.state.instances()).flatMap((record) => record.volumes.map((volume) => volume.id)));
  const told = new Set(doomed.filter(({ policy }) => deletesVolume(policy)).map(({ volume }) => volume.id));
  for (const { id, name } of await fleet.state.volumes())
    if (theirs.has(id) && !others.has(id) && !told.has(id))
      context.progress.note(`volume ${name} stays, and goes on billing: spot volumes rm ${name}`);
}
