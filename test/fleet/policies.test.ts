import { expect, test } from "vitest";
import { LEAST_STAY_MS } from "../../src/fleet/deciding/policy.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { askProviders, orphansAmong } from "../../src/fleet/orphans/orphan-search.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { decisionsOf, decisionsView } from "../../src/output/decisions-view.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

const MINUTE_MS = 60_000;
const pass = (fleet: Fleet) => reconcile(fleet, { signal: new AbortController().signal, limitMs: 30_000 });

async function only(world: PaperWorld) {
  const [record] = await world.state.instances();
  if (record === undefined) throw new Error("there is no record");
  return record;
}

const decided = async ({ state }: PaperWorld) => decisionsOf(await state.events({ instances: ["train"], limit: 10_000 }));
const machineOf = ({ cloud }: PaperWorld) => cloud.living()[0];

/** Its machine is taken back with a short notice, and the passes go on until it has another one or says why not. */
async function taken(world: PaperWorld, fleet: Fleet): Promise<void> {
  const machine = machineOf(world);
  if (machine !== undefined) world.cloud.reclaim(machine.id, 0);
  await world.clock.run(pass(fleet));
}

test("after three reclaims within an hour another region is taken; when all have, the first again, and that is said", async () => {
  const world = await paperWorld();
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec({ volume: null })));
  const zones: (string | undefined)[] = [];
  for (let count = 0; count < 4; count++) {
    await world.clock.pass(12 * MINUTE_MS);
    await taken(world, fleet);
    zones.push(machineOf(world)?.zone.zone);
  }
  expect(zones).toEqual(["north-b", "north-a", "south-a", "north-a"]);
  const launch = (await decided(world)).findLast(({ action }) => action === "launch");
  expect(launch?.because).toContain("nothing else that fits has capacity: there all the same");
});

test("three reclaims within an hour and on-demand to come: no burnt zone is taken until the hour is over", async () => {
  const world = await paperWorld();
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec({ volume: null, fallbackAfterMs: 180 * MINUTE_MS })));
  const zones: (string | undefined)[] = [];
  for (let count = 0; count < 4; count++) {
    await world.clock.pass(12 * MINUTE_MS);
    await taken(world, fleet);
    zones.push(machineOf(world)?.zone.zone);
  }
  // The pool that shook a moment ago is worse than its neighbour by a fifth; after the third time both are burnt.
  expect(zones).toEqual(["north-b", "north-a", "south-a", undefined]);
  const { outlook, reason } = await only(world);
  expect(reason).toBe("it was taken back too often in north-a and north-b and south-a, and nothing else that fits has capacity");
  expect(outlook.waiting?.nextLook).toBeGreaterThan(world.clock.now());
  expect((await decided(world)).filter(({ action }) => action === "wait")).toHaveLength(1);
  for (let minute = 0; minute < 5; minute++) {
    await world.clock.pass(MINUTE_MS);
    await world.clock.run(pass(fleet));
  }
  // The same reason is told once.
  expect((await decided(world)).filter(({ action }) => action === "wait")).toHaveLength(1);
  await world.clock.pass(60 * MINUTE_MS);
  await world.clock.run(pass(fleet));
  expect(machineOf(world)?.zone.zone).toBe("north-a");
});

test("churn with billing auto: on demand, and that is said", async () => {
  const world = await paperWorld();
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec({ volume: null, billing: "auto", regions: ["north-a"] })));
  for (let count = 0; count < 3; count++) {
    await world.clock.pass(10 * MINUTE_MS);
    await taken(world, fleet);
  }
  expect(machineOf(world)?.billing).toBe("on-demand");
  const launch = (await decided(world)).findLast(({ action }) => action === "launch");
  expect(launch?.because).toContain("it was taken back too often in paper/north/north-a, passed over for now");
});

test("fallback at its time and not before; back to spot after half an hour, when spot is there again", async () => {
  const world = await paperWorld();
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec({ fallbackAfterMs: 15 * MINUTE_MS, returnToSpot: true })));
  await world.clock.pass(10 * MINUTE_MS);
  for (const zone of world.cloud.zones) zone.stock = -1;
  const lostAt = world.clock.now();
  await taken(world, fleet);
  expect((await only(world)).outlook.needsSince).toBeGreaterThanOrEqual(lostAt);
  while (machineOf(world) === undefined && world.clock.now() < lostAt + 30 * MINUTE_MS) {
    await world.clock.pass(20_000);
    await world.clock.run(pass(fleet));
  }
  const fallen = machineOf(world);
  expect(fallen?.billing).toBe("on-demand");
  expect((fallen?.createdAt ?? 0) - lostAt).toBeGreaterThanOrEqual(15 * MINUTE_MS);
  expect((fallen?.createdAt ?? 0) - lostAt).toBeLessThan(16 * MINUTE_MS);
  const launched = (await decided(world)).findLast(({ action }) => action === "launch");
  expect(launched?.because).toMatch(/spot was not to be had for 15m( \d+s)?: on demand, as --fallback-after says$/);

  for (const zone of world.cloud.zones) zone.stock = 3;
  while (machineOf(world)?.billing !== "spot" && world.clock.now() < lostAt + 120 * MINUTE_MS) {
    await world.clock.pass(MINUTE_MS);
    await world.clock.run(pass(fleet));
  }
  const back = machineOf(world);
  expect(back?.billing).toBe("spot");
  expect((back?.createdAt ?? 0) - (fallen?.createdAt ?? 0)).toBeGreaterThanOrEqual(LEAST_STAY_MS);
  expect(world.cloud.unsealedEnds).toEqual([]);
  const words = (await decided(world)).map(({ action }) => action);
  expect(words.filter((word) => word === "spot-back")).toHaveLength(1);
  const record = await only(world);
  const shown = await decisionsView(record, await decided(world), null).render(
    { bold: String, dim: String, red: String, green: String, yellow: String, cyan: String },
    100,
  );
  expect(shown).toContain("spot is back (paper/north/north-a/h100.1/spot): on offer for ");
});

