import type { Clock } from "../../../src/platform/clock.ts";
import { tokenOf } from "../../../src/providers/tagged-name.ts";
import { type FakeServer, fakeServer } from "../fake-server.ts";
import { type BilledSpan, instances as instancesOf } from "./instances.ts";
import { type Market, market as marketOf } from "./market.ts";
import { type ContainerRoom, machineStarter } from "./room.ts";
import { API_PATH, ppioRoutes } from "./routes.ts";
import { PPIO_SETTINGS, type PpioSettings, VENDOR_SETTINGS } from "./settings.ts";
import { storages as storagesOf } from "./storages.ts";

export interface FakePpioOptions extends Partial<PpioSettings> {
  readonly clock: Clock;
  /** Where its containers really run; without it they are rows only. */
  readonly machines?: ContainerRoom;
}

/** A machine that costs money, or will as soon as it starts. */
export interface LivingMachine {
  readonly providerId: string;
  readonly name: string;
  readonly token: string | null;
  readonly status: string;
}

/** An imitation of PPIO or Novita that keeps state and checks what it is sent; written from their documents alone. */
export interface FakePpio {
  readonly url: string;
  readonly server: FakeServer;
  readonly credential: string;
  /** The variables that lead `spot` here. */
  readonly env: Readonly<Record<string, string>>;
  readonly market: Market;
  set(change: Partial<PpioSettings>): void;
  /** Lets everything happen that the clock says has happened. */
  settle(): Promise<void>;
  living(): readonly LivingMachine[];
  volumes(): readonly { readonly providerId: string; readonly name: string; readonly token: string | null }[];
  /** What was billed for an instance, also after its end. */
  bills(providerId: string): readonly BilledSpan[];
  /** The same of all that there ever were. */
  everyBill(): readonly BilledSpan[];
  /** Gives notice once the protection is over, and reclaims so much later. */
  reclaim(providerId: string, noticeSeconds: number): void;
  /** Takes a notice back; no document says that it happens, and none that it does not. */
  withdraw(providerId: string): void;
  /** Stops one, as its owner may in the console. */
  stop(providerId: string): void;
  setStock(type: string, count: number, clusterId?: string): void;
  /** Keeps registry credentials under an id and a name. */
  addRegistryAuth(id: string, name: string): void;
  /** From now on its clock is this far ahead, in every time it tells. */
  skewClock(ms: number): void;
  /** Makes an instance that is none of ours. @returns its id. */
  addStranger(name: string, billingMode?: "onDemand" | "spot" | "monthly"): string;
  close(): Promise<void>;
}

export async function fakePpio(options: FakePpioOptions): Promise<FakePpio> {
  const { clock, machines, ...switches } = options;
  let settings: PpioSettings = { ...PPIO_SETTINGS, ...VENDOR_SETTINGS[switches.vendor ?? "ppio"], ...switches };
  let skewMs = 0;
  const { vendor } = settings;
  const credential = `canary-${vendor}-7f3a91c2d4`;
  const market = marketOf(vendor);
  const auths = new Map<string, string>();
  const startMachine = machines === undefined ? null : machineStarter(machines);
  const instances = instancesOf({ clock, market, settings: () => settings, startMachine });
  const storages = storagesOf({ clock, market, instances });
  const handle = ppioRoutes({
    clock,
    market,
    instances,
    storages,
    auths,
    settings: () => settings,
    skewMs: () => skewMs,
    credential,
    forgetStorage: (id) => machines?.eraseVolume(id),
  });
  // Its own clock may be a virtual one, and the header must agree with it.
  const server = await fakeServer({ handle, dateOffsetMs: () => clock.now() - Date.now() + skewMs });
  const upper = vendor.toUpperCase();
  return {
    url: server.url,
    server,
    credential,
    env: { [`${upper}_API_URL`]: server.url, [`${upper}_API_KEY`]: credential },
    market,
    set(change) {
      settings = { ...settings, ...change };
    },
    settle: () => instances.settle(),
    living: () =>
      instances
        .all()
        .filter(({ status, purged }) => status !== "removed" && !purged)
        .map(({ id, order, status }) => ({ providerId: id, name: order.name, token: tokenOf(order.name), status })),
    volumes: () =>
      storages.all().map(({ storageId, storageName }) => ({ providerId: storageId, name: storageName, token: tokenOf(storageName) })),
    bills: (providerId) => instances.bills(providerId),
    everyBill: () => instances.everyBill(),
    reclaim: (providerId, noticeSeconds) => instances.reclaim(instances.find(providerId), noticeSeconds * 1000),
    withdraw: (providerId) => instances.withdraw(instances.find(providerId)),
    stop: (providerId) => instances.stop(instances.find(providerId)),
    setStock: (type, count, clusterId) => market.setStock(type, count, clusterId),
    addRegistryAuth: (id, name) => void auths.set(id, name),
    skewClock(ms) {
      skewMs = ms;
    },
    addStranger(name, billingMode = "onDemand") {
      const [product] = market.in(null);
      const [cluster] = market.clusters;
      if (product === undefined || cluster === undefined) throw new Error("an empty market");
      const order = { name, product, clusterId: cluster.id, gpuNum: 1, rootfsSize: 60, imageUrl: "theirs", imageAuthId: "" };
      return instances.create({ ...order, command: "", entrypoint: "", envs: [], ports: [], storages: [], billingMode }).id;
    },
    async close() {
      await server.close();
      await instances.close();
    },
  };
}

/** What a request to this cloud is for, as far as a disturbance needs it. */
export function isOperation(path: string, operation: "launch" | "destroy" | "volume-create" | "list" | "get"): boolean {
  const paths = {
    launch: "/gpu/instance/create",
    destroy: "/gpu/instance/delete",
    "volume-create": "/networkstorage/create",
    list: "/gpu/instances",
    get: "/gpu/instance",
  };
  return path === `${API_PATH}${paths[operation]}`;
}
