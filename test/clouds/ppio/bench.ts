import { onTestFinished } from "vitest";
import type { Offer } from "../../../src/model/offer.ts";
import { novitaProvider, ppioProvider } from "../../../src/providers/ppio/provider.ts";
import type { CallContext, LaunchSpec, Provider, ProviderInstance } from "../../../src/providers/provider.ts";
import { type HandClock, handClock } from "../../local-cloud/hand-clock.ts";
import { type FakePpio, fakePpio } from "./fake.ts";
import type { PpioSettings } from "./settings.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** A provider and its cloud on one clock that is moved by hand. */
export interface PpioBench {
  readonly clock: HandClock;
  readonly cloud: FakePpio;
  readonly provider: Provider;
  readonly context: CallContext;
  /** Another process of ours: it remembers nothing. */
  fresh(): Promise<Provider>;
  offer(type?: string): Promise<Offer>;
  spec(change?: Partial<LaunchSpec>): Promise<LaunchSpec>;
  /** Launched, and running for a while. */
  running(change?: Partial<LaunchSpec>): Promise<ProviderInstance>;
  /** What was sent to one path, in order. */
  sent(path: string): readonly Readonly<Record<string, unknown>>[];
}

export async function ppioBench(settings: Partial<PpioSettings> = {}): Promise<PpioBench> {
  const clock = handClock(Date.UTC(2026, 10, 2, 8));
  const cloud = await fakePpio({ clock, ...settings });
  onTestFinished(() => cloud.close());
  const fresh = () => (settings.vendor === "novita" ? novitaProvider : ppioProvider)({ env: cloud.env, home: "/nonexistent", clock });
  const provider = await fresh();
  const context = { signal: new AbortController().signal };
  const offer = async (type = "4090.16c62g:1") => {
    const found = (await provider.offers({}, context)).find((one) => one.type === type && one.billing === "spot" && one.stock !== 0);
    if (found === undefined) throw new Error(`${type} is not offered`);
    return found;
  };
  const spec = async (change: Partial<LaunchSpec> = {}): Promise<LaunchSpec> => ({
    name: "train",
    token: "t-abc123",
    offer: change.offer ?? (await offer()),
    maxPrice: null,
    image: null,
    volumes: [],
    env: {},
    bootScript: "echo up",
    sshKey: null,
    ports: [],
    registryAuth: null,
    rootVolumeId: null,
    ttlSeconds: null,
    labels: {},
    ...change,
  });
  return {
    clock,
    cloud,
    provider,
    context,
    fresh,
    offer,
    spec,
    async running(change) {
      const launched = await provider.launch(await spec(change), context);
      clock.advance(MINUTE_MS);
      return launched;
    },
    sent: (path) =>
      cloud.server.requests
        .filter((request) => request.path.endsWith(path))
        .map((request) => (request.method === "GET" ? Object.fromEntries(request.query) : Object(request.json()))),
  };
}
