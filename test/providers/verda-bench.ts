import { onTestFinished } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { CallContext, LaunchSpec, Provider, ProviderInstance } from "../../src/providers/provider.ts";
import { verdaProvider } from "../../src/providers/verda/provider.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import type { VerdaDelays, VerdaSwitches } from "../clouds/verda/switches.ts";
import { type FakeVerda, fakeVerda } from "../clouds/verda/verda.ts";
import { type HandClock, handClock } from "../local-cloud/hand-clock.ts";

export const SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
const A_SECOND_MS = 1000;
const LONG_MS = 60_000;

export const context: CallContext = { signal: new AbortController().signal };

export interface VerdaBench {
  readonly fake: FakeVerda;
  readonly provider: Provider;
  /** Stands still until it is moved; waits between two attempts pass at once. */
  readonly clock: HandClock;
  offer(type: string, change?: Partial<Offer>): Promise<Offer>;
  spec(token: string, change?: Partial<LaunchSpec>): Promise<LaunchSpec>;
  /** Lets a machine come up. */
  running(token: string, change?: Partial<LaunchSpec>): Promise<ProviderInstance>;
  /** Requests of one kind since the start. */
  sent(method: string, path: string): readonly FakeRequest[];
  bodies(method: string, path: string): readonly Readonly<Record<string, unknown>>[];
}

/** A clock by hand in which nobody has to wait to ask again. */
function impatient(clock: HandClock): Clock {
  return { ...clock, sleep: async (ms) => clock.advance(ms) };
}

/** A Verda of one's own, with its provider, until the test has ended. */
export async function verdaBench(
  options: {
    readonly switches?: Partial<VerdaSwitches>;
    readonly delays?: Partial<VerdaDelays>;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<VerdaBench> {
  const clock = handClock(Date.UTC(2026, 4, 1));
  const delays = { ordered: A_SECOND_MS, provisioning: A_SECOND_MS, validating: A_SECOND_MS, deleting: A_SECOND_MS, ...options.delays };
  const fake = await fakeVerda({ clock, delays, ...(options.switches === undefined ? {} : { switches: options.switches }) });
  onTestFinished(() => fake.close());
  const provider = await verdaProvider({ env: { ...fake.env, ...options.env }, home: "/nowhere", clock: impatient(clock) });
  const offer = async (type: string, change: Partial<Offer> = {}) => {
    const found = (await provider.offers({}, context)).find((one) => one.type === type && one.billing === "spot");
    if (found === undefined) throw new Error(`no offer of ${type}`);
    return { ...found, ...change };
  };
  const spec = async (token: string, change: Partial<LaunchSpec> = {}): Promise<LaunchSpec> => ({
    name: "train",
    token,
    offer: await offer("1A100.22V"),
    maxPrice: null,
    image: null,
    volumes: [],
    env: {},
    bootScript: "#!/bin/sh\necho up\n",
    sshKey: SSH_KEY,
    ports: [],
    registryAuth: null,
    rootVolumeId: null,
    ttlSeconds: null,
    labels: {},
    ...change,
  });
  const sent = (method: string, path: string) =>
    fake.server.requests.filter((request) => request.method === method && request.path === `/v1${path}`);
  return {
    fake,
    provider,
    clock,
    offer,
    spec,
    async running(token, change) {
      const { providerId } = await provider.launch(await spec(token, change), context);
      clock.advance(LONG_MS);
      const instance = await provider.get(providerId, context);
      if (instance?.state !== "running") throw new Error(`${providerId} is ${instance?.rawState}`);
      return instance;
    },
    sent,
    bodies: (method, path) => sent(method, path).map((request) => request.json() as Readonly<Record<string, unknown>>),
  };
}
