import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, test } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import type { CallContext, LaunchSpec, Provider, ProviderInstance } from "../../src/providers/provider.ts";
import { type FakeAws, fakeAws } from "../clouds/aws/aws.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import { signedHeaders } from "../clouds/aws/sigv4.ts";
import type { AwsDelays, AwsSwitches } from "../clouds/aws/switches.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { eventually } from "../conformance/bench.ts";

/** A test that needs `awsOn`: its EC2 is moto, which a user's machine need not have. */
export const onMoto = test.skipIf(!motoAvailable());

/** Waits between two looks take a hundredth of their time. */
export const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };

export const SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";

/** What was sent, as a plain record; the action is among it. */
export type Sent = Readonly<Record<string, string>>;

export interface AwsProviderBench {
  readonly cloud: FakeAws;
  readonly provider: Provider;
  readonly context: CallContext;
  readonly home: string;
  /** Another process of ours, on the same files. */
  again(env?: Readonly<Record<string, string | undefined>>): Promise<Provider>;
  offer(change?: Partial<Offer>): Promise<Offer>;
  spec(change?: Partial<LaunchSpec>): Promise<LaunchSpec>;
  /** Launches and waits until it runs. */
  running(change?: Partial<LaunchSpec>): Promise<ProviderInstance>;
  until(providerId: string, look: (one: ProviderInstance | undefined) => boolean): Promise<ProviderInstance | undefined>;
  /** Waits until its only volume can be used. */
  untilUsable(): Promise<void>;
  /** Every request of an action so far, oldest first. */
  sent(action: string): readonly Sent[];
  /** The actions so far, oldest first, reads left out. */
  changes(): readonly string[];
}

export function sentOf({ body }: FakeRequest): Sent {
  return Object.fromEntries(new URLSearchParams(body));
}

export interface AwsBenchOptions {
  readonly switches?: Partial<AwsSwitches>;
  readonly delays?: Partial<AwsDelays>;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A provider of AWS on an EC2 of its own; both end with the test. */
export async function awsOn({ switches, delays, env = {} }: AwsBenchOptions = {}): Promise<AwsProviderBench> {
  const home = mkdtempSync(join(tmpdir(), "spot-aws-"));
  const cloud = await fakeAws({
    clock: systemClock,
    switches: { pageSize: 100, ...switches },
    ...(delays === undefined ? {} : { delays }),
  });
  onTestFinished(async () => {
    await cloud.close();
    rmSync(home, { recursive: true, force: true });
  });
  const context = { signal: new AbortController().signal };
  const again = (more: Readonly<Record<string, string | undefined>> = {}) =>
    awsProvider({ env: { ...cloud.env, ...env, ...more }, home, clock: hurried });
  const provider = await again();
  const offer = async (change: Partial<Offer> = {}) => {
    const wanted = { type: "g4dn.xlarge", zone: "us-east-1a", billing: "spot", ...change };
    const found = (await provider.offers({}, context)).find((one) =>
      Object.entries(wanted).every(([key, value]) => one[key as "type"] === value),
    );
    if (found === undefined) throw new Error(`no offer like ${JSON.stringify(wanted)}`);
    return found;
  };
  const spec = async (change: Partial<LaunchSpec> = {}): Promise<LaunchSpec> => ({
    name: "job",
    token: "t-1",
    offer: change.offer ?? (await offer()),
    maxPrice: null,
    image: null,
    volumes: [],
    env: { GREETING: "it's" },
    bootScript: "#!/bin/sh\necho up\n",
    sshKey: SSH_KEY,
    ports: [],
    registryAuth: null,
    rootVolumeId: null,
    ttlSeconds: null,
    labels: { team: "vision" },
    ...change,
  });
  const until: AwsProviderBench["until"] = async (providerId, look) => {
    const { found } = await eventually(async () => {
      const one = await provider.get(providerId, context);
      return look(one) ? { found: one } : undefined;
    }, providerId);
    return found;
  };
  const sentBy = (action: string) => cloud.server.requests.map(sentOf).filter(({ Action }) => Action === action);
  return {
    cloud,
    provider,
    context,
    home,
    again,
    offer,
    spec,
    until,
    async running(change) {
      const { providerId } = await provider.launch(await spec(change), context);
      const found = await until(providerId, (one) => one?.state === "running");
      if (found === undefined) throw new Error("not there");
      return found;
    },
    async untilUsable() {
      const isUsable = async () => (await provider.volumes?.list(context))?.[0]?.rawState === "available";
      await eventually(async () => ((await isUsable()) ? true : undefined), "the volume");
    },
    sent: sentBy,
    changes: () =>
      cloud.server.requests.flatMap((request) => {
        const { Action = "" } = sentOf(request);
        return Action === "" || /^(?:Describe|Get)/.test(Action) ? [] : [Action];
      }),
  };
}

/** What somebody does at the console, with the same keys. */
export async function elsewhere(cloud: { readonly url: string; readonly env: Readonly<Record<string, string>> }) {
  const keys = { accessKeyId: cloud.env["AWS_ACCESS_KEY_ID"] ?? "", secretAccessKey: cloud.env["AWS_SECRET_ACCESS_KEY"] ?? "" };
  return {
    async awsCall(action: string, parameters: Readonly<Record<string, string>>): Promise<void> {
      const body = new URLSearchParams({ Action: action, Version: "2016-11-15", ...parameters }).toString();
      const plain = { host: new URL(cloud.url).host, "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
      const headers = signedHeaders({ path: "/", headers: plain, body }, { region: "us-east-1", service: "ec2" }, keys, Date.now());
      const answer = await fetch(cloud.url, { method: "POST", headers, body });
      if (answer.status !== 200) throw new Error(await answer.text());
    },
  };
}
