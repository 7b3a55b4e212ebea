import { usageProblem } from "../model/problem.ts";
import { BUNDLED_RATE, type ExchangeRate, exchangeRateFrom } from "../pricing/currency.ts";
import type { CommandContext } from "./command.ts";

/** The rate that orders offers in different currencies: the setting `fxCny`, else the bundled one. @throws Problem (usage). */
export async function exchangeRate(context: CommandContext): Promise<ExchangeRate> {
  const text = await context.setting("fxCny");
  return text === undefined ? BUNDLED_RATE : exchangeRateSetting(text);
}

/** @throws Problem (usage) that names the setting. */
export function exchangeRateSetting(text: string): ExchangeRate {
  try {
    return exchangeRateFrom(text);
  } catch (error) {
    throw usageProblem(`fxCny: ${error instanceof Error ? error.message : String(error)}`, undefined, ["spot config show"]);
  }
}
