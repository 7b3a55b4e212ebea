import type { InstanceType } from "./catalogue.ts";
import type { Site } from "./site.ts";

/** Whether so many more of them are within the account's vCPUs for spot machines. */
export function hasRoomFor(site: Site, type: InstanceType, count: number): boolean {
  let used = 0;
  for (const one of site.instances.values())
    if (!one.isGone && one.spotStrategy !== "NoSpot" && one.stoppedMode !== "StopCharging") used += one.type.cpu;
  return used + type.cpu * count <= site.switches.vcpuQuota;
}
