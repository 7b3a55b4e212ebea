import { parseDuration } from "../../model/duration.ts";
import { usageProblem } from "../../model/problem.ts";
import type { LocalControl } from "../../providers/local-control.ts";
import { openLocalControl } from "../../providers/registry.ts";
import type { CommandContext } from "../command.ts";

/** Runs one piece of work with the operator's side of the embedded cloud, and closes it. */
export async function withControl<Result>(
  { world }: CommandContext,
  options: { readonly autoStart: boolean },
  work: (control: LocalControl, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const control = await openLocalControl(world, options);
  try {
    return await work(control, world.signal);
  } finally {
    await control.close();
  }
}

/** A flag's text; undefined when it was not given. */
export function textOption(context: CommandContext, name: string): string | undefined {
  const value = context.options[name];
  return typeof value === "string" ? value : undefined;
}

/** A flag's duration in milliseconds. Zero is allowed here: some machines are taken without a word, or are there at once. */
export function durationFlag(text: string, flag: string): number {
  if (/^\s*0+(ms|s|m|h|d)?\s*$/.test(text)) return 0;
  try {
    return parseDuration(text);
  } catch (error) {
    throw usageProblem(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
