import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { newId, type Rng } from "../model/ids.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { takeProcessLock } from "../platform/process-lock.ts";
import { openCloudDatabase } from "./database.ts";
import { makeOwnFolder, openHeartbeat, openLog, prepareSocketFolder, sweepLeftovers } from "./folders.ts";
import { beginEnd } from "./instances.ts";
import { type Loop, startLoop } from "./loop.ts";
import { killMachine, writeMetadataFile } from "./machine-room.ts";
import { serveMetadata } from "./metadata.ts";
import { takeStock } from "./progress.ts";
import { type CloudInstance, holdsMachine, isRunning, Refusal } from "./records.ts";
import type { Operator } from "./routes.ts";
import { serveApi } from "./server.ts";
import type { Site } from "./site.ts";

export interface LocalCloudOptions {
  /** SPOT_HOME. */
  readonly home: string;
  /** Where it listens: `localSocketPath(home, …)`. */
  readonly socketPath: string;
  readonly clock: Clock;
  readonly rng: Rng;
  /** The name of this computer, by which people know whose cloud it is. */
  readonly host: string;
  /** The number of this process, for `health`. */
  readonly pid: number;
  /** The user's number; the socket's folder must be theirs. */
  readonly uid: number;
  readonly version: string;
  /** The search path that instances get. */
  readonly path: string;
  /** Ends by itself after so long without a request while nothing runs; null for never. */
  readonly idleExitMs: number | null;
}

export interface LocalCloud {
  readonly socketPath: string;
  readonly metadataPort: number;
  /** Resolves when it has stopped, whoever stopped it. */
  readonly stopped: Promise<void>;
  /** Stops serving; instances go on, and the next daemon finds them. */
  stop(): Promise<void>;
}

const END_TIMEOUT_MS = 30_000;
const END_POLL_MS = 20;

/** Ends these instances and waits until they have ended. */
async function endAll(site: Site, wanted: (instance: CloudInstance) => boolean): Promise<void> {
  const started = systemClock.monotonic();
  for (;;) {
    const left = site.database.livingInstances().filter(wanted);
    if (left.length === 0) return;
    for (const instance of left) beginEnd(site, instance, "operator");
    if (systemClock.monotonic() - started > END_TIMEOUT_MS)
      throw new Refusal(503, "unavailable", `${left.length} instances have not ended, the first is ${left[0]?.id}`);
    await systemClock.sleep(END_POLL_MS);
  }
}

function operatorOf(site: Site, health: Operator["health"], stop: () => Promise<void>): Operator {
  return {
    health,
    async shutdown(force) {
      const running = site.database.livingInstances().filter(({ state }) => holdsMachine(state));
      if (running.length > 0 && !force)
        throw new Refusal(409, "conflict", `${running.length} instances still run: ${running.map(({ name }) => name).join(", ")}`);
      await endAll(site, ({ state }) => holdsMachine(state) || state === "hibernating");
      void stop();
    },
    async reset() {
      await endAll(site, () => true);
      site.database.transaction(() => site.database.clear());
      for (const name of ["instances", "volumes"]) rmSync(join(site.folder, name), { recursive: true, force: true, maxRetries: 3 });
      site.log("reset");
    },
  };
}

/** Somebody removed the home: nobody could ever reach these instances again, so they end with it. */
async function endWithHome(living: readonly CloudInstance[], stop: () => Promise<void>): Promise<void> {
  for (const instance of living) await killMachine(instance);
  await stop();
}

/**
 * The embedded cloud: an HTTP API on a Unix socket, a metadata endpoint on loopback, and the loop that brings
 * instances on. Undefined when another daemon already serves this home.
 * @throws the system's or SQLite's error when the home cannot be used.
 */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud | undefined> {
  const folder = join(options.home, "local");
  makeOwnFolder(options.home, folder);
  prepareSocketFolder(options.socketPath, options.uid);
  const lock = takeProcessLock(join(folder, "cloud.lock"));
  if (lock === undefined) return undefined;
  const undo: (() => void | Promise<void>)[] = [() => lock.release()];
  const unwind = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    return await assemble(options, folder, undo, unwind);
  } catch (error) {
    openLog(join(folder, "cloud.log"), () => options.clock.now())(
      `could not start: ${error instanceof Error ? error.message : String(error)}`,
    );
    await unwind();
    throw error;
  }
}

async function assemble(
  options: LocalCloudOptions,
  folder: string,
  undo: (() => void | Promise<void>)[],
  unwind: () => Promise<void>,
): Promise<LocalCloud> {
  const { clock } = options;
  const databasePath = join(folder, "cloud.db");
  const database = openCloudDatabase(databasePath);
  undo.push(() => database.close());
  const heartbeat = openHeartbeat(join(folder, "heartbeat"));
  let loop: Loop | undefined;
  let lastRequest = clock.now();
  let stopping: Promise<void> | undefined;
  let metadataPort = 0;
  let resolveStopped = () => {};
  const stopped = new Promise<void>((resolve) => {
    resolveStopped = resolve;
  });
  const site: Site = {
    // Two computers may share one state; each has an embedded cloud of its own.
    account: database.account(() => ({ id: newId("acct", options.rng), name: options.host })),
    folder,
    database,
    clock,
    rng: options.rng,
    path: options.path,
    log: openLog(join(folder, "cloud.log"), () => clock.now()),
    metadataUrl: () => `http://127.0.0.1:${metadataPort}`,
    wake: () => loop?.wake(),
    children: new Set(),
  };
  const stop = () => {
    if (stopping === undefined) {
      site.log("stopping");
      stopping = unwind().finally(resolveStopped);
    }
    return stopping;
  };

  sweepLeftovers(folder, database);
  const metadata = await serveMetadata(site, database.metadataPort());
  undo.push(() => metadata.close());
  metadataPort = metadata.port;
  const portChanged = metadataPort !== database.metadataPort();
  if (portChanged) database.saveMetadataPort(metadataPort);
  takeStock(site, heartbeat.last());
  if (portChanged)
    for (const instance of database.livingInstances()) if (isRunning(instance.state)) await writeMetadataFile(site, instance);

  const startedAt = new Date(clock.now()).toISOString();
  const health = () => {
    const { profile, provisioningMs, hibernateMs, restoreMs, hazardPerHour } = database.market();
    const simulated = { provisioningMs, hibernateMs, restoreMs, hazardPerHour };
    return { pid: options.pid, version: options.version, startedAt, profile, metadataPort, simulated };
  };
  const api = await serveApi(site, operatorOf(site, health, stop), options.socketPath, () => {
    lastRequest = clock.now();
  });
  undo.push(() => api.close());
  loop = startLoop(site, (living) => {
    if (!existsSync(databasePath)) {
      void endWithHome(living, stop);
      return;
    }
    // Somebody swept /tmp: nobody can reach us. The next daemon takes over what runs.
    if (!existsSync(options.socketPath)) void stop();
    const busy = living.some(({ state }) => holdsMachine(state) || state === "hibernating");
    if (busy) heartbeat.beat(clock.now());
    else if (options.idleExitMs !== null && clock.now() - lastRequest > options.idleExitMs) void stop();
  });
  const started = loop;
  undo.push(() => started.stop());
  site.log(`serving, process ${options.pid}, version ${options.version}`);
  return { socketPath: options.socketPath, metadataPort, stopped, stop };
}
