import { type Demand, paceOf } from "./demand.ts";
import { exactCost, isLess, type Reckoning, worthOf } from "./exact.ts";
import { type Base, type Mix, mixOf, singleOf, tokensOnly } from "./mix.ts";
import { rentalsOf } from "./rental.ts";
import { HOUR_MS, type Tariff } from "./tariff.ts";
import type { MachineWay, TokenWay } from "./way.ts";

/** Two kinds of long rental are tried together where there are no more numbers of both. */
export const MOST_PAIRS = 10_000;

/** Of ways that do equally much in a time only the cheapest can be part of a cheapest mix. */
function cheapestOfEachPace(
  ways: readonly MachineWay[],
  tariffs: (way: MachineWay) => readonly Tariff[],
  demand: Demand,
  reckoning: Reckoning,
): readonly MachineWay[] {
  const costOf = (way: MachineWay) => {
    // Both over one time, so that they can be added up as whole numbers of the same fraction.
    const { price, perMs } = tariffs(way).reduce((sum, one) => ({
      price: { ...sum.price, micros: sum.price.micros * one.perMs + one.price.micros * sum.perMs },
      perMs: sum.perMs * one.perMs,
    }));
    return exactCost({ price, perMs }, HOUR_MS, reckoning);
  };
  const best = new Map<bigint, MachineWay>();
  for (const way of ways) {
    const { units } = paceOf(way, demand);
    const [known, cost] = [best.get(units), costOf(way)];
    const before = known === undefined ? null : costOf(known);
    if (before === null || (cost !== null && isLess(cost, before))) best.set(units, way);
  }
  return [...best.values()];
}

/** Every number of machines of each long rental, and of two of them together; in a job of one. */
function basesOf(long: readonly MachineWay[], demand: Demand, reckoning: Reckoning): readonly (readonly Base[])[] {
  const kinds = demand.isJob
    ? long
    : cheapestOfEachPace(long, ({ sticker, plus }) => (plus === null ? [sticker] : [sticker, plus]), demand, reckoning);
  const alone = kinds.map((way) => rentalsOf(way, demand).map((rental): Base => ({ way, rental })));
  const pairs = alone.flatMap((first, index) =>
    alone
      .slice(index + 1)
      .filter((second) => !demand.isJob && first.length * second.length <= MOST_PAIRS)
      .flatMap((second) => first.flatMap((one) => second.map((other) => [one, other]))),
  );
  return [[], ...alone.flat().map((base) => [base]), ...pairs];
}

/**
 * The cheapest mix of long rentals, for each block of the day one kind by the hour, and one API. All numbers of machines are
 * tried that may be the cheapest, so that there is no cheaper one of this form (but for what rounding does, a millionth for
 * each part). It is never dearer than the best single way, because each of these is among what is tried.
 */
export function bestMix(ways: readonly MachineWay[], api: TokenWay | null, demand: Demand, reckoning: Reckoning): Mix | null {
  const isKnown = (currency: string) => worthOf(currency, reckoning.currency, reckoning.rate) !== null;
  const known = ways.filter(({ sticker }) => isKnown(sticker.price.currency));
  // Without a throughput nobody knows which part of the work so many tokens are.
  const tokens = api !== null && demand.unit === "tokens" && isKnown(api.perMillion.currency) ? api : null;
  const byHour = known.filter(({ isLong }) => !isLong);
  const hourly = cheapestOfEachPace(byHour, ({ effective }) => [effective], demand, reckoning);
  const long = known.filter(({ isLong }) => isLong);
  const tried = [
    ...known.map((way) => singleOf(way, demand, reckoning)),
    tokens === null ? null : tokensOnly(tokens, demand, reckoning),
    ...basesOf(long, demand, reckoning).map((bases) => mixOf(demand, { bases, hourly, tokens }, reckoning)),
  ];
  return tried.reduce((best, one) => (one !== null && (best === null || one.total.micros < best.total.micros) ? one : best), null);
}
