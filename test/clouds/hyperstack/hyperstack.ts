import { userInfo } from "node:os";
import type { Clock } from "../../../src/platform/clock.ts";
import { tokenOf } from "../../../src/providers/tagged-name.ts";
import { type FakeAnswer, type FakeRequest, type FakeServer, fakeServer } from "../fake-server.ts";
import type { MachineRoom } from "../machine-room.ts";
import { createVms, deleteVm } from "./machines.ts";
import { Refusal } from "./refusal.ts";
import { settler } from "./room.ts";
import { answer } from "./routes.ts";
import { type Delays, type Disk, type Site, type Switches, site as siteOf, type Vm } from "./site.ts";

export const API_KEY = "canary-hyperstack-7f3a91c25be84d06";

const DELAYS: Delays = {
  createMs: 10,
  buildMs: 30,
  addressMs: 20,
  hibernateMs: 40,
  restoreMs: 40,
  stopMs: 20,
  startMs: 20,
  rebootMs: 20,
  deleteMs: 30,
  deletedMs: 0,
  volumeMs: 20,
  attachMs: 20,
  detachMs: 20,
  reservedMs: 60,
  snapshotMs: 40,
};

const SWITCHES: Switches = {
  holdProvisioning: false,
  reclaimVariant: "A",
  restoreWithoutStock: "refuse",
  noStockText: "We could not place your request in the selected location at this moment.",
  dropReasonEvery: 3,
  shownStatus: null,
  largestPage: 100,
  counts: "all",
  requestsPerMinute: 500,
  lowBalance: false,
  clockAheadMs: 0,
  refuseHibernate: null,
  deviceNames: "letter",
  volumesTellDevice: true,
  snapshotDone: "COMPLETE",
};

export interface FakeHyperstackOptions {
  readonly clock: Clock;
  /** Where its machines really run; without it they exist on paper. */
  readonly machines?: MachineRoom;
  readonly delays?: Partial<Delays>;
  readonly switches?: Partial<Switches>;
}

/** A machine that costs money, or a volume. */
export interface Rented {
  readonly providerId: string;
  readonly name: string;
  /** The token of ours in its name. */
  readonly token: string | null;
  readonly status: string;
}

export interface FakeHyperstack {
  readonly url: string;
  readonly server: FakeServer;
  /** What points `spot` at it, the credential included. */
  readonly env: Readonly<Record<string, string>>;
  readonly site: Site;
  /** To be turned while it runs. */
  readonly switches: Switches;
  /** Does everything that is due by now, in the books and in the machine room. */
  settle(): Promise<void>;
  living(): readonly Rented[];
  /** Those that cost something: not those that are being deleted. */
  volumes(): readonly (Rented & { readonly attachedTo: string | null })[];
  /** Takes the machine back. There is no notice, whatever is asked for; the switch says which way it goes. */
  reclaim(providerId: string, noticeSeconds?: number): Promise<void>;
  setStock(type: string, count: number): void;
  /** How often an action reached a machine, by `hibernate` and the like. */
  actionCount(action: string, providerId: string): number;
  /** What a resource cost until now, in dollars. */
  cost(kind: "machine" | "root-disk" | "volume" | "address", providerId: string): number;
  vm(providerId: string): Vm;
  disk(providerId: string): Disk;
  /** So many machines that run, without a request for each; they are named by their number. */
  populate(count: number, nameOf: (number: number) => string): Promise<void>;
  /** The next requests of this kind are answered with a bare 500 and do nothing. */
  breakDown(match: (request: FakeRequest) => boolean, times: number): void;
  close(): Promise<void>;
}

function limiter(clock: Clock, switches: Switches): () => boolean {
  let minute = -1;
  let count = 0;
  return () => {
    const now = Math.floor(clock.now() / 60_000);
    if (now !== minute) {
      minute = now;
      count = 0;
    }
    count += 1;
    return count > switches.requestsPerMinute;
  };
}

function refused(refusal: Refusal, keepReason: boolean): FakeAnswer {
  const reason = refusal.reason !== null && keepReason ? { error_reason: refusal.reason } : {};
  return { status: refusal.status, headers: refusal.headers, body: { status: false, message: refusal.message, ...reason } };
}

