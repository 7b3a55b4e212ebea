import type { Command } from "commander";
import { checkpointFolder, readCatalogue } from "../../checkpoints/catalogue.ts";
import { type CheckpointProblem, verifyCheckpoint } from "../../checkpoints/verify.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { checkpointPlace } from "../../fleet/volumes/checkpoint-place.ts";
import { guestVerify } from "../../guest/run-verb.ts";
import { wayIn } from "../../guest/ssh-access.ts";
import type { Checkpoint } from "../../model/checkpoint.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { notFoundProblem, Problem, usageProblem } from "../../model/problem.ts";
import { listView } from "../../output/list-view.ts";
import type { Reach } from "../../providers/provider.ts";
import type { VolumeRecord } from "../../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { syncAll } from "./ls.ts";

interface Verdict {
  readonly id: string;
  readonly instance: string;
  readonly ok: boolean;
  readonly problems: readonly CheckpointProblem[];
}

const PROBLEMS_SHOWN = 3;

export const checkpointsVerify: CommandModule = {
  configure(command: Command) {
    command.argument("[ids...]", "checkpoints, or instances for all of theirs").option("--all", "every checkpoint on every volume");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { args, options } = context;
    if (args.length === 0 && options["all"] !== true)
      throw usageProblem("name checkpoints or instances, or --all", "spot checkpoints ls shows them");
    await syncAll(context);
    const fleet = await openFleet(context);
    const verdicts: Verdict[] = [];
    const seen = new Set<string>();
    for (const volume of await fleet.state.volumes()) {
      const found = await verifyVolume(context, fleet, volume, args);
      for (const verdict of found) seen.add(verdict.id).add(verdict.instance);
      verdicts.push(...found);
    }
    context.progress.stop();
    for (const wanted of args) if (!seen.has(wanted)) throw notFoundProblem("checkpoint or instance", wanted, ["spot checkpoints ls"]);
    return { view: verdictView(verdicts), exit: verdicts.every((verdict) => verdict.ok) ? EXIT.done : EXIT.verification };
  },
};

/** Reads every byte again. What carries a checkpoint's name without a manifest that holds is damaged, and is said. */
async function verifyVolume(
  context: CommandContext,
  fleet: Fleet,
  volume: VolumeRecord,
  wanted: readonly string[],
): Promise<readonly Verdict[]> {
  const known = await fleet.state.checkpoints({ volume: volume.name });
  // A rented volume that holds nothing that was asked for need not be reached.
  const isRented = (await fleet.provider(volume.provider)).capabilities.machine.kind !== "process";
  if (isRented && wanted.length > 0 && !known.some(({ id, instance }) => wanted.includes(id) || wanted.includes(instance))) return [];
  const place = await checkpointPlace(fleet, volume, context.world.signal);
  if (place.kind === "machine") return verifyThere(context, fleet, place.reach, known, wanted);
  const { path } = place;
  const catalogue = await readCatalogue(path, volume.name);
  const verdicts: Verdict[] = catalogue.damaged
    .filter(({ id }) => wanted.length === 0 || wanted.includes(id))
    .map(({ id, what }) => ({ id, instance: "", ok: false, problems: [{ path: "MANIFEST", what }] }));
  for (const checkpoint of catalogue.sealed) {
    if (wanted.length > 0 && !wanted.includes(checkpoint.id) && !wanted.includes(checkpoint.instance)) continue;
    context.progress.step(`reading ${checkpoint.id} again`);
    const { ok, problems } = await verifyCheckpoint(checkpointFolder(path, checkpoint.id), context.world.signal);
    verdicts.push({ id: checkpoint.id, instance: checkpoint.instance, ok, problems });
    if (ok) await fleet.state.commit({ checkpoints: [{ ...checkpoint, verifiedAt: context.world.clock.now() }] });
  }
  return verdicts;
}

/** The same on a rented volume: the machine that has it reads every byte. */
async function verifyThere(
  context: CommandContext,
  fleet: Fleet,
  reach: Reach,
  known: readonly Checkpoint[],
  wanted: readonly string[],
): Promise<readonly Verdict[]> {
  const { signal, clock } = context.world;
  const way = wayIn(context.world);
  const verdicts: Verdict[] = [];
  for (const checkpoint of known) {
    const { id, instance } = checkpoint;
    if (wanted.length > 0 && !wanted.includes(id) && !wanted.includes(instance)) continue;
    context.progress.step(`reading ${id} again, where it lies`);
    try {
      const { sha256 } = await guestVerify(reach, id, { signal, ...way });
      const ok = sha256 === checkpoint.sha256;
      verdicts.push({ id, instance, ok, problems: ok ? [] : [{ path: "MANIFEST", what: "is not the one in the catalogue" }] });
      if (ok) await fleet.state.commit({ checkpoints: [{ ...checkpoint, verifiedAt: clock.now() }] });
    } catch (error) {
      if (!(error instanceof Problem) || error.exit !== EXIT.verification) throw error;
      verdicts.push({ id, instance, ok: false, problems: [{ path: "", what: error.message }] });
    }
  }
  return verdicts;
}

function verdictView(verdicts: readonly Verdict[]) {
  return listView<Verdict>({
    schema: "spot.verification/1",
    items: verdicts,
    toJson: (verdict) => verdict,
    columns: [
      { key: "id", header: "ID", value: ({ id }) => id },
      { key: "instance", header: "INSTANCE", value: ({ instance }) => instance, drop: 1 },
      {
        key: "verdict",
        header: "VERDICT",
        value: ({ ok, problems }) => (ok ? "whole" : `damaged: ${damageText(problems)}`),
        paint: (text, { ok }, painter) => (ok ? painter.green(text) : painter.red(text)),
      },
    ],
    empty: "No checkpoints to verify.",
  });
}

function damageText(problems: readonly CheckpointProblem[]): string {
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ path, what }) => `${path} ${what}`);
  return problems.length > PROBLEMS_SHOWN ? `${shown.join("; ")}; and ${problems.length - PROBLEMS_SHOWN} more` : shown.join("; ");
}
