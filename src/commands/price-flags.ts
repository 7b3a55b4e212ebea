import { type GpuQuery, parseGpuQuery } from "../model/gpu-query.ts";
import { suggestion } from "../model/nearest.ts";
import { usageProblem } from "../model/problem.ts";
import type { CommandContext } from "./command.ts";

/** The value of a flag that takes a text. */
export function textFlag(context: CommandContext, key: string): string | undefined {
  const value = context.options[key];
  return typeof value === "string" ? value : undefined;
}

/** Runs a parser and names the flag when it refuses. @throws Problem (usage). */
export function parsedFlag<Value>(flag: string, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    throw usageProblem(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** One of a few words. @throws Problem (usage, with the nearest of them). */
export function choiceFlag<Choice extends string>(flag: string, text: string, choices: readonly Choice[]): Choice {
  const chosen = choices.find((choice) => choice === text);
  if (chosen === undefined) throw usageProblem(`${flag}: ${JSON.stringify(text)} is not a choice`, suggestion(text, choices));
  return chosen;
}

/** `--gpu H100` means any count, `--gpu H100:8` exactly eight. */
export function gpuFlag(context: CommandContext): (Omit<GpuQuery, "count"> & { readonly count?: number }) | undefined {
  const text = textFlag(context, "gpu");
  if (text === undefined) return undefined;
  const { model, count } = parsedFlag("--gpu", () => parseGpuQuery(text));
  return text.includes(":") ? { model, count } : { model };
}

/** A whole number from 1 up to `most`; undefined when the flag is not there. @throws Problem (usage). */
export function countFlag(context: CommandContext, key: string, flag: string, most: number): number | undefined {
  const text = textFlag(context, key);
  if (text === undefined) return undefined;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > most) throw usageProblem(`${flag}: ${JSON.stringify(text)} is not a whole number from 1 to ${most}`);
  return count;
}
