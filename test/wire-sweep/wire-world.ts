import type { Fleet } from "../../src/fleet/fleet.ts";
import { noLeases } from "../../src/fleet/leases/held-leases.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { seededRng } from "../../src/platform/rng.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { openState } from "../../src/state/open.ts";
import type { InstanceSpec, State } from "../../src/state/records.ts";
import type { FakeRequest, FakeServer } from "../clouds/fake-server.ts";
import { type VirtualClock, virtualClock } from "../simulation/virtual-clock.ts";
import { sampleSpec } from "../state/sample-records.ts";
import { requestsInFlight } from "./in-flight.ts";
import { type Rented, type RentedGuests, rentedGuests } from "./rented-guest.ts";

/** What the sweep must know of and do to the cloud behind a provider. */
export interface CloudOnTheWire {
  readonly provider: Provider;
  readonly server: FakeServer;
  /** Machines that cost money, hibernated ones included. */
  living(): readonly { readonly providerId: string; readonly name: string }[];
  /** Volumes that outlive machines; root disks of living machines are none. */
  volumes(): readonly { readonly providerId: string; readonly name: string }[];
  /** The provider's word that its machines will be reclaimed; false where this cloud gives none. */
  giveNotice(seconds: number): Promise<boolean>;
  /** Its machines hear of their notices inside, and its API says nothing of them. */
  readonly tellsInside?: true;
  /** Takes the notices back that it gave; absent where it gives none. */
  takeBack?(): Promise<void>;
  /** Whether a request changes something, where its method does not say so: some APIs are all POST. */
  isChange?(request: FakeRequest): boolean;
  /** For how much its own meter has charged machines until now, in a unit of its own: time, or money. */
  charged?(): number | Promise<number>;
  /** What the books above are as of; asked before they are read. */
  refresh?(): Promise<void>;
  close(): Promise<void>;
}

/** How long things take; on a virtual clock it costs nothing to be generous. Milliseconds. */
export interface Tempo {
  readonly sealMs: number;
  readonly mountMs: number;
  readonly noticeSeconds: number;
  /** Between two passes, and between two looks at a notice; longer than any listing settles. */
  readonly betweenMs: number;
}

const GENEROUS: Tempo = { sealMs: 2_000, mountMs: 1_000, noticeSeconds: 900, betweenMs: 60_000 };

export interface WireWorld {
  readonly tempo: Tempo;
  readonly clock: VirtualClock;
  readonly cloud: CloudOnTheWire;
  readonly state: State;
  readonly guests: RentedGuests;
  readonly spec: InstanceSpec;
  /** A new process of ours; with another state, one of somebody else's with the same account. */
  start(other?: State): Fleet;
  /** That process is dead; its leases are free. */
  bury(fleet: Fleet): void;
  /** A long time in which nobody does anything. To be awaited inside `clock.run`. Milliseconds. */
  leap(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** `real`: on the real clock, at this tempo, for a cloud that knows no other. */
export async function wireWorld(make: (clock: VirtualClock) => Promise<CloudOnTheWire>, real?: Tempo): Promise<WireWorld> {
  const clock: LeapingClock = real === undefined ? leapingVirtually() : leapingClock();
  const tempo = real ?? GENEROUS;
  const cloud = await make(clock);
  const { provider } = cloud;
  const state = await openState(":memory:");
  const rng = seededRng(1);
  const spec = sampleSpec("train", {
    providers: [provider.id],
    gpu: null,
    maxPrice: null,
    command: ["train"],
    onReclaim: "hibernate",
    volume: { name: "work", sizeGb: 20, mount: "/data" },
  });
  // An id may carry its place, `region/id`; the alias is a name for a host.
  const machineAt = (alias: string) => cloud.living().find(({ providerId }) => alias.includes(providerId.split("/").at(-1) ?? providerId));
  const isUp = (alias: string) => machineAt(alias) !== undefined;
  const whoIs = (alias: string) => rentedAs(machineAt(alias)?.name ?? spec.name);
  const guests = rentedGuests(clock, provider.capabilities.machine, isUp, whoIs, tempo);
  const buried = new Set<string>();
  let started = 0;
  return {
    tempo,
    clock,
    cloud,
    state,
    guests,
    spec,
    start(other = state) {
      started += 1;
      return {
        state: other,
        provider: async () => provider,
        guest: guests.door,
        clock,
        rng,
        owner: `process-${started}`,
        leases: noLeases(),
        looks: new Map(),
        ownerIsDead: (owner) => buried.has(owner),
        say: () => undefined,
      };
    },
    bury: (fleet) => void buried.add(fleet.owner),
    leap: clock.leap,
    async close() {
      await state.close();
      await cloud.close();
      clock.done();
    },
  };
}

interface LeapingClock extends VirtualClock {
  leap(ms: number): Promise<void>;
  done(): void;
}

function leapingVirtually(): LeapingClock {
  const { busy, done } = requestsInFlight();
  const clock = virtualClock(Date.UTC(2026, 0, 5), busy);
  return { ...clock, leap: (ms) => clock.sleep(ms), done };
}

/** The real clock, for whom it is virtual enough. Over a long time in which nothing happens it leaps. */
function leapingClock(): LeapingClock {
  let ahead = 0;
  return {
    now: () => systemClock.now() + ahead,
    monotonic: () => systemClock.monotonic() + ahead,
    sleep: systemClock.sleep,
    run: (work) => work,
    pass: (ms) => systemClock.sleep(ms),
    async leap(ms) {
      ahead += ms;
    },
    done: () => undefined,
  };
}

/** The instances of the sweeps by the names of their machines, which begin with theirs: a `bare` one has no volume. */
function rentedAs(machine: string): Rented {
  if (machine.startsWith("bare")) return { instance: machine, volume: null };
  return machine.startsWith("other") ? { instance: "other", volume: "other" } : { instance: "train", volume: "work" };
}

const MOST_PASSES = 30;

/** Reconciles with fresh processes until two passes in a row had nothing to do. @returns what was still open at the end. */
export async function untilQuiet(world: WireWorld): Promise<readonly string[]> {
  const { clock, state } = world;
  let open: readonly string[] = ["never tried"];
  for (let passes = 0, calm = 0; passes < MOST_PASSES && calm < 2; passes++) {
    const before = await state.lastSeq();
    const fleet = world.start();
    const report = await clock.run(reconcile(fleet, { signal: new AbortController().signal, limitMs: 300_000 }));
    world.bury(fleet);
    open = [
      ...report.items.filter((item) => item.outcome !== "settled").map((item) => `${item.instance}: ${item.outcome}: ${item.why}`),
      ...report.unended.map((item) => `${item.what}: ${item.why}`),
      ...report.volumes.map((item) => `volume ${item.volume}: ${item.why}`),
      ...report.silent.map((item) => `${item.provider}: ${item.why}`),
    ];
    calm = open.length === 0 && report.strays.length === 0 && (await state.lastSeq()) === before ? calm + 1 : 0;
    await clock.pass(world.tempo.betweenMs);
  }
  return open;
}
