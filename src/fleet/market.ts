import type { Offer } from "../model/offer.ts";
import { deadline } from "../platform/clock.ts";
import type { OfferQuery, Provider } from "../providers/provider.ts";

export interface MarketAnswer {
  readonly offers: readonly Offer[];
  /** Providers that did not answer, with their reasons: left out, never fatal. */
  readonly failures: readonly { readonly provider: string; readonly why: string; readonly error: unknown }[];
}

/** No provider is waited for longer than this, in milliseconds. */
export const ANSWER_WITHIN_MS = 20_000;

/** Asks every provider at once, each with a deadline of its own, `withinMs` from now. */
export async function askMarket(
  providers: readonly Provider[],
  query: OfferQuery,
  signal: AbortSignal,
  withinMs = ANSWER_WITHIN_MS,
): Promise<MarketAnswer> {
  const answers = await Promise.all(
    providers.map(async (provider): Promise<MarketAnswer> => {
      const limit = deadline(signal, withinMs);
      try {
        return { offers: await inTime(provider.offers(query, { signal: limit.signal }), limit.signal), failures: [] };
      } catch (error) {
        if (signal.aborted) throw error;
        const why = limit.signal.aborted ? `no answer within ${withinMs / 1000} s` : error instanceof Error ? error.message : String(error);
        return { offers: [], failures: [{ provider: provider.id, why, error }] };
      } finally {
        limit.done();
      }
    }),
  );
  return { offers: answers.flatMap(({ offers }) => offers), failures: answers.flatMap(({ failures }) => failures) };
}

/** Whoever does not look at the signal is not waited for either. */
function inTime<Result>(answer: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const late = () => reject(signal.reason);
    if (signal.aborted) late();
    signal.addEventListener("abort", late, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", late));
  });
}
