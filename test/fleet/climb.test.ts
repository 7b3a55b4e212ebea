import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { type RungName, USUAL_RUNGS } from "../../src/model/comeback.ts";
import type { InstanceRecord, InstanceSpec } from "../../src/state/records.ts";
import type { PaperSettings } from "../simulation/paper-cloud.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { hibernate, up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;
const MINUTE_MS = 60_000;
const ZONAL = { hibernates: "park", zonal: true, readable: true } as const;

/** Asleep on its volume in north-a, where no spot is left. */
async function asleep(set: Partial<PaperSettings> = ZONAL, spec: Partial<InstanceSpec> = {}): Promise<PaperWorld> {
  const world = await paperWorld(set);
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec(spec)).then(() => hibernate(fleet)));
  soldOut(world, "north-a");
  return world;
}

function soldOut({ cloud }: PaperWorld, ...names: readonly string[]): void {
  for (const zone of cloud.zones) if (names.includes(zone.zone)) zone.stock = 0;
}

async function train({ state }: PaperWorld): Promise<InstanceRecord> {
  const [record] = await state.instances();
  if (record === undefined) throw new Error("no train");
  return record;
}

async function wake(world: PaperWorld, set: { allow?: readonly RungName[]; ceiling?: string; capMs?: number } = {}, fleet?: Fleet) {
  const { allow = USUAL_RUNGS, ceiling = null, capMs = 10 * MINUTE_MS } = set;
  const record = await train(world);
  return world.clock.run(
    wakeUp(fleet ?? world.start().fleet, record, { signal, capMs, sleepLimitMs: 5 * MINUTE_MS, comeback: { allow, ceiling } }),
  );
}

const volumesOf = async ({ state }: PaperWorld) =>
  (await state.volumes()).map(({ name, zone, state: is }) => `${name} in ${zone}: ${is}`).sort();

test("where its zone is sold out it comes back in the sister zone, from a snapshot, and the old volume stays under a name of its own", async () => {
  const world = await asleep();
  const [sealed] = world.cloud.sealed;
  const awake = await wake(world);
  expect(awake).toMatchObject({ state: "running", zone: "north-b", billing: "spot" });
  expect(await volumesOf(world)).toEqual(["train in north-b: available", "train-north-a in north-a: available"]);
  expect(world.cloud.living().map(({ zone, volumeIds }) => [zone.zone, volumeIds.length])).toEqual([["north-b", 1]]);
  expect(world.cloud.snapshots.size).toBe(1);
  // What was sealed is on both, and the catalogue says so.
  for (const volume of world.cloud.volumes.values()) expect(volume.checkpoints).toEqual([sealed]);
  const known = await world.state.checkpoints({ instance: "train" });
  expect(known.map(({ id, volume }) => `${id} ${volume}`).sort()).toEqual([`${sealed?.id} train`, `${sealed?.id} train-north-a`]);
  expect(await world.state.pendingIntents()).toEqual([]);
  expect(awake.volumes).toHaveLength(1);
});
