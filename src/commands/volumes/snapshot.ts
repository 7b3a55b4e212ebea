import type { Command } from "commander";
import type { RetentionRules } from "../../checkpoints/retention.ts";
import { call } from "../../fleet/fleet.ts";
import { removeSnapshots, weighSnapshots, whyForeign } from "../../fleet/volumes/snapshot-retention.ts";
import { snapshotsOf, snapshotVolume, untilReady } from "../../fleet/volumes/volume-snapshots.ts";
import { volumeNamed } from "../../fleet/volumes/volumes.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { notFoundProblem, Problem, usageProblem } from "../../model/problem.ts";
import { type SnapshotRow, snapshotsView } from "../../output/snapshots-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { addRetentionFlags, retentionRules } from "../retention-flags.ts";

/** `spot volumes snapshot`: the provider's own snapshots of disks; a checkpoint is another thing (`spot snapshot`). */
export const volumesSnapshot: CommandModule = {
  configure(command: Command) {
    const thinned = command.argument("[name]", "the volume");
    addRetentionFlags(thinned)
      .option("--prune", "make none, only delete what the rules do not keep; of every volume when none is named")
      .option("--ls", "list the snapshots of your accounts; with a name, only those of that name")
      .option("--rm <id>", "delete a snapshot, by the id that --ls shows")
      .option("--provider <id>", "where to look with --ls and --rm; everywhere when not given")
      .option("--no-wait", "return as soon as the provider has accepted (exit 8)")
      .addHelpText(
        "after",
        `
A snapshot is what lay on the disk at that moment. It outlives its volume, can be made into a
disk in another zone, and is billed until it is deleted. A checkpoint made before
(spot snapshot NAME) is whole in it. The file system of a machine that has the volume is held still
until the provider has accepted, where that can be done, and written out in any case.

With --keep-last and the others, those of the volume that no rule keeps are deleted once the new one
is ready: only what was made from here, and never the newest that is ready.

Examples:
  $ spot volumes snapshot trainer
  $ spot volumes snapshot trainer --keep-daily 7 --yes
  $ spot volumes snapshot --prune --keep-last 3 --dry-run
  $ spot volumes snapshot --ls`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { options } = context;
    if (options["ls"] === true) return { view: snapshotsView(await allSnapshots(context)) };
    if (typeof options["rm"] === "string") return remove(context, options["rm"]);
    if (options["prune"] === true) return prune(context, retentionRules(options), context.args[0] ?? null);
    if (!["keepLast", "keepHourly", "keepDaily", "keepWithin"].some((rule) => options[rule] !== undefined)) return make(context);
    const rules = retentionRules(options);
    if (options["wait"] === false)
      throw usageProblem("--no-wait and a rule: what is to be deleted is known when the new one is ready", "spot volumes snapshot --prune");
    const name = context.args[0] ?? null;
    if (options["dryRun"] !== true) await make(context);
    return prune(context, rules, name);
  },
};

async function make(context: CommandContext): Promise<CommandResult> {
  const name = context.args[0];
  if (name === undefined) throw usageProblem("which volume?", undefined, ["spot volumes ls", "spot volumes snapshot --ls"]);
  const fleet = await openFleet(context);
  const volume = await volumeNamed(fleet, name);
  if (volume === undefined) throw notFoundProblem("volume", name, ["spot volumes ls"]);
  const provider = await context.provider(volume.provider);
  snapshotsOf(provider);
  if (context.options["dryRun"] === true) return { view: snapshotsView([]) };
  context.progress.step(`Asking ${provider.id} for a snapshot of ${name}`);
  const made = await snapshotVolume(fleet, volume, context.world.signal);
  if (context.options["wait"] === false) return { view: snapshotsView([{ provider: provider.id, snapshot: made }]), exit: EXIT.pending };
  const snapshot = await untilReady(fleet, provider, made, context.world.signal);
  context.progress.done(`${name} is snapshotted as ${snapshot.providerId}`);
  return { view: snapshotsView([{ provider: provider.id, snapshot }]) };
}

async function allSnapshots(context: CommandContext): Promise<readonly SnapshotRow[]> {
  const named = context.options["provider"];
  const providers = await context.providers(typeof named === "string" ? [named] : undefined);
  const lists = await Promise.all(
    providers.map(async (provider) => {
      const snapshots = provider.volumes?.snapshots;
      if (snapshots === undefined) return [];
      const found = await call(context.world.signal, (callContext) => snapshots.list(callContext));
      return found.map((snapshot) => ({ provider: provider.id, snapshot }));
    }),
  );
  const [name] = context.args;
  return lists.flat().filter(({ snapshot }) => name === undefined || snapshot.name === name);
}

/** Deletes what no rule keeps: of one volume, or of every one that has snapshots at the chosen providers. */
async function prune(context: CommandContext, rules: RetentionRules, name: string | null): Promise<CommandResult> {
  const named = context.options["provider"];
  const providers = await context.providers(typeof named === "string" ? [named] : undefined);
  const fleet = await openFleet(context);
  const { signal } = context.world;
  const verdicts = await weighSnapshots(fleet, providers, { name, rules }, signal);
  context.progress.stop();
  const going = verdicts.filter(({ kept }) => !kept);
  const view = (outcome: "goes" | "gone") =>
    snapshotsView(verdicts.map(({ kept, because, ...row }) => ({ ...row, verdict: { outcome: kept ? "kept" : outcome, because } })));
  if (context.options["dryRun"] === true || going.length === 0) {
    if (going.length > 0) context.progress.note("nothing was deleted: this is what would go now");
    return { view: view("goes") };
  }
  const { stderr } = context.world;
  if (!context.machine && context.options["quiet"] !== true)
    stderr.write(`${await view("goes").render(context.painter, stderr.columns)}\n`);
  const question = `Delete ${going.length} snapshot${going.length === 1 ? "" : "s"}?`;
  if (!(await context.confirm(question, "--yes")))
    throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was deleted", exit: EXIT.refused });
  await removeSnapshots(fleet, verdicts, signal);
  context.progress.done(`${going.length} snapshot${going.length === 1 ? "" : "s"} deleted`);
  return { view: view("gone") };
}

async function remove(context: CommandContext, id: string): Promise<CommandResult> {
  const found = (await allSnapshots({ ...context, args: [] })).find(({ snapshot }) => snapshot.providerId === id);
  if (found === undefined) throw notFoundProblem("snapshot", id, ["spot volumes snapshot --ls"]);
  const { provider, snapshot } = found;
  if (context.options["dryRun"] === true) return { view: snapshotsView([found]) };
  const foreign = await whyForeign({ state: await context.state() }, snapshot);
  const whose = foreign === null ? "" : `, ${foreign}`;
  if (!(await context.confirm(`Delete the snapshot ${id} of ${snapshot.name} (${snapshot.sizeGb} GB)${whose}?`, "--yes")))
    throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was deleted", exit: EXIT.refused });
  const operations = snapshotsOf(await context.provider(provider));
  await call(context.world.signal, (callContext) => operations.remove(snapshot.providerId, callContext));
  context.progress.done(`snapshot ${id} is deleted`);
  return { view: snapshotsView([]) };
}
