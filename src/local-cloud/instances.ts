import { newId } from "../model/ids.ts";
import { moneyFromDecimal, moneyToDecimal } from "../model/money.ts";
import { billRootDisk, closeCharges } from "./billing.ts";
import { askToEnd } from "./machine-room.ts";
import { CURRENCY, freeMachines, type MachineType, machineType, priceOf, profileOf, type Zone, zoneNamed } from "./market.ts";
import { type CloudInstance, type CloudNotice, type EndReason, isRunning, Refusal } from "./records.ts";
import type { Site } from "./site.ts";

export interface LaunchRequest {
  readonly name: string;
  readonly clientToken: string | null;
  readonly type: string;
  readonly zone: string;
  readonly billing: "spot" | "on-demand";
  /** Decimal, per hour; null for whatever the market asks. */
  readonly maxPrice: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly bootScript: string;
  readonly volumes: readonly { readonly id: string; readonly mount: string }[];
  readonly ttlSeconds: number | null;
}

const MOST_LIVING = 5_000;

function requireInstance(site: Site, id: string): CloudInstance {
  const instance = site.database.instance(id);
  if (instance === undefined) throw new Refusal(404, "not_found", `there is no instance ${JSON.stringify(id)}`);
  return instance;
}

function requireStock(site: Site, type: MachineType, zone: string): void {
  const free = freeMachines(site.database.market(), type, zone, site.clock.now(), site.database.livingInstances());
  if (free === 0) throw new Refusal(503, "out_of_stock", `no ${type.type} is free in ${zone}`);
}

function attachable(site: Site, request: LaunchRequest, zone: Zone): void {
  for (const { id } of request.volumes) {
    const volume = site.database.volume(id);
    if (volume === undefined) throw new Refusal(404, "not_found", `there is no volume ${JSON.stringify(id)}`);
    if (volume.region !== zone.region)
      throw new Refusal(400, "invalid", `volume ${volume.name} lies in ${volume.region}, the instance in ${zone.region}`);
    if (volume.attachedTo !== null) throw new Refusal(409, "conflict", `volume ${volume.name} is attached to ${volume.attachedTo}`);
  }
}

/** Commits the instance; its processes are started when it is provisioned. */
export function launch(site: Site, request: LaunchRequest, startFails: boolean): CloudInstance {
  const market = site.database.market();
  const type = machineType(request.type);
  const zone = zoneNamed(request.zone);
  if (type === undefined) throw new Refusal(400, "invalid", `there is no instance type ${JSON.stringify(request.type)}`);
  if (zone === undefined) throw new Refusal(400, "invalid", `there is no zone ${JSON.stringify(request.zone)}`);
  if (profileOf(market).idempotentLaunch && request.clientToken !== null) {
    const earlier = site.database.instanceByToken(request.clientToken);
    if (earlier !== undefined) return earlier;
  }
  const now = site.clock.now();
  const price = priceOf(market, type, zone.zone, request.billing, now);
  if (request.maxPrice !== null && moneyFromDecimal(request.maxPrice, CURRENCY).micros < price.micros)
    throw new Refusal(409, "price_too_low", `${type.type} in ${zone.zone} costs ${moneyToDecimal(price)} an hour now`);
  requireStock(site, type, zone.zone);
  if (site.database.livingInstances().length >= MOST_LIVING)
    throw new Refusal(403, "quota_exceeded", `this cloud runs at most ${MOST_LIVING} instances`);
  attachable(site, request, zone);
  const instance: CloudInstance = {
    id: newId("li", site.rng),
    name: request.name,
    clientToken: request.clientToken,
    state: "pending",
    reason: null,
    region: zone.region,
    zone: zone.zone,
    type: type.type,
    billing: request.billing,
    price: moneyToDecimal(price),
    createdAt: now,
    startedAt: null,
    endedAt: null,
    protectedUntil: request.billing === "spot" ? now + profileOf(market).protectionSeconds * 1000 : null,
    notice: null,
    address: null,
    volumes: request.volumes,
    tags: request.tags,
    launchEnv: request.env,
    bootScript: request.bootScript,
    metadataToken: newId("mt", site.rng) + newId("", site.rng),
    ttlSeconds: request.ttlSeconds,
    ttlEndsAt: request.ttlSeconds === null ? null : now + request.ttlSeconds * 1000,
    dueAt: now + market.provisioningMs,
    startFails,
    process: null,
    exitCode: null,
    hazardAt: null,
    billUntil: null,
    runs: 0,
  };
  site.database.transaction(() => {
    site.database.addInstance(instance);
    for (const { id } of request.volumes) {
      const volume = site.database.volume(id);
      if (volume !== undefined) site.database.saveVolume({ ...volume, attachedTo: instance.id });
    }
  });
  site.wake();
  return instance;
}

/** Begins the end of an instance; what is ending already, or has ended, keeps its reason. */
export function beginEnd(
  site: Site,
  instance: CloudInstance,
  reason: EndReason,
  facts: { readonly exitCode?: number; readonly billUntil?: number } = {},
): CloudInstance {
  if (instance.state === "terminating" || instance.state === "terminated") return instance;
  const next: CloudInstance = {
    ...instance,
    state: "terminating",
    reason: instance.state === "failed" ? instance.reason : reason,
    exitCode: facts.exitCode ?? instance.exitCode,
    billUntil: facts.billUntil ?? null,
    dueAt: null,
  };
  site.database.saveInstance(next);
  site.wake();
  return next;
}

