import { userInfo } from "node:os";
import type { Clock } from "../../../src/platform/clock.ts";
import { type FakeAnswer, type FakeRequest, type FakeServer, fakeServer } from "../fake-server.ts";
import type { MachineRoom } from "../machine-room.ts";
import { authenticated } from "./auth.ts";
import { REGIONS } from "./catalogue.ts";
import { clearAway } from "./clear-away.ts";
import { ec2, forwarded } from "./ec2.ts";
import { shutDownFromInside } from "./instances.ts";
import { assumeRole, leaseAccount } from "./moto.ts";
import { getProducts, spotAdvisor } from "./price-lists.ts";
import { pointAt, typeNamed } from "./prices.ts";
import { announce, openQueue, type Reclaim, recommend, takeBack } from "./reclaim.ts";
import { errorAnswer, Refusal } from "./refusal.ts";
import { settler } from "./room.ts";
import { readAuthorization } from "./sigv4.ts";
import { type AwsState, type FakeInstance, stockKey } from "./state.ts";
import { type AwsDelays, type AwsSwitches, DEFAULT_DELAYS, DEFAULT_SWITCHES } from "./switches.ts";
import { type Views, viewsOf } from "./views.ts";

export interface FakeAwsOptions {
  readonly clock: Clock;
  /** Where machines that come to run are booted for real; without it there are none. */
  readonly machines?: MachineRoom;
  readonly switches?: Partial<AwsSwitches>;
  readonly delays?: Partial<AwsDelays>;
}

export interface FakeAws extends Views {
  readonly url: string;
  readonly server: FakeServer;
  /** What points `spot`, or the aws CLI, at it. */
  readonly env: Readonly<Record<string, string>>;
  /** May be changed at any time. */
  readonly switches: AwsSwitches;
  /** Lets everything happen that is due by the clock. */
  settle(): Promise<void>;
  /** EC2 takes it back: after a notice, of two minutes unless told, or at once with `noticeSeconds: 0`. */
  reclaim(providerId: string, how?: Reclaim): Promise<void>;
  /** A notice is taken back. */
  withdraw(providerId: string): Promise<void>;
  /** A rebalance recommendation. */
  rebalance(providerId: string): Promise<void>;
  /** The machine is shut down from within. */
  shutDown(providerId: string): Promise<void>;
  /** In every zone, or in one, as spot and on demand. */
  setStock(type: string, count: number, zone?: string): void;
  /** The spot price of now, in USD an hour. */
  price(type: string, zone: string): string;
  /** URL of a queue into which reclaims are told from now on. */
  queue(): Promise<string>;
  /** The variables of temporary credentials, which expire by `credentialsExpireAt`. */
  temporary(): Promise<Readonly<Record<string, string>>>;
  /** Lets go what was held by `holdPending`, from now on. */
  release(): void;
  close(): Promise<void>;
}

async function newState(options: FakeAwsOptions): Promise<AwsState> {
  let made = 0;
  return {
    clock: options.clock,
    temporary: null,
    account: await leaseAccount(),
    switches: { ...DEFAULT_SWITCHES, ...options.switches },
    delays: { ...DEFAULT_DELAYS, ...options.delays },
    host: "",
    instances: new Map(),
    volumes: new Map(),
    snapshots: new Map(),
    spotRequests: new Map(),
    bill: [],
    tokens: new Map(),
    stock: new Map(),
    keys: new Map(),
    passed: new Map(),
    leftovers: [],
    recent: new Map(),
    queue: null,
    nextSeq: () => ++made,
  };
}

/** Which of the services at this one address is meant: the scope of the signature says so. */
async function route(state: AwsState, request: FakeRequest): Promise<FakeAnswer> {
  if (request.method === "GET" && request.path === "/spot-advisor-data.json") return { status: 200, body: spotAdvisor(state) };
  const service = readAuthorization(request.headers["authorization"] ?? "")?.service ?? "ec2";
  if (service === "pricing") {
    authenticated(state, request);
    return getProducts(state, request);
  }
  if (service !== "sqs" && service !== "sts") return ec2(state, request);
  authenticated(state, request);
  const { status, headers, text } = await forwarded(state, request)();
  return { status, headers: { "content-type": headers["content-type"] ?? "application/x-amz-json-1.0" }, body: text };
}

