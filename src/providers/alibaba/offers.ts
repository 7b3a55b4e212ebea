import * as v from "valibot";
import type { Offer } from "../../model/offer.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext, Capabilities, OfferQuery } from "../provider.ts";
import { gpuTypes, isAskedFor, type MachineType } from "./catalogue.ts";
import type { Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import type { Regions } from "./regions.ts";
import { type Turns, whatCouldBeHad } from "./side-by-side.ts";
import { type Advice, adviceOf } from "./spot-advice.ts";
import type { PricesOfType, SpotPrices } from "./spot-prices.ts";
import { type Stock, stockOf } from "./stock.ts";

/** What the market is asked with. */
export interface Market {
  readonly ecs: Ecs;
  readonly kept: KeptAnswers;
  readonly regions: Regions;
  readonly prices: SpotPrices;
  readonly turn: Turns;
  readonly spotDuration: 0 | 1;
}

const A_MINUTE_MS = 60_000;
/**
 * Prices are asked one request for each type and region, or two. So many new ones at a time at most: first of what is in
 * stock, first of the types with the fewest GPUs. What was heard before is shown as well.
 */
export const MOST_PRICES = { ofOneModel: 240, ofAll: 120 };
const HALF_A_DAY_MS = 12 * 60 * 60 * 1000;

/** A type in a region, and where in it there is any. */
export interface Candidate {
  readonly region: string;
  readonly type: MachineType;
  readonly stock: Readonly<Record<"spot" | "on-demand", ReadonlyMap<string, boolean>>>;
}

interface RegionalMarket {
  readonly candidates: readonly Candidate[];
  readonly advice: Advice;
}

const NOWHERE: ReadonlyMap<string, boolean> = new Map();

/** The stock of a region. For which of our types it is asked at all is kept for half a day: most regions have few GPUs. */
export async function stockOfTypes(
  market: Market,
  region: string,
  types: readonly MachineType[],
  all: ReadonlySet<string>,
  context: CallContext,
) {
  const { ecs, kept, turn, spotDuration } = market;
  let fresh: Stock | undefined;
  const spot = () => turn(() => stockOf(ecs, region, { billing: "spot", spotDuration }, context));
  const age = { maxAgeMs: HALF_A_DAY_MS, staleMs: HALF_A_DAY_MS };
  const { value: sold } = await kept.recent(`sold-in-${region}`, v.array(v.string()), age, async () => {
    fresh = await spot();
    return [...fresh.keys()].filter((id) => all.has(id));
  });
  const here = types.filter(({ id }) => sold.includes(id));
  if (here.length === 0) return [];
  const [ofSpot, onDemand] = await Promise.all([
    fresh ?? spot(),
    turn(() => stockOf(ecs, region, { billing: "on-demand", spotDuration }, context)),
  ]);
  return here.map(
    (type): Candidate => ({
      region,
      type,
      stock: { spot: ofSpot.get(type.id) ?? NOWHERE, "on-demand": onDemand.get(type.id) ?? NOWHERE },
    }),
  );
}

async function regionalMarket(
  market: Market,
  region: string,
  types: readonly MachineType[],
  all: ReadonlySet<string>,
  context: CallContext,
) {
  const candidates = await stockOfTypes(market, region, types, all, context);
  const advice = candidates.length === 0 ? undefined : await market.turn(() => adviceOf(market.ecs, market.kept, region, all, context));
  return { candidates, advice: advice ?? { reclaimed: () => undefined } } satisfies RegionalMarket;
}

const hasAny = ({ stock }: Candidate) => [...stock.spot.values(), ...stock["on-demand"].values()].includes(true);

/** Which prices are worth a request. Who names no model is not told of what is sold out and was never heard of. */
export function worthAsking(
  candidates: readonly Candidate[],
  query: OfferQuery,
  isFresh: (one: Candidate) => boolean,
): readonly Candidate[] {
  const isNamed = query.gpuModel !== undefined;
  return candidates
    .filter((one) => !isFresh(one) && (isNamed || hasAny(one)))
    .sort((a, b) => Number(hasAny(b)) - Number(hasAny(a)) || a.type.gpus - b.type.gpus)
    .slice(0, isNamed ? MOST_PRICES.ofOneModel : MOST_PRICES.ofAll);
}

function offersOf(
  { region, type, stock }: Candidate,
  prices: PricesOfType,
  advice: Advice,
  { noticeSeconds, protectionSeconds }: Pick<Capabilities, "noticeSeconds" | "protectionSeconds">,
): readonly Offer[] {
  return (["spot", "on-demand"] as const).flatMap((billing) =>
    [...stock[billing]].flatMap(([zone, isThere]): readonly Offer[] => {
      const { spot = null, onDemand = null } = prices.zones.get(zone) ?? {};
      const price = billing === "spot" ? spot : onDemand;
      if (price === null) return [];
      const isSpot = billing === "spot";
      const reclaimed = isSpot ? advice.reclaimed(zone, type.id) : undefined;
      return [
        {
          provider: PROVIDER,
          region,
          zone,
          type: type.id,
          gpu: { model: type.model, count: type.gpus, vramGb: type.vramGb, ...(type.form === undefined ? {} : { form: type.form }) },
          vcpus: type.vcpus,
          memoryGb: type.memoryGb,
          billing,
          price,
          onDemandPrice: onDemand,
          stock: isThere ? "unknown" : 0,
          noticeSeconds: isSpot ? noticeSeconds : 0,
          protectionSeconds: isSpot ? protectionSeconds : 0,
          interruptionsPerHour: null,
          ...(reclaimed === undefined ? {} : { reclaimed }),
          source: "live",
          observedAt: prices.observedAt,
        },
      ];
    }),
  );
}

/** The whole market as far as it is asked for. A region that does not answer is left out unless none does. */
export async function allOffers(
  market: Market,
  capabilities: Pick<Capabilities, "noticeSeconds" | "protectionSeconds">,
  query: OfferQuery,
  context: CallContext,
): Promise<readonly Offer[]> {
  const { ecs, prices, spotDuration, turn } = market;
  const [regions, catalogue] = await Promise.all([market.regions.all(context), gpuTypes(ecs, market.kept, context)]);
  const types = catalogue.filter((type) => isAskedFor(type, query));
  const asked =
    query.regions === undefined || query.regions.length === 0 ? regions : regions.filter((name) => query.regions?.includes(name));
  if (types.length === 0 || asked.length === 0) return [];
  const all = new Set(catalogue.map(({ id }) => id));
  const found = await whatCouldBeHad(asked, context, (region) => regionalMarket(market, region, types, all, context));
  const questionOf = ({ region, type }: Candidate) => ({ region, type: type.id, spotDuration });
  const candidates = found.flatMap((one) => one.candidates);
  const isFresh = (one: Candidate) => ecs.now() - (prices.known(questionOf(one))?.observedAt ?? Number.NEGATIVE_INFINITY) <= A_MINUTE_MS;
  const worth = worthAsking(candidates, query, isFresh);
  await whatCouldBeHad(worth, context, (one) => turn(() => prices.of(questionOf(one), A_MINUTE_MS, context)));
  return found.flatMap(({ candidates: here, advice }) =>
    here.flatMap((one) => {
      const known = prices.known(questionOf(one));
      return known === undefined ? [] : offersOf(one, known, advice, capabilities);
    }),
  );
}
