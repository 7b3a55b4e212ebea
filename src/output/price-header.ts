import type { Money } from "../model/money.ts";

/** The header over hourly prices: it names the dollar only where every price is in dollars. */
export function priceHeader(prices: readonly (Money | null)[]): string {
  return prices.every((price) => price === null || price.currency === "USD") ? "$/HOUR" : "PER HOUR";
}
