import { userInfo } from "node:os";
import type { Clock } from "../../../src/platform/clock.ts";
import { type FakeAnswer, type FakeRequest, type FakeServer, fakeServer } from "../fake-server.ts";
import type { MachineRoom } from "../machine-room.ts";
import { type AccessKey, gate } from "./acs3.ts";
import { letGo } from "./instances.ts";
import { ledger } from "./ledger.ts";
import { market, type SpotDuration } from "./market.ts";
import { furnish } from "./network.ts";
import { checkedParameters } from "./parameters.ts";
import { reclaim, reclaimOutbid } from "./reclaim.ts";
import { Refusal } from "./refusal.ts";
import { contentsIn, settler } from "./room.ts";
import { HANDLERS, WITH_TOKEN } from "./routes.ts";
import { schedule } from "./schedule.ts";
import { type Disk, type Instance, idMaker, type MonitorEvent, type Site } from "./site.ts";
import { DELAYS, type Delays, SWITCHES, type Switches } from "./switches.ts";
import { tokenBook } from "./tokens.ts";
import { toXml } from "./xml.ts";

const KEY: AccessKey = { id: "canary-alibaba-id-5d0c2b7719", secret: "canary-alibaba-secret-93e4fa01c6d2", securityToken: null };
export const TOKEN_TAG = "spot-fleet-token";

export interface FakeAlibabaOptions {
  readonly clock: Clock;
  /** Where its machines really run; without it they exist on paper. */
  readonly machines?: MachineRoom;
  readonly delays?: Partial<Delays>;
  readonly switches?: Partial<Switches>;
}

/** A machine that is billed or a disk; ids as the cloud has them, and as `spot` has them. */
export interface Rented {
  /** `cn-hangzhou/i-…` */
  readonly providerId: string;
  readonly id: string;
  readonly name: string;
  /** What its tag of ours says. */
  readonly token: string | null;
  readonly status: string;
}

export interface FakeAlibaba {
  readonly url: string;
  readonly server: FakeServer;
  /** What points `spot` at it, the credential included. */
  readonly env: Readonly<Record<string, string>>;
  readonly site: Site;
  /** To be turned while it runs. */
  readonly switches: Switches;
  /** The credentials that it takes; temporary ones can be added. */
  readonly keys: AccessKey[];
  /** Does everything that is due by now, in the books and in the machine room. */
  settle(): Promise<void>;
  /** What has not been released: also the stopped ones. */
  living(): readonly Rented[];
  /** No system disks of living machines. */
  volumes(): readonly (Rented & { readonly attachedTo: string | null })[];
  snapshots(): readonly Rented[];
  /**
   * Takes a machine back after a notice (300 seconds unless told): lock, metadata, event, then release or stop. One within its
   * protected hour only when that is over, unless the switch `breaksProtection` is on.
   */
  reclaim(providerId: string, noticeSeconds?: number): Promise<void>;
  setStock(type: string, count: number, where?: { readonly zone?: string; readonly duration?: SpotDuration }): void;
  /** Out for good. */
  closeStock(type: string, zone: string): void;
  /** The market's price becomes this fraction of pay-as-you-go; whoever bid less is taken back. */
  movePrice(type: string, fraction: number, zone?: string): void;
  /** Lets those come up that `holdProvisioning` held. */
  letGo(): void;
  /** An account manager's lock, or its end. */
  lock(providerId: string, reason: "security" | "financial" | null): void;
  /** What CloudMonitor told its subscribers. */
  monitored(): readonly MonitorEvent[];
  /** Yuan until now: a machine without its disks, or a disk. */
  cost(providerId: string): number;
  instance(providerId: string): Instance;
  disk(providerId: string): Disk;
  /** Names of the calls since the start (`RunInstances`), in order. */
  calls(): readonly string[];
  close(): Promise<void>;
}

const actionOf = ({ headers }: FakeRequest) => headers["x-acs-action"] ?? "";

