import type { Clock } from "../../../src/platform/clock.ts";
import type { Machine, MachineRoom } from "../machine-room.ts";
import { FLAVORS, type Flavor } from "./catalogue.ts";
import { type Ledger, ledger } from "./ledger.ts";

export interface Delays {
  /** CREATING to BUILD, BUILD to ACTIVE, and ACTIVE to an attached public address. */
  readonly createMs: number;
  readonly buildMs: number;
  readonly addressMs: number;
  readonly hibernateMs: number;
  readonly restoreMs: number;
  readonly stopMs: number;
  readonly startMs: number;
  readonly rebootMs: number;
  readonly deleteMs: number;
  /** How long DELETED is shown before 404; 0 for not at all. */
  readonly deletedMs: number;
  readonly volumeMs: number;
  readonly attachMs: number;
  readonly detachMs: number;
  /** After the machine of a RESERVED volume is deleted: until it is free. Infinity: it stays RESERVED. */
  readonly reservedMs: number;
  readonly snapshotMs: number;
}

/** What a test may turn while the cloud runs. */
export interface Switches {
  /** New machines stay in BUILD. */
  holdProvisioning: boolean;
  /** A: DELETING, DELETED, 404. B: 404 at once. C: one false 404, and it is ACTIVE as before. */
  reclaimVariant: "A" | "B" | "C";
  /** What restore does without stock. */
  restoreWithoutStock: "refuse" | "fall-to-error" | "fall-back";
  /** The text of the 400 when nothing is in stock. */
  noStockText: string;
  /** Every so many refusals the `error_reason` is left out; 0 for never. */
  dropReasonEvery: number;
  /** The state that is shown instead of the true one. */
  shownStatus: string | null;
  /** How many rows a page has at most, whatever is asked for. */
  largestPage: number;
  /** What `count` in a list is: all rows there are, or those of this page; alone: no word about the size of pages. */
  counts: "all" | "page" | "page-alone";
  requestsPerMinute: number;
  lowBalance: boolean;
  /** Every time that is told is so far ahead. */
  clockAheadMs: number;
  /** GET /hibernate answers 400 with this text although the flavor allows it. */
  refuseHibernate: string | null;
  /** How an attached volume is called inside the machine; both are seen in the vendor's pages. */
  deviceNames: "letter" | "by-id";
  /** Volumes tell where they are attached, and not under which name: only machines tell that. */
  volumesTellDevice: boolean;
  /** How a finished snapshot is called. */
  snapshotDone: "COMPLETE" | "success";
}

export interface Environment {
  readonly id: number;
  readonly name: string;
  readonly region: string;
  readonly createdAt: number;
}

export interface Keypair {
  readonly id: number;
  readonly name: string;
  readonly environment: Environment;
  readonly publicKey: string;
  readonly createdAt: number;
}

export interface Attachment {
  readonly id: number;
  readonly volumeId: number;
  readonly vmId: number;
  readonly device: string;
  readonly createdAt: number;
  readonly protected: boolean;
  status: "ATTACHING" | "ATTACHED" | "DETACHING" | "RESERVED";
}

export interface Vm {
  readonly id: number;
  readonly name: string;
  readonly environment: Environment;
  readonly flavor: Flavor;
  readonly image: string;
  readonly keypair: Keypair;
  readonly userData: string;
  readonly wantsAddress: boolean;
  readonly portRandomization: boolean;
  readonly labels: readonly string[];
  readonly rules: readonly Readonly<Record<string, unknown>>[];
  readonly createdAt: number;
  status: string;
  fixedIp: string | null;
  floatingIp: string | null;
  floatingIpStatus: string;
  retainsIp: boolean;
  /** Markers of what the disks hold, to see what a hibernation loses. */
  ephemeral: string | null;
  readonly root: string;
  /** How many times more it is denied although it is there. */
  falseNotFound: number;
  /** Answered with 404 from now on. */
  gone: boolean;
  machine: { readonly handle: Machine; running: boolean; readonly devices: Map<string, string> } | null;
}

export interface Disk {
  readonly id: number;
  readonly name: string;
  readonly environment: Environment;
  readonly size: number;
  readonly type: string;
  readonly bootable: boolean;
  readonly createdAt: number;
  status: string;
  attachment: Attachment | null;
}

/** One call of a lifecycle action, whatever came of it. */
export interface ActionCall {
  readonly action: string;
  readonly vmId: string;
  readonly method: string;
  readonly at: number;
}

export interface Site {
  readonly delays: Delays;
  readonly switches: Switches;
  readonly environments: Environment[];
  readonly keypairs: Keypair[];
  readonly vms: Map<number, Vm>;
  readonly disks: Map<number, Disk>;
  readonly snapshots: Snapshot[];
  readonly ledger: Ledger;
  readonly actions: ActionCall[];
  readonly room: MachineRoom | null;
  /** The moment that is being worked on: that of the step that is due, else now. */
  time(): number;
  nextId(): number;
  /** Does it so much later; `owner` may take everything of its own back. */
  later(owner: object, ms: number, step: () => void): void;
  cancel(owner: object): void;
  /** Does everything that is due. */
  catchUp(): void;
  stockOf(flavor: Flavor): number;
  takeStock(flavor: Flavor, change: number): void;
  setStock(name: string, count: number): void;
}

export interface Snapshot {
  readonly id: number;
  readonly name: string;
  readonly vmId: number;
  readonly createdAt: number;
  status: string;
}

interface Step {
  readonly owner: object;
  readonly at: number;
  run(): void;
}

const USUAL_STOCK = 14;

export function site(clock: Clock, delays: Delays, switches: Switches, room: MachineRoom | null): Site {
  /** By time; those of the same moment in the order in which they were asked for. */
  let steps: Step[] = [];
  let ids = 0;
  let at: number | null = null;
  const stock = new Map(FLAVORS.map((flavor) => [`${flavor.region}/${flavor.name}`, USUAL_STOCK]));
  const time = () => at ?? clock.now();
  return {
    delays,
    switches,
    environments: [],
    keypairs: [],
    vms: new Map(),
    disks: new Map(),
    snapshots: [],
    ledger: ledger(),
    actions: [],
    room,
    time,
    nextId: () => 793_000 + ++ids,
    later(owner, ms, run) {
      if (!Number.isFinite(ms)) return;
      const due = time() + ms;
      let low = 0;
      let high = steps.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((steps[middle]?.at ?? 0) <= due) low = middle + 1;
        else high = middle;
      }
      steps.splice(low, 0, { owner, at: due, run });
    },
    cancel(owner) {
      steps = steps.filter((step) => step.owner !== owner);
    },
    catchUp() {
      for (;;) {
        const [first] = steps;
        if (first === undefined || first.at > clock.now()) return;
        steps.shift();
        at = first.at;
        try {
          first.run();
        } finally {
          at = null;
        }
      }
    },
    stockOf: ({ region, name }) => stock.get(`${region}/${name}`) ?? 0,
    takeStock({ region, name }, change) {
      const key = `${region}/${name}`;
      stock.set(key, Math.max(0, (stock.get(key) ?? 0) + change));
    },
    setStock(name, count) {
      for (const key of stock.keys()) if (key.endsWith(`/${name}`)) stock.set(key, count);
    },
  };
}
