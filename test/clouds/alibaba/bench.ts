import { createHash } from "node:crypto";
import type { FakeRequest } from "../fake-server.ts";
import { canonicalRequest, signatureOf } from "./acs3.ts";
import { type FakeAlibaba, type FakeAlibabaOptions, fakeAlibaba } from "./alibaba.ts";

/** A clock that stands still until it is told to move. */
export interface HandClock {
  now(): number;
  monotonic(): number;
  sleep(ms: number): Promise<void>;
  pass(ms: number): void;
}

export function handClock(start = Date.UTC(2026, 10, 21, 3, 38, 26)): HandClock {
  let now = start;
  return {
    now: () => now,
    monotonic: () => now - start,
    async sleep(ms) {
      now += ms;
    },
    pass(ms) {
      now += ms;
    },
  };
}

type Fields = Readonly<Record<string, string | number | boolean>>;

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
type Loose = any;

/** What came back: the status and the JSON of the body. */
export interface Said {
  readonly status: number;
  readonly body: Loose;
}

export interface Bench {
  readonly cloud: FakeAlibaba;
  readonly clock: HandClock;
  /** Signs and sends, parameters in the query; `change` spoils the headers after they were signed. */
  raw(action: string, fields: Fields, change?: Change): Promise<Response>;
  say(action: string, fields?: Fields): Promise<Said>;
  /** What a call answers. @throws Error when it is refused. */
  ok(action: string, fields?: Fields): Promise<Loose>;
  /** The code of a refusal; `200` when there is none. */
  code(action: string, fields?: Fields): Promise<string>;
  /** The parameters of a launch in the first zone, good as they are. */
  order(change?: Fields): Promise<Fields>;
  /** Launches one and lets it come up. */
  running(change?: Fields): Promise<string>;
  /** As DescribeInstances shows it; undefined when it does not. */
  show(id: string): Promise<Loose>;
  /** Lets time pass and does what is due. */
  pass(ms?: number): Promise<void>;
}

export interface Change {
  readonly method?: "GET" | "POST";
  readonly form?: Fields;
  readonly unsigned?: readonly string[];
  /** Before the signature is made. */
  readonly headers?: Readonly<Record<string, string>>;
  /** After it. */
  readonly spoil?: Readonly<Record<string, string>>;
}

export const REGION = "cn-hangzhou";
export const ZONE = "cn-hangzhou-h";
export const TYPE = "ecs.gn7i-c8g1.2xlarge";
const SOON_MS = 200;
/** What is longer goes into a form: not every server takes it in a URL. */
const LONG = 4_000;

let nonces = 0;

const params = (fields: Fields) =>
  new URLSearchParams(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)])));

export async function alibabaBench(options: Partial<FakeAlibabaOptions> = {}): Promise<Bench> {
  const clock = handClock();
  const cloud = await fakeAlibaba({ clock, ...options });
  const [key] = cloud.keys;
  if (key === undefined) throw new Error("no key");
  const raw: Bench["raw"] = async (action, fields, change = {}) => {
    const body = change.form === undefined ? "" : params(change.form).toString();
    const headers: Record<string, string> = {
      host: new URL(cloud.url).host,
      accept: "application/json",
      "x-acs-action": action,
      "x-acs-version": "2014-05-26",
      "x-acs-date": new Date(clock.now()).toISOString().replace(/\.\d{3}/, ""),
      "x-acs-signature-nonce": `nonce-${++nonces}`,
      "x-acs-content-sha256": createHash("sha256").update(body).digest("hex"),
      ...(change.form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
      ...change.headers,
    };
    const query = params(fields);
    const method = change.method ?? "POST";
    const signed = Object.keys(headers).filter((name) => /^(host|content-type|x-acs-)/.test(name) && !change.unsigned?.includes(name));
    const request: FakeRequest = { method, path: "/", query, headers, body, json: () => undefined };
    const list = [...signed].sort().join(";");
    const authorization = `ACS3-HMAC-SHA256 Credential=${key.id},SignedHeaders=${list},Signature=${signatureOf(canonicalRequest(request, signed), key.secret)}`;
    return fetch(`${cloud.url}/?${query}`, {
      method,
      headers: { ...headers, authorization, ...change.spoil },
      ...(body === "" ? {} : { body }),
    });
  };
  const say: Bench["say"] = async (action, fields = {}) => {
    const isLong = Object.values(fields).some((value) => String(value).length > LONG);
    const response = await (isLong ? raw(action, {}, { form: fields }) : raw(action, fields));
    return { status: response.status, body: await response.json() };
  };
  const ok: Bench["ok"] = async (action, fields) => {
    const { status, body } = await say(action, fields);
    if (status !== 200) throw new Error(`${action}: ${status} ${JSON.stringify(body)}`);
    return body;
  };
  const order: Bench["order"] = async (change = {}) => {
    const vSwitches = await ok("DescribeVSwitches", { RegionId: REGION, ZoneId: ZONE, IsDefault: true });
    const vSwitch = vSwitches.VSwitches.VSwitch[0];
    const groups = await ok("DescribeSecurityGroups", { RegionId: REGION, VpcId: vSwitch.VpcId });
    const group =
      groups.SecurityGroups.SecurityGroup[0]?.SecurityGroupId ??
      (await ok("CreateSecurityGroup", { RegionId: REGION, VpcId: vSwitch.VpcId, SecurityGroupName: "spot-fleet" })).SecurityGroupId;
    return {
      RegionId: REGION,
      VSwitchId: vSwitch.VSwitchId,
      SecurityGroupId: group,
      InstanceType: TYPE,
      ImageId: "ubuntu_22_04_x64_20G_alibase_20261015.vhd",
      SpotStrategy: "SpotAsPriceGo",
      InternetMaxBandwidthOut: 10,
      "SystemDisk.Category": "cloud_essd",
      ...change,
    };
  };
  const pass = async (ms = SOON_MS) => {
    clock.pass(ms);
    await cloud.settle();
  };
  return {
    cloud,
    clock,
    raw,
    say,
    ok,
    async code(action, fields) {
      const { status, body } = await say(action, fields);
      return status === 200 ? "200" : body.Code;
    },
    order,
    async running(change) {
      const { InstanceIdSets } = await ok("RunInstances", await order(change));
      // Both steps of the way up are asked for when the one before is done.
      await pass();
      return InstanceIdSets.InstanceIdSet[0];
    },
    async show(id) {
      const { Instances } = await ok("DescribeInstances", { RegionId: REGION, InstanceIds: JSON.stringify([id]) });
      return Instances.Instance[0];
    },
    pass,
  };
}
