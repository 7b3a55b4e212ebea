import type { CheckpointTravel } from "../../src/fleet/climbing/travel.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { noLeases } from "../../src/fleet/leases/held-leases.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { seededRng } from "../../src/platform/rng.ts";
import { openState } from "../../src/state/open.ts";
import type { InstanceSpec, State, VolumeRecord } from "../../src/state/records.ts";
import { sampleSpec } from "../state/sample-records.ts";
import { type FaultPlan, type FaultyProcess, faultyProcess, NO_FAULT } from "./faulty-process.ts";
import { type PaperCloud, type PaperSettings, paperCloud } from "./paper-cloud.ts";
import { paperGuest } from "./paper-guest.ts";
import { trespassWitness } from "./trespass.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A cloud on paper, a database in memory, and any number of processes of ours, one after the other or side by side. */
export interface PaperWorld {
  readonly clock: VirtualClock;
  readonly cloud: PaperCloud;
  readonly state: State;
  /** A new process of ours. */
  start(plan?: FaultPlan): FaultyProcess;
  /** A process ended or was killed: its leases are those of a dead owner. */
  bury(process: FaultyProcess): void;
  /** What a process did under a lease that another one had by then. Must stay empty. */
  readonly trespasses: readonly string[];
}

/** Where the state of a world lies. `busy`: something real is being waited for, so that virtual time must not pass. */
export interface PaperStore {
  readonly state: State;
  readonly busy?: () => boolean;
}

const inMemory = async (): Promise<PaperStore> => ({ state: await openState(":memory:") });

export async function paperWorld(
  settings: Partial<PaperSettings> = {},
  seed = 1,
  store: () => Promise<PaperStore> = inMemory,
): Promise<PaperWorld> {
  const { state, busy } = await store();
  const clock = virtualClock(undefined, busy);
  const cloud = paperCloud(clock, settings);
  const rng = seededRng(seed);
  const guest = paperGuest(clock, cloud);
  const buried = new Set<string>();
  const trespasses: string[] = [];
  const witness = trespassWitness(state, cloud, clock.now, trespasses);
  const processes: FaultyProcess[] = [];
  return {
    clock,
    cloud,
    state,
    start(plan = NO_FAULT) {
      const base: Fleet = {
        state,
        provider: async () => cloud.provider,
        guest,
        clock,
        rng,
        owner: `process-${processes.length + 1}`,
        leases: noLeases(),
        looks: new Map(),
        ownerIsDead: (owner) => buried.has(owner) || processes.some((other) => other.fleet.owner === owner && other.isDead()),
        ...(cloud.settings.readable ? { travel: paperTravel({ cloud, clock }) } : {}),
        say: () => undefined,
      };
      const process = faultyProcess(base, clock, plan, witness);
      processes.push(process);
      return process;
    },
    bury: (process) => buried.add(process.fleet.owner),
    trespasses,
  };
}

export function paperSpec(set: Partial<InstanceSpec> = {}): InstanceSpec {
  return sampleSpec("train", { providers: ["paper"], maxPrice: null, command: ["train"], ...set });
}

/** Passes between two looks; a listing settles and a slow request arrives within it. */
const BETWEEN_MS = 15_000;
const MOST_PASSES = 40;

/**
 * Reconciles with fresh processes until two passes in a row had nothing to do.
 * @returns what was still open at the end; empty when it is quiet.
 */
export async function untilQuiet(world: PaperWorld): Promise<readonly string[]> {
  const { clock, state } = world;
  let open: readonly string[] = ["never tried"];
  for (let passes = 0, calm = 0; passes < MOST_PASSES && calm < 2; passes++) {
    const before = await state.lastSeq();
    const process = world.start();
    const report = await clock.run(reconcile(process.fleet, { signal: new AbortController().signal, limitMs: 60_000 }));
    world.bury(process);
    open = [
      ...report.items.filter((item) => item.outcome !== "settled").map((item) => `${item.instance}: ${item.outcome}: ${item.why}`),
      ...report.unended.map((item) => `${item.what}: ${item.why}`),
      ...report.volumes.map((item) => `volume ${item.volume}: ${item.why}`),
      ...report.silent.map((item) => `${item.provider}: ${item.why}`),
    ];
    calm = open.length === 0 && report.strays.length === 0 && (await state.lastSeq()) === before ? calm + 1 : 0;
    await clock.pass(BETWEEN_MS);
  }
  return open;
}

/**
 * Checkpoints travel on paper: from any disk to any disk, a second a piece, and whole or not at all. With a bucket all that was
 * ever sealed lies there as well, and goes to machines that are up and wait for it.
 */
export function paperTravel({ cloud, clock }: Pick<PaperWorld, "cloud" | "clock">): CheckpointTravel {
  const at = (volume: VolumeRecord) => cloud.volumes.get(volume.providerId ?? "");
  const { bucket } = cloud.settings;
  return {
    async source(home, newest, among) {
      const copy = bucket ? (cloud.sealed.find(({ id }) => id === newest?.id) ?? cloud.sealed.at(-1)) : undefined;
      if (copy !== undefined) {
        const behindMs = newest === undefined ? 0 : Math.max(0, newest.createdAt - copy.at);
        const known = { checkpoint: copy.id, sha256: copy.id, place: "s3://paper", bytes: 1, behindMs, to: among };
        return { from: "s3://paper", bytes: 1, to: [], bucket: { ...known, sealedAt: copy.at, ageMs: clock.now() - copy.at } };
      }
      const isThere = newest !== undefined && at(home)?.checkpoints.some(({ id }) => id === newest.id) === true;
      return isThere ? { from: "a bucket", bytes: newest.bytes, to: among } : { why: `${newest?.id} is not there` };
    },
    async bring(checkpoint, from, to, signal, receiver) {
      await clock.sleep(cloud.settings.bringMs, signal);
      const found = (bucket ? cloud.sealed : at(from)?.checkpoints)?.find(({ id }) => id === checkpoint.id);
      const target = at(to);
      if (found === undefined || target === undefined) throw new Error("there is no such disk");
      await receiver?.onArrived();
      if (receiver !== undefined && cloud.settings.sealsMs > 0) await clock.sleep(cloud.settings.sealsMs, signal);
      if (!target.checkpoints.includes(found)) target.checkpoints.push(found);
    },
  };
}
