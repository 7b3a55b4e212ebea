import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import type { PaperSettings } from "../simulation/paper-cloud.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { hibernate, up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;
const MINUTE_MS = 60_000;

async function worldOf(set: Partial<PaperSettings>): Promise<PaperWorld> {
  const world = await paperWorld({ zonal: true, readable: true, ...set });
  onTestFinished(() => world.state.close());
  return world;
}

/** A process of ours whose machines have an empty checkpoint folder: their workload writes elsewhere. */
function writesElsewhere(world: PaperWorld): Fleet {
  const { fleet } = world.start();
  return { ...fleet, guest: { ...fleet.guest, sealed: async () => [], snapshot: async () => ({ kind: "nothing-to-seal" }) } };
}

async function train({ state }: PaperWorld): Promise<InstanceRecord> {
  const [record] = await state.instances();
  if (record === undefined) throw new Error("no train");
  return record;
}

function stock({ cloud }: PaperWorld, name: string, count: number): void {
  for (const zone of cloud.zones) if (zone.zone === name) zone.stock = count;
}

const wake = async (world: PaperWorld, fleet: Fleet) =>
  world.clock.run(wakeUp(fleet, await train(world), { signal, capMs: 4 * MINUTE_MS, sleepLimitMs: MINUTE_MS }));

test("a machine that sleeps at its cloud and had nothing to seal is not ended for another one: its work is on it alone", async () => {
  const world = await worldOf({});
  let released = 0;
  const { provider } = world.cloud;
  const device = { ...provider.capabilities, machine: { ...provider.capabilities.machine, volumes: "device" as const } };
  const base = writesElsewhere(world);
  const releaseVolume = async () => void released++;
  await world.clock.run(up(base, paperSpec()));
  const hibernating = { ...base, guest: { ...base.guest, releaseVolume }, provider: async () => ({ ...provider, capabilities: device }) };
  await world.clock.run(hibernate(hibernating));
  expect(await train(world)).toMatchObject({ state: "hibernated", parked: "native", sealedAsleep: false });
  // Its volume is let go of all the same.
  expect(released).toBe(1);
  const [asleep] = world.cloud.living();
  stock(world, "north-a", 0);
  await expect(wake(world, writesElsewhere(world))).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  expect(world.cloud.living().map(({ id, state }) => [id, state])).toEqual([[asleep?.id, "hibernated"]]);
  stock(world, "north-a", 1);
  expect(await wake(world, writesElsewhere(world))).toMatchObject({ state: "running", providerId: asleep?.id });
});

test("a volume that a machine has had is not taken for an empty one because nothing is sealed on it", async () => {
  const world = await worldOf({ hibernates: "park" });
  const { provider } = world.cloud;
  const { volumes } = provider;
  if (volumes === undefined) throw new Error("no volumes");
  // Its disks are folders of this computer, and hold no checkpoint.
  const readable = {
    ...volumes,
    list: async (context: Parameters<typeof volumes.list>[0]) =>
      (await volumes.list(context)).map((one) => ({ ...one, localPath: "/nonexistent" })),
  };
  const local = () => ({ ...writesElsewhere(world), provider: async () => ({ ...provider, volumes: readable }) });
  await world.clock.run(up(local(), paperSpec()).then(() => hibernate(local())));
  const [home] = world.cloud.volumes.keys();
  stock(world, "north-a", 0);
  // A snapshot takes along what no checkpoint knows of; the volume itself is kept.
  expect(await wake(world, local())).toMatchObject({ zone: "north-b" });
  const [kept, made] = [...world.cloud.volumes.entries()];
  expect([kept?.[0], made?.[1].spec.fromSnapshotId]).toEqual([home, [...world.cloud.snapshots.keys()][0]]);
});
