import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openState } from "../../src/state/open.ts";
import { eventually } from "../guest/machine.ts";
import { spot, testWorld } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

test("a machine that no record explains and that cannot be ended is named, by reconcile and by a watch, until it is ended", async () => {
  const world = await cloudWorld();
  await must(world, "up", "--name", "train", "--gpu", "A10G", "--volume", "none", "--yes", "--", "sleep", "1000");
  const [{ providerId }] = await data(world, "ls");
  const state = await openState(join(world.home, "state.db"));
  const record = await state.instanceByName("train");
  if (record === undefined) throw new Error("no record");
  await state.commit({ instance: { id: record.id, version: record.version, set: { state: "gone", desired: "gone" } } });
  await state.close();
  await must(world, "local", "chaos", "destroy", "fail", "--times", "1000");
  const { code, stdout } = await spot(world, "reconcile", "--json");
  expect([code, JSON.parse(stdout).data]).toEqual([
    6,
    [{ what: `local ${providerId}`, outcome: "open", why: expect.stringContaining("it could not be ended") }],
  ]);

  const over = new AbortController();
  const watching = testWorld({ home: world.home, signal: over.signal });
  const ended = spot(watching, "watch", "--act");
  onTestFinished(async () => {
    over.abort("SIGINT");
    await ended;
  });
  await eventually("a word about it", () => watching.said().includes(`local ${providerId}: no record explains it`) || undefined);
  await must(world, "local", "chaos", "--clear");
  await eventually("its end", async () => (await machines(world)) === 0 || undefined);
});