export function destroy(site: Site, id: string): CloudInstance {
  return beginEnd(site, requireInstance(site, id), "user");
}

/** Ends the processes, keeps the disk. GPU billing ends here, the disk's begins. */
export function hibernate(site: Site, id: string): CloudInstance {
  const instance = requireInstance(site, id);
  if (instance.state === "hibernating" || instance.state === "hibernated") return instance;
  if (!isRunning(instance.state)) throw new Refusal(409, "conflict", `an instance that is ${instance.state} cannot be hibernated`);
  const now = site.clock.now();
  const next: CloudInstance = {
    ...instance,
    state: "hibernating",
    notice: null,
    hazardAt: null,
    dueAt: now + site.database.market().hibernateMs,
  };
  site.database.transaction(() => {
    site.database.saveInstance(next);
    billRootDisk(site, next, now);
  });
  askToEnd(next);
  site.wake();
  return next;
}

/** Starts a hibernated instance again, if its zone has a machine for it. */
export function restore(site: Site, id: string, startFails: boolean): CloudInstance {
  const instance = requireInstance(site, id);
  if (instance.state === "restoring" || isRunning(instance.state)) return instance;
  if (instance.state !== "hibernated") throw new Refusal(409, "conflict", `an instance that is ${instance.state} cannot be restored`);
  const type = machineType(instance.type);
  if (type === undefined) throw new Refusal(503, "out_of_stock", `${instance.type} is not offered any more`);
  requireStock(site, type, instance.zone);
  const market = site.database.market();
  const now = site.clock.now();
  const next: CloudInstance = {
    ...instance,
    state: "restoring",
    reason: null,
    protectedUntil: instance.billing === "spot" ? now + profileOf(market).protectionSeconds * 1000 : null,
    ttlEndsAt: instance.ttlSeconds === null ? null : now + instance.ttlSeconds * 1000,
    metadataToken: newId("mt", site.rng) + newId("", site.rng),
    exitCode: null,
    dueAt: now + market.restoreMs,
    startFails,
  };
  site.database.saveInstance(next);
  site.wake();
  return next;
}

/** Sends the notice. A `rebalance` only warns; a `reclaim` is carried out at its deadline. */
export function giveNotice(site: Site, instance: CloudInstance, noticeSeconds: number, kind: CloudNotice["kind"]): CloudInstance {
  const now = site.clock.now();
  // Clouds speak in whole seconds; the deadline is never earlier than what was said.
  const deadline = Math.ceil((now + noticeSeconds * 1000) / 1000) * 1000;
  const notice: CloudNotice = { kind, at: now, deadline: noticeSeconds === 0 ? now : deadline };
  const next: CloudInstance = { ...instance, notice, state: kind === "reclaim" ? "reclaiming" : instance.state, hazardAt: null };
  site.database.saveInstance(next);
  site.log(`${next.id} ${next.name}: ${kind} notice, deadline ${new Date(notice.deadline).toISOString()}`);
  site.wake();
  return next;
}

function findRunning(site: Site, idOrName: string): CloudInstance {
  const living = site.database.livingInstances();
  const found = living.find(({ id }) => id === idOrName) ?? living.findLast(({ name }) => name === idOrName);
  if (found === undefined) throw new Refusal(404, "not_found", `there is no living instance ${JSON.stringify(idOrName)}`);
  if (!isRunning(found.state)) throw new Refusal(409, "conflict", `${found.name} is ${found.state}, not running`);
  return found;
}

/** The operator takes a machine back, protected or not. Only spot instances can be reclaimed. */
export function reclaim(site: Site, idOrName: string, noticeSeconds: number | null, kind: CloudNotice["kind"]): CloudInstance {
  const instance = findRunning(site, idOrName);
  if (instance.billing !== "spot") throw new Refusal(409, "conflict", `${instance.name} runs on demand and is never reclaimed`);
  return giveNotice(site, instance, noticeSeconds ?? profileOf(site.database.market()).noticeSeconds, kind);
}

/** Takes a notice back. */
export function withdraw(site: Site, idOrName: string): CloudInstance {
  const instance = findRunning(site, idOrName);
  const next: CloudInstance = { ...instance, notice: null, state: "running" };
  site.database.saveInstance(next);
  site.wake();
  return next;
}

/** The instance is over and nothing of it runs: volumes are free, billing ends, its secrets are forgotten. */
export function recordEnd(site: Site, instance: CloudInstance): void {
  const now = site.clock.now();
  site.database.transaction(() => {
    const current = site.database.instance(instance.id) ?? instance;
    site.database.saveInstance({
      ...current,
      state: "terminated",
      endedAt: now,
      notice: null,
      process: null,
      bootScript: "",
      launchEnv: {},
      metadataToken: "",
      address: null,
      hazardAt: null,
    });
    closeCharges(site, current.id, current.billUntil ?? now);
    for (const { id } of current.volumes) {
      const volume = site.database.volume(id);
      if (volume?.attachedTo === current.id) site.database.saveVolume({ ...volume, attachedTo: null });
    }
  });
  site.log(`${instance.id} ${instance.name}: terminated (${instance.reason})`);
}
