import { DescribeInstanceTypeOfferingsCommand } from "@aws-sdk/client-ec2";
import * as v from "valibot";
import type { Money } from "../../model/money.ts";
import type { Offer } from "../../model/offer.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext, OfferQuery } from "../provider.ts";
import type { Advisor } from "./advisor.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import type { MachineType, MachineTypes } from "./machine-types.ts";
import type { OnDemandPrices } from "./on-demand.ts";
import { everyPage } from "./pages.ts";
import type { PlacementScores } from "./placement.ts";
import type { Regions } from "./regions.ts";
import type { SpotPrices, ZonePrice } from "./spot-prices.ts";

/** Two minutes, best effort (User Guide, spot instance interruption notices). */
export const NOTICE_SECONDS = 120;

const DAY_MS = 86_400_000;

export interface Market {
  readonly types: MachineTypes;
  readonly spot: SpotPrices;
  readonly onDemand: OnDemandPrices;
  readonly advisor: Advisor;
  readonly placement: PlacementScores;
  readonly kept: KeptAnswers;
}

interface RegionMarket {
  readonly region: string;
  readonly types: readonly MachineType[];
  readonly spot: readonly ZonePrice[];
  readonly onDemand: ReadonlyMap<string, Money> | undefined;
  /** Of each type the zones in which it is rented out at all. */
  readonly zones: ReadonlyMap<string, readonly string[]>;
  readonly observedAt: number;
}

export function isAskedFor({ gpu }: Pick<MachineType, "gpu">, query: OfferQuery): boolean {
  return (
    (query.gpuModel === undefined || gpu.model.toUpperCase() === query.gpuModel.toUpperCase()) &&
    (query.gpuCount === undefined || gpu.count === query.gpuCount)
  );
}

const zonesSchema = v.record(v.string(), v.array(v.string()));

/** Where each type with a GPU is rented out; kept for a day. */
async function zonesOf(api: Api, kept: KeptAnswers, region: string, context: CallContext): Promise<ReadonlyMap<string, readonly string[]>> {
  const ask = async () => {
    const Filters = [{ Name: "instance-type", Values: ["g*", "p*", "dl*"] }];
    const rows = await everyPage(
      "instance type offerings",
      (token) =>
        api.ask(region, context, (ec2, options) =>
          ec2.send(new DescribeInstanceTypeOfferingsCommand({ LocationType: "availability-zone", Filters, ...token }), options),
        ),
      (page) => page.InstanceTypeOfferings,
    );
    const zones: Record<string, string[]> = {};
    for (const { InstanceType: type, Location: zone } of rows)
      if (type !== undefined && zone !== undefined) zones[type] = [...(zones[type] ?? []), zone];
    return zones;
  };
  const { value } = await kept.recent(`zones-${region}`, zonesSchema, { maxAgeMs: DAY_MS, staleMs: 7 * DAY_MS }, ask);
  return new Map(Object.entries(value));
}

async function marketIn(api: Api, market: Market, region: string, query: OfferQuery, context: CallContext): Promise<RegionMarket> {
  const types = (await market.types.of(region, context)).filter((type) => isAskedFor(type, query));
  if (types.length === 0) return { region, types, spot: [], onDemand: undefined, zones: new Map(), observedAt: api.now() };
  const names = types.filter((type) => type.spot).map((type) => type.type);
  const [spot, onDemand] = await Promise.all([market.spot.now(region, names, context), market.onDemand.of(region, context)]);
  const hasOnDemand = types.some((type) => type.onDemand && onDemand?.has(type.type) === true);
  const zones = hasOnDemand ? await zonesOf(api, market.kept, region, context) : new Map<string, readonly string[]>();
  return { region, types, spot, onDemand, zones, observedAt: api.now() };
}

/** No action tells how many machines there are: a launch does. A type without a price in a zone has no market there. */
function offersIn(
  found: RegionMarket,
  reclaimed: Awaited<ReturnType<Advisor["shares"]>>,
): readonly (Offer & { readonly zoneId: string | null })[] {
  const { region, spot, onDemand, zones, observedAt } = found;
  return found.types.flatMap((type) => {
    const onDemandPrice = onDemand?.get(type.type) ?? null;
    const same = {
      provider: PROVIDER,
      region,
      type: type.type,
      gpu: type.gpu,
      vcpus: type.vcpus,
      memoryGb: type.memoryGb,
      onDemandPrice,
      stock: "unknown",
      protectionSeconds: 0,
      interruptionsPerHour: null,
      source: "live",
    } as const;
    const share = reclaimed?.(region, type.type);
    const asSpot = spot
      .filter((one) => one.type === type.type)
      .map(({ zone, zoneId, price, observedAt: at }) => ({
        ...same,
        zone,
        zoneId,
        billing: "spot" as const,
        price,
        noticeSeconds: NOTICE_SECONDS,
        ...(share === undefined ? {} : { reclaimed: share }),
        observedAt: at,
      }));
    if (onDemandPrice === null || !type.onDemand) return asSpot;
    const asOnDemand = (zones.get(type.type) ?? []).map((zone) => ({
      ...same,
      zone,
      zoneId: null,
      billing: "on-demand" as const,
      price: onDemandPrice,
      noticeSeconds: 0,
      observedAt,
    }));
    return [...asSpot, ...asOnDemand];
  });
}

/** Everything with a whole GPU that has a price, region by region, side by side. */
export async function allOffers(
  api: Api,
  regions: Regions,
  market: Market,
  query: OfferQuery,
  context: CallContext,
): Promise<readonly Offer[]> {
  const [found, reclaimed] = await Promise.all([
    regions.each(context, (region) => marketIn(api, market, region, query, context), query.regions),
    market.advisor.shares(context),
  ]);
  const offers = found.flatMap((one) => offersIn(one, reclaimed));
  // A score counts for whoever takes any of the types, so it is asked for only where one GPU is wanted.
  const types = found.flatMap(({ spot }) => spot.map(({ type }) => type));
  const wanted = query.gpuModel === undefined ? [] : types;
  const score = await market.placement.of(
    wanted,
    found.filter(({ spot }) => spot.length > 0).map(({ region }) => region),
    context,
  );
  return offers.map(({ zoneId, ...offer }) => {
    const placementScore = zoneId === null ? undefined : score(offer.region, zoneId);
    return placementScore === undefined ? offer : { ...offer, placementScore };
  });
}
