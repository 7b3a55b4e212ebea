import { expect, onTestFinished, test } from "vitest";
import type { CheckpointTravel } from "../../src/fleet/climbing/travel.ts";
import { makeTwin } from "../../src/fleet/climbing/twins.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { type RungName, USUAL_RUNGS } from "../../src/model/comeback.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { brokenWhenQuiet } from "../simulation/invariants.ts";
import type { PaperSettings } from "../simulation/paper-cloud.ts";
import { type PaperWorld, paperSpec, paperWorld, untilQuiet } from "../simulation/paper-world.ts";
import { down, hibernate, up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;
const MINUTE_MS = 60_000;
const BUCKET = { hibernates: "park", zonal: true, readable: true, bucket: true } as const;
const COPY: readonly RungName[] = ["same-machine", "same-zone", "copy"];

/** Asleep on its volume in north-a, where no spot is left; what is sealed lies in a bucket as well. */
async function asleep(set: Partial<PaperSettings> = {}): Promise<PaperWorld> {
  const world = await paperWorld({ ...BUCKET, ...set });
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()).then(() => hibernate(fleet)));
  stock(world, { "north-a": 0 });
  return world;
}

function stock({ cloud }: PaperWorld, set: Readonly<Record<string, number>>): void {
  for (const zone of cloud.zones) zone.stock = set[zone.zone] ?? zone.stock;
}

async function train({ state }: PaperWorld): Promise<InstanceRecord> {
  const [record] = await state.instances();
  if (record === undefined) throw new Error("no train");
  return record;
}

async function wake(world: PaperWorld, allow: readonly RungName[] = COPY, capMs = 3 * MINUTE_MS, fleet?: Fleet) {
  const record = await train(world);
  const comeback = { allow, ceiling: null };
  return world.clock.run(wakeUp(fleet ?? world.start().fleet, record, { signal, capMs, sleepLimitMs: 5 * MINUTE_MS, comeback }));
}

const late = { code: "SPOT_E_WAKE_TIMEOUT" };
const volumesOf = async ({ state }: PaperWorld) => (await state.volumes()).map(({ name, zone }) => `${name} in ${zone}`).sort();
/** Where its machines are, and what lies on their disks. */
const machines = ({ cloud }: PaperWorld) =>
  cloud.living().map(({ zone, volumeIds: [disk = ""] }) => [zone.zone, cloud.volumes.get(disk)?.checkpoints.map(({ id }) => id)]);

test("a volume whose copy has arrived and is not sealed yet has no name, and nobody's work begins empty on what is made of it", async () => {
  const world = await asleep({ sealsMs: 60 * MINUTE_MS });
  const said: string[] = [];
  await expect(wake(world, COPY, 3 * MINUTE_MS, { ...world.start().fleet, say: (text) => void said.push(text) })).rejects.toMatchObject(
    late,
  );
  expect(said.join("\n")).not.toContain("spot volumes rm train-north-a");
  expect(await volumesOf(world)).toEqual(["train in north-a", "train-north-b in north-b"]);
  Object.assign(world.cloud.settings, { sealsMs: 0 });
  stock(world, { "north-a": 2, "north-b": 0, "south-a": 0 });
  await world.clock.pass(4 * MINUTE_MS);
  expect(await wake(world, USUAL_RUNGS)).toMatchObject({ zone: "north-a" });
  expect(machines(world)).toEqual([["north-a", ["c-1"]]]);
  expect(await brokenWhenQuiet(world)).toEqual([]);
});

test("where an empty volume has the name all the same, no snapshot of it is a way back, and what is made of one is held back", async () => {
  const world = await asleep({ sealsMs: 60 * MINUTE_MS });
  await expect(wake(world)).rejects.toMatchObject(late);
  const volumes = await world.state.volumes();
  const home = volumes.find(({ name }) => name === "train");
  const vessel = volumes.find(({ name }) => name === "train-north-b");
  if (home === undefined || vessel === undefined) throw new Error("no volumes");
  // As a version before left it.
  const record = await train(world);
  const set = { volumes: [{ name: "train", id: vessel.id, mount: "/data" }] };
  const removeCheckpoints = await world.state.checkpoints({ volume: "train" });
  const renamed = [
    { ...home, name: "train-north-a" },
    { ...vessel, name: "train" },
  ];
  await world.state.commit({ instance: { id: record.id, version: record.version, set }, volumes: renamed, removeCheckpoints });
  Object.assign(world.cloud.settings, { sealsMs: 0 });
  stock(world, { "north-a": 2, "north-b": 0, "south-a": 0 });
  await world.clock.pass(4 * MINUTE_MS);
  await wake(world, USUAL_RUNGS);
  expect(machines(world)).toEqual([["north-a", ["c-1"]]]);
  expect(await brokenWhenQuiet(world)).toEqual([]);
});

