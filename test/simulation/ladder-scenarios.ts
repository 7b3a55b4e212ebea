import type { Fleet } from "../../src/fleet/fleet.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { wakeUntilUp } from "../../src/fleet/waking-until.ts";
import { type RungName, USUAL_RUNGS } from "../../src/model/comeback.ts";
import { type PaperWorld, paperSpec } from "./paper-world.ts";
import { hibernate, type Scenario, up } from "./scenarios.ts";

const MINUTE_MS = 60_000;
const signal = new AbortController().signal;
const ZONAL = { hibernates: "park", zonal: true, readable: true } as const;

/** Asleep, with two sealed checkpoints, and spot sold out in these zones. */
function asleepWithout(...zones: readonly string[]): Scenario["prepare"] {
  return async (world, fleet) => {
    await up(fleet, paperSpec());
    await fleet.clock.sleep(2 * MINUTE_MS);
    await hibernate(fleet);
    await wakeUp(fleet, await train(fleet), { signal, capMs: MINUTE_MS, sleepLimitMs: MINUTE_MS });
    await fleet.clock.sleep(2 * MINUTE_MS);
    await hibernate(fleet);
    for (const zone of world.cloud.zones) if (zones.includes(zone.zone)) zone.stock = 0;
  };
}

async function train(fleet: Fleet) {
  const record = await fleet.state.instanceByName("train");
  if (record === undefined) throw new Error("no train");
  return record;
}

async function climb(fleet: Fleet, allow: readonly RungName[] = USUAL_RUNGS, capMs = 3 * MINUTE_MS): Promise<void> {
  await wakeUp(fleet, await train(fleet), { signal, capMs, sleepLimitMs: 5 * MINUTE_MS, comeback: { allow, ceiling: null } });
}

/** Asleep as it was: its work is on the volume in north-a, and the other one has nobody. */
async function sleepsAtHome({ cloud, state }: PaperWorld): Promise<readonly string[]> {
  const record = await state.instanceByName("train");
  const [used, ...others] = record?.volumes ?? [];
  const [home] = await state.volumes({ ids: [used?.id ?? ""] });
  const is = `${home?.name} in ${home?.zone}, ${others.length} others, ${cloud.living().length} machines`;
  return is === "train in north-a, 0 others, 0 machines" ? [] : [is];
}

/** Undisturbed it came back there, that way. */
const cameBack =
  (zone: string, billing: string) =>
  async ({ cloud }: PaperWorld): Promise<readonly string[]> => {
    const where = cloud.living().map((machine) => `${machine.zone.zone} ${machine.billing}`);
    return where.join() === `${zone} ${billing}` ? [] : [`it is in ${where}`];
  };

/** Nobody but the way back has asked for a snapshot, and it is over. */
const noSnapshotIsLeft = async ({ cloud }: PaperWorld): Promise<readonly string[]> =>
  [...cloud.snapshots.keys()].map((id) => `the snapshot ${id} is left, and bills`);

