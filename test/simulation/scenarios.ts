import type { Fleet } from "../../src/fleet/fleet.ts";
import { controllerSeat, type Seat } from "../../src/fleet/leases/controller.ts";
import { LeaseLost } from "../../src/fleet/leases/held-leases.ts";
import { putToSleep, takeDown } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { planLaunch } from "../../src/fleet/steps/plan.ts";
import { bringUp, claimName, newRecord } from "../../src/fleet/up.ts";
import { type OrderedEnds, orderEnds } from "../../src/fleet/volumes/end-order.ts";
import { finishEnd } from "../../src/fleet/volumes/volume-end.ts";
import { snapshotVolume, untilReady } from "../../src/fleet/volumes/volume-snapshots.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { deletesVolume, makesSnapshot, type VolumePolicy } from "../../src/model/volume-policy.ts";
import type { InstanceRecord, InstanceSpec } from "../../src/state/records.ts";
import type { PaperSettings } from "./paper-cloud.ts";
import { type PaperWorld, paperSpec } from "./paper-world.ts";

const LIMIT_MS = 600_000;
const never = () => new AbortController().signal;

/** What `spot up` does. */
export async function up(fleet: Fleet, spec: InstanceSpec): Promise<InstanceRecord> {
  const plan = await planLaunch(fleet, spec, never());
  const [first] = plan.offers;
  const mayFallBack = first === undefined && spec.fallbackAfterMs !== null;
  const offer = mayFallBack ? (await planLaunch(fleet, spec, never(), { onDemand: true })).offers[0] : first;
  if (offer === undefined) throw new Error(plan.why ?? "nothing fits");
  const record = newRecord(fleet, spec, offer);
  const ours = await claimName(fleet, record);
  const target = ours ? record : await fleet.state.instanceByName(spec.name);
  if (target === undefined) throw new Error("the name was taken and is free again");
  if (target.desired !== "running") throw new Error(`it exists and is to be ${target.desired}`);
  return bringUp(fleet, target, { signal: never(), limitMs: LIMIT_MS, waitFor: "ready", ours });
}

async function named(fleet: Fleet, name: string): Promise<InstanceRecord> {
  const record = await fleet.state.instanceByName(name);
  if (record === undefined || record.state === "gone") throw new Error(`no living ${name}`);
  return record;
}

/** What `spot down` does. */
export async function down(fleet: Fleet, name = "train"): Promise<void> {
  await takeDown(fleet, await named(fleet, name), { signal: never(), limitMs: LIMIT_MS, snapshot: true });
}

/** What `spot down --volumes POLICY` does. */
export async function downWith(fleet: Fleet, policy: VolumePolicy, name = "train"): Promise<void> {
  const record = await named(fleet, name);
  const ids = record.volumes.map(({ id }) => id);
  const ends = (await fleet.state.volumes({ ids })).map((volume) => ({ volume, policy }));
  let ordered: OrderedEnds = { intents: [], lost: [] };
  const promise: NonNullable<Parameters<typeof takeDown>[2]["promise"]> = async (write) => {
    ordered = await orderEnds(fleet, record, ends, never(), write);
  };
  await takeDown(fleet, record, { signal: never(), limitMs: LIMIT_MS, snapshot: true, promise });
  for (const intent of ordered.intents) await finishEnd(fleet, intent, { signal: never(), limitMs: LIMIT_MS });
}

/** What is left of its volume once all is quiet, and of its snapshot, when that was ordered; and what was deleted on the way. */
async function brokenEnd({ cloud, state }: PaperWorld, policy: VolumePolicy): Promise<readonly string[]> {
  const [record] = await state.instances({ includeGone: true });
  const { size } = cloud.volumes;
  const broken = makesSnapshot(policy) ? cloud.unsnapshotted.map((id) => `${id} was deleted without its snapshot`) : [];
  // The wish and what becomes of the volume are one promise.
  const isOrdered = record?.state === "gone";
  if (size !== (isOrdered && deletesVolume(policy) ? 0 : 1)) broken.push(`${size} volumes are left, and it is ${record?.state}`);
  if (cloud.snapshots.size !== (isOrdered && makesSnapshot(policy) ? 1 : 0)) broken.push(`${cloud.snapshots.size} snapshots are left`);
  return broken;
}

