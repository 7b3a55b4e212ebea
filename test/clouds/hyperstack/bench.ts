import type { Offer } from "../../../src/model/offer.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { hyperstackProvider } from "../../../src/providers/hyperstack/provider.ts";
import type {
  CallContext,
  HibernationOperations,
  LaunchSpec,
  Provider,
  ProviderInstance,
  VolumeOperations,
} from "../../../src/providers/provider.ts";
import { type FakeHyperstack, type FakeHyperstackOptions, fakeHyperstack } from "./hyperstack.ts";

/** A clock whose time passes when somebody sleeps, and when it is told to. */
export interface SteppedClock extends Clock {
  pass(ms: number): void;
}

export function steppedClock(start = Date.UTC(2026, 8, 1, 12, 0, 30)): SteppedClock {
  let now = start;
  return {
    now: () => now,
    monotonic: () => now - start,
    async sleep(ms, signal) {
      if (signal?.aborted === true) throw signal.reason;
      now += ms;
      // Lets those who wait for a connection have their turn.
      await new Promise((resolve) => setImmediate(resolve));
    },
    pass(ms) {
      now += ms;
    },
  };
}

export interface HyperstackBench {
  readonly cloud: FakeHyperstack;
  readonly clock: SteppedClock;
  readonly provider: Provider;
  readonly volumes: VolumeOperations;
  readonly hibernation: HibernationOperations;
  readonly context: CallContext;
  /** Another process of ours: the same cloud, nothing remembered. */
  another(env?: Readonly<Record<string, string>>): Promise<Provider>;
  offer(type: string, region?: string): Promise<Offer>;
  spec(offer: Offer, token: string, change?: Partial<LaunchSpec>): LaunchSpec;
  /** Launches one and lets it come up, address and all. */
  running(type?: string, change?: Partial<LaunchSpec>): Promise<ProviderInstance>;
  /** Lets time pass until whatever was begun is done. */
  settle(): Promise<void>;
  get(providerId: string): Promise<ProviderInstance>;
  /** A volume, attached to a machine when one is named. */
  volume(attachedTo?: string): Promise<string>;
  /** `GET /v1/core/…` as the cloud saw it, since `from`. */
  asked(from?: number): readonly string[];
}

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
const SOON_MS = 1_000;

function required<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`there is no ${what}`);
  return value;
}

export async function hyperstackBench(options: Partial<FakeHyperstackOptions> = {}): Promise<HyperstackBench> {
  const clock = steppedClock();
  const cloud = await fakeHyperstack({ clock, ...options });
  const another = (env: Readonly<Record<string, string>> = {}) =>
    hyperstackProvider({ env: { ...cloud.env, ...env }, home: "/nowhere", clock });
  const provider = await another();
  const context = { signal: new AbortController().signal };
  const volumes = required(provider.volumes, "volumes");
  const hibernation = required(provider.hibernation, "hibernation");
  let tokens = 0;
  const settle = async () => {
    clock.pass(SOON_MS);
    await cloud.settle();
  };
  const offer = async (type: string, region?: string) =>
    required(
      (await provider.offers({}, context)).find((one) => one.type === type && (region === undefined || one.region === region)),
      `offer of ${type}`,
    );
  const spec = (chosen: Offer, token: string, change: Partial<LaunchSpec> = {}): LaunchSpec => ({
    name: "trainer",
    token,
    offer: chosen,
    maxPrice: chosen.price,
    image: null,
    volumes: [],
    env: {},
    bootScript: "#!/bin/sh\necho up\n",
    sshKey: KEY,
    ports: [],
    registryAuth: null,
    rootVolumeId: null,
    ttlSeconds: null,
    labels: {},
    ...change,
  });
  const get = async (providerId: string) => required(await provider.get(providerId, context), `machine ${providerId}`);
  return {
    cloud,
    clock,
    provider,
    volumes,
    hibernation,
    context,
    another,
    offer,
    spec,
    settle,
    get,
    async running(type = "n3-RTX-A6000x1-spot", change = {}) {
      const { providerId } = await provider.launch(spec(await offer(type), `t-${++tokens}`, change), context);
      await settle();
      return get(providerId);
    },
    async volume(attachedTo) {
      const { region } = attachedTo === undefined ? { region: "CANADA-1" } : await get(attachedTo);
      const token = `t-disk${++tokens}`;
      const { providerId } = await volumes.create({ name: "data", token, sizeGb: 200, region, zone: region }, context);
      await settle();
      if (attachedTo !== undefined) await volumes.attach?.(providerId, attachedTo, context);
      await settle();
      return providerId;
    },
    asked: (from = 0) => cloud.server.requests.slice(from).map(({ method, path }) => `${method} ${path}`),
  };
}
