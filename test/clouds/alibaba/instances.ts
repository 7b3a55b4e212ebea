import { hasEconomicalMode } from "./catalogue.ts";
import { disksOf, eraseDisk, makeDisk, putIn, takeOut } from "./disks.ts";
import { publish } from "./history.ts";
import { HOUR_MS } from "./market.ts";
import { grant, inCurrency, type Order } from "./order.ts";
import { bidTooLow, noStock, notFound, Refusal, wrongInstanceStatus } from "./refusal.ts";
import type { Instance, Site, StoppedMode } from "./site.ts";

export function isSpot(instance: Instance): boolean {
  return instance.spotStrategy !== "NoSpot";
}

/** Yuan an hour for each second of a stretch that begins at `from`: the price of the purchase through the protected first hour, then the market's. */
function rateOf(site: Site, instance: Instance, from: number): (at: number) => number {
  const { type, zone, spotDuration } = instance;
  if (!isSpot(instance)) return () => site.market.onDemandPrice(type);
  const bought = site.market.spotPrice(type, zone, spotDuration, from);
  return (at) => (spotDuration === 1 && at < from + HOUR_MS ? bought : site.market.spotPrice(type, zone, spotDuration, at));
}

function charge(site: Site, instance: Instance): void {
  const now = site.schedule.time();
  site.ledger.begin(instance.id, "instance", rateOf(site, instance, now), now);
}

/** The address that a machine with bandwidth is given by itself, again after each economical stop. */
function giveAddress(site: Site, instance: Instance): void {
  if (instance.bandwidthOut === 0 || instance.publicIp !== null) return;
  const number = site.nextNumber();
  instance.publicIp = `47.98.${(number >> 8) % 256}.${number % 256}`;
}

/** Up it goes, from Pending or from Stopped. */
function boot(site: Site, instance: Instance, first: number): void {
  site.schedule.later(instance, first, () => {
    instance.status = "Starting";
    site.schedule.later(instance, site.delays.bootMs, () => {
      instance.status = "Running";
      instance.startedAt = site.schedule.time();
    });
  });
}

function keepReleaseTime(site: Site, instance: Instance): void {
  const at = instance.autoReleaseAt;
  if (at === null) return;
  site.schedule.later(instance, at - site.schedule.time(), () => {
    if (instance.autoReleaseAt === at) release(site, instance, "time");
  });
}

export function setReleaseTime(site: Site, instance: Instance, at: number | null): void {
  instance.autoReleaseAt = at;
  keepReleaseTime(site, instance);
}

function create(site: Site, order: Order): Instance {
  const { id, number } = site.nextId("i", order.region);
  const { region, zone, type, image, vSwitch, securityGroups, spotStrategy, spotPriceLimit, spotDuration, interruption } = order;
  const instance: Instance = {
    ...{ id, number, region, zone, type, image, vSwitch, securityGroups, spotStrategy, spotPriceLimit, spotDuration, interruption },
    name: order.name ?? id,
    createdAt: site.schedule.time(),
    userData: order.userData,
    keyPair: order.keyPair,
    bandwidthOut: order.bandwidthOut,
    httpTokens: order.httpTokens,
    httpEndpoint: order.httpEndpoint,
    deletionProtection: order.deletionProtection,
    privateIp: `172.16.${(number >> 8) % 256}.${number % 256}`,
    tags: new Map(order.tags),
    hostName: order.hostName ?? id.replace("-", ""),
    startedAt: null,
    autoReleaseAt: order.autoReleaseAt,
    publicIp: null,
    status: "Pending",
    stoppedMode: "Not-applicable",
    lock: null,
    terminationTime: null,
    isHeld: false,
    isGone: false,
    isEnding: false,
    endedBy: null,
    machine: null,
  };
  site.instances.set(id, instance);
  if (isSpot(instance)) site.market.take(type.id, zone, spotDuration, -1);
  for (const [index, disk] of [order.systemDisk, ...order.dataDisks].entries()) {
    const made = makeDisk(site, region, zone, disk, index === 0 ? "system" : "data", order.tags);
    putIn(site, made, instance);
    made.status = "In_use";
  }
  charge(site, instance);
  giveAddress(site, instance);
  return instance;
}