const CLIMBS: readonly Scenario[] = [
  {
    name: "restore where its volume lies",
    cloud: ZONAL,
    prepare: asleepWithout(),
    act: (fleet) => climb(fleet),
    ends: ["running", "hibernated"],
    shows: cameBack("north-a", "spot"),
  },
  {
    name: "restore from a snapshot in a sister zone",
    cloud: ZONAL,
    prepare: asleepWithout("north-a"),
    act: (fleet) => climb(fleet),
    ends: ["running", "hibernated"],
    shows: cameBack("north-b", "spot"),
  },
  {
    name: "restore from a snapshot where volumes are attached to running machines",
    cloud: { ...ZONAL, attaches: true },
    prepare: asleepWithout("north-a"),
    act: (fleet) => climb(fleet),
    ends: ["running", "hibernated"],
    shows: cameBack("north-b", "spot"),
  },
  {
    name: "restore in another region from its checkpoint",
    cloud: ZONAL,
    prepare: asleepWithout("north-a", "north-b"),
    act: (fleet) => climb(fleet),
    ends: ["running", "hibernated"],
    shows: cameBack("south-a", "spot"),
  },
  {
    name: "restore in a sister zone from a bucket",
    cloud: { ...ZONAL, bucket: true },
    prepare: asleepWithout("north-a"),
    act: (fleet) => climb(fleet, ["same-zone", "copy"]),
    ends: ["running", "hibernated"],
    shows: cameBack("north-b", "spot"),
  },
  {
    name: "restore from a bucket where volumes are attached to running machines",
    cloud: { ...ZONAL, bucket: true, attaches: true },
    prepare: asleepWithout("north-a", "north-b"),
    act: (fleet) => climb(fleet, ["same-zone", "copy"]),
    ends: ["running", "hibernated"],
    shows: cameBack("south-a", "spot"),
  },
  {
    name: "restore from a bucket whose copy does not arrive before the cap",
    cloud: { ...ZONAL, bucket: true, bringMs: 1_000 * MINUTE_MS },
    prepare: asleepWithout("north-a"),
    act: (fleet) => climb(fleet, ["same-zone", "copy"], 25_000),
    ends: ["hibernated"],
    shows: sleepsAtHome,
  },
  {
    name: "restore from a bucket past the cap between arrival and seal, and again with that zone sold out",
    cloud: { ...ZONAL, bucket: true, sealsMs: 60 * MINUTE_MS },
    prepare: async (world, fleet) => {
      await asleepWithout("north-a")(world, fleet);
      void world.clock.sleep(3 * MINUTE_MS).then(() => {
        Object.assign(world.cloud.settings, { sealsMs: 0 });
        for (const zone of world.cloud.zones) zone.stock = zone.zone === "north-a" ? 2 : 0;
      });
    },
    act: async (fleet) => {
      await climb(fleet, ["same-zone", "copy"], 25_000).catch(() => undefined);
      await fleet.clock.sleep(5 * MINUTE_MS);
      await climb(fleet);
    },
    ends: ["running", "hibernated"],
    shows: cameBack("north-a", "spot"),
  },
  {
    name: "restore from a bucket where root disks are kept, past the cap",
    cloud: { ...ZONAL, bucket: true, keepsRoot: true, bringMs: 1_000 * MINUTE_MS },
    prepare: asleepWithout("north-a"),
    act: (fleet) => climb(fleet, ["same-zone", "copy"], 25_000),
    ends: ["hibernated"],
    shows: sleepsAtHome,
  },
  {
    name: "restore from a bucket where root disks are kept",
    cloud: { ...ZONAL, bucket: true, keepsRoot: true },
    prepare: asleepWithout("north-a"),
    act: (fleet) => climb(fleet, ["same-zone", "copy"]),
    ends: ["running", "hibernated"],
    shows: cameBack("north-b", "spot"),
  },
  {
    name: "restore on demand",
    cloud: ZONAL,
    prepare: asleepWithout("north-a", "north-b", "south-a"),
    act: (fleet) => climb(fleet, ["same-zone", "on-demand"]),
    ends: ["running", "hibernated"],
    shows: cameBack("north-a", "on-demand"),
  },
  {
    name: "restore from native sleep in a sister zone",
    cloud: { zonal: true, readable: true },
    prepare: asleepWithout("north-a"),
    act: (fleet) => climb(fleet),
    ends: ["running", "hibernated"],
    shows: cameBack("north-b", "spot"),
  },
  {
    name: "restore of a copy that never comes up, past its cap",
    cloud: ZONAL,
    prepare: async (world, fleet) => {
      await asleepWithout("north-a")(world, fleet);
      Object.assign(world.cloud.settings, { provisionMs: 1_000 * MINUTE_MS });
    },
    act: (fleet) => climb(fleet, USUAL_RUNGS, 25_000),
    ends: ["hibernated"],
  },
  {
    name: "two restores at once in a sister zone",
    cloud: ZONAL,
    prepare: asleepWithout("north-a"),
    act: async (fleet, other) => {
      await Promise.allSettled([climb(fleet), other.clock.sleep(700).then(() => climb(other))]);
    },
    ends: ["running", "hibernated"],
    shows: cameBack("north-b", "spot"),
  },
  {
    name: "restore until there is a machine",
    cloud: ZONAL,
    prepare: async (world, fleet) => {
      await asleepWithout("north-a", "north-b", "south-a")(world, fleet);
      void world.clock.sleep(3 * MINUTE_MS).then(() => {
        for (const zone of world.cloud.zones) if (zone.zone === "north-b") zone.stock = 1;
      });
    },
    act: async (fleet) => {
      const limits = { signal, capMs: MINUTE_MS, sleepLimitMs: MINUTE_MS, forMs: 60 * MINUTE_MS, maxCost: null };
      await wakeUntilUp(fleet, await train(fleet), { ...limits, comeback: { allow: ["same-zone", "snapshot"], ceiling: null } });
    },
    ends: ["running", "hibernated"],
    shows: cameBack("north-b", "spot"),
  },
];

/** A restore in which every rung above the first has something to do. */
export const LADDER_SCENARIOS: readonly Scenario[] = CLIMBS.map((scenario) => ({ ...scenario, holds: noSnapshotIsLeft }));