/** What `spot hibernate` does. */
export async function hibernate(fleet: Fleet, name = "train"): Promise<void> {
  const record = await named(fleet, name);
  if (record.desired === "gone") throw new Error("it is being ended");
  await putToSleep(fleet, record, { signal: never(), limitMs: LIMIT_MS, snapshot: true });
}

/** What `spot restore` does. */
export async function restore(fleet: Fleet, name = "train", capMs = LIMIT_MS): Promise<void> {
  const record = await named(fleet, name);
  if (record.desired === "gone") throw new Error("it is being ended");
  await wakeUp(fleet, record, { signal: never(), capMs, sleepLimitMs: LIMIT_MS });
}

/** What `spot watch --act` does, for so long, a pass every so often: it acts, or stands by while another one does. */
export async function watchAndAct(fleet: Fleet, ms: number, everyMs = 5_000): Promise<void> {
  const end = fleet.clock.now() + ms;
  const seat = controllerSeat(fleet);
  try {
    while (fleet.clock.now() < end) {
      await onePass(seat);
      await fleet.clock.sleep(everyMs);
    }
  } finally {
    await seat.leave();
  }
}

async function onePass(seat: Seat): Promise<void> {
  try {
    const turn = await seat.take(never());
    if (turn.kind === "acts") await reconcile(turn.held.fleet, { signal: turn.held.signal, limitMs: 2_000 });
  } catch (error) {
    if (!(error instanceof LeaseLost)) throw error;
  }
}

/** What `spot volumes snapshot` does. */
async function volumeSnapshot(fleet: Fleet): Promise<void> {
  const [volume] = await fleet.state.volumes();
  if (volume === undefined) throw new Error("no volume");
  const made = await snapshotVolume(fleet, volume, never());
  await untilReady(fleet, await fleet.provider(volume.provider), made, never());
}

export interface Scenario {
  readonly name: string;
  readonly cloud: Partial<PaperSettings>;
  /** What happens before, undisturbed. */
  prepare(world: PaperWorld, fleet: Fleet): Promise<void>;
  /** What is disturbed; `other` is a process beside it that is not. */
  act(fleet: Fleet, other: Fleet): Promise<void>;
  /** How the one instance may end up, once all is quiet. */
  readonly ends: readonly string[];
  /** How many records there are, where it is not one. */
  readonly records?: number;
  /** What must hold once all is quiet, whatever failed; returns what does not. */
  holds?(world: PaperWorld): Promise<readonly string[]>;
  /** What the undisturbed play must have shown besides; returns what it did not. */
  shows?(world: PaperWorld): Promise<readonly string[]>;
}

async function running(_world: PaperWorld, fleet: Fleet): Promise<void> {
  await up(fleet, paperSpec());
  await fleet.clock.sleep(120_000);
}

async function asleep(world: PaperWorld, fleet: Fleet): Promise<void> {
  await running(world, fleet);
  await hibernate(fleet);
}

async function noticed(world: PaperWorld, fleet: Fleet): Promise<void> {
  await running(world, fleet);
  for (const machine of world.cloud.living()) world.cloud.reclaim(machine.id, 10_000);
}

async function nothing(): Promise<void> {}

