import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { gcpProvider } from "../../src/providers/gcp/provider.ts";
import type { CallContext, LaunchSpec, Provider, ProviderInstance } from "../../src/providers/provider.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { type FakeGcp, fakeGcp } from "../clouds/gcp/fake.ts";
import type { Delays, Switches } from "../clouds/gcp/switches.ts";
import { type HandClock, handClock } from "../local-cloud/hand-clock.ts";

export const SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
export const context: CallContext = { signal: new AbortController().signal };
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
const LONG_MS = 2 * MINUTE;

export interface GcpBench {
  readonly fake: FakeGcp;
  readonly provider: Provider;
  /** Stands still until it is moved; waits between two attempts pass at once. */
  readonly clock: HandClock;
  /** Another process of ours: it remembers nothing but what lies in files. */
  another(env?: Readonly<Record<string, string>>): Promise<Provider>;
  offer(type?: string, change?: Partial<Offer>): Promise<Offer>;
  spec(token: string, change?: Partial<LaunchSpec>): Promise<LaunchSpec>;
  /** Lets a machine come up. */
  running(token: string, change?: Partial<LaunchSpec>): Promise<ProviderInstance>;
  /** Requests of one kind since the start; the path is one below the project. */
  sent(method: string, path: RegExp): readonly FakeRequest[];
  bodies(method: string, path: RegExp): readonly Readonly<Record<string, unknown>>[];
  /** What somebody does at Google's own console. */
  atConsole(method: "POST" | "DELETE", path: string, body?: unknown): Promise<void>;
}

/** A clock by hand in which nobody has to wait to ask again. */
function impatient(clock: HandClock): Clock {
  return {
    ...clock,
    async sleep(ms, signal) {
      if (signal?.aborted === true) throw signal.reason;
      clock.advance(ms);
    },
  };
}

/** A Compute Engine of one's own, with its provider, until the test has ended. */
export async function gcpBench(
  options: {
    readonly switches?: Partial<Switches>;
    readonly delays?: Partial<Delays>;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<GcpBench> {
  const clock = handClock(Date.UTC(2026, 10, 1));
  const home = mkdtempSync(join(tmpdir(), "spot-gcp-home-"));
  const fake = await fakeGcp({
    clock,
    delays: { pendingMs: 100, provisioningMs: SECOND, stagingMs: SECOND, ...options.delays },
    ...(options.switches === undefined ? {} : { switches: options.switches }),
  });
  onTestFinished(async () => {
    await fake.close();
    rmSync(home, { recursive: true, force: true });
  });
  const another = (env: Readonly<Record<string, string>> = {}) =>
    gcpProvider({ env: { ...fake.env, ...options.env, ...env }, home, clock: impatient(clock) });
  const provider = await another();
  const offer = async (type = "g2-standard-4", change: Partial<Offer> = {}) => {
    const wanted = change.billing ?? "spot";
    const found = (await provider.offers({}, context)).find(
      (one) => one.type === type && one.billing === wanted && one.zone === (change.zone ?? "us-central1-a"),
    );
    if (found === undefined) throw new Error(`no offer of ${type}`);
    return { ...found, ...change };
  };
  const spec = async (token: string, change: Partial<LaunchSpec> = {}): Promise<LaunchSpec> => ({
    name: "train",
    token,
    offer: change.offer ?? (await offer()),
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
  const sent = (method: string, path: RegExp) =>
    fake.server.requests.filter((request) => request.method === method && path.test(request.path.replace(/^.*\/projects\/[^/]+\//, "")));
  return {
    fake,
    provider,
    clock,
    another,
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
    async atConsole(method, path, body) {
      const response = await fetch(`${fake.url}/compute/v1/projects/${fake.project}/${path}`, {
        method,
        headers: { authorization: `Bearer ${fake.accessToken()}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`the console says ${response.status}: ${await response.text()}`);
    },
  };
}
