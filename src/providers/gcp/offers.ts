import { gpuMatcher } from "../../model/gpu-names.ts";
import type { Offer } from "../../model/offer.ts";
import type { CallContext, OfferQuery } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { gpuOf, type Size } from "./machine-types.ts";
import type { Market } from "./market.ts";
import { regionOf } from "./names.ts";
import { plainList, selected } from "./pages.ts";
import type { Prices } from "./prices.ts";
import { zoneList } from "./wire.ts";

const ZONE_FIELDS = "kind,nextPageToken,items(name,status)";

/** Which zones are up, by name. */
async function zonesUp(api: Api, context: CallContext): Promise<ReadonlyMap<string, boolean>> {
  const rows = await selected(ZONE_FIELDS, (query) => plainList(api, zoneList, "zones", context, query));
  return new Map(rows.map(({ name, status }) => [name, status === "UP"]));
}

/** Without a notice that was asked for: as much as the guest has to shut down, at best (Compute Engine, Spot VMs). */
const NOTICE_UP_TO_S = 30;

function offersOf(size: Size, prices: Prices, isUp: boolean, noticeSeconds: number): readonly Offer[] {
  const region = regionOf(size.zone);
  const onDemandPrice = prices.of(size, region, "on-demand");
  return (["spot", "on-demand"] as const).flatMap((billing): readonly Offer[] => {
    const price = billing === "spot" ? prices.of(size, region, "spot") : onDemandPrice;
    if (price === null || price.micros <= 0n) return [];
    return [
      {
        provider: PROVIDER,
        region,
        zone: size.zone,
        type: size.type,
        gpu: gpuOf(size.accelerator, size.count),
        vcpus: size.vcpus,
        memoryGb: size.memoryMb / 1024,
        billing,
        price,
        onDemandPrice,
        // Google tells no stock: whether there is one, the launch says.
        stock: isUp ? "unknown" : 0,
        noticeSeconds: billing === "spot" ? noticeSeconds : 0,
        ...(billing === "spot" && noticeSeconds < NOTICE_UP_TO_S ? { noticeUpToSeconds: NOTICE_UP_TO_S } : {}),
        protectionSeconds: 0,
        interruptionsPerHour: null,
        source: "catalog",
        observedAt: prices.observedAt,
      },
    ];
  });
}

/**
 * Every size with GPUs in every zone, as spot and on demand. What the catalogue has no price for is no offer. Quotas are not
 * looked at: a quota that is used up is told by the launch, and is something else than a stock.
 */
export async function allOffers(
  api: Api,
  market: Market,
  query: OfferQuery,
  noticeSeconds: number,
  context: CallContext,
): Promise<readonly Offer[]> {
  const [{ sizes, prices }, zones] = await Promise.all([market.current(context), zonesUp(api, context)]);
  const isWanted = query.gpuModel === undefined ? () => true : gpuMatcher(query.gpuModel);
  const within = (list: readonly string[] | undefined, region: string) => list === undefined || list.length === 0 || list.includes(region);
  return sizes
    .filter(({ zone, accelerator, count }) => {
      const region = regionOf(zone);
      if (!zones.has(zone) || !within(query.regions, region) || !within(api.settings.regions, region)) return false;
      return (query.gpuCount === undefined || query.gpuCount === count) && isWanted(gpuOf(accelerator, count));
    })
    .flatMap((size) => offersOf(size, prices, zones.get(size.zone) === true, noticeSeconds));
}