test("a fleet without capacity does not hammer the cloud", async () => {
  const world = await paperWorld();
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec({ volume: null })));
  for (const zone of world.cloud.zones) zone.stock = -9;
  let asked = 0;
  const provider = await fleet.provider("paper");
  const counting: Fleet = {
    ...fleet,
    provider: async () => ({
      ...provider,
      offers: (query, context) => {
        asked++;
        return provider.offers(query, context);
      },
    }),
  };
  await taken(world, fleet);
  for (let passes = 0; passes < 120; passes++) {
    await world.clock.run(pass(counting));
    await world.clock.pass(5_000);
  }
  expect(asked).toBeGreaterThan(10);
  expect(asked).toBeLessThan(50);
  expect((await decided(world)).filter(({ action }) => action === "wait").length).toBeLessThan(12);
});

test("a neighbour's notice makes the others of its pool seal, once; those elsewhere do not", async () => {
  const world = await paperWorld();
  const { fleet } = world.start();
  const spec = (name: string, region?: string) =>
    paperSpec({ name, volume: { name, sizeGb: 10, mount: "/data" }, ...(region === undefined ? {} : { regions: [region] }) });
  for (const one of [spec("train"), spec("near"), spec("far", "south")]) await world.clock.run(up(fleet, one));
  await world.clock.pass(20 * MINUTE_MS);
  const [first] = world.cloud.living();
  if (first !== undefined) world.cloud.reclaim(first.id, 2 * MINUTE_MS);
  for (let count = 0; count < 10; count++) {
    await world.clock.run(pass(fleet));
    await world.clock.pass(5_000);
  }
  const sealed = world.cloud.living().filter((machine) => machine.sealedAt !== null);
  expect(sealed.map(({ name }) => name).sort()).toEqual(["near", "train"]);
  const told = (await world.state.events({ limit: 1_000 })).filter(({ data }) => data["action"] === "precaution");
  expect(told.map(({ instance, data }) => [instance, data["because"]])).toEqual([
    ["near", "a neighbour in the same pool got its notice (train)"],
  ]);
});

test("the policy checkpoint works on until the end and then rests on its volume", async () => {
  const world = await paperWorld();
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec({ onReclaim: "checkpoint" })));
  await world.clock.pass(20 * MINUTE_MS);
  const machine = machineOf(world);
  if (machine !== undefined) world.cloud.reclaim(machine.id, MINUTE_MS);
  await world.clock.run(pass(fleet));
  expect(await only(world)).toMatchObject({ state: "reclaiming", desired: "running" });
  expect(machineOf(world)?.state).toBe("running");
  await world.clock.pass(2 * MINUTE_MS);
  await world.clock.run(pass(fleet));
  expect(await only(world)).toMatchObject({ state: "hibernated", desired: "hibernated", parked: "recreate" });
});

test("spot that is refused after all costs no second wait: on demand again at once", async () => {
  const world = await paperWorld();
  const { fleet } = world.start();
  for (const zone of world.cloud.zones) zone.stock = 0;
  await world.clock.run(up(fleet, paperSpec({ fallbackAfterMs: 5 * MINUTE_MS, returnToSpot: true })));
  const first = machineOf(world);
  expect(first?.billing).toBe("on-demand");
  await world.clock.pass(40 * MINUTE_MS);
  // The price list goes on showing it.
  await world.clock.run(pass(fleet));
  const second = machineOf(world);
  expect([second?.billing, second?.id === first?.id]).toEqual(["on-demand", false]);
  expect((second?.createdAt ?? 0) - (first?.endedAt ?? 0)).toBeLessThan(10_000);
});

test("a machine rented ahead is its instance's: in the ledger, and for whoever looks for orphans", async () => {
  const world = await paperWorld({ attaches: true });
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()));
  await world.clock.pass(20 * MINUTE_MS);
  const first = machineOf(world);
  if (first !== undefined) world.cloud.reclaim(first.id, 30_000);
  await world.clock.run(pass(fleet));
  await world.clock.pass(10_000);
  await world.clock.run(pass(fleet));
  const living = world.cloud.living();
  expect(living.map(({ state }) => state)).toEqual(["running", "running"]);
  const open = await world.state.ledger({ openOnly: true });
  expect(open.filter(({ kind }) => kind === "gpu").map(({ providerId }) => providerId)).toEqual(living.map(({ id }) => id));
  const found = await world.clock.run(askProviders([world.cloud.provider], new AbortController().signal, { harmless: false }));
  expect(found.resources.filter(({ kind }) => kind === "machine")).toHaveLength(2);
  expect(await orphansAmong(world.state, found.resources)).toEqual([]);
  await world.clock.pass(40_000);
  await world.clock.run(pass(fleet));
  expect(await only(world)).toMatchObject({ state: "running", providerId: living[1]?.id, generation: 2 });
  expect(world.cloud.living()).toHaveLength(1);
});
