import type { Offer } from "../../src/model/offer.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import type { CallContext, LaunchSpec, ProviderInstance } from "../../src/providers/provider.ts";
import type { ProviderUnderTest } from "./suite.ts";

/** A key of the right form whose private half nobody has. */
const SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
const PATIENCE_MS = 45_000;
const POLL_MS = 20;

/** A provider's waits between two tries, or two looks, take a tenth of their time; its deadlines stay what they are. */
export const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 10, signal) };

/** Looks again and again until there is something to see. @throws Error after a while, with what was waited for. */
export async function eventually<Value>(look: () => Promise<Value | undefined>, what: string): Promise<Value> {
  const started = systemClock.monotonic();
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (systemClock.monotonic() - started > PATIENCE_MS) throw new Error(`waited in vain: ${what}`);
    await systemClock.sleep(POLL_MS);
  }
}

/** A provider, its cloud, and what every row of the proof needs of both. */
export interface Bench extends ProviderUnderTest {
  readonly context: CallContext;
  readonly offer: Offer;
  spec(token: string, change?: Partial<LaunchSpec>): LaunchSpec;
  /** Polls `get` until the instance is in this state. */
  reach(providerId: string, state: ProviderInstance["state"]): Promise<ProviderInstance>;
  /** Polls until the provider says that it is over, whichever way it says so. */
  over(providerId: string): Promise<void>;
}

export async function benchOf(under: ProviderUnderTest): Promise<Bench> {
  const { provider } = under;
  const context = { signal: new AbortController().signal };
  const offers = await provider.offers({}, context);
  const offer = offers
    .filter((one) => one.billing === "spot" && one.gpu.count === 1 && one.stock !== 0)
    .sort((a, b) => Number(a.price.micros - b.price.micros))[0];
  if (offer === undefined) throw new Error("the cloud under test offers nothing");
  return {
    ...under,
    context,
    offer,
    spec: (token, change = {}) => ({
      name: `job-${token}`,
      token,
      offer,
      maxPrice: { ...offer.price, micros: offer.price.micros * 2n },
      image: null,
      volumes: [],
      env: { GREETING: "it's" },
      bootScript: 'echo "$GREETING up"; sleep 60',
      ttlSeconds: null,
      sshKey: SSH_KEY,
      ports: [],
      registryAuth: null,
      rootVolumeId: null,
      labels: { team: "conformance" },
      ...change,
    }),
    reach: (providerId, state) =>
      eventually(async () => {
        const found = await provider.get(providerId, context);
        return found?.state === state ? found : undefined;
      }, `${providerId} to be ${state}`),
    over: async (providerId) => {
      await eventually(async () => {
        const found = await provider.get(providerId, context);
        return found === undefined || found.state === "gone" ? true : undefined;
      }, `${providerId} to be over`);
    },
  };
}