test("one that is killed right after the copy was sealed leaves the name to whoever comes next, and its work goes on there", async () => {
  const world = await asleep();
  const process = world.start();
  const { travel } = process.fleet;
  if (travel === undefined) throw new Error("no travel");
  const killed: CheckpointTravel = {
    ...travel,
    async bring(...order) {
      await travel.bring(...order);
      await new Promise(() => undefined);
    },
  };
  void wake(world, COPY, 30 * MINUTE_MS, { ...process.fleet, travel: killed }).catch(() => undefined);
  await world.clock.pass(2 * MINUTE_MS);
  expect([machines(world), await volumesOf(world)]).toEqual([[["north-b", ["c-1"]]], ["train in north-a", "train-north-b in north-b"]]);
  world.bury(process);
  await world.clock.run(reconcile(world.start().fleet, { signal, limitMs: MINUTE_MS }));
  expect(await train(world)).toMatchObject({ state: "running", zone: "north-b" });
  expect(await volumesOf(world)).toEqual(["train in north-b", "train-north-a in north-a"]);
  expect((await world.state.checkpoints({ volume: "train" })).map(({ id }) => id)).toEqual(["c-1"]);
});

test("one that is put to sleep right after its copy was sealed is put to sleep on that volume", async () => {
  const world = await asleep();
  const process = world.start();
  const { travel } = process.fleet;
  if (travel === undefined) throw new Error("no travel");
  const killed: CheckpointTravel = {
    ...travel,
    async bring(...order) {
      await travel.bring(...order);
      await new Promise(() => undefined);
    },
  };
  void wake(world, COPY, 30 * MINUTE_MS, { ...process.fleet, travel: killed }).catch(() => undefined);
  await world.clock.pass(2 * MINUTE_MS);
  world.bury(process);
  const { fleet } = world.start();
  await world.clock.run(hibernate(fleet));
  expect([(await train(world)).state, await volumesOf(world)]).toEqual(["hibernated", ["train in north-b", "train-north-a in north-a"]]);
});

test("while its copy is on its way it is ended as soon as it is not to run any more, and the name stays", async () => {
  const world = await asleep({ bringMs: 60 * MINUTE_MS });
  const { fleet } = world.start();
  const restore = wake(world, COPY, 120 * MINUTE_MS, fleet).catch(() => undefined);
  await world.clock.pass(2 * MINUTE_MS);
  expect(world.cloud.living()).toHaveLength(1);
  const asked = world.clock.now();
  await world.clock.run(down(world.start().fleet));
  expect(world.clock.now() - asked).toBeLessThan(MINUTE_MS);
  expect(world.cloud.living()).toEqual([]);
  await restore;
  expect(await volumesOf(world)).toEqual(["train in north-a", "train-north-b in north-b"]);
});

test("where its cloud hibernates, a machine that has only awaited its copy is ended past the cap, and all ways back are as before", async () => {
  const world = await asleep({ hibernates: "native", bringMs: 60 * MINUTE_MS });
  expect(world.cloud.living()).toHaveLength(1);
  await expect(wake(world)).rejects.toMatchObject(late);
  expect([await train(world), world.cloud.living()]).toMatchObject([{ state: "hibernated", parked: "recreate", providerId: null }, []]);
  Object.assign(world.cloud.settings, { bringMs: 1_000 });
  await world.clock.pass(4 * MINUTE_MS);
  expect(await wake(world)).toMatchObject({ state: "running", zone: "north-b" });
  expect(machines(world)).toEqual([["north-b", ["c-1"]]]);
});

test.each([true, false])(
  "where root disks are kept it comes back again and again (the copy arrives before the cap: %s)",
  async (isInTime) => {
    const world = await asleep({ keepsRoot: true, bringMs: isInTime ? 1_000 : 60 * MINUTE_MS });
    const root = (await train(world)).rootVolume;
    expect(root).not.toBeNull();
    const said: string[] = [];
    const fleet: Fleet = { ...world.start().fleet, say: (text) => void said.push(text) };
    if (isInTime) {
      expect(await wake(world, COPY, 3 * MINUTE_MS, fleet)).toMatchObject({ zone: "north-b", rootVolume: null });
      expect(said).toContainEqual(expect.stringMatching(/root disk .* train-root in paper north-a .*spot volumes rm train-root/));
      // It is taken from there, and comes back where its volume is.
      for (const machine of world.cloud.living()) world.cloud.reclaim(machine.id, 10_000);
      await world.clock.pass(20_000);
      expect(await untilQuiet(world)).toEqual([]);
      expect([await train(world), machines(world)]).toMatchObject([{ state: "running" }, [["north-b", ["c-1"]]]]);
      return;
    }
    await expect(wake(world, COPY, 3 * MINUTE_MS, fleet)).rejects.toMatchObject(late);
    expect(await train(world)).toMatchObject({ state: "hibernated", rootVolume: root });
    expect(await volumesOf(world)).toEqual(["train in north-a", "train-north-b in north-b", "train-root in north-a"]);
    stock(world, { "north-a": 2 });
    await world.clock.pass(4 * MINUTE_MS);
    expect(await wake(world)).toMatchObject({ state: "running", zone: "north-a" });
    expect(await brokenWhenQuiet(world)).toEqual([]);
  },
);

