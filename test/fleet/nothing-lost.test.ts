import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { surveyLadder } from "../../src/fleet/climbing/survey.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { beforeEnd, withUse } from "../../src/fleet/steps/used.ts";
import { snapshotVolume } from "../../src/fleet/volumes/volume-snapshots.ts";
import { moneyMeter } from "../../src/fleet/wakes/money-meter.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { USUAL_RUNGS } from "../../src/model/comeback.ts";
import type { InstanceState } from "../../src/model/instance.ts";
import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { Provider } from "../../src/providers/provider.ts";
import type { InstanceRecord, InstanceSpec, State } from "../../src/state/records.ts";
import type { PaperMachine, PaperSettings } from "../simulation/paper-cloud.ts";
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
      (await volumes.list(context)).map((one) => ({ ...one, localPath: join(tmpdir(), "spot-no-such-volume") })),
  };
  const local = () => ({ ...writesElsewhere(world), provider: async () => ({ ...provider, volumes: readable }) });
  await world.clock.run(up(local(), paperSpec()).then(() => hibernate(local())));
  const [home] = world.cloud.volumes.keys();
  stock(world, "north-a", 0);
  // A snapshot takes along what no checkpoint knows of; the volume itself is kept.
  expect(await wake(world, local())).toMatchObject({ zone: "north-b" });
  const [kept, made] = [...world.cloud.volumes.entries()];
  expect([kept?.[0], made?.[1].spec.fromSnapshotId]).toEqual([home, expect.stringMatching(/^s-/)]);
});

/** A restore that is killed the moment its machine is adopted: nobody watches that one from then on. */
async function killedWhenAdopted(world: PaperWorld): Promise<PaperMachine> {
  const process = world.start();
  const state: State = {
    ...world.state,
    async commit(change) {
      const result = await world.state.commit(change);
      if (change.instance?.set.state === "provisioning") await new Promise(() => undefined);
      return result;
    },
  };
  const fleet = { ...unread(process.fleet), state };
  void wakeUp(fleet, await train(world), { signal, capMs: 10 * MINUTE_MS, sleepLimitMs: MINUTE_MS }).catch(() => undefined);
  await world.clock.pass(MINUTE_MS);
  world.bury(process);
  const [machine] = world.cloud.living();
  if (machine === undefined) throw new Error("no machine was adopted");
  return machine;
}

/** Nothing can be read of its disks without a machine. */
const unread = ({ travel: _, ...fleet }: Fleet): Fleet => fleet;

/** It works for hours, seals onto its volume, and is taken back. */
async function worksUnseen(world: PaperWorld, machine: PaperMachine): Promise<string> {
  await world.clock.pass(300 * MINUTE_MS);
  world.cloud.volumes.get(machine.volumeIds[0] ?? "")?.checkpoints.push({ id: "c-unseen", machine: machine.id, at: world.clock.now() });
  world.cloud.reclaim(machine.id, 0);
  await world.clock.pass(3 * MINUTE_MS);
  return "c-unseen";
}

const disksWith = ({ cloud }: PaperWorld, checkpoint: string) =>
  [...cloud.volumes.values()].filter(({ checkpoints }) => checkpoints.some(({ id }) => id === checkpoint)).map(({ spec }) => spec.zone);

async function parked(spec: Partial<InstanceSpec> = {}): Promise<PaperWorld> {
  const world = await worldOf({ hibernates: "park" });
  await world.clock.run(up(world.start().fleet, paperSpec(spec)).then(() => hibernate(world.start().fleet)));
  return world;
}

test("what a machine may have cost that nobody watched is in the ledger, estimated and said, and is no cost of the next restore", async () => {
  const world = await parked();
  const machine = await killedWhenAdopted(world);
  await worksUnseen(world, machine);
  const meter = await moneyMeter(world.start().fleet, (await train(world)).id, { micros: 1_000_000n, currency: "USD" });
  await wake(world, world.start().fleet);
  const [life, ...more] = (await world.state.ledger({})).filter(({ providerId }) => providerId === machine.id);
  expect(more).toEqual([]);
  const [from, to] = [life?.from ?? 0, life?.to ?? 0];
  expect(from).toBeGreaterThanOrEqual(machine.createdAt);
  expect(to - from).toBeGreaterThanOrEqual(300 * MINUTE_MS);
  expect(to).toBeLessThanOrEqual(world.clock.now());
  const said = (await world.state.events({ limit: 10_000 })).filter(({ data }) => data["guard"] === "ledger");
  expect(said.map(({ data }) => data["message"])).toEqual([expect.stringContaining(`nobody looked at its machine ${machine.id}`)]);
  // At a dollar an hour five hours would have been five times the money.
  expect(await meter.left()).toBeGreaterThan(900_000n);
});

test("a snapshot from before a machine that nobody watched is not gone on from", async () => {
  const world = await parked();
  const [home] = await world.state.volumes();
  if (home === undefined) throw new Error("no volume");
  await world.clock.run(snapshotVolume(world.start().fleet, home, signal));
  await world.clock.pass(MINUTE_MS);
  const unseen = await worksUnseen(world, await killedWhenAdopted(world));
  stock(world, "north-a", 0);
  expect(await wake(world, unread(world.start().fleet))).toMatchObject({ zone: "north-b" });
  expect(disksWith(world, unseen)).toEqual(["north-a", "north-b"]);
});

