import { publish } from "./history.ts";
import { isProtected, isSpot, release, start, stop } from "./instances.ts";
import { HOUR_MS } from "./market.ts";
import { inCurrency } from "./order.ts";
import type { Instance, Site } from "./site.ts";

const LOOK_AGAIN_MS = 60_000;

function restartWhenInStock(site: Site, instance: Instance): void {
  site.schedule.later(instance, LOOK_AGAIN_MS, () => {
    if (instance.isGone || instance.status !== "Stopped") return;
    if (site.market.stock(instance.type.id, instance.zone, instance.spotDuration) > 0) start(site, instance);
    else restartWhenInStock(site, instance);
  });
}

function take(site: Site, instance: Instance): void {
  instance.terminationTime = null;
  if (instance.interruption === "Terminate") {
    release(site, instance, "reclaim");
    return;
  }
  instance.endedBy = "reclaim";
  if (instance.status === "Stopped") return;
  stop(site, instance, "StopCharging");
  if (site.switches.restartsStopped) restartWhenInStock(site, instance);
}

function give(site: Site, instance: Instance, noticeMs: number): void {
  if (instance.isEnding || instance.lock !== null || instance.status === "Stopped") return;
  const end = site.schedule.time() + noticeMs;
  if (!site.switches.reclaimsWithoutLock) instance.lock = "Recycling";
  if (!site.switches.silentMetadata) instance.terminationTime = end;
  site.monitored.push({
    product: "ECS",
    eventType: "StatusNotification",
    name: "Instance:PreemptibleInstanceInterruption",
    instanceId: instance.id,
    at: site.schedule.time(),
  });
  const event = site.switches.reclaimsInHistory
    ? publish(site, instance, "Instance:PreemptibleInstanceInterruption", 0, "The spot instance is interrupted.", false, end)
    : undefined;
  site.schedule.later(instance, noticeMs, () => {
    if (event !== undefined) {
      event.status = "Executed";
      event.finishedAt = site.schedule.time();
    }
    take(site, instance);
  });
}

/** Takes a machine back after a notice; one that is still protected when its hour is over. Returns the moment of the lock. */
export function reclaim(site: Site, instance: Instance, noticeMs: number): number {
  if (!isSpot(instance)) throw new Error(`${instance.id} is no spot machine`);
  const from = isProtected(site, instance) && !site.switches.breaksProtection ? instance.createdAt + HOUR_MS : site.schedule.time();
  if (from <= site.schedule.time()) give(site, instance, noticeMs);
  else site.schedule.later(instance, from - site.schedule.time(), () => give(site, instance, noticeMs));
  return from;
}

/** Takes every machine back whose bid is below the market's price now. */
export function reclaimOutbid(site: Site, noticeMs: number): void {
  const now = site.schedule.time();
  for (const one of site.instances.values()) {
    if (one.isEnding || one.spotPriceLimit === null || !["Pending", "Starting", "Running"].includes(one.status)) continue;
    if (one.spotPriceLimit < inCurrency(site, site.market.spotPrice(one.type, one.zone, one.spotDuration, now)))
      reclaim(site, one, noticeMs);
  }
}
