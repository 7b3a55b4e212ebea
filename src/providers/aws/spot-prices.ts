import { DescribeSpotPriceHistoryCommand, type SpotPrice } from "@aws-sdk/client-ec2";
import { type Money, moneyFromDecimal } from "../../model/money.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { everyPage } from "./pages.ts";

export interface ZonePrice {
  readonly type: string;
  readonly zone: string;
  /** `use1-az4`: the same place in every account, unlike its name. */
  readonly zoneId: string | null;
  readonly price: Money;
  /** When we asked, in epoch milliseconds. */
  readonly observedAt: number;
}

export interface SpotPrices {
  /** The price in force of each of these types in each zone that has a spot market for it. */
  now(region: string, types: readonly string[], context: CallContext): Promise<readonly ZonePrice[]>;
  /** The same, perhaps a minute old. */
  recent(region: string, types: readonly string[], context: CallContext): Promise<readonly ZonePrice[]>;
}

const RECENT_MS = 60_000;
export const PRODUCT = "Linux/UNIX";
/** Types in one question: what other lists of this API take. */
export const TYPES_AT_ONCE = 100;
export const PER_PAGE = 1_000;

/** In the regions of China AWS is paid in its currency. */
export function currencyOf(region: string): string {
  return region.startsWith("cn-") ? "CNY" : "USD";
}

/** Null for what is no price, and for nothing. */
export function priceOf(text: string | undefined, region: string): Money | null {
  try {
    const price = moneyFromDecimal(text ?? "", currencyOf(region));
    return price.micros > 0n ? price : null;
  } catch {
    return null;
  }
}

/** Of each zone and type the item that was told last. */
export function newest(items: readonly SpotPrice[]): readonly SpotPrice[] {
  const latest = new Map<string, SpotPrice>();
  for (const item of items) {
    // A server that does not know the filter tells of Windows as well.
    if (item.ProductDescription !== undefined && !item.ProductDescription.startsWith(PRODUCT)) continue;
    const key = `${item.InstanceType} ${item.AvailabilityZone}`;
    const other = latest.get(key);
    if (other === undefined || (other.Timestamp?.getTime() ?? 0) <= (item.Timestamp?.getTime() ?? 0)) latest.set(key, item);
  }
  return [...latest.values()];
}

export function spotPrices(api: Api): SpotPrices {
  const known = new Map<string, { readonly at: number; readonly prices: readonly ZonePrice[] }>();
  const ask = async (region: string, types: readonly string[], context: CallContext) => {
    const at = api.now();
    // What is in force now is the last change before now: the answer has it, however long ago it was.
    const StartTime = new Date(at + api.wire.clockOffsetMs());
    const input = { InstanceTypes: [...types] as never[], ProductDescriptions: [PRODUCT], StartTime, MaxResults: PER_PAGE };
    const items = await everyPage(
      "spot prices",
      (token) => api.ask(region, context, (ec2, options) => ec2.send(new DescribeSpotPriceHistoryCommand({ ...input, ...token }), options)),
      (page) => page.SpotPriceHistory,
    );
    const prices = newest(items).flatMap(({ InstanceType: type, AvailabilityZone: zone, AvailabilityZoneId, SpotPrice: text }) => {
      const price = priceOf(text, region);
      if (type === undefined || zone === undefined || price === null) return [];
      return [{ type, zone, zoneId: AvailabilityZoneId ?? null, price, observedAt: at }];
    });
    for (const type of types) known.set(`${region} ${type}`, { at, prices: prices.filter((one) => one.type === type) });
  };
  const every = async (region: string, types: readonly string[], context: CallContext) => {
    for (let at = 0; at < types.length; at += TYPES_AT_ONCE) await ask(region, types.slice(at, at + TYPES_AT_ONCE), context);
  };
  const kept = (region: string, types: readonly string[]) => types.flatMap((type) => known.get(`${region} ${type}`)?.prices ?? []);
  return {
    async now(region, types, context) {
      await every(region, types, context);
      return kept(region, types);
    },
    async recent(region, types, context) {
      const isRecent = (type: string) => api.now() - (known.get(`${region} ${type}`)?.at ?? Number.NEGATIVE_INFINITY) < RECENT_MS;
      await every(
        region,
        types.filter((type) => !isRecent(type)),
        context,
      );
      return kept(region, types);
    },
  };
}
