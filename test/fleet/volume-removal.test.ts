import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { adopt } from "../../src/fleet/orphans/adopt.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { bringUp, claimName, newRecord } from "../../src/fleet/up.ts";
import { promiseOnVolume } from "../../src/fleet/volumes/volume-promise.ts";
import { removeVolume } from "../../src/fleet/volumes/volume-removal.ts";
import { ensureVolume, volumeNamed } from "../../src/fleet/volumes/volumes.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import type { VolumeRecord } from "../../src/state/records.ts";
import { orphans } from "../simulation/orphan-scenarios.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, hibernate, up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;
const DATA = { name: "data", sizeGb: 5, mount: "/data" };
const PLACE = { region: "north", zone: "north-a" };

async function paper(set: Parameters<typeof paperWorld>[0] = {}) {
  const world = await paperWorld(set);
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  const run = <Result>(work: Promise<Result>) => world.clock.run(work);
  return { world, fleet, run, pass: () => run(reconcile(fleet, { signal, limitMs: 60_000 })) };
}

/** A free volume, and the promise of a `volumes rm` that was killed right after it was written. */
async function interrupted({ world, fleet, run }: Awaited<ReturnType<typeof paper>>): Promise<VolumeRecord> {
  const made = await run(ensureVolume(fleet, world.cloud.provider, DATA, PLACE, signal));
  await promiseOnVolume(fleet, made, "volume-remove");
  return made;
}

const named = (name: string) => paperSpec({ name, volume: DATA });
const open = async ({ state }: PaperWorld) => (await state.pendingIntents()).map(({ kind }) => kind);

test("a deletion that was interrupted is finished by the next pass", async () => {
  const bench = await paper();
  await interrupted(bench);
  expect(await bench.pass()).toMatchObject({ volumes: [] });
  expect([bench.world.cloud.volumes.size, await bench.world.state.volumes(), await open(bench.world)]).toEqual([0, [], []]);
});

test("a deletion that was interrupted is called off by whoever is given the volume next", async () => {
  const bench = await paper({ hibernates: "park" });
  const made = await interrupted(bench);
  const b = await bench.run(up(bench.fleet, named("b")));
  expect(b.volumes).toMatchObject([{ id: made.id }]);
  expect(await open(bench.world)).toEqual([]);
  await bench.run(hibernate(bench.fleet, "b"));
  await bench.pass();
  await bench.run(down(bench.fleet, "b"));
  await bench.pass();
  expect([...bench.world.cloud.volumes.keys()]).toEqual([made.providerId]);
  expect(await bench.world.state.volumes()).toMatchObject([{ id: made.id, state: "available" }]);
});

test("a deletion that was interrupted is called off by the pass when a living record has the volume", async () => {
  const bench = await paper({ hibernates: "park" });
  const { world, fleet } = bench;
  const b = await bench.run(up(fleet, named("b")));
  await bench.run(hibernate(fleet, "b"));
  const [data] = await world.state.volumes();
  if (data === undefined) throw new Error("no volume");
  const intent = await promiseOnVolume(fleet, data, "volume-remove");
  expect((await bench.pass()).volumes).toEqual([]);
  expect([...world.cloud.volumes.keys()]).toEqual([data.providerId]);
  expect(await world.state.intentByToken(intent.token)).toMatchObject({ status: "failed", detail: { why: `${b.name} uses it` } });
});

test("a deletion that was done, and whose answer was lost, is not handed out as a volume", async () => {
  const bench = await paper();
  const made = await interrupted(bench);
  bench.world.cloud.volumes.delete(made.providerId ?? "");
  const b = await bench.run(up(bench.fleet, named("b")));
  expect(b).toMatchObject({ state: "running", volumes: [{ name: "data" }] });
  expect((await bench.world.state.volumes()).map(({ id }) => id === made.id)).toEqual([false]);
  expect(await open(bench.world)).toEqual([]);
});

