import type { Checkpoint } from "../../model/checkpoint.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { View } from "../../output/view.ts";
import type { CommandContext, CommandResult } from "../command.ts";

/** Shows the plan and asks. @throws Problem (refused) without a yes */
export async function agreeToPrune(context: CommandContext, view: View, question: string): Promise<void> {
  const { stderr } = context.world;
  if (!context.machine && context.options["quiet"] !== true) stderr.write(`${await view.render(context.painter, stderr.columns)}\n`);
  if (await context.confirm(question, "--yes")) return;
  throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was removed", exit: EXIT.refused });
}

/** A checkpoint that ought to be the one to come back from and does not verify is no success, whatever else was done. */
export function damagedProblemOf(damaged: readonly Checkpoint[], next: (id: string) => string): Pick<CommandResult, "problem"> {
  if (damaged.length === 0) return {};
  return {
    problem: new Problem({
      code: "SPOT_E_CHECKPOINT_DAMAGED",
      message: damaged.map(({ id, instance }) => `${id} of ${instance} does not verify`).join("; "),
      exit: EXIT.verification,
      hint: "the newest older one that does verify stays; where none does, nothing was to go",
      next: damaged.map(({ id }) => next(id)),
    }),
  };
}
