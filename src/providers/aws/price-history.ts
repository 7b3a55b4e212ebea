import { DescribeSpotPriceHistoryCommand, type SpotPrice } from "@aws-sdk/client-ec2";
import type { RememberedPrice } from "../../model/listed-price.ts";
import type { CallContext, PriceHistoryOperations, PriceHistoryQuery } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import type { MachineType } from "./machine-types.ts";
import { isAskedFor, type Market } from "./offers.ts";
import { everyPage } from "./pages.ts";
import type { Regions } from "./regions.ts";
import { PER_PAGE, PRODUCT, priceOf, TYPES_AT_ONCE } from "./spot-prices.ts";

/** `DescribeSpotPriceHistory` goes back so far. */
const KEPT_MS = 90 * 86_400_000;

/** What was told of one type in one zone, oldest first: every change, with the one before the first moment asked about. */
function changesByMarket(items: readonly SpotPrice[]): ReadonlyMap<string, readonly SpotPrice[]> {
  const markets = new Map<string, SpotPrice[]>();
  for (const item of items) {
    // A server that does not know the filter tells of Windows as well.
    if (item.ProductDescription !== undefined && !item.ProductDescription.startsWith(PRODUCT)) continue;
    const key = `${item.InstanceType} ${item.AvailabilityZone}`;
    const known = markets.get(key);
    if (known === undefined) markets.set(key, [item]);
    else known.push(item);
  }
  const at = ({ Timestamp }: SpotPrice) => Timestamp?.getTime() ?? 0;
  return new Map([...markets].map(([key, found]) => [key, found.toSorted((a, b) => at(a) - at(b))]));
}

async function pastOf(
  api: Api,
  market: Market,
  region: string,
  { since, ...query }: PriceHistoryQuery,
  context: CallContext,
): Promise<readonly RememberedPrice[]> {
  const known = await market.types.of(region, context);
  const types = known.filter((type) => type.spot && isAskedFor(type, query) && (query.type ?? type.type) === type.type);
  if (types.length === 0) return [];
  const now = api.now();
  const onDemand = await market.onDemand.of(region, context);
  const StartTime = new Date(Math.max(since, now - KEPT_MS) + api.wire.clockOffsetMs());
  const found: RememberedPrice[] = [];
  for (let first = 0; first < types.length; first += TYPES_AT_ONCE) {
    const asked = types.slice(first, first + TYPES_AT_ONCE);
    const InstanceTypes = asked.map(({ type }) => type) as never[];
    const input = { InstanceTypes, ProductDescriptions: [PRODUCT], StartTime, MaxResults: PER_PAGE };
    const items = await everyPage(
      "spot prices",
      (token) => api.ask(region, context, (ec2, options) => ec2.send(new DescribeSpotPriceHistoryCommand({ ...input, ...token }), options)),
      (page) => page.SpotPriceHistory,
    );
    const priced = (type: MachineType) => ({ type, onDemandPrice: onDemand?.get(type.type) ?? null });
    const byName = new Map(asked.map((type) => [type.type, priced(type)]));
    for (const changes of changesByMarket(items).values()) found.push(...runsOf(api, region, changes, byName, now));
  }
  return found;
}

/** A change is in force until the next one; the last one still is. */
function runsOf(
  api: Api,
  region: string,
  changes: readonly SpotPrice[],
  types: ReadonlyMap<string, { readonly type: MachineType; readonly onDemandPrice: RememberedPrice["price"]["onDemandPrice"] }>,
  now: number,
): readonly RememberedPrice[] {
  return changes.flatMap(({ InstanceType, AvailabilityZone: zone, SpotPrice: text, Timestamp }, index) => {
    const known = types.get(InstanceType ?? "");
    const from = api.ours(Timestamp);
    const price = priceOf(text, region);
    if (known === undefined || zone === undefined || from === null || price === null) return [];
    const next = api.ours(changes[index + 1]?.Timestamp);
    const { type, onDemandPrice } = known;
    return [
      {
        price: {
          provider: PROVIDER,
          region,
          zone,
          type: type.type,
          gpu: type.gpu,
          vcpus: type.vcpus,
          memoryGb: type.memoryGb,
          billing: "spot",
          price,
          onDemandPrice: onDemandPrice?.currency === price.currency ? onDemandPrice : null,
        },
        from,
        to: next === null ? Math.max(from, now) : next - 1,
      },
    ];
  });
}

/** 90 days of every change of the spot price, region by region, side by side. */
export function priceHistoryOf(api: Api, regions: Regions, market: Market): PriceHistoryOperations {
  return {
    keptMs: KEPT_MS,
    async read(query, context) {
      const found = await regions.each(context, (region) => pastOf(api, market, region, query, context), query.regions);
      return found.flat();
    },
  };
}
