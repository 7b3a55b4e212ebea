import { join, resolve } from "node:path";
import type { Command } from "commander";
import { checkpointFolder } from "../../checkpoints/catalogue.ts";
import { discardFolder } from "../../checkpoints/discard.ts";
import { makeFetchFolder } from "../../checkpoints/fetch-place.ts";
import { CheckpointDamaged, problemsText, restoreCheckpoint } from "../../checkpoints/restore.ts";
import { requireRestorable } from "../../checkpoints/restore-place.ts";
import { checkpointDoor } from "../../fleet/volumes/checkpoint-door.ts";
import { whileReading } from "../../fleet/volumes/checkpoint-reading.ts";
import {
  type CheckpointSearch,
  type FoundCheckpoint,
  findCheckpoints,
  firstWhole,
  insteadOf,
  newSearch,
  placeOf,
  tellDamaged,
} from "../../fleet/volumes/checkpoint-search.ts";
import type { Checkpoint } from "../../model/checkpoint.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { notFoundProblem, Problem, usageProblem } from "../../model/problem.ts";
import { checkpointsView } from "../../output/checkpoints-view.ts";
import type { World } from "../../platform/world.ts";
import type { Reach } from "../../providers/provider.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { syncAll } from "./ls.ts";

export const checkpointsRestore: CommandModule = {
  configure(command: Command) {
    command
      .argument("<id>", "a checkpoint, or an instance for its newest one")
      .requiredOption("--to <folder>", "an empty or new folder")
      .option("--or-older", "where it is damaged, take the next older one of its instance that is whole, and say so")
      .addHelpText(
        "after",
        `
Every byte is verified before anything is handed over, and read again in its new place. A damaged
checkpoint is not handed over: each path is named, and the next older one that is whole is offered.

Examples:
  $ spot checkpoints restore trainer --to ./work
  $ spot checkpoints restore trainer --to ./work --or-older --json | jq '.data[0].id, .damaged'`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const [wanted = ""] = context.args;
    const to = String(context.options["to"] ?? "");
    if (to === "") throw usageProblem("--to: a folder is missing");
    const target = resolve(context.world.cwd, to);
    await requireRestorable(target);
    await syncAll(context);
    const search = newSearch(await openFleet(context), checkpointDoor(context.world), context.world.signal, (text) =>
      context.progress.warn(text),
    );
    const all = await findCheckpoints(search, [wanted]);
    const first = all.find(({ id }) => id === wanted) ?? all.find(({ instance }) => instance === wanted);
    if (first === undefined) throw notFoundProblem("checkpoint or instance", wanted, ["spot checkpoints ls"]);
    if (context.options["dryRun"] === true) return { view: checkpointsView(first.checkpoint === null ? [] : [first.checkpoint]) };
    if (wanted !== first.id) sayWhatMayBeNewer(context, all, first);
    return takeFirstWhole(context, search, all, first, target);
  },
};

/** A folder that does not say any more whose it is may hold the newest one of anybody. */
function sayWhatMayBeNewer(context: CommandContext, all: readonly FoundCheckpoint[], first: FoundCheckpoint): void {
  for (const { id, volume, problems } of all)
    if (id > first.id && volume.id === first.volume.id && problems.length > 0)
      context.progress.warn(`${id} on volume ${volume.name} is newer, and nobody can tell any more whose it is: ${problemsText(problems)}`);
}

interface Damage {
  readonly found: FoundCheckpoint;
  readonly what: string;
}

/** The one that was asked for, or the same one on another volume, or with `--or-older` the next older one that is whole. */
async function takeFirstWhole(
  context: CommandContext,
  search: CheckpointSearch,
  all: readonly FoundCheckpoint[],
  first: FoundCheckpoint,
  target: string,
): Promise<CommandResult> {
  const damaged: Damage[] = [];
  for (const found of [first, ...insteadOf(all, first)]) {
    if (found.id !== first.id && context.options["orOlder"] !== true) break;
    context.progress.step(`verifying ${found.id} and copying it to ${target}`);
    const what = await take(context.world, search, found, target);
    if (what === undefined) return taken(context, found, damaged, target);
    damaged.push({ found, what });
    context.progress.warn(`${found.id} on volume ${found.volume.name} does not verify: ${what}`);
  }
  context.progress.stop();
  throw await nothingTaken(search, all, first, damaged, target);
}

async function taken(
  context: CommandContext,
  { id, checkpoint }: FoundCheckpoint,
  damaged: readonly Damage[],
  target: string,
): Promise<CommandResult> {
  const verified: readonly Checkpoint[] = checkpoint === null ? [] : [{ ...checkpoint, verifiedAt: context.world.clock.now() }];
  const asked = damaged[0]?.found.id ?? id;
  const instead = asked === id ? "" : `, which is older than ${asked}: that one is damaged`;
  context.progress.done(`${id} is in ${target}, every byte verified${instead}`);
  const view = checkpointsView(verified);
  if (damaged.length === 0) return { view };
  return { view: { ...view, beside: { damaged: damaged.map(({ found, what }) => ({ id: found.id, volume: found.volume.name, what })) } } };
}

async function nothingTaken(
  search: CheckpointSearch,
  all: readonly FoundCheckpoint[],
  first: FoundCheckpoint,
  damaged: readonly Damage[],
  target: string,
): Promise<Problem> {
  const left = insteadOf(all, first).filter((other) => !damaged.some(({ found }) => found === other));
  const whole = await firstWhole(search, left);
  return new Problem({
    code: "SPOT_E_CHECKPOINT_DAMAGED",
    message: damaged.map(({ found, what }) => `${found.id} on volume ${found.volume.name} does not verify: ${what}`).join("\n"),
    exit: EXIT.verification,
    hint:
      whole === undefined
        ? `nothing was put into ${target}; no older one that can be read now is whole`
        : `nothing was put into ${target}; ${whole.id} is the next older one that is whole, every byte of it was read (--or-older takes it by itself)`,
    next: whole === undefined ? ["spot checkpoints ls"] : [`spot checkpoints restore ${whole.id} --to ${shellWord(target)}`],
  });
}

const shellWord = (text: string) => (/^[A-Za-z0-9_./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** @returns what is wrong with it; undefined when it is in its place. @throws Problem that is none of the checkpoint's. */
async function take(world: World, search: CheckpointSearch, found: FoundCheckpoint, target: string): Promise<string | undefined> {
  const { id, volume, checkpoint, problems } = found;
  if (checkpoint === null) return problemsText(problems);
  const place = await placeOf(search, volume);
  try {
    await whileReading(search.fleet, { id, volume: volume.name }, "restored", search.signal, async (signal) => {
      if (place.kind === "here") await restoreCheckpoint(checkpointFolder(place.path, id), target, signal);
      else await fetchAndRestore(world, search, place.reach, id, target, signal);
      // As long as it is said to be read nobody prunes it: what is written down is there.
      await search.fleet.state.commit({ checkpoints: [{ ...checkpoint, verifiedAt: world.clock.now() }] });
    });
    return undefined;
  } catch (error) {
    if (error instanceof CheckpointDamaged) {
      await tellDamaged(search, found);
      return problemsText(error.problems);
    }
    // The agent's own words.
    if (error instanceof Problem && error.exit === EXIT.verification && error.code === "SPOT_E_GUEST") return error.message;
    throw error;
  }
}

/** From a rented volume: the checkpoint comes here as it lies there, and is only then verified and put in its place. */
async function fetchAndRestore(
  world: World,
  { door }: CheckpointSearch,
  reach: Reach,
  id: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const fetched = await makeFetchFolder(world.home);
  try {
    const folder = join(fetched, id);
    await door.fetch(reach, id, folder, signal);
    await restoreCheckpoint(folder, target, signal);
  } finally {
    await discardFolder(fetched);
  }
}
