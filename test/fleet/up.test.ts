import { expect, onTestFinished, test } from "vitest";
import { EXIT } from "../../src/model/exit-codes.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

async function emptyWorld(set: Parameters<typeof paperWorld>[0] = {}): Promise<PaperWorld> {
  const world = await paperWorld(set);
  onTestFinished(() => world.state.close());
  return world;
}

test("an answer that is lost at the end of a long wait makes no second machine", async () => {
  const trial = await emptyWorld();
  const traced = trial.start();
  await trial.clock.run(up(traced.fleet, paperSpec()));
  const at = traced.trace.findIndex((effect) => effect.name === "launch") + 1;
  const world = await emptyWorld();
  const record = await world.clock.run(up(world.start({ at, mode: "lost" }).fleet, paperSpec()));
  expect(record.state).toBe("running");
  expect(world.cloud.machines.size).toBe(1);
});

test("a region without capacity is left for the next one, and the empty volume that was made there goes", async () => {
  const world = await emptyWorld();
  for (const zone of world.cloud.zones) if (zone.region === "north") zone.stock = 0;
  const record = await world.clock.run(up(world.start().fleet, paperSpec()));
  expect(record).toMatchObject({ state: "running", region: "south" });
  expect([...world.cloud.volumes.values()].map((volume) => volume.spec.region)).toEqual(["south"]);
  expect((await world.state.volumes()).map((volume) => volume.region)).toEqual(["south"]);
});

test("without capacity anywhere nothing is left behind: no machine, no volume, no living record", async () => {
  const world = await emptyWorld();
  for (const zone of world.cloud.zones) zone.stock = 0;
  await expect(world.clock.run(up(world.start().fleet, paperSpec()))).rejects.toMatchObject({ exit: EXIT.noCapacity });
  expect([world.cloud.machines.size, world.cloud.volumes.size, await world.state.instances(), await world.state.volumes()]).toEqual([
    0,
    0,
    [],
    [],
  ]);
});

test("a volume that was there before stays where it is, and so does the instance", async () => {
  const world = await emptyWorld();
  const first = await world.clock.run(
    up(world.start().fleet, paperSpec({ name: "first", volume: { name: "data", sizeGb: 5, mount: "/data" } })),
  );
  expect(first.region).toBe("north");
  world.cloud.reclaim(first.providerId ?? "", 0);
  for (const zone of world.cloud.zones) if (zone.region === "north") zone.stock = 0;
  const spec = paperSpec({ name: "second", volume: { name: "data", sizeGb: 5, mount: "/data" } });
  await expect(world.clock.run(up(world.start().fleet, spec))).rejects.toMatchObject({ exit: EXIT.noCapacity });
  expect(world.cloud.volumes.size).toBe(1);
});
