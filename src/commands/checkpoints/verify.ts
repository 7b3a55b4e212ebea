import type { Command } from "commander";
import { problemsText } from "../../checkpoints/restore.ts";
import type { CheckpointProblem } from "../../checkpoints/verify.ts";
import { checkpointDoor } from "../../fleet/volumes/checkpoint-door.ts";
import {
  type CheckpointSearch,
  check,
  type FoundCheckpoint,
  findCheckpoints,
  firstWhole,
  insteadOf,
  newSearch,
} from "../../fleet/volumes/checkpoint-search.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { notFoundProblem, Problem, usageProblem } from "../../model/problem.ts";
import { listView } from "../../output/list-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { syncAll } from "./ls.ts";

interface Verdict {
  readonly id: string;
  readonly instance: string;
  readonly volume: string;
  readonly ok: boolean;
  readonly problems: readonly CheckpointProblem[];
  /** What can be taken instead of one that is damaged: null when none that can be read now is whole; absent when it was not looked for. */
  readonly instead?: string | null;
}

export const checkpointsVerify: CommandModule = {
  configure(command: Command) {
    command
      .argument("[ids...]", "checkpoints, or instances for all of theirs")
      .option("--all", "every checkpoint on every volume")
      .option("--only", "do not look for a whole one in the place of one that is damaged")
      .addHelpText(
        "after",
        `
Every byte is read again. Of one that is damaged each path is named, and the next older one of its
instance that is whole is looked for, by reading it as well.

Examples:
  $ spot checkpoints verify trainer
  $ spot checkpoints verify --all --json | jq '.data[] | select(.ok | not)'`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { args, options } = context;
    if (args.length === 0 && options["all"] !== true)
      throw usageProblem("name checkpoints or instances, or --all", "spot checkpoints ls shows them");
    await syncAll(context);
    const fleet = await openFleet(context);
    const search = newSearch(fleet, checkpointDoor(context.world), context.world.signal, (text) => context.progress.warn(text));
    const all = await findCheckpoints(search, args);
    const meant = (found: FoundCheckpoint) => args.length === 0 || args.includes(found.id) || args.includes(found.instance ?? "");
    for (const wanted of args)
      if (!all.some(({ id, instance }) => id === wanted || instance === wanted))
        throw notFoundProblem("checkpoint or instance", wanted, ["spot checkpoints ls"]);
    const verdicts: Verdict[] = [];
    for (const found of all.filter(meant)) {
      context.progress.step(`reading ${found.id} again`);
      verdicts.push(await verdictOf(search, all, found, options["only"] !== true));
    }
    context.progress.stop();
    return { view: verdictView(verdicts), ...problemOf(verdicts) };
  },
};

async function verdictOf(
  search: CheckpointSearch,
  all: readonly FoundCheckpoint[],
  found: FoundCheckpoint,
  looksFurther: boolean,
): Promise<Verdict> {
  const { id, instance, volume } = found;
  const problems = await check(search, found);
  const verdict = { id, instance: instance ?? "", volume: volume.name, ok: problems.length === 0, problems };
  if (verdict.ok || !looksFurther) return verdict;
  return { ...verdict, instead: (await firstWhole(search, insteadOf(all, found)))?.id ?? null };
}

/** What is damaged is told beside the list, with what to take instead. */
function problemOf(verdicts: readonly Verdict[]): Pick<CommandResult, "problem"> {
  const damaged = verdicts.filter(({ ok }) => !ok);
  if (damaged.length === 0) return {};
  const whole = [...new Set(damaged.flatMap(({ instead }) => instead ?? []))];
  const none = damaged.filter(({ instead }) => instead === null).map(({ id }) => id);
  const hints = [
    ...(whole.length === 0 ? [] : [`whole, and read to the last byte: ${whole.join(", ")}`]),
    ...(none.length === 0 ? [] : [`for ${none.join(", ")} there is no older one that is whole`]),
  ];
  return {
    problem: new Problem({
      code: "SPOT_E_CHECKPOINT_DAMAGED",
      message: damaged.map(({ id, problems }) => `${id} does not verify: ${problemsText(problems)}`).join("\n"),
      exit: EXIT.verification,
      ...(hints.length === 0 ? {} : { hint: hints.join("; ") }),
      next: whole.length === 0 ? ["spot checkpoints ls"] : whole.map((id) => `spot checkpoints restore ${id} --to DIR`),
    }),
  };
}

function verdictView(verdicts: readonly Verdict[]) {
  return listView<Verdict>({
    schema: "spot.verification/1",
    items: verdicts,
    toJson: (verdict) => verdict,
    columns: [
      { key: "id", header: "ID", value: ({ id }) => id },
      { key: "instance", header: "INSTANCE", value: ({ instance }) => instance, drop: 1 },
      { key: "volume", header: "VOLUME", value: ({ volume }) => volume, drop: 2 },
      {
        key: "verdict",
        header: "VERDICT",
        value: ({ ok, problems }) => (ok ? "whole" : `damaged: ${problemsText(problems)}`),
        paint: (text, { ok }, painter) => (ok ? painter.green(text) : painter.red(text)),
      },
      { key: "instead", header: "INSTEAD", value: ({ instead }) => instead ?? "", hidden: true },
    ],
    empty: "No checkpoints to verify.",
  });
}
