import type { Offer } from "../model/offer.ts";
import type { Clock } from "../platform/clock.ts";
import { ProviderError } from "../providers/errors.ts";

/** So old the answer about a market may be that many launches share. A price sheet is older by the time that anybody reads it. */
const SHARED_MS = 5_000;

interface Answer {
  /** By the monotonic clock. */
  readonly askedAt: number;
  readonly offers: Promise<readonly Offer[]>;
}

/** The answers about a market that the launches of a moment share: a thousand replacements need not ask a thousand times. */
export interface SharedOffers {
  /**
   * What `ask` answers, or what another one is being answered, or was at most five seconds ago, to the same question. A
   * provider's refusal is everybody's who waits for it; a question that was given up by who asked is asked anew.
   */
  get(key: string, clock: Clock, ask: () => Promise<readonly Offer[]>): Promise<readonly Offer[]>;
}

export function sharedOffers(): SharedOffers {
  const answers = new Map<string, Answer>();
  const begin = (key: string, clock: Clock, ask: () => Promise<readonly Offer[]>) => {
    const answer: Answer = { askedAt: clock.monotonic(), offers: ask() };
    answers.set(key, answer);
    answer.offers.catch(() => {
      if (answers.get(key) === answer) answers.delete(key);
    });
    return answer.offers;
  };
  return {
    async get(key, clock, ask) {
      for (;;) {
        const known = answers.get(key);
        if (known === undefined || clock.monotonic() - known.askedAt > SHARED_MS) return begin(key, clock, ask);
        try {
          return await known.offers;
        } catch (error) {
          if (error instanceof ProviderError) throw error;
        }
      }
    },
  };
}
