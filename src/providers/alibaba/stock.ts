import type { CallContext } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { stockList, type WireStock } from "./wire.ts";

/** `spot` with or without an hour of protection, or an ordinary machine. */
export interface Purchase {
  readonly billing: "spot" | "on-demand";
  readonly spotDuration: 0 | 1;
}

/** The parameters by which market questions and launches say how something is bought. */
export function purchaseParameters({ billing, spotDuration }: Purchase) {
  return billing === "spot"
    ? { SpotStrategy: "SpotAsPriceGo", SpotDuration: spotDuration }
    : { SpotStrategy: "NoSpot", SpotDuration: undefined };
}

/** By type, by zone: whether there is any. How many is not told. */
export type Stock = ReadonlyMap<string, ReadonlyMap<string, boolean>>;

/**
 * `WithStock` (plenty) and `ClosedWithStock` (little) can be had; `WithoutStock` (comes again) and `ClosedWithoutStock` (does
 * not) cannot. A category that no document knows is taken at its `Status`.
 */
export function isInStock({ Status, StatusCategory }: { readonly Status: string; readonly StatusCategory: string }): boolean {
  if (Status === "SoldOut") return false;
  return !["WithoutStock", "ClosedWithoutStock"].includes(StatusCategory);
}

function stockIn({ AvailableZones }: WireStock): Stock {
  const stock = new Map<string, Map<string, boolean>>();
  for (const zone of AvailableZones.AvailableZone) {
    const resources = zone.AvailableResources.AvailableResource.flatMap(({ SupportedResources }) => SupportedResources.SupportedResource);
    for (const resource of resources) {
      const zones = stock.get(resource.Value) ?? new Map<string, boolean>();
      zones.set(zone.ZoneId, isInStock(zone) && isInStock(resource));
      stock.set(resource.Value, zones);
    }
  }
  return stock;
}

/** What is sold in a region: every type in every zone, in one answer. Asked anew every time. */
export async function stockOf(ecs: Ecs, region: string, purchase: Purchase, context: CallContext): Promise<Stock> {
  const parameters = {
    RegionId: region,
    DestinationResource: "InstanceType",
    InstanceChargeType: "PostPaid",
    ...purchaseParameters(purchase),
  };
  return stockIn(await ecs.read({ region, action: "DescribeAvailableResource", parameters, answer: stockList }, context));
}