/** Every parameter of a request, from the query and from a form. */
function* givenParameters(request: FakeRequest): Iterable<readonly [string, string]> {
  yield* request.query;
  if (request.body === "") return;
  if (!(request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded"))
    throw new Refusal(400, "UnsupportedMediaType", "The content type is not supported.");
  yield* new URLSearchParams(request.body);
}

function limiter(clock: Clock, switches: Switches): () => void {
  let minute = -1;
  let count = 0;
  return () => {
    const now = Math.floor(clock.now() / 60_000);
    if (now !== minute) [minute, count] = [now, 0];
    count += 1;
    // Told by its code alone: the status is that of a wrong parameter.
    if (count > switches.requestsPerMinute) throw new Refusal(400, "Throttling.User", "Request was denied due to user flow control.");
  };
}

/** The name without the region that `spot` puts before it. */
function bareId(providerId: string): string {
  return providerId.slice(providerId.indexOf("/") + 1);
}

interface Owned {
  readonly id: string;
  readonly name: string;
  readonly region: { readonly id: string };
  readonly tags: ReadonlyMap<string, string>;
  readonly status: string;
}

const rented = ({ id, name, region, tags, status }: Owned): Rented => ({
  ...{ providerId: `${region.id}/${id}`, id, name, status },
  token: tags.get(TOKEN_TAG) ?? null,
});

function siteOf(options: FakeAlibabaOptions, switches: Switches): Site {
  const { clock, machines = null } = options;
  const site: Site = {
    ...idMaker(),
    schedule: schedule(clock),
    market: market(clock.now()),
    ledger: ledger(),
    delays: { ...DELAYS, ...options.delays },
    switches,
    room: machines,
    contents: contentsIn(machines),
    instances: new Map(),
    disks: new Map(),
    snapshots: new Map(),
    snapshotGroups: new Map(),
    vpcs: [],
    vSwitches: [],
    securityGroups: new Map(),
    keyPairs: [],
    history: [],
    monitored: [],
  };
  furnish(site);
  return site;
}

/** Alibaba Cloud's ECS, all regions on one server, that keeps state and books. Time passes only by the clock that it is given. */
export async function fakeAlibaba(options: FakeAlibabaOptions): Promise<FakeAlibaba> {
  const { clock } = options;
  const switches: Switches = { ...SWITCHES, ...options.switches };
  const site = siteOf(options, switches);
  const settle = settler(site, clock);
  const keys: AccessKey[] = [KEY];
  const door = gate(() => keys);
  const limit = limiter(clock, switches);
  const tokens = tokenBook(site);
  const served = (request: FakeRequest): unknown => {
    if (!["GET", "POST"].includes(request.method) || request.path !== "/")
      throw new Refusal(405, "UnsupportedHTTPMethod", "This http method is not supported.");
    door.check(request, clock.now() + switches.clockAheadMs);
    limit();
    if (request.headers["x-acs-version"] !== "2014-05-26")
      throw new Refusal(404, "InvalidVersion", "Specified parameter Version is not valid.");
    const action = actionOf(request);
    const found = checkedParameters(action, givenParameters(request));
    if (switches.account === "arrears") throw new Refusal(400, "Account.Arrearage", "Your account has been in arrears.");
    const handler = HANDLERS[action];
    if (handler === undefined) throw new Refusal(404, "InvalidAction.NotFound", "The specified action is not found.");
    const work = () => handler(site, found);
    return WITH_TOKEN.has(action) ? tokens.once(action, found, work) : work();
  };
  const answered = (request: FakeRequest, status: number, root: string, content: object): FakeAnswer => {
    const RequestId = `${String(site.nextNumber()).padStart(8, "0")}-2014-4526-A1BA-000000000000`.toUpperCase();
    const body = { RequestId, ...content };
    const wantsJson = (request.headers["accept"] ?? "").includes("application/json");
    if (wantsJson) return { status, body };
    return { status, headers: { "content-type": "text/xml;charset=utf-8" }, body: toXml(root, body) };
  };
  const handle = async (request: FakeRequest): Promise<FakeAnswer> => {
    await settle();
    try {
      return answered(request, 200, `${actionOf(request)}Response`, served(request) as object);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const HostId = request.headers["host"] ?? "";
      const Recommend = `https://api.aliyun.com/troubleshoot?q=${error.code}`;
      return answered(request, error.status, "Error", { HostId, Code: error.code, Message: error.message, Recommend });
    }
  };
  const server = await fakeServer({ handle, dateOffsetMs: () => clock.now() - Date.now() + switches.clockAheadMs });
  const named = <Value>(all: ReadonlyMap<string, Value>, id: string): Value => {
    const found = all.get(bareId(id));
    if (found === undefined) throw new Error(`the fake has no ${id}`);
    return found;
  };
  return {
    url: server.url,
    server,
    env: {
      ALIBABA_CLOUD_ACCESS_KEY_ID: KEY.id,
      ALIBABA_CLOUD_ACCESS_KEY_SECRET: KEY.secret,
      SPOT_ALIBABA_API_URL: server.url,
      // In the machine room everybody is whoever runs the tests.
      ...(site.room === null ? {} : { SPOT_ALIBABA_SSH_USER: userInfo().username }),
    },
    site,
    switches,
    keys,
    settle,
    living() {
      site.schedule.catchUp();
      return [...site.instances.values()].filter(({ isEnding }) => !isEnding).map(rented);
    },
    volumes() {
      site.schedule.catchUp();
      return [...site.disks.values()]
        .filter(({ kind, instanceId }) => kind === "data" || instanceId === null)
        .map((disk) => ({ ...rented(disk), attachedTo: disk.instanceId === null ? null : `${disk.region.id}/${disk.instanceId}` }));
    },
    snapshots: () => [...site.snapshots.values()].map(rented),
    async reclaim(providerId, noticeSeconds) {
      await settle();
      const noticeMs = noticeSeconds === undefined ? site.delays.noticeMs : noticeSeconds * 1_000;
      reclaim(site, named(site.instances, providerId), noticeMs);
      await settle();
    },
    setStock: (type, count, where) => site.market.setStock(type, count, where),
    closeStock: (type, zone) => site.market.close(type, zone),
    movePrice(type, fraction, zone) {
      site.schedule.catchUp();
      site.market.move(type, fraction, clock.now(), zone);
      reclaimOutbid(site, site.delays.noticeMs);
    },
    letGo: () => letGo(site),
    lock(providerId, reason) {
      named(site.instances, providerId).lock = reason;
    },
    monitored: () => site.monitored,
    cost: (id) => site.ledger.cost(bareId(id), clock.now()),
    instance: (id) => named(site.instances, id),
    disk: (id) => named(site.disks, id),
    calls: () => server.requests.map(actionOf),
    async close() {
      for (const instance of site.instances.values()) {
        site.schedule.cancel(instance);
        instance.isGone = true;
      }
      await settle().catch(() => undefined);
      await server.close();
    },
  };
}
