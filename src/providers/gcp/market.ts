import { ProviderError } from "../errors.ts";
import { keptAnswers } from "../kept-answers.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { currentSizes, type Size } from "./machine-types.ts";
import { currentPrices, type Prices } from "./prices.ts";
import type { GcpWorld } from "./settings.ts";

/** What changes slowly: sizes and prices. */
export interface MarketData {
  readonly sizes: readonly Size[];
  readonly prices: Prices;
  /** One size of a type, wherever it is: what it is made of is the same everywhere. */
  sizeOf(type: string): Size | undefined;
}

export interface Market {
  /** Asked for at most once a day; the first time takes as long as reading the whole billing catalogue does. */
  current(context: CallContext): Promise<MarketData>;
  /** What is known without asking anybody: an instance's price is no reason to read the catalogue. */
  known(): Promise<MarketData | undefined>;
}

const FRESH_MS = 60_000;

/** Of a market that asks nobody. */
const silent = (): never => {
  throw new ProviderError(PROVIDER, { kind: "unavailable" }, "not asked");
};

export function marketOf(api: Api, { home, clock, env }: Pick<GcpWorld, "home" | "clock" | "env">): Market {
  const kept = keptAnswers(PROVIDER, { home, clock, env });
  const mute: Api = { ...api, read: silent, catalogue: silent };
  let last: { readonly data: MarketData | undefined; readonly at: number } | undefined;
  let recalling: Promise<MarketData | undefined> | undefined;
  const note = (data: MarketData | undefined) => {
    last = { data, at: clock.monotonic() };
    return data;
  };
  const read = async (from: Api, context: CallContext): Promise<MarketData> => {
    const [{ value: sizes }, prices] = await Promise.all([currentSizes(from, kept, context), currentPrices(from, kept, context)]);
    const byType = new Map(sizes.map((size) => [size.type, size]));
    return { sizes, prices, sizeOf: (type) => byType.get(type) };
  };
  return {
    async current(context) {
      const data = await read(api, context);
      note(data);
      return data;
    },
    async known() {
      // Asked for every machine of a list: also that nothing is known is known for a while.
      if (last !== undefined && clock.monotonic() - last.at < FRESH_MS) return last.data;
      // And for all of them at once: files are read for the first, and the others wait for it.
      recalling ??= read(mute, { signal: new AbortController().signal })
        .catch(() => undefined)
        .then(note)
        .finally(() => {
          recalling = undefined;
        });
      return recalling;
    },
  };
}
