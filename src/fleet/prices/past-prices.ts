import { deadline } from "../../platform/clock.ts";
import type { PriceHistoryQuery, Provider } from "../../providers/provider.ts";
import type { PriceBook } from "../../state/price-book/types.ts";

export interface PastPrices {
  /** Who told of how many prices. */
  readonly told: readonly { readonly provider: string; readonly prices: number }[];
  /** Who remembers and did not answer: left out, never fatal. */
  readonly failures: readonly { readonly provider: string; readonly why: string; readonly error: unknown }[];
}

/** Ninety days of many types are many pages. */
export const TOLD_WITHIN_MS = 5 * 60_000;
/** Prices in one transaction: between two of them others have their turn. */
const AT_ONCE = 4_000;

/**
 * Asks those of the providers that remember what their prices were, all at once, and keeps what they say under
 * `live:<provider>`, with the provider's own times.
 * @throws the signal's reason, or a Problem of the price book.
 */
export async function recallPrices(
  book: PriceBook,
  providers: readonly Provider[],
  query: PriceHistoryQuery,
  signal: AbortSignal,
  withinMs = TOLD_WITHIN_MS,
): Promise<PastPrices> {
  const asked = providers.flatMap(({ id, priceHistory }) => (priceHistory === undefined ? [] : [{ id, priceHistory }]));
  const answers = await Promise.all(
    asked.map(async ({ id, priceHistory }) => {
      const limit = deadline(signal, withinMs);
      try {
        return { provider: id, prices: await priceHistory.read(query, { signal: limit.signal }) };
      } catch (error) {
        signal.throwIfAborted();
        const why = limit.signal.aborted ? `no answer within ${withinMs / 1000} s` : error instanceof Error ? error.message : String(error);
        return { provider: id, why, error };
      } finally {
        limit.done();
      }
    }),
  );
  const [told, failures]: [{ provider: string; prices: number }[], PastPrices["failures"][number][]] = [[], []];
  for (const answer of answers) {
    if (answer.prices === undefined) {
      failures.push({ provider: answer.provider, why: answer.why, error: answer.error });
      continue;
    }
    const { provider, prices } = answer;
    for (let first = 0; first < prices.length; first += AT_ONCE)
      await book.recall({ name: `live:${provider}`, kind: "live" }, prices.slice(first, first + AT_ONCE));
    told.push({ provider, prices: prices.length });
  }
  return { told, failures };
}
