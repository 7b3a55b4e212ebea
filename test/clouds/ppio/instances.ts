import type { Clock } from "../../../src/platform/clock.ts";
import type { Market, Product } from "./market.ts";
import { Refusal } from "./refusals.ts";
import type { MachineStarter, StartedMachine } from "./room.ts";
import type { PpioSettings } from "./settings.ts";

/** A create request that was found to be in order. */
export interface Order {
  readonly name: string;
  readonly product: Product;
  readonly clusterId: string;
  readonly gpuNum: number;
  readonly rootfsSize: number;
  readonly imageUrl: string;
  readonly imageAuthId: string;
  readonly command: string;
  readonly entrypoint: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly ports: readonly { readonly port: number; readonly type: string }[];
  readonly storages: readonly { readonly id: string; readonly mountPoint: string }[];
  readonly billingMode: "onDemand" | "monthly" | "spot";
}

export interface BilledSpan {
  readonly kind: "gpu" | "disk";
  readonly from: number;
  to: number | null;
}

export interface Instance {
  readonly id: string;
  readonly order: Order;
  readonly createdAt: number;
  status: string;
  statusError: { readonly state: string; readonly message: string } | null;
  /** What it will become, and when; in order. */
  due: { readonly at: number; readonly status: string }[];
  startedAt: number | null;
  stoppedAt: number | null;
  /** Notice given or still held back by the protection, and the moment of the reclaim. */
  reclaim: { readonly noticeAt: number; readonly at: number; over: "no" | "exited" | "terminated" } | null;
  purged: boolean;
  sshAt: number | null;
  machine: StartedMachine | null;
  readonly bills: BilledSpan[];
}

const DAY_MS = 86_400_000;
/** Its GPUs belong to it. */
const HOLDS = new Set([
  "toCreate",
  "creating",
  "pulling",
  "running",
  "toStart",
  "starting",
  "toStop",
  "stopping",
  "toRestart",
  "restarting",
]);

/** The life of every instance. Time passes only in `settle`, by the clock that was given. */
export interface Instances {
  /** In the order in which they were made; without those that are gone. */
  all(): readonly Instance[];
  /** Every span that was billed for one that may be gone. */
  bills(id: string): readonly BilledSpan[];
  /** The same of all that there ever were. */
  everyBill(): readonly BilledSpan[];
  /** @throws Refusal RESOURCE_NOT_FOUND */
  find(id: string): Instance;
  create(order: Order): Instance;
  stop(instance: Instance): void;
  start(instance: Instance): void;
  restart(instance: Instance): void;
  remove(instance: Instance): void;
  /** Gives notice as soon as the protection allows, and reclaims `noticeMs` later. */
  reclaim(instance: Instance, noticeMs: number): void;
  /** Takes a notice back that has not run out. */
  withdraw(instance: Instance): void;
  settle(): Promise<void>;
  close(): Promise<void>;
}

interface Wiring {
  readonly clock: Clock;
  readonly market: Market;
  readonly settings: () => PpioSettings;
  readonly startMachine: MachineStarter | null;
}

interface Event {
  readonly at: number;
  happen(): Promise<void>;
}

function closeBills(instance: Instance, at: number): void {
  for (const bill of instance.bills) bill.to ??= at;
}

/** Seconds are whole on this API: the second after which the notice is over. */
export function reclaimSecond(at: number): number {
  return Math.ceil(at / 1000);
}

