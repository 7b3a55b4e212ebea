import { readdirSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { sealedFolder } from "../../src/checkpoints/catalogue.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { checkpointDoor } from "../../src/fleet/volumes/checkpoint-door.ts";
import { carryOutPrune, planPrune } from "../../src/fleet/volumes/checkpoint-prune.ts";
import { checkpointsRead, whileReading } from "../../src/fleet/volumes/checkpoint-reading.ts";
import { check, newSearch } from "../../src/fleet/volumes/checkpoint-search.ts";
import { syncCheckpoints } from "../../src/fleet/volumes/checkpoint-sync.ts";
import { withVolume } from "../../src/fleet/volumes/volumes.ts";
import { idAt, sealSample } from "../checkpoints/sealing.ts";
import { paperWorld } from "../simulation/paper-world.ts";
import { sampleInstance, sampleIntent, sampleVolume } from "../state/sample-records.ts";
import { temporaryFolder } from "../state/temporary-folder.ts";
import { testWorld } from "../world.ts";

const { signal } = new AbortController();

/** A fleet that sees a volume with four checkpoints of one instance, and no machine. */
async function fleetWithVolume() {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const path = temporaryFolder();
  const ids = [1, 2, 3, 4].map(idAt);
  for (const [index, id] of ids.entries()) sealSample(path, { id, created: 1_700_000_000 + index, files: { log: `${index}` } });
  const volume = sampleVolume("disk", { providerId: "disk-1" });
  await world.state.commit({ volumes: [volume] });
  const { fleet: blind } = world.start();
  const provider = world.cloud.provider;
  const list = async () => [{ providerId: "disk-1", localPath: path }];
  const seeing = { ...provider, volumes: { ...provider.volumes, list } } as unknown as typeof provider;
  const fleet: Fleet = { ...blind, provider: async () => seeing };
  return { world, fleet, volume, path, ids };
}

const there = (path: string) => readdirSync(sealedFolder(path)).sort();

test("what somebody begins to read between the plan and its doing is spared, and said; what was read before is in the plan", async () => {
  const { fleet, volume, path, ids } = await fleetWithVolume();
  const [first = "", second = "", third = "", newest = ""] = ids;
  const door = checkpointDoor(testWorld());
  await whileReading(fleet, { id: second, volume: "disk" }, "restored", signal, async () => {
    const plan = await planPrune(fleet, volume, { rules: { keepLast: 1 }, instances: null, door }, signal);
    expect(plan.rows.map(({ item, because }) => [item.id, because])).toEqual([
      [newest, ["newest", "last 1"]],
      [third, []],
      [second, ["in use: being restored"]],
      [first, []],
    ]);
    await whileReading(fleet, { id: third, volume: "disk" }, "copied", signal, async () => {
      const outcome = await carryOutPrune(fleet, plan, door, signal);
      expect(outcome).toMatchObject({ pruned: [first], spared: new Map([[third, "being copied"]]) });
    });
  });
  expect(there(path)).toEqual([second, third, newest]);
  expect(await checkpointsRead(fleet)).toEqual(new Map());
});

test("who wants to read one while checkpoints are removed waits until that is over", async () => {
  const { world, fleet } = await fleetWithVolume();
  const order: string[] = [];
  let remove = () => {};
  const removing = withVolume(fleet, "disk", signal, async () => {
    await new Promise<void>((resolve) => {
      remove = resolve;
    });
    order.push("removed");
  });
  await expect.poll(async () => (await world.state.leasesUnder("volume:", world.clock.now())).length).toBe(1);
  const reading = whileReading(fleet, { id: "c-1", volume: "disk" }, "copied", signal, async () => {
    order.push("read");
  });
  // Long enough for whoever does not wait: each turn is a question to the database, as taking a lease is.
  for (let turn = 0; turn < 50; turn++) await world.state.leasesUnder("reading:", world.clock.now());
  expect(order).toEqual([]);
  remove();
  await removing;
  await world.clock.run(reading);
  expect(order).toEqual(["removed", "read"]);
});

test("where a clock went backwards, the one that a machine would begin from stays, although another one says that it is newer", async () => {
  const { fleet, volume, path } = await fleetWithVolume();
  const later = idAt(9);
  sealSample(path, { id: later, created: 1_600_000_000, files: { log: "later" } });
  const door = checkpointDoor(testWorld());
  const plan = await planPrune(fleet, volume, { rules: { keepLast: 1 }, instances: null, door }, signal);
  expect(plan.rows.find(({ item }) => item.id === later)?.because).toEqual(["in use: what train begins from next"]);
  await carryOutPrune(fleet, plan, door, signal);
  expect(there(path)).toEqual([idAt(4), later]);
});

test("what was freed is told once, also where the checkpoints of two instances went", async () => {
  const { world, fleet, volume, path } = await fleetWithVolume();
  for (const second of [5, 6]) sealSample(path, { id: idAt(second), instance: "serve", created: 1_700_000_010, files: { log: "x" } });
  const door = checkpointDoor(testWorld());
  const plan = await planPrune(fleet, volume, { rules: { keepLast: 1 }, instances: null, door }, signal);
  const { freed } = await carryOutPrune(fleet, plan, door, signal);
  const told = (await world.state.events({})).filter(({ data }) => data["action"] === "checkpoints-prune");
  expect(told.map(({ instance, data }) => [instance, data["count"], data["freedBytes"]]).toSorted()).toEqual([
    [null, undefined, freed],
    ["serve", 1, undefined],
    ["train", 3, undefined],
  ]);
  expect(freed).toBeGreaterThan(0);
});

test("what a verification writes down is there: nobody prunes it before", async () => {
  const { world, fleet, volume, ids } = await fleetWithVolume();
  const [first = ""] = ids;
  const [found] = ((await syncCheckpoints(fleet, volume, signal)) ?? []).filter(({ id }) => id === first);
  if (found === undefined) throw new Error("not sealed");
  let readers: readonly string[] = [];
  const commit: typeof fleet.state.commit = async (change) => {
    if (change.checkpoints !== undefined) readers = [...(await checkpointsRead(fleet)).keys()];
    return world.state.commit(change);
  };
  const search = newSearch({ ...fleet, state: { ...fleet.state, commit } }, checkpointDoor(testWorld()), signal, () => {});
  expect(await check(search, { id: first, instance: "train", volume, checkpoint: found, problems: [] })).toEqual([]);
  expect(readers).toEqual([first]);
});

test.each([
  ["is asked for", null, false, true],
  ["is asked for after a wait", { nextLook: 0 }, true, true],
  ["waits for capacity", { nextLook: 0 }, false, false],
] as const)("while a machine %s, its volume is pruned accordingly", async (_, waiting, isAsked, refused) => {
  const { world, fleet, volume } = await fleetWithVolume();
  const coming = sampleInstance("b", { state: "requested", providerId: null, volumes: [{ id: volume.id, name: "disk", mount: "/data" }] });
  const wait = waiting === null ? null : { reason: "there is no capacity", since: 0, ...waiting };
  const instance = { ...coming, outlook: { ...coming.outlook, waiting: wait } };
  await world.state.commit({ addInstance: instance });
  if (isAsked) await world.state.commit({ openIntents: [sampleIntent("n-b", { kind: "launch", instanceId: instance.id })] });
  const order = { rules: { keepLast: 1 }, instances: null, door: checkpointDoor(testWorld()) };
  const plan = planPrune(fleet, volume, order, signal);
  if (refused)
    await expect(plan).rejects.toMatchObject({ code: "SPOT_E_IN_USE", message: expect.stringContaining("is to be in the machine") });
  else expect((await plan).rows).toHaveLength(4);
});