/** A cloud with the API of Hyperstack, that keeps state and books. Time passes only by the clock that it is given. */
export async function fakeHyperstack(options: FakeHyperstackOptions): Promise<FakeHyperstack> {
  const switches: Switches = { ...SWITCHES, ...options.switches };
  const { clock, machines = null } = options;
  const site = siteOf(clock, { ...DELAYS, ...options.delays }, switches, machines);
  const settle = settler(site, machines);
  const isTooMuch = limiter(clock, switches);
  let refusals = 0;
  const handle = async (request: FakeRequest): Promise<FakeAnswer> => {
    await settle();
    try {
      if (isTooMuch()) throw new Refusal(429, null, "Too many requests. Please try again later.");
      if (request.headers["api_key"] !== API_KEY) throw new Refusal(401, "unauthorized", "Unauthorized. Please provide a valid API key.");
      return answer(site, request);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refusals += 1;
      return refused(error, switches.dropReasonEvery === 0 || refusals % switches.dropReasonEvery !== 0);
    }
  };
  const server = await fakeServer({ handle, dateOffsetMs: () => clock.now() - Date.now() + switches.clockAheadMs });
  const found = <Value>(value: Value | undefined, id: string): Value => {
    if (value === undefined) throw new Error(`the fake has no ${id}`);
    return value;
  };
  const url = `${server.url}/v1`;
  return {
    url,
    server,
    env: {
      HYPERSTACK_API_KEY: API_KEY,
      HYPERSTACK_API_URL: url,
      // In the machine room everybody is whoever runs the tests.
      ...(machines === null ? {} : { HYPERSTACK_SSH_USER: userInfo().username }),
    },
    site,
    switches,
    settle,
    living() {
      site.catchUp();
      return [...site.vms.values()]
        .filter(({ gone, status }) => !gone && !["DELETING", "DELETED"].includes(status))
        .map(({ id, name, status }) => ({ providerId: String(id), name, token: tokenOf(name), status }));
    },
    volumes() {
      site.catchUp();
      return [...site.disks.values()]
        .filter(({ status }) => status !== "DELETING")
        .map(({ id, name, status, attachment }) => ({
          providerId: String(id),
          name,
          token: tokenOf(name),
          status,
          attachedTo: attachment === null ? null : String(attachment.vmId),
        }));
    },
    async reclaim(providerId) {
      await settle();
      const vm = found(site.vms.get(Number(providerId)), providerId);
      if (switches.reclaimVariant === "C") vm.falseNotFound = 1;
      else deleteVm(site, vm, switches.reclaimVariant);
      await settle();
    },
    setStock: (type, count) => site.setStock(type, count),
    actionCount: (action, id) => site.actions.filter((one) => one.action === action && one.vmId === id).length,
    cost: (kind, id) => site.ledger.cost(kind, id, clock.now()),
    vm: (id) => found(site.vms.get(Number(id)), id),
    disk: (id) => found(site.disks.get(Number(id)), id),
    async populate(count, nameOf) {
      const environment = { id: site.nextId(), name: "spot-canada-1", region: "CANADA-1", createdAt: clock.now() };
      site.environments.push(environment);
      site.keypairs.push({ id: site.nextId(), name: "crowd", environment, publicKey: "ssh-ed25519 AAAA", createdAt: clock.now() });
      site.setStock("n3-RTX-A6000x1-spot", count);
      const order = { environment_name: environment.name, key_name: "crowd", flavor_name: "n3-RTX-A6000x1-spot", count: 1 };
      const image_name = "Ubuntu Server 24.04 LTS R570 CUDA 12.8";
      for (let number = 0; number < count; number++)
        createVms(site, { ...order, image_name, name: nameOf(number), assign_floating_ip: true });
      await settle();
    },
    breakDown(match, times) {
      server.disturb({ match, times, what: { do: "answer", answer: { status: 500, body: { message: "Internal Server Error" } } } });
    },
    async close() {
      for (const vm of site.vms.values()) vm.gone = true;
      await settle().catch(() => undefined);
      await server.close();
    },
  };
}
