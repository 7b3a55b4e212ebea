import { type ExchangeRate, ratesText } from "../pricing/currency.ts";

/** By which rate prices in different currencies were held against each other; empty where there is one currency. */
export function rateNote(rate: ExchangeRate, currencies: ReadonlySet<string>): string {
  const rates = currencies.size > 1 ? ratesText(rate, currencies) : "";
  return rates === "" ? "" : ` Currencies are compared at ${rates}; no price is converted.`;
}
