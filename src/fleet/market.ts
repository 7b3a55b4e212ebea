import type { Offer } from "../model/offer.ts";
import { deadline } from "../platform/clock.ts";
import type { OfferQuery, Provider } from "../providers/provider.ts";

export interface MarketAnswer {
  readonly offers: readonly Offer[];
  /** Providers that did not answer, with their reasons: left out, never fatal. */
  readonly failures: readonly { readonly provider: string; readonly why: string; readonly error: unknown }[];
}

/** No provider is waited for longer than this. */
const ANSWER_WITHIN_MS = 20_000;

/** Asks every provider at once, each with a deadline of its own. */
export async function askMarket(providers: readonly Provider[], query: OfferQuery, signal: AbortSignal): Promise<MarketAnswer> {
  const answers = await Promise.all(
    providers.map(async (provider): Promise<MarketAnswer> => {
      const limit = deadline(signal, ANSWER_WITHIN_MS);
      try {
        return { offers: await provider.offers(query, { signal: limit.signal }), failures: [] };
      } catch (error) {
        if (signal.aborted) throw error;
        return { offers: [], failures: [{ provider: provider.id, why: error instanceof Error ? error.message : String(error), error }] };
      } finally {
        limit.done();
      }
    }),
  );
  return { offers: answers.flatMap(({ offers }) => offers), failures: answers.flatMap(({ failures }) => failures) };
}