function fail(site: Site, instance: Instance): void {
  publish(site, instance, "SystemFailure.Delete", 34, "The instance is released due to an instance creation failure.", true);
  vanish(site, instance, "failure");
}

/** @throws Refusal when there are not as many as it wants at least. */
export function launch(site: Site, order: Order): readonly Instance[] {
  const count = grant(site, order);
  return Array.from({ length: count }, () => {
    const instance = create(site, order);
    keepReleaseTime(site, instance);
    if (site.switches.failCreations > 0) {
      site.switches.failCreations -= 1;
      site.schedule.later(instance, site.delays.createMs, () => fail(site, instance));
    } else if (site.switches.holdProvisioning) instance.isHeld = true;
    else boot(site, instance, site.delays.createMs);
    return instance;
  });
}

/** Those that were kept in Pending come up. */
export function letGo(site: Site): void {
  site.switches.holdProvisioning = false;
  for (const instance of site.instances.values()) {
    if (!instance.isHeld || instance.isEnding) continue;
    instance.isHeld = false;
    boot(site, instance, site.delays.createMs);
  }
}

/** @throws Refusal for what is not there, or no longer. */
export function instanceNamed(site: Site, id: string | undefined): Instance {
  const instance = site.instances.get(id ?? "");
  if (instance === undefined || instance.isGone) throw notFound("InstanceId", "InstanceId");
  return instance;
}

/** @throws Refusal for a machine that its owner must not touch. */
export function refuseLocked(instance: Instance): void {
  if (instance.lock === "security" || instance.lock === "financial")
    throw new Refusal(403, "InstanceLockedForSecurity", "The specified operation is denied as your instance is locked.");
}

export function checkStop(instance: Instance): void {
  refuseLocked(instance);
  if (instance.status !== "Running" || instance.isEnding) throw wrongInstanceStatus();
}

/** Frees what an economical stop frees; asked for one that cannot be, it is an ordinary one and nobody says so. */
export function stop(site: Site, instance: Instance, wanted: "StopCharging" | "KeepCharging" | undefined): void {
  const { type, zone, spotDuration } = instance;
  const cannot = !hasEconomicalMode(type) || site.switches.keepsCharging?.test(type.id) === true;
  const asked = wanted ?? (site.switches.stopsFreeByDefault ? "StopCharging" : "KeepCharging");
  const mode: StoppedMode = cannot ? "KeepCharging" : asked;
  instance.status = "Stopping";
  breakSnapshots(site, instance);
  site.schedule.later(instance, site.delays.stopMs, () => {
    instance.status = "Stopped";
    instance.stoppedMode = mode;
    if (site.switches.lockEndsWithStop && instance.lock === "Recycling") instance.lock = null;
    if (mode !== "StopCharging") return;
    instance.publicIp = null;
    site.ledger.end(instance.id, site.schedule.time());
    if (isSpot(instance)) site.market.take(type.id, zone, spotDuration, 1);
  });
}

export function isProtected(site: Site, instance: Instance): boolean {
  return instance.spotDuration === 1 && site.schedule.time() < instance.createdAt + HOUR_MS;
}

