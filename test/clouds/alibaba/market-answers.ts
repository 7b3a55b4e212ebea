import { DISK_PER_GIB_HOUR, INSTANCE_TYPES, type InstanceType, typeNamed } from "./catalogue.ts";
import { HOUR_MS, interruptions, type SpotDuration } from "./market.ts";
import { inCurrency } from "./order.ts";
import { oneOf, type Parameters } from "./parameters.ts";
import { regionNamed, zoneNamed } from "./places.ts";
import { invalid, missing, notFound } from "./refusal.ts";
import { type Site, toldTime } from "./site.ts";

const DEFAULT_WINDOW_MS = 3 * HOUR_MS;
const LONGEST_WINDOW_MS = 30 * 24 * HOUR_MS;

function durationOf(found: Parameters): SpotDuration {
  const duration = found.number("SpotDuration") ?? 1;
  if (duration !== 0 && duration !== 1) throw invalid("SpotDuration");
  return duration;
}

function timeOf(found: Parameters, name: string, otherwise: number): number {
  const text = found.text(name);
  if (text === undefined) return otherwise;
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?Z$/.test(text)) throw invalid(name);
  return Date.parse(text);
}

/** One row an hour and one for every move of the price; the latest row of a zone is its price now. */
export function spotPriceHistory(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const type = typeNamed(found.text("InstanceType") ?? "");
  if (type === undefined) throw notFound("InstanceType", "InstanceType");
  oneOf(found, "NetworkType", ["vpc"]);
  oneOf(found, "OSType", ["linux", "windows"]);
  const duration = durationOf(found);
  const now = site.schedule.time();
  const to = Math.min(now, timeOf(found, "EndTime", now));
  const from = timeOf(found, "StartTime", to - DEFAULT_WINDOW_MS);
  if (to - from > LONGEST_WINDOW_MS || from > to) throw invalid("StartTime");
  const asked = zoneNamed(found, region);
  const rows = region.zones
    .filter((zone) => (asked ?? zone) === zone && region.sells(type, zone))
    .flatMap((zone) =>
      site.market.moments(type, zone, from, to).map((at) => ({
        ZoneId: zone,
        InstanceType: type.id,
        NetworkType: "vpc",
        IoOptimized: "optimized",
        Timestamp: toldTime(site, at),
        SpotPrice: site.switches.freePrices ? 0 : inCurrency(site, site.market.spotPrice(type, zone, duration, at)),
        OriginPrice: inCurrency(site, site.market.onDemandPrice(type)),
      })),
    )
    .sort((a, b) => (a.Timestamp < b.Timestamp ? -1 : 1) * (site.switches.historyNewestFirst ? -1 : 1));
  const offset = found.number("Offset") ?? 0;
  if (offset < 0) throw invalid("Offset");
  const SpotPriceType = rows.slice(offset, offset + site.switches.historyPage);
  const end = offset + SpotPriceType.length;
  const isLast = end >= rows.length;
  const NextOffset = isLast && site.switches.historyEnd !== "rows" ? { absent: undefined, zero: 0 }[site.switches.historyEnd] : end;
  return { Currency: site.switches.currency, NextOffset, SpotPrices: { SpotPriceType } };
}

/** The types that an advice is asked for. @throws Refusal when nothing narrows it. */
function advised(found: Parameters): readonly InstanceType[] {
  const names = found.list("InstanceTypes");
  if (names.length > 10) throw invalid("InstanceTypes");
  const [cores, memory] = [found.number("Cores"), found.number("Memory")];
  const [leastCores, leastMemory] = [found.number("MinCores"), found.number("MinMemory")];
  const isEnough =
    names.length > 0 || (cores !== undefined && memory !== undefined) || (leastCores !== undefined && leastMemory !== undefined);
  if (!isEnough) throw missing("InstanceTypes");
  return INSTANCE_TYPES.filter(
    (type) =>
      (names.length === 0 || names.includes(type.id)) &&
      (cores ?? type.cpu) === type.cpu &&
      (memory ?? type.memory) === type.memory &&
      type.cpu >= (leastCores ?? 0) &&
      type.memory >= (leastMemory ?? 0) &&
      (found.text("InstanceTypeFamily") ?? type.family) === type.family &&
      type.gpuSpec.includes(found.text("GpuSpec") ?? "") &&
      (found.number("GpuAmount") ?? type.gpus) === type.gpus,
  );
}

export function spotAdvice(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const asked = zoneNamed(found, region);
  const types = advised(found);
  const now = site.schedule.time();
  const AvailableSpotZone = region.zones
    .filter((zone) => (asked ?? zone) === zone)
    .map((zone) => ({
      ZoneId: zone,
      AvailableSpotResources: {
        AvailableSpotResource: types
          .filter((type) => region.sells(type, zone))
          .map((type) => {
            const { rate, bucket } = interruptions(type, zone);
            const paid = (100 * site.market.spotPrice(type, zone, 1, now)) / site.market.onDemandPrice(type);
            return {
              InstanceType: type.id,
              AverageSpotDiscount: Math.max(1, Math.round(paid)),
              InterruptionRate: rate,
              InterruptRateDesc: bucket,
            };
          }),
      },
    }));
  return { RegionId: region.id, AvailableSpotZones: { AvailableSpotZone } };
}