test("the disk on which a machine worked that nobody watched is never deleted as a copy for which there is no machine", async () => {
  const world = await parked({ regions: ["north"] });
  stock(world, "north-a", 0);
  const unseen = await worksUnseen(world, await killedWhenAdopted(world));
  expect(disksWith(world, unseen)).toEqual(["north-b"]);
  stock(world, "north-b", 0);
  stock(world, "north-a", 3);
  Object.assign(world.cloud.settings, { provisionMs: 20 * MINUTE_MS });
  await expect(wake(world, unread(world.start().fleet))).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  stock(world, "north-a", 0);
  await world.clock.pass(10 * MINUTE_MS);
  await expect(wake(world, unread(world.start().fleet))).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  expect(disksWith(world, unseen)).toContain("north-b");
  Object.assign(world.cloud.settings, { provisionMs: 900 });
  stock(world, "north-b", 3);
  await world.clock.pass(10 * MINUTE_MS);
  const awake = await wake(world, unread(world.start().fleet));
  const [machine] = world.cloud.living();
  expect(awake.state).toBe("running");
  expect(world.cloud.volumes.get(machine?.volumeIds[0] ?? "")?.checkpoints).toContainEqual(expect.objectContaining({ id: unseen }));
});

test("a machine that came to nothing before it began makes no copy stale, and one that may have begun does", () => {
  const outlook = { ...FRESH_OUTLOOK };
  const ended = (state: InstanceState) => ({ outlook: beforeEnd(outlook, { state }, 1_000), providerId: "m-1" });
  expect(withUse(ended("provisioning"), 2_000)).toEqual(outlook);
  expect(withUse(ended("hibernated"), 2_000)).toEqual(outlook);
  expect(withUse(ended("running"), 2_000)).toEqual({ ...outlook, usedUntil: 2_000 });
  // Hours later nobody knows that it was ended when that was asked for.
  expect(withUse(ended("provisioning"), 3_600_000)).toEqual({ ...outlook, usedUntil: 3_600_000 });
  expect(withUse({ outlook, providerId: "m-1" }, 5)).toEqual({ ...outlook, usedUntil: 5 });
  expect(withUse({ outlook, providerId: null }, 5)).toEqual(outlook);
});

test("to look at the ways back changes nothing, also where the kept root disk is not to be seen", async () => {
  const world = await parked();
  const { id, version } = await train(world);
  const [home] = await world.state.volumes();
  if (home === undefined) throw new Error("no volume");
  const root = { ...home, id: "v-root", name: "train-root", providerId: "d-nowhere" };
  await world.state.commit({ volumes: [root], instance: { id, version, set: { rootVolume: root.id } } });
  const before = [await world.state.lastSeq(), await world.state.volumes(), await world.state.ledger({})];
  const look = surveyLadder(world.start().fleet, await train(world), { allow: USUAL_RUNGS, ceiling: null }, signal);
  expect((await world.clock.run(look)).input.root).toBeNull();
  expect([await world.state.lastSeq(), await world.state.volumes(), await world.state.ledger({})]).toEqual(before);
  // The restore itself writes it off.
  expect(await wake(world, world.start().fleet)).toMatchObject({ state: "running", rootVolume: null });
  expect((await world.state.volumes()).map(({ name }) => name)).toEqual(["train"]);
});

test("what a way back leaves that bills is named: a snapshot that was there before, and copies for which there is no machine in the end", async () => {
  const world = await parked();
  stock(world, "north-a", 0);
  const said: string[] = [];
  const saying = (): Fleet => ({ ...unread(world.start().fleet), say: (text) => void said.push(text) });
  const { launch } = world.cloud.provider;
  // In the sister zone nobody hears whether its machine was rented, and it was not: its copy stays.
  const provider: Provider = {
    ...world.cloud.provider,
    launch: (spec, context) =>
      spec.offer.zone === "north-b"
        ? Promise.reject(new ProviderError("paper", { kind: "ambiguous" }, "no answer"))
        : launch(spec, context),
  };
  await expect(wake(world, { ...saying(), provider: async () => provider })).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  const remove = expect.stringMatching(/go on billing: .*: spot volumes rm train-north-b$/);
  expect(said.filter((text) => text.includes("copies of"))).toEqual([remove]);
  // Its own zone has room again.
  stock(world, "north-a", 3);
  await world.clock.pass(10 * MINUTE_MS);
  said.length = 0;
  expect(await wake(world, saying())).toMatchObject({ zone: "north-a" });
  expect(said).toContainEqual(remove);
  const [told] = (await world.state.events({})).filter(({ data }) => data["action"] === "copies-left");
  expect(told?.data["volumes"]).toEqual(["train-north-b"]);
  await world.clock.run(hibernate(world.start().fleet));
  stock(world, "north-a", 0);
  const home = (await world.state.volumes()).find(({ name }) => name === "train");
  if (home === undefined) throw new Error("no volume");
  await world.clock.run(snapshotVolume(world.start().fleet, home, signal));
  await world.clock.pass(MINUTE_MS);
  said.length = 0;
  expect(await wake(world, saying())).toMatchObject({ zone: "north-b" });
  const ids = [...world.cloud.snapshots.keys()];
  expect(said).toContainEqual(expect.stringContaining(`stays and bills: spot volumes snapshot --rm ${ids.at(-1)}`));
});