async function answered(state: AwsState, request: FakeRequest): Promise<FakeAnswer> {
  try {
    return await route(state, request);
  } catch (error) {
    if (error instanceof Refusal) return errorAnswer(error.status, error.code, error.message);
    throw error;
  }
}

function environment(state: AwsState, url: string, hasMachines: boolean): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: state.account.user.accessKeyId,
    AWS_SECRET_ACCESS_KEY: state.account.user.secretAccessKey,
    AWS_ENDPOINT_URL: url,
    AWS_ENDPOINT_URL_SQS: url,
    AWS_ENDPOINT_URL_PRICING: url,
    SPOT_AWS_ADVISOR_URL: `${url}/spot-advisor-data.json`,
    // In the machine room everybody is whoever runs the tests.
    ...(hasMachines ? { AWS_SSH_USER: userInfo().username } : {}),
  };
}

function marketOf(state: AwsState): Pick<FakeAws, "setStock" | "price" | "release"> {
  const known = (type: string) => {
    const row = typeNamed(type);
    if (row === undefined) throw new Error(`no ${type} in this EC2`);
    return row;
  };
  return {
    setStock(type, count, zone) {
      const zones = zone === undefined ? Object.values(REGIONS).flatMap((all) => Object.keys(all)) : [zone];
      for (const one of zones) state.stock.set(stockKey(known(type).name, one), count);
    },
    price: (type, zone) => pointAt(known(type), zone, state.clock.now()).price,
    release() {
      state.switches.holdPending = false;
      for (const instance of state.instances.values()) {
        if (!instance.held) continue;
        instance.held = false;
        instance.since = state.clock.now();
      }
    },
  };
}

/**
 * EC2 on loopback: moto_server, which somebody else wrote, does what it can and checks what is sent to it; this proxy in
 * front of it adds time, money, spot requests, reclaims, capacity and everything else that moto lacks. Time passes by `clock`
 * alone, looked at with every request.
 */
export async function fakeAws(options: FakeAwsOptions): Promise<FakeAws> {
  const state = await newState(options);
  const { clock } = options;
  const { settle, close } = settler(state, options.machines);
  let last: Promise<unknown> = Promise.resolve();
  /** One after the other: what a request finds is what it changes. */
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };
  const server = await fakeServer({
    dateOffsetMs: () => clock.now() - Date.now() + state.switches.skewMs,
    handle: (request) =>
      inTurn(async () => {
        await settle();
        const answer = await answered(state, request);
        await settle();
        return answer;
      }),
  });
  state.host = new URL(server.url).host;
  const change = (providerId: string, work: (instance: FakeInstance) => Promise<unknown>) =>
    inTurn(async () => {
      await settle();
      const instance = state.instances.get(providerId.split("/").at(-1) ?? "");
      if (instance === undefined) throw new Error(`there is no ${providerId}`);
      await work(instance);
      await settle();
    });
  return {
    ...viewsOf(state),
    url: server.url,
    server,
    env: environment(state, server.url, options.machines !== undefined),
    switches: state.switches,
    settle: () => inTurn(settle),
    reclaim: (providerId, how = {}) =>
      change(providerId, (instance) => {
        if (!instance.isSpot || !["pending", "running"].includes(instance.state)) throw new Error(`${providerId} cannot be reclaimed`);
        return announce(state, instance, how);
      }),
    withdraw: (providerId) => change(providerId, async (instance) => takeBack(state, instance)),
    rebalance: (providerId) => change(providerId, (instance) => recommend(state, instance)),
    shutDown: (providerId) => change(providerId, (instance) => shutDownFromInside(state, instance)),
    ...marketOf(state),
    async queue() {
      await inTurn(() => openQueue(state));
      return `${server.url}${state.queue?.path}`;
    },
    async temporary() {
      const given = await inTurn(() => assumeRole(state.account, state.host));
      state.temporary = given;
      const { accessKeyId, secretAccessKey, sessionToken } = given;
      return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken };
    },
    async close() {
      await server.close();
      await last;
      await close();
      await clearAway(state);
    },
  };
}