const park = { hibernates: "park" } as const;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "up",
    cloud: {},
    prepare: nothing,
    act: async (fleet) => void (await up(fleet, paperSpec())),
    ends: ["running", "gone", "nothing"],
  },
  {
    name: "up where launches are idempotent",
    cloud: { idempotent: true, listSettlesMs: 0 },
    prepare: nothing,
    act: async (fleet) => void (await up(fleet, paperSpec())),
    ends: ["running", "gone", "nothing"],
  },
  {
    name: "up without capacity in the first zone",
    cloud: {},
    prepare: async (world) => {
      for (const zone of world.cloud.zones) if (zone.zone === "north-a") zone.stock = 0;
    },
    act: async (fleet) => void (await up(fleet, paperSpec())),
    ends: ["running", "gone", "nothing"],
  },
  {
    name: "up where the first region has nothing left",
    cloud: {},
    prepare: async (world) => {
      for (const zone of world.cloud.zones) if (zone.region === "north") zone.stock = 0;
    },
    act: async (fleet) => void (await up(fleet, paperSpec())),
    ends: ["running", "gone", "nothing"],
  },
  {
    name: "up where the first machine fails to start",
    cloud: {},
    prepare: async (world) => {
      world.cloud.failingStarts = 1;
    },
    act: async (fleet) => void (await up(fleet, paperSpec())),
    ends: ["running", "gone", "nothing"],
  },
  { name: "reclaim with replace", cloud: {}, prepare: noticed, act: (fleet) => watchAndAct(fleet, 16_000), ends: ["running"] },
  {
    name: "reclaim with hibernate",
    cloud: {},
    prepare: async (world, fleet) => {
      await up(fleet, paperSpec({ onReclaim: "hibernate" }));
      await fleet.clock.sleep(120_000);
      for (const machine of world.cloud.living()) world.cloud.reclaim(machine.id, 10_000);
    },
    act: (fleet) => watchAndAct(fleet, 16_000),
    ends: ["hibernated"],
  },
  { name: "hibernate", cloud: {}, prepare: running, act: (fleet) => hibernate(fleet), ends: ["hibernated", "running"] },
  { name: "restore", cloud: {}, prepare: asleep, act: (fleet) => restore(fleet), ends: ["running", "hibernated"] },
  {
    name: "restore past its cap",
    cloud: { changeMs: 2_000 },
    prepare: asleep,
    act: (fleet) => restore(fleet, "train", 1_000),
    ends: ["running", "hibernated"],
  },
  { name: "down", cloud: {}, prepare: running, act: (fleet) => down(fleet), ends: ["gone", "running"] },
  ...(["delete", "snapshot", "snapshot-and-delete"] as const).map(
    (policy): Scenario => ({
      name: `down, and its volume: ${policy}`,
      cloud: {},
      prepare: running,
      act: (fleet) => downWith(fleet, policy),
      ends: ["gone", "running"],
      holds: (world) => brokenEnd(world, policy),
    }),
  ),
  { name: "down while hibernated", cloud: {}, prepare: asleep, act: (fleet) => down(fleet), ends: ["gone", "hibernated"] },
  { name: "hibernate by parking", cloud: park, prepare: running, act: (fleet) => hibernate(fleet), ends: ["hibernated", "running"] },
  { name: "restore of a parked one", cloud: park, prepare: asleep, act: (fleet) => restore(fleet), ends: ["running", "hibernated"] },
  {
    name: "a snapshot of its volume",
    cloud: {},
    prepare: running,
    act: (fleet) => volumeSnapshot(fleet),
    ends: ["running"],
  },
  {
    name: "hibernate and restore at once",
    cloud: {},
    prepare: running,
    act: async (fleet, other) => {
      await Promise.allSettled([hibernate(fleet), other.clock.sleep(900).then(() => restore(other))]);
    },
    ends: ["running", "hibernated"],
  },
  {
    name: "park and restore at once",
    cloud: park,
    prepare: running,
    act: async (fleet, other) => {
      await Promise.allSettled([hibernate(fleet), other.clock.sleep(900).then(() => restore(other))]);
    },
    ends: ["running", "hibernated"],
  },
  {
    name: "down while it is coming up",
    cloud: {},
    prepare: nothing,
    act: async (fleet, other) => {
      await Promise.allSettled([up(fleet, paperSpec()), other.clock.sleep(700).then(() => down(other))]);
    },
    ends: ["gone", "running", "nothing"],
  },
];