test("a deletion that its cloud refuses is told once, and is not tried again on whatever has become of the volume", async () => {
  const bench = await paper();
  const { cloud, clock } = bench.world;
  const made = await interrupted(bench);
  // Somebody at the console has given it to a machine that is none of ours.
  const [offer] = await bench.run(cloud.provider.offers({}, { signal }));
  if (offer === undefined) throw new Error("nothing on offer");
  const theirs = { name: "theirs", token: "t-theirs", offer, volumes: [{ providerVolumeId: made.providerId ?? "", mount: "/data" }] };
  const rest = { maxPrice: null, image: null, env: {}, bootScript: "", sshKey: null, ports: [], registryAuth: null };
  const { providerId } = await bench.run(
    cloud.provider.launch({ ...theirs, ...rest, rootVolumeId: null, ttlSeconds: null, labels: {} }, { signal }),
  );
  await clock.pass(5_000);
  expect((await bench.pass()).volumes).toEqual([{ volume: "data", why: "the volume is attached" }]);
  cloud.console(providerId, "destroy");
  await clock.pass(60_000);
  expect((await bench.pass()).volumes).toEqual([]);
  expect([cloud.volumes.size, await open(bench.world)]).toEqual([1, []]);
});

test("while its cloud is down a deletion stays to be done", async () => {
  const bench = await paper();
  await interrupted(bench);
  bench.world.cloud.outageUntil = bench.world.clock.now() + 600_000;
  await bench.pass();
  expect(await open(bench.world)).toEqual(["volume-remove"]);
  await bench.world.clock.pass(600_000);
  await bench.pass();
  expect([bench.world.cloud.volumes.size, await open(bench.world)]).toEqual([0, []]);
});

/** Deletes what another process is about to make, as it was read before: asked for, and not there. */
async function removeBeside(bench: Awaited<ReturnType<typeof paper>>, making: (fleet: Fleet) => Promise<unknown>) {
  const { world, run } = bench;
  const other = world.start().fleet;
  const removing = async () => {
    let asked: VolumeRecord | undefined;
    for (let looks = 0; asked === undefined && looks < 10_000; looks++) {
      await world.clock.sleep(1);
      asked = await volumeNamed(other, "data");
    }
    if (asked === undefined || asked.providerId !== null) throw new Error("too late");
    return removeVolume(other, asked, signal);
  };
  const [made, removed] = await run(Promise.allSettled([making(bench.fleet), removing()]));
  if (made.status === "rejected") throw made.reason;
  return removed;
}

test("a volume that another command is making is deleted once it is there", async () => {
  const bench = await paper();
  const making = (fleet: Fleet) => ensureVolume(fleet, bench.world.cloud.provider, DATA, PLACE, signal);
  expect(await removeBeside(bench, making)).toMatchObject({ status: "fulfilled" });
  expect([bench.world.cloud.volumes.size, await bench.world.state.volumes()]).toEqual([0, []]);
});

test("a volume that is just being made for somebody is not deleted, and not said to be", async () => {
  const bench = await paper();
  const removed = await removeBeside(bench, (fleet) => up(fleet, named("b")));
  expect(removed).toMatchObject({ status: "rejected", reason: { code: "SPOT_E_IN_USE", message: expect.stringContaining("used by b") } });
  expect(await bench.world.state.volumes()).toMatchObject([{ name: "data", state: "available" }]);
});

test("a disk that was taken over while an instance waited for capacity is not its fresh volume", async () => {
  const bench = await paper();
  const { cloud, clock, state } = bench.world;
  for (const zone of cloud.zones) zone.stock = zone.onDemandStock = 0;
  // From a state that was lost: whatever was sealed on it is in no catalogue.
  const spec = { name: "data", token: "t-lost", sizeGb: 5, ...PLACE };
  cloud.volumes.set("d-lost", { id: "d-lost", spec, checkpoints: [] });
  const [offer] = await bench.run(cloud.provider.offers({}, { signal }));
  if (offer === undefined) throw new Error("nothing on offer");
  const waiting = newRecord(bench.fleet, named("t"), offer);
  await claimName(bench.fleet, waiting);
  await clock.pass(1_000);
  const other = bench.world.start().fleet;
  const found = await bench.run(orphans(other));
  expect(await bench.run(adopt(other, found, signal))).toMatchObject([{ outcome: "adopted", name: "data" }]);
  const said: string[] = [];
  const up = bringUp({ ...bench.fleet, say: (text) => said.push(text) }, waiting, {
    signal,
    limitMs: 600_000,
    waitFor: "ready",
    ours: true,
  });
  await expect(bench.run(up)).rejects.toMatchObject({ exit: EXIT.noCapacity });
  expect(cloud.volumes.has("d-lost")).toBe(true);
  // Nobody is told to delete it either.
  expect(said.filter((text) => text.includes("volumes rm"))).toEqual([]);
  expect(await state.volumes()).toMatchObject([{ name: "data", providerId: "d-lost", state: "available" }]);
});