test("a root disk that lies where its volume does not is left, and said", async () => {
  const world = await asleep({ keepsRoot: true });
  const record = await train(world);
  const [root] = await world.state.volumes({ ids: [record.rootVolume ?? ""] });
  if (root?.providerId == null) throw new Error("no root disk");
  const disk = world.cloud.volumes.get(root.providerId);
  if (disk === undefined) throw new Error("no disk");
  world.cloud.volumes.set(disk.id, { ...disk, spec: { ...disk.spec, zone: "north-b" } });
  await world.state.commit({ volumes: [{ ...root, zone: "north-b" }] });
  stock(world, { "north-a": 2 });
  expect(await wake(world)).toMatchObject({ state: "running", zone: "north-a", rootVolume: null });
});

test("a volume on which part of a copy has arrived outlives a try without a machine there, and is gone on with", async () => {
  const world = await asleep({ bringMs: 60 * MINUTE_MS });
  await expect(wake(world)).rejects.toMatchObject(late);
  const made = [...world.cloud.volumes.keys()];
  stock(world, { "north-b": 0, "south-a": 0 });
  await world.clock.pass(4 * MINUTE_MS);
  await expect(wake(world)).rejects.toMatchObject(late);
  expect([...world.cloud.volumes.keys()]).toEqual(made);
  stock(world, { "north-b": 1 });
  Object.assign(world.cloud.settings, { bringMs: 1_000 });
  await world.clock.pass(4 * MINUTE_MS);
  expect(await wake(world)).toMatchObject({ zone: "north-b" });
  expect([...world.cloud.volumes.keys()]).toEqual(made);
});

test("an empty volume that was ordered for one copy is not taken for another one, nor for one that is filled before", async () => {
  const world = await asleep();
  const { fleet } = world.start();
  const record = await train(world);
  const [home] = await world.state.volumes();
  if (home === undefined) throw new Error("no volume");
  const place = { provider: "paper", region: "north", zone: "north-b" };
  const begin = async (source?: { readonly place: string; readonly sha256: string }) => {
    const copy = { of: home.id, checkpoint: "c-1", snapshot: null, ...(source === undefined ? {} : { source }) };
    const { cloud } = world;
    // Nobody hears whether it was made, and it was not.
    const volumes = cloud.provider.volumes && {
      ...cloud.provider.volumes,
      create: () => Promise.reject(new ProviderError("paper", { kind: "ambiguous" }, "no answer")),
    };
    const provider = { ...cloud.provider, ...(volumes && { volumes }) };
    await world.clock.run(makeTwin({ ...fleet, provider: async () => provider }, record, home, place, copy, signal).catch(() => undefined));
  };
  await begin({ place: "s3://one", sha256: "aa" });
  await begin({ place: "s3://one", sha256: "aa" });
  const names = async () => (await world.state.volumes()).map(({ name }) => name).sort();
  expect(await names()).toEqual(["train", "train-north-b"]);
  await begin({ place: "s3://two", sha256: "aa" });
  expect(await names()).toEqual(["train", "train-north-b", "train-north-b-2"]);
  await begin();
  expect(await names()).toEqual(["train", "train-north-b", "train-north-b-2", "train-north-b-3"]);
});

test("a machine that was lost after it had served leaves word until when it may have sealed unheard; one that slept sealed does not", async () => {
  const world = await asleep();
  expect((await train(world)).outlook.unsealedUntil).toBeUndefined();
  stock(world, { "north-a": 2 });
  await world.clock.pass(4 * MINUTE_MS);
  await wake(world);
  const [machine] = world.cloud.living();
  world.cloud.reclaim(machine?.id ?? "", 10_000);
  await world.clock.pass(20_000);
  await world.clock.run(reconcile(world.start().fleet, { signal, limitMs: MINUTE_MS }));
  expect((await train(world)).outlook.unsealedUntil).toBeGreaterThan(world.clock.now() - 2 * MINUTE_MS);
});

test("what is made from a snapshot of a volume that began empty waits for the same checkpoint, and goes on where that is on it", async () => {
  const world = await asleep();
  expect(await wake(world)).toMatchObject({ zone: "north-b" });
  await world.clock.run(hibernate(world.start().fleet));
  stock(world, { "north-a": 2, "north-b": 0, "south-a": 0 });
  await world.clock.pass(4 * MINUTE_MS);
  expect(await wake(world, ["same-zone", "snapshot"])).toMatchObject({ state: "running", zone: "north-a" });
  expect(world.cloud.living().map(({ awaits }) => awaits)).toEqual(["c-1"]);
  expect(machines(world)).toEqual([["north-a", ["c-1", "c-2"]]]);
});
