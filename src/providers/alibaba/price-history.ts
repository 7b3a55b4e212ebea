import type { RememberedPrice } from "../../model/listed-price.ts";
import type { CallContext, PriceHistoryOperations, PriceHistoryQuery } from "../provider.ts";
import { gpuTypes, isAskedFor, type MachineType } from "./catalogue.ts";
import { PROVIDER } from "./codes.ts";
import { amountOf } from "./money.ts";
import { type Candidate, type Market, stockOfTypes, worthAsking } from "./offers.ts";
import { whatCouldBeHad } from "./side-by-side.ts";
import { priceRows } from "./spot-prices.ts";
import type { WirePrice } from "./wire.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A window of `DescribeSpotPriceHistory` may be thirty days long; our clock and theirs need not agree to the minute. */
const KEPT_MS = 30 * 24 * HOUR_MS - 5 * MINUTE_MS;
/** Who asks for the last three hours is told the price of the present: what is that new is in force. */
const PRESENT_MS = 3 * HOUR_MS;

type Told = WirePrice & { readonly Timestamp: number };

/** A price is in force until the next one is told. */
function runsOf(region: string, type: MachineType, told: readonly Told[], currency: string, now: number): readonly RememberedPrice[] {
  return told.flatMap(({ ZoneId: zone, Timestamp: from, SpotPrice, OriginPrice }, index) => {
    const price = amountOf(SpotPrice, currency);
    if (price === null) return [];
    const next = told[index + 1]?.Timestamp;
    const to = next === undefined ? (now - from <= PRESENT_MS ? Math.max(from, now) : from) : next - 1;
    const { id, model, form, gpus, vramGb, vcpus, memoryGb } = type;
    const gpu = { model, count: gpus, vramGb, ...(form === undefined ? {} : { form }) };
    const onDemandPrice = amountOf(OriginPrice, currency);
    return [
      { price: { provider: PROVIDER, region, zone, type: id, gpu, vcpus, memoryGb, billing: "spot", price, onDemandPrice }, from, to },
    ];
  });
}

function byZone(rows: readonly WirePrice[]): readonly (readonly Told[])[] {
  const zones = new Map<string, Told[]>();
  for (const row of rows) {
    if (row.Timestamp === null) continue;
    const told = { ...row, Timestamp: row.Timestamp };
    const known = zones.get(row.ZoneId);
    if (known === undefined) zones.set(row.ZoneId, [told]);
    else known.push(told);
  }
  return [...zones.values()].map((told) => told.toSorted((a, b) => a.Timestamp - b.Timestamp));
}

async function pastOf(market: Market, { region, type }: Candidate, since: number, context: CallContext) {
  const { ecs, spotDuration, turn } = market;
  const now = ecs.now();
  const from = Math.max(since, now - KEPT_MS);
  const { rows, currency } = await turn(() => priceRows(ecs, { region, type: type.id, spotDuration }, context, from));
  return byZone(rows).flatMap((told) => runsOf(region, type, told, currency, now));
}

/** Thirty days of what was told of the market, one type in one region at a time; of as many of them as `offers` asks about. */
export function priceHistoryOf(market: Market, requireUnderstood: () => void): PriceHistoryOperations {
  return {
    keptMs: KEPT_MS,
    async read({ since, ...query }: PriceHistoryQuery, context) {
      requireUnderstood();
      const [regions, catalogue] = await Promise.all([market.regions.all(context), gpuTypes(market.ecs, market.kept, context)]);
      const types = catalogue.filter((type) => isAskedFor(type, query) && (query.type ?? type.id) === type.id);
      const named = query.regions ?? [];
      const asked = named.length === 0 ? regions : regions.filter((name) => named.includes(name));
      if (types.length === 0 || asked.length === 0) return [];
      const all = new Set(catalogue.map(({ id }) => id));
      const found = await whatCouldBeHad(asked, context, (region) => stockOfTypes(market, region, types, all, context));
      const candidates = worthAsking(found.flat(), query, () => false);
      return (await whatCouldBeHad(candidates, context, (one) => pastOf(market, one, since, context))).flat();
    },
  };
}
