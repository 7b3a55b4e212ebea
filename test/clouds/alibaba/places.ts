import { REGIONS, type Region } from "./catalogue.ts";
import type { Parameters } from "./parameters.ts";
import { missing, notFound } from "./refusal.ts";

/** @throws Refusal for a region that there is not. */
export function regionNamed(found: Parameters): Region {
  const id = found.text("RegionId");
  if (id === undefined) throw missing("RegionId");
  const region = REGIONS.find((one) => one.id === id);
  if (region === undefined) throw notFound("RegionId", "RegionId");
  return region;
}

/** @throws Refusal for a zone that is not in the region; undefined when none is named. */
export function zoneNamed(found: Parameters, region: Region): string | undefined {
  const zone = found.text("ZoneId");
  if (zone !== undefined && !region.zones.includes(zone)) throw notFound("ZoneId", "ZoneId");
  return zone;
}