interface Standing {
  readonly Status: "Available" | "SoldOut";
  readonly StatusCategory: string;
}

const FEW = 3;

function standing(site: Site, type: InstanceType, zone: string, duration: SpotDuration | null): Standing {
  if (site.market.isClosed(type.id, zone)) return { Status: "SoldOut", StatusCategory: "ClosedWithoutStock" };
  const stock = duration === null ? Number.POSITIVE_INFINITY : site.market.stock(type.id, zone, duration);
  if (stock === 0) return { Status: "SoldOut", StatusCategory: "WithoutStock" };
  return { Status: "Available", StatusCategory: stock < FEW ? "ClosedWithStock" : "WithStock" };
}

export function availableResource(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const asked = zoneNamed(found, region);
  oneOf(found, "DestinationResource", ["InstanceType"]);
  const isSpot = (oneOf(found, "SpotStrategy", ["NoSpot", "SpotWithPriceLimit", "SpotAsPriceGo"]) ?? "NoSpot") !== "NoSpot";
  if (isSpot && oneOf(found, "InstanceChargeType", ["PrePaid", "PostPaid"]) === "PrePaid") throw invalid("SpotStrategy");
  const duration = isSpot ? durationOf(found) : null;
  const name = found.text("InstanceType");
  const AvailableZone = region.zones
    .filter((zone) => (asked ?? zone) === zone)
    .map((zone) => {
      const types = INSTANCE_TYPES.filter((type) => (name ?? type.id) === type.id && region.sells(type, zone));
      const SupportedResource = types.map((type) => ({ Value: type.id, ...standing(site, type, zone, duration) }));
      const isFull = SupportedResource.some(({ Status }) => Status === "Available");
      return {
        ZoneId: zone,
        RegionId: region.id,
        Status: isFull ? "Available" : "SoldOut",
        StatusCategory: isFull ? "WithStock" : "WithoutStock",
        AvailableResources: { AvailableResource: [{ Type: "InstanceType", SupportedResources: { SupportedResource } }] },
      };
    })
    .filter(({ AvailableResources }) =>
      AvailableResources.AvailableResource.some((one) => one.SupportedResources.SupportedResource.length > 0),
    );
  return { AvailableZones: { AvailableZone } };
}

function diskPrice(category: string, size: number): number {
  const perHour = DISK_PER_GIB_HOUR[category];
  if (perHour === undefined) throw invalid("SystemDisk.Category");
  return perHour * size;
}

/** The whole price of a machine: its system disk is in it, 40 GiB unless told otherwise. */
export function price(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const zone = zoneNamed(found, region) ?? region.zones[0] ?? "";
  oneOf(found, "ResourceType", ["instance"]);
  if ((oneOf(found, "PriceUnit", ["Month", "Year", "Hour", "Week", "Day"]) ?? "Hour") !== "Hour") throw invalid("PriceUnit");
  const type = typeNamed(found.text("InstanceType") ?? "");
  if (found.text("InstanceType") === undefined) throw missing("InstanceType");
  if (type === undefined || !region.sells(type, zone)) throw notFound("InstanceType", "InstanceType");
  const strategy = oneOf(found, "SpotStrategy", ["NoSpot", "SpotWithPriceLimit", "SpotAsPriceGo"]) ?? "NoSpot";
  const amount = found.number("Amount") ?? 1;
  const onDemand = site.market.onDemandPrice(type);
  const traded = strategy === "NoSpot" ? onDemand : site.market.spotPrice(type, zone, durationOf(found), site.schedule.time());
  const lines = [
    { resource: "instanceType", original: onDemand, traded },
    ...[diskPrice(found.text("SystemDisk.Category") ?? "cloud_efficiency", found.number("SystemDisk.Size") ?? 40)].map((one) => ({
      ...{ resource: "systemDisk", original: one, traded: one },
    })),
    ...found.structures("DataDisk").map((disk) => {
      const one = diskPrice(disk.text("Category") ?? "cloud_efficiency", disk.number("Size") ?? 20);
      return { resource: "dataDisk", original: one, traded: one };
    }),
    { resource: "bandwidth", original: 0, traded: 0 },
  ].map(({ resource, original, traded: paid }) => {
    const [OriginalPrice, TradePrice] = [inCurrency(site, original * amount), inCurrency(site, paid * amount)];
    return { Resource: resource, OriginalPrice, TradePrice, DiscountPrice: OriginalPrice - TradePrice, Rules: { Rule: [] } };
  });
  const sum = (pick: (line: (typeof lines)[number]) => number) =>
    Math.round(1_000_000 * lines.reduce((all, line) => all + pick(line), 0)) / 1_000_000;
  return {
    PriceInfo: {
      Price: {
        Currency: site.switches.currency,
        OriginalPrice: sum((line) => line.OriginalPrice),
        TradePrice: sum((line) => line.TradePrice),
        DiscountPrice: sum((line) => line.DiscountPrice),
        DetailInfos: { DetailInfo: lines },
      },
      Rules: { Rule: [] },
    },
  };
}