export function instances({ clock, market, settings, startMachine }: Wiring): Instances {
  const living = new Map<string, Instance>();
  const billed = new Map<string, readonly BilledSpan[]>();
  let made = 0;
  let settling: Promise<void> = Promise.resolve();

  const free = (instance: Instance) => {
    if (HOLDS.has(instance.status)) market.take(instance.order.clusterId, instance.order.product.id, -instance.order.gpuNum);
  };
  const halt = async (instance: Instance, erase: boolean) => {
    const { machine } = instance;
    if (machine === null) return;
    await machine.halt();
    if (erase) {
      await machine.erase();
      instance.machine = null;
    }
  };
  const enter = async (instance: Instance, status: string, at: number) => {
    switch (status) {
      case "pulling":
        instance.bills.push({ kind: "gpu", from: at, to: null });
        break;
      case "running":
        instance.startedAt = at;
        // A container that starts again has a new root.
        await halt(instance, true);
        instance.machine = startMachine === null ? null : await startMachine(instance, settings());
        instance.sshAt = Math.max(at, startMachine === null ? 0 : clock.now()) + settings().sshAfterMs;
        break;
      case "exited":
        free(instance);
        closeBills(instance, at);
        instance.bills.push({ kind: "disk", from: at, to: null });
        instance.stoppedAt = at;
        instance.sshAt = null;
        await halt(instance, false);
        break;
      case "removing":
        free(instance);
        closeBills(instance, at);
        instance.sshAt = null;
        await halt(instance, true);
        break;
      case "absent":
        living.delete(instance.id);
        break;
    }
    if (status !== "absent") instance.status = status;
  };
  const endReclaim = async (instance: Instance, at: number) => {
    const { reclaimedAs } = settings();
    instance.due = [];
    if (reclaimedAs === "gone") {
      await enter(instance, "removing", at);
      await enter(instance, "absent", at);
      return;
    }
    await enter(instance, "exited", at);
    if (instance.reclaim !== null) instance.reclaim.over = reclaimedAs;
  };
  const purge = async (instance: Instance, at: number) => {
    instance.purged = true;
    closeBills(instance, at);
    await halt(instance, true);
  };
  const nextEvent = (instance: Instance): Event | undefined => {
    const events: Event[] = [];
    const [due] = instance.due;
    if (due !== undefined)
      events.push({
        at: due.at,
        happen: () => {
          instance.due.shift();
          return enter(instance, due.status, due.at);
        },
      });
    const { reclaim } = instance;
    if (reclaim?.over === "no" && HOLDS.has(instance.status)) {
      const at = reclaimSecond(reclaim.at) * 1000 + settings().reclaimingMs;
      events.push({ at, happen: () => endReclaim(instance, at) });
    }
    if (instance.status === "exited" && instance.stoppedAt !== null && !instance.purged) {
      const at = instance.stoppedAt + settings().keepDataDays * DAY_MS;
      events.push({ at, happen: () => purge(instance, at) });
    }
    return events.sort((a, b) => a.at - b.at)[0];
  };
  const pass = async () => {
    for (const instance of [...living.values()])
      for (let event = nextEvent(instance); event !== undefined && event.at <= clock.now(); event = nextEvent(instance)) {
        await event.happen();
        if (!living.has(instance.id)) break;
      }
  };
  const follow = (instance: Instance, ...statuses: readonly string[]) => {
    const [now, half] = [clock.now(), settings().verbMs / 2];
    instance.due = statuses.slice(1).map((status, index) => ({ at: now + half * (index + 1), status }));
    instance.status = statuses[0] ?? instance.status;
  };
  const wrongState = () => new Refusal(400, "CONFLICT", "invalid state change");

  return {
    all: () => [...living.values()],
    bills: (id) => billed.get(id) ?? [],
    everyBill: () => [...billed.values()].flat(),
    find(id) {
      const found = living.get(id);
      if (found === undefined) throw new Refusal(settings().notFoundStatus, "RESOURCE_NOT_FOUND");
      return found;
    },
    create(order) {
      const [now, { toCreateMs, creatingMs, pullingMs, failCreate }] = [clock.now(), settings()];
      const instance: Instance = {
        id: `${(++made).toString(16).padStart(6, "0")}${order.clusterId.length}f3a9`,
        order,
        createdAt: now,
        status: "toCreate",
        statusError: failCreate,
        due: [
          { at: now + toCreateMs, status: "creating" },
          ...(failCreate !== null
            ? []
            : [
                { at: now + toCreateMs + creatingMs, status: "pulling" },
                { at: now + toCreateMs + creatingMs + pullingMs, status: "running" },
              ]),
        ],
        startedAt: null,
        stoppedAt: null,
        reclaim: null,
        purged: false,
        sshAt: null,
        machine: null,
        bills: [],
      };
      market.take(order.clusterId, order.product.id, order.gpuNum);
      living.set(instance.id, instance);
      billed.set(instance.id, instance.bills);
      return instance;
    },
    stop(instance) {
      if (instance.status !== "running") throw wrongState();
      follow(instance, "toStop", "stopping", "exited");
    },
    start(instance) {
      if (instance.status !== "exited") throw wrongState();
      const { clusterId, product, gpuNum } = instance.order;
      // Its node may have been taken, and its data deleted.
      if (instance.purged || market.free(clusterId, product.id) < gpuNum) throw new Refusal(400, "INSUFFICIENT_RESOURCE");
      market.take(clusterId, product.id, gpuNum);
      closeBills(instance, clock.now());
      instance.bills.push({ kind: "gpu", from: clock.now(), to: null });
      instance.reclaim = null;
      follow(instance, "toStart", "starting", "running");
      if (settings().startRace) throw wrongState();
    },
    restart(instance) {
      if (instance.status !== "running") throw wrongState();
      follow(instance, "toRestart", "restarting", "running");
    },
    remove(instance) {
      if (instance.order.billingMode === "monthly") throw new Refusal(400, "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE");
      if (["toRemove", "removing", "removed"].includes(instance.status)) throw wrongState();
      if (settings().deleteNeedsStop && HOLDS.has(instance.status)) throw wrongState();
      const last = instance.status;
      follow(instance, "toRemove", "removing", "removed");
      // Its GPUs are given back now; `removing` must not do it a second time.
      if (HOLDS.has(last)) market.take(instance.order.clusterId, instance.order.product.id, -instance.order.gpuNum);
      closeBills(instance, clock.now());
      instance.due.push({ at: clock.now() + settings().verbMs + settings().removedShownMs, status: "absent" });
    },
    reclaim(instance, noticeMs) {
      const noticeAt = Math.max(clock.now(), instance.createdAt + settings().protectionMs);
      instance.reclaim = { noticeAt, at: noticeAt + noticeMs, over: "no" };
    },
    withdraw(instance) {
      if (instance.reclaim?.over === "no") instance.reclaim = null;
    },
    settle() {
      settling = settling.then(pass);
      return settling;
    },
    async close() {
      await settling.catch(() => undefined);
      for (const instance of living.values()) await halt(instance, true);
    },
  };
}
