import { existsSync } from "node:fs";
import { identifyProcess, isProcessAlive, signalProcess } from "../platform/process-identity.ts";
import { billGpu, closeCharges } from "./billing.ts";
import { beginEnd, giveNotice, recordEnd } from "./instances.ts";
import { addressOf, destroyDisk, forgetMemory, killMachine, startMachine } from "./machine-room.ts";
import { hazardTime, profileOf } from "./market.ts";
import { type CloudInstance, isRunning, type MarketSettings, type ScheduledReclaim } from "./records.ts";
import { instancePaths, type Site } from "./site.ts";

function dueSchedule(
  market: MarketSettings,
  instance: CloudInstance,
): { readonly at: number; readonly entry: ScheduledReclaim } | undefined {
  if (instance.billing !== "spot" || instance.notice !== null || instance.startedAt === null) return undefined;
  const startedAt = instance.startedAt;
  return market.schedule
    .filter(({ times }) => times > 0)
    .map((entry) => ({ entry, at: Math.max(startedAt + entry.afterSeconds * 1000, instance.protectedUntil ?? 0) }))
    .sort((a, b) => a.at - b.at)[0];
}

/** When this instance next needs attention, epoch milliseconds; Infinity when only its process can change anything. */
export function nextDue(market: MarketSettings, instance: CloudInstance): number {
  switch (instance.state) {
    case "terminating":
      return 0;
    case "pending":
    case "restoring":
    case "hibernating":
      return instance.dueAt ?? 0;
    case "running":
    case "reclaiming":
      return Math.min(
        instance.notice?.kind === "reclaim" ? instance.notice.deadline : Number.POSITIVE_INFINITY,
        instance.ttlEndsAt ?? Number.POSITIVE_INFINITY,
        instance.notice === null ? (instance.hazardAt ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
        dueSchedule(market, instance)?.at ?? Number.POSITIVE_INFINITY,
      );
    case "hibernated":
    case "terminated":
    case "failed":
      return Number.POSITIVE_INFINITY;
  }
}

/** Whether its process must be looked at, because nobody will say when it ends. */
export function needsWatching(site: Site, instance: CloudInstance): boolean {
  return isRunning(instance.state) && !site.children.has(instance.id);
}

async function fail(site: Site, instance: CloudInstance, error: unknown): Promise<void> {
  const why = error instanceof Error ? error.message : String(error);
  await killMachine(instance);
  await destroyDisk(site, instance.id);
  site.database.transaction(() => {
    const current = site.database.instance(instance.id);
    if (current === undefined || (current.state !== "pending" && current.state !== "restoring")) return;
    site.database.saveInstance({ ...current, state: "failed", reason: `start-failed: ${why}`, process: null, dueAt: null });
    closeCharges(site, current.id, site.clock.now());
  });
  site.log(`${instance.id} ${instance.name}: could not start: ${why}`);
}

/** The leader of its session ended by itself: the machine was shut down from within. */
function onLeaderExit(site: Site, id: string, pid: number, exitCode: number): void {
  const current = site.database.instance(id);
  if (current?.process?.pid !== pid) return;
  site.children.delete(id);
  if (isRunning(current.state)) beginEnd(site, current, "guest-shutdown", { exitCode });
}

async function begin(site: Site, instance: CloudInstance): Promise<void> {
  if (instance.startFails) return fail(site, instance, "the hardware did not come up");
  const session = await startMachine(site, instance).catch((error: unknown) => fail(site, instance, error));
  if (session === undefined) return;
  const process = identifyProcess(session.pid);
  const now = site.clock.now();
  const stillWanted = site.database.transaction(() => {
    const current = site.database.instance(instance.id);
    if (process === undefined || current === undefined || (current.state !== "pending" && current.state !== "restoring")) return false;
    const runs = current.runs + 1;
    const next: CloudInstance = {
      ...current,
      state: "running",
      startedAt: now,
      dueAt: null,
      process,
      runs,
      address: addressOf(current.id, runs),
      hazardAt: current.billing === "spot" ? hazardTime(site.database.market(), { ...current, runs }, now) : null,
    };
    site.database.saveInstance(next);
    billGpu(site, next, now);
    return true;
  });
  if (!stillWanted) {
    signalProcess(session.pid, "SIGKILL");
    return;
  }
  site.children.add(instance.id);
  void session.exited.then((code) => {
    try {
      onLeaderExit(site, instance.id, session.pid, code);
    } catch (error) {
      // The database could not be written: the loop will find the dead process by itself.
      site.children.delete(instance.id);
      site.log(`${instance.id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
  session.release();
}

async function finishHibernation(site: Site, instance: CloudInstance): Promise<void> {
  await killMachine(instance);
  await forgetMemory(site, instance.id);
  site.children.delete(instance.id);
  const current = site.database.instance(instance.id);
  if (current?.state !== "hibernating") return;
  site.database.saveInstance({ ...current, state: "hibernated", process: null, dueAt: null, address: null });
}

async function finishEnd(site: Site, instance: CloudInstance): Promise<void> {
  await killMachine(instance);
  await destroyDisk(site, instance.id);
  site.children.delete(instance.id);
  recordEnd(site, instance);
}

function strike(site: Site, market: MarketSettings, instance: CloudInstance, now: number): void {
  const scheduled = dueSchedule(market, instance);
  if (scheduled !== undefined && scheduled.at <= now) {
    const schedule = market.schedule.map((entry) => (entry === scheduled.entry ? { ...entry, times: entry.times - 1 } : entry));
    site.database.transaction(() => {
      site.database.saveMarket({ ...market, schedule });
      giveNotice(site, instance, scheduled.entry.noticeSeconds, "reclaim");
    });
    return;
  }
  if (instance.notice === null && instance.hazardAt !== null && instance.hazardAt <= now)
    giveNotice(site, instance, profileOf(market).noticeSeconds, "reclaim");
}

/** Does what is due for one instance now. Safe to repeat; what it could not finish stays due. */
export async function advance(site: Site, id: string): Promise<void> {
  const instance = site.database.instance(id);
  const now = site.clock.now();
  if (instance === undefined) return;
  if (instance.state === "terminating") return finishEnd(site, instance);
  if (instance.state === "hibernating") return (instance.dueAt ?? 0) <= now ? finishHibernation(site, instance) : undefined;
  if (instance.ttlEndsAt !== null && instance.ttlEndsAt <= now && instance.state !== "hibernated" && instance.state !== "failed")
    return void beginEnd(site, instance, "ttl");
  if (instance.state === "pending" || instance.state === "restoring")
    return (instance.dueAt ?? 0) <= now ? begin(site, instance) : undefined;
  if (!isRunning(instance.state)) return;
  if (instance.notice?.kind === "reclaim" && instance.notice.deadline <= now) return void beginEnd(site, instance, "reclaimed");
  if (needsWatching(site, instance) && (instance.process === null || !isProcessAlive(instance.process)))
    return void beginEnd(site, instance, "guest-shutdown");
  strike(site, site.database.market(), instance, now);
}

/**
 * After a start of the daemon: instances whose processes are gone ended while nobody looked. They are billed until
 * `lastSeen`, when the daemon was last known to see them, or until the deadline that passed meanwhile.
 */
export function takeStock(site: Site, lastSeen: number): void {
  const now = site.clock.now();
  for (const instance of site.database.livingInstances()) {
    if (!isRunning(instance.state)) continue;
    const alive = instance.process !== null && isProcessAlive(instance.process) && existsSync(instancePaths(site, instance.id).root);
    if (alive) {
      site.log(`${instance.id} ${instance.name}: still runs`);
      continue;
    }
    const reclaimed = instance.notice?.kind === "reclaim" && instance.notice.deadline <= now ? instance.notice.deadline : undefined;
    const seen = Math.min(now, Math.max(lastSeen, instance.startedAt ?? 0));
    beginEnd(site, instance, reclaimed === undefined ? "lost" : "reclaimed", { billUntil: reclaimed ?? seen });
  }
}