/** @throws Refusal for a bid that is too low, which the protected hour forgives, and for what gave its place back when none is left. */
export function checkStart(site: Site, instance: Instance): void {
  refuseLocked(instance);
  if (instance.status !== "Stopped" || instance.isEnding) throw wrongInstanceStatus();
  if (site.switches.account !== "fine") throw new Refusal(403, "InsufficientBalance", "Your account does not have enough balance.");
  if (!isSpot(instance)) return;
  const { type, zone, spotDuration, spotPriceLimit } = instance;
  const price = inCurrency(site, site.market.spotPrice(type, zone, spotDuration, site.schedule.time()));
  if (!isProtected(site, instance) && spotPriceLimit !== null && spotPriceLimit < price) throw bidTooLow();
  if (instance.stoppedMode === "StopCharging" && site.market.stock(type.id, zone, spotDuration) < 1) throw noStock();
}

export function start(site: Site, instance: Instance): void {
  const { type, zone, spotDuration } = instance;
  if (instance.stoppedMode === "StopCharging" && isSpot(instance)) site.market.take(type.id, zone, spotDuration, -1);
  instance.stoppedMode = "Not-applicable";
  instance.lock = null;
  instance.terminationTime = null;
  charge(site, instance);
  giveAddress(site, instance);
  breakSnapshots(site, instance);
  instance.status = "Starting";
  boot(site, instance, 0);
}

/**
 * The code for one that is not up yet is that of alibaba/footmark#93; that it is refused, of karpenter-provider-alibabacloud#82.
 * @throws Refusal for what is protected, running without `force`, on its way up or on its way down.
 */
export function checkDelete(site: Site, instance: Instance, force: boolean): void {
  refuseLocked(instance);
  if (instance.isEnding) {
    if (site.switches.deletesTwice === "refuse") throw wrongInstanceStatus();
    return;
  }
  if (instance.deletionProtection)
    throw new Refusal(403, "InvalidOperation.DeletionProtection", "The operation is not allowed due to deletion protection.");
  if (["Pending", "Starting"].includes(instance.status) && !site.switches.deletesPending) throw wrongInstanceStatus(".Initializing");
  // What is on its way down can be deleted when it is there, with force too.
  if (instance.status === "Stopping" || (instance.status !== "Stopped" && !force)) throw wrongInstanceStatus();
}

/** A snapshot that is still being made of a machine's disk does not survive that the machine stops or starts. */
function breakSnapshots(site: Site, instance: Instance): void {
  for (const snapshot of site.snapshots.values())
    if (snapshot.status === "progressing" && snapshot.disk.instanceId === instance.id) {
      site.schedule.cancel(snapshot);
      snapshot.status = "failed";
    }
}

function vanish(site: Site, instance: Instance, by: Exclude<Instance["endedBy"], null>): void {
  site.schedule.cancel(instance);
  const now = site.schedule.time();
  const gaveBack = instance.stoppedMode === "StopCharging";
  if (!instance.isEnding && !gaveBack && isSpot(instance)) site.market.take(instance.type.id, instance.zone, instance.spotDuration, 1);
  site.ledger.end(instance.id, now);
  instance.isEnding = true;
  instance.isGone = true;
  instance.endedBy ??= by;
  for (const disk of disksOf(site, instance)) {
    // A disk that was to stay does not, where security has locked the machine.
    if (disk.kind === "system" || disk.deleteWithInstance || instance.lock === "security") eraseDisk(site, disk);
    else takeOut(site, disk);
  }
}

/** The end of a machine, whoever wanted it. It is listed a little longer. */
export function release(site: Site, instance: Instance, by: Exclude<Instance["endedBy"], null>): void {
  if (instance.isEnding) return;
  site.schedule.cancel(instance);
  if (instance.stoppedMode !== "StopCharging" && isSpot(instance))
    site.market.take(instance.type.id, instance.zone, instance.spotDuration, 1);
  site.ledger.end(instance.id, site.schedule.time());
  instance.isEnding = true;
  instance.endedBy = by;
  breakSnapshots(site, instance);
  if (instance.status !== "Stopped") instance.status = "Stopping";
  if (site.delays.deleteMs === 0) vanish(site, instance, by);
  else site.schedule.later(instance, site.delays.deleteMs, () => vanish(site, instance, by));
}
