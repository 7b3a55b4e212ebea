import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LocalCloud, type LocalCloudOptions, startLocalCloud } from "../../src/local-cloud/cloud.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import { currentUserId, ownLocalSocket } from "../../src/platform/local-socket.ts";
import { systemRng } from "../../src/platform/rng.ts";
import { localControl } from "../../src/providers/local/control.ts";
import { localProvider } from "../../src/providers/local/provider.ts";
import type { LocalControl } from "../../src/providers/local-control.ts";
import type { CallContext, LaunchSpec, Provider, ProviderInstance } from "../../src/providers/provider.ts";

export const context: CallContext = { signal: new AbortController().signal };

export function cloudOptions(home: string, change: Partial<LocalCloudOptions> = {}): LocalCloudOptions {
  return {
    home,
    socketPath: ownLocalSocket(home),
    clock: systemClock,
    rng: systemRng,
    host: "here",
    pid: process.pid,
    uid: currentUserId(),
    version: "test",
    path: process.env["PATH"] ?? "/usr/bin:/bin",
    idleExitMs: null,
    ...change,
  };
}

/** A cloud in this process, with the provider and the operator's side of it. */
export interface RunningCloud {
  readonly home: string;
  readonly provider: Provider;
  readonly control: LocalControl;
  cloud: LocalCloud;
  /** Ends every instance and the cloud, and removes its home. */
  close(): Promise<void>;
}

export function clientsOf(home: string, clock: Clock = systemClock): { readonly provider: Provider; readonly control: LocalControl } {
  // A cloud that is down stays down: the tests start it themselves.
  const world = { env: {}, home, selfCommand: ["false"], clock };
  return { provider: localProvider(world), control: localControl(world, { autoStart: false }) };
}

export async function mustStart(options: LocalCloudOptions): Promise<LocalCloud> {
  const cloud = await startLocalCloud(options);
  if (cloud === undefined) throw new Error("another cloud serves this home");
  return cloud;
}

export async function runningCloud(change: Partial<LocalCloudOptions> = {}): Promise<RunningCloud> {
  const home = change.home ?? mkdtempSync(join(tmpdir(), "spot-cloud-"));
  const cloud = await mustStart(cloudOptions(home, change));
  const { provider, control } = clientsOf(home);
  await control.setMarket(
    { provisioningMs: 20, hibernateMs: 20, restoreMs: 20, stock: { "a10g.1": 1000, "rtx4090.1": 1000 } },
    context.signal,
  );
  const running: RunningCloud = {
    home,
    provider,
    control,
    cloud,
    async close() {
      await control.reset(context.signal);
      await running.cloud.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
  return running;
}

/** A launch of the cheapest kind there is. */
export async function launchSpec(provider: Provider, token: string, change: Partial<LaunchSpec> = {}): Promise<LaunchSpec> {
  const [offer] = (await provider.offers({ gpuModel: "RTX4090", gpuCount: 1 }, context)).filter(({ billing }) => billing === "spot");
  if (offer === undefined) throw new Error("no offer");
  return {
    name: `job-${token}`,
    token,
    offer,
    maxPrice: offer.onDemandPrice,
    image: null,
    volumes: [],
    env: {},
    bootScript: "echo up; sleep 60",
    ttlSeconds: null,
    sshKey: null,
    ports: [],
    registryAuth: null,
    rootVolumeId: null,
    labels: {},
    ...change,
  };
}

export async function until<Value>(look: () => Promise<Value | undefined> | Value | undefined, what: string): Promise<Value> {
  for (let round = 0; round < 1000; round++) {
    const value = await look();
    if (value !== undefined) return value;
    await systemClock.sleep(15);
  }
  throw new Error(`waited in vain: ${what}`);
}

export function reached(provider: Provider, providerId: string, state: ProviderInstance["state"]): Promise<ProviderInstance> {
  return until(async () => {
    const found = await provider.get(providerId, context);
    return found?.state === state ? found : undefined;
  }, `${providerId} to be ${state}`);
}
