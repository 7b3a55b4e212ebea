import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { alibabaProvider } from "../../src/providers/alibaba/provider.ts";
import type { CallContext, LaunchSpec, OfferQuery, Provider, ProviderInstance } from "../../src/providers/provider.ts";
import { type FakeAlibaba, fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import type { Switches } from "../clouds/alibaba/switches.ts";
import type { Disturbance, FakeRequest } from "../clouds/fake-server.ts";
import { type HandClock, handClock } from "../local-cloud/hand-clock.ts";

export const SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
export const A10 = "ecs.gn7i-c8g1.2xlarge";
export const ZONE = "cn-hangzhou-h";
export const START = Date.UTC(2026, 4, 1, 12, 0, 20);
const A_SECOND_MS = 1_000;

export const context: CallContext = { signal: new AbortController().signal };

export interface AlibabaBench {
  readonly fake: FakeAlibaba;
  readonly provider: Provider;
  /** Stands still until it is moved; waits between two attempts pass at once. */
  readonly clock: HandClock;
  /** Another process of the same person. */
  another(env?: Readonly<Record<string, string>>): Promise<Provider>;
  offer(query?: OfferQuery, where?: Partial<Offer>): Promise<Offer>;
  spec(token: string, change?: Partial<LaunchSpec>): Promise<LaunchSpec>;
  /** Lets a machine come up. */
  running(token: string, change?: Partial<LaunchSpec>): Promise<ProviderInstance>;
  /** Parameters of all calls of one kind since the start. */
  sent(action: string): readonly Readonly<Record<string, string>>[];
  requests(action?: string): readonly FakeRequest[];
  /** What the next calls of this kind are answered instead. */
  instead(action: string, what: Disturbance, times?: number): void;
}

export const actionOf = ({ headers }: FakeRequest): string => headers["x-acs-action"] ?? "";

/** A refusal in the cloud's words. */
export function refusal(status: number, Code: string, Message = "no"): Disturbance {
  return { do: "answer", answer: { status, body: { RequestId: "R", HostId: "H", Code, Message } } };
}

/** A clock by hand in which nobody has to wait to ask again. */
function impatient(clock: HandClock): Clock {
  return { ...clock, sleep: async (ms) => clock.advance(ms) };
}

/** A cloud of one's own, with its provider, until the test has ended. */
export async function alibabaBench(
  options: { readonly switches?: Partial<Switches>; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<AlibabaBench> {
  const clock = handClock(START);
  const fake = await fakeAlibaba({ clock, ...(options.switches === undefined ? {} : { switches: options.switches }) });
  const home = mkdtempSync(join(tmpdir(), "spot-alibaba-"));
  onTestFinished(async () => {
    await fake.close();
    rmSync(home, { recursive: true, force: true });
  });
  const another = (env: Readonly<Record<string, string>> = {}) =>
    alibabaProvider({ env: { ...fake.env, ...options.env, ...env }, home, clock: impatient(clock) });
  const provider = await another();
  const offer: AlibabaBench["offer"] = async (query = { gpuModel: "A10", gpuCount: 1 }, where = { zone: ZONE, billing: "spot" }) => {
    const found = (await provider.offers(query, context)).find((one) =>
      Object.entries(where).every(([key, value]) => one[key as keyof Offer] === value),
    );
    if (found === undefined) throw new Error("no such offer");
    return found;
  };
  const spec: AlibabaBench["spec"] = async (token, change = {}) => ({
    name: "train",
    token,
    offer: change.offer ?? (await offer()),
    maxPrice: null,
    image: null,
    volumes: [],
    env: { GREETING: "it's" },
    bootScript: "echo up",
    sshKey: SSH_KEY,
    ports: [],
    registryAuth: null,
    rootVolumeId: null,
    ttlSeconds: null,
    labels: {},
    ...change,
  });
  const requests: AlibabaBench["requests"] = (action) =>
    fake.server.requests.filter((request) => action === undefined || actionOf(request) === action);
  return {
    fake,
    provider,
    clock,
    another,
    offer,
    spec,
    async running(token, change) {
      const { providerId } = await provider.launch(await spec(token, change), context);
      clock.advance(A_SECOND_MS);
      const found = await provider.get(providerId, context);
      if (found?.state !== "running") throw new Error(`${providerId} is ${found?.state}`);
      return found;
    },
    sent: (action) => requests(action).map(({ body }) => Object.fromEntries(new URLSearchParams(body))),
    requests,
    instead: (action, what, times = 1) => fake.server.disturb({ what, times, match: (request) => actionOf(request) === action }),
  };
}
