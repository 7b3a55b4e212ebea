import { ANSWER_WITHIN_MS, askMarket } from "../fleet/market.ts";
import { parseDuration } from "../model/duration.ts";
import { gpuFromName, isAskedGpu } from "../model/gpu-names.ts";
import { type GpuQuery, parseGpuQuery } from "../model/gpu-query.ts";
import { suggestion } from "../model/nearest.ts";
import type { Offer } from "../model/offer.ts";
import { usageProblem } from "../model/problem.ts";
import { USUAL_WORK, type WorkModel } from "../pricing/effective.ts";
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

/** How the effective price reckons; `--checkpoint-every` changes the interval. */
export function workFlags(context: CommandContext): WorkModel {
  const every = textFlag(context, "checkpointEvery");
  if (every === undefined) return USUAL_WORK;
  return { ...USUAL_WORK, checkpointIntervalSeconds: parsedFlag("--checkpoint-every", () => parseDuration(every)) / 1000 };
}

/** How long a provider is waited for: with a moment left of `--timeout` to say what there is, and who did not answer. */
function answerWithinMs(context: CommandContext): number {
  const timeout = textFlag(context, "timeout");
  if (timeout === undefined) return ANSWER_WITHIN_MS;
  return Math.min(ANSWER_WITHIN_MS, Math.max(500, parsedFlag("--timeout", () => parseDuration(timeout)) - 1_000));
}

/** What the chosen providers offer, and who of them could not say; for scripts too, which see no warning. */
export interface MarketAtHand {
  readonly offers: readonly Offer[];
  /** Goes into the document beside its data; empty when everybody answered. */
  readonly beside: { readonly missing?: readonly { readonly provider: string; readonly why: string }[] };
}

/** Everything on offer at the chosen providers; one that fails is named and left out, all failing is a failure. */
export async function offersAtHand(context: CommandContext): Promise<MarketAtHand> {
  const chosen = textFlag(context, "provider")
    ?.split(",")
    .map((id) => id.trim())
    .filter((id) => id !== "");
  const providers = await context.providers(chosen);
  context.progress.step("Asking for offers");
  const asked = gpuFlag(context);
  // A cloud with many sizes need not be asked for all of them; only for a slip are all names wanted.
  const narrow = asked === undefined ? {} : { gpuModel: gpuFromName(asked.model).model };
  const withinMs = answerWithinMs(context);
  const { signal } = context.world;
  const found = await askMarket(providers, narrow, signal, withinMs);
  const { failures } = found;
  const [first] = failures;
  if (first !== undefined && failures.length === providers.length) throw first.error;
  for (const { provider, why } of failures) context.progress.warn(`${provider} is left out: ${why}`);
  const answering = providers.filter(({ id }) => !failures.some(({ provider }) => provider === id));
  const isSlip = asked !== undefined && found.offers.length === 0;
  const { offers } = isSlip ? await askMarket(answering, {}, signal, withinMs) : found;
  context.progress.stop();
  const missing = failures.map(({ provider, why }) => ({ provider, why }));
  return { offers, beside: missing.length === 0 ? {} : { missing } };
}

/** @throws Problem (usage, with the nearest model) when nobody has such a GPU, sold out or not. */
export function requireKnownGpu(model: string, offers: readonly Offer[]): void {
  const known = [...new Set(offers.map((offer) => offer.gpu.model))];
  if (known.length === 0 || offers.some((offer) => isAskedGpu(model, offer.gpu))) return;
  throw usageProblem(`no provider offers a GPU ${JSON.stringify(model)}`, suggestion(gpuFromName(model).model, known), [
    "spot offers --group-by gpu",
  ]);
}
