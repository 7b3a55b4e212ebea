import type { Command } from "commander";
import { noteSeal } from "../fleet/measured-seal.ts";
import { reachOf } from "../fleet/reach.ts";
import { noteUnfit } from "../fleet/steps/unfit.ts";
import { syncRecordCheckpoints } from "../fleet/volumes/checkpoint-sync.ts";
import { CHECKPOINT_REASONS, type CheckpointReason } from "../model/checkpoint.ts";
import { unfitText } from "../model/checkpoint-fit.ts";
import { EXIT } from "../model/exit-codes.ts";
import { suggestion } from "../model/nearest.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { checkpointsView } from "../output/checkpoints-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { namedInstance, openFleet, requiredName } from "./fleet-context.ts";

export const snapshot: CommandModule = {
  configure(command: Command) {
    command.argument("<name>", "the instance").option("--reason <reason>", "why, for the catalogue", "manual");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const record = await namedInstance(context, requiredName(context));
    if (record.volumes.length === 0)
      throw new Problem({
        code: "SPOT_E_NO_VOLUME",
        message: `${record.name} has no volume to keep a checkpoint on`,
        exit: EXIT.failed,
        hint: "volumes are attached when an instance is made: spot up --volume NAME",
      });
    const reason = reasonOf(context);
    const { signal } = context.world;
    const fleet = await openFleet(context);
    const reach = await reachOf(fleet, record, signal);
    context.progress.step(`${record.name}: sealing a checkpoint`);
    const sealed = await fleet.guest.snapshot(
      reach,
      reason,
      record.notice === null ? null : Math.floor(record.notice.deadline / 1000),
      signal,
    );
    await syncRecordCheckpoints(fleet, record, signal);
    if (sealed.kind === "sealed") await noteSeal(fleet, record, await fleet.guest.report(reach, signal).catch(() => undefined));
    context.progress.stop();
    if (sealed.kind === "failed")
      throw new Problem({
        code: "SPOT_E_CHECKPOINT",
        message: `${record.name}: no checkpoint was made: ${sealed.why}`,
        exit: EXIT.verification,
        hint: "the checkpoints sealed before are untouched",
        next: [`spot checkpoints ls ${record.name}`, `spot logs ${record.name} --tail 20`],
      });
    if (sealed.kind === "does-not-fit") {
      await noteUnfit(fleet, record, sealed.fit);
      throw new Problem({
        code: "SPOT_E_CHECKPOINT_UNFIT",
        message: `${record.name}: ${unfitText(sealed.fit)}`,
        exit: EXIT.verification,
        hint: "under a notice a checkpoint is begun only when it can be done in time; a smaller one may fit",
        next: [`spot checkpoints ls ${record.name}`],
      });
    }
    if (sealed.kind === "nothing-to-seal") {
      const what = `${record.name}: nothing to seal, its checkpoint folder is empty`;
      if (context.machine) context.progress.note(what);
      return { view: checkpointsView([], `${what}. The program writes into SPOT_CHECKPOINT_DIR.`) };
    }
    context.progress.done(`${record.name}: sealed ${sealed.id}`);
    const made = (await fleet.state.checkpoints({ instance: record.name })).filter((checkpoint) => checkpoint.id === sealed.id);
    return { view: checkpointsView(made) };
  },
};

function reasonOf(context: CommandContext): CheckpointReason {
  const text = String(context.options["reason"] ?? "manual");
  const reason = CHECKPOINT_REASONS.find((known) => known === text);
  if (reason === undefined) throw usageProblem(`there is no reason ${JSON.stringify(text)}`, suggestion(text, CHECKPOINT_REASONS));
  return reason;
}
