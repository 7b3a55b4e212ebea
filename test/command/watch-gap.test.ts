import { join } from "node:path";
import { expect, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { createGuestDoor } from "../../src/fleet/guest-door.ts";
import { openEar } from "../../src/fleet/hearing/ear.ts";
import { look } from "../../src/fleet/hearing/look.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import { noLeases } from "../../src/fleet/leases/held-leases.ts";
import { createProvider } from "../../src/providers/registry.ts";
import { openState } from "../../src/state/open.ts";
import { eventually } from "../guest/machine.ts";
import { sampleInstance } from "../state/sample-records.ts";
import type { TestWorld } from "../world.ts";
import { cloudWorld, must } from "./cloud.ts";
import { startWatch } from "./watching.ts";

/** A wall clock that can be put forward and back while the monotonic one goes on as if nothing were. */
function jumpingClock() {
  const jump = { ms: 0 };
  const change = (world: TestWorld): TestWorld => ({ ...world, clock: { ...world.clock, now: () => world.clock.now() + jump.ms } });
  return { jump, change };
}

test("a computer that slept: the watch says from when to when, lists everything, says what became of each machine, and goes on", async () => {
  const { home } = await cloudWorld();
  const { jump, change } = jumpingClock();
  const state = await openState(join(home, "state.db"));
  const lost = { provider: "local", providerId: "i-that-is-gone", readyAt: 1, volumes: [] };
  await state.commit({ addInstance: sampleInstance("train", lost) });
  await state.close();
  const watch = await startWatch({ home, change });
  await watch.write({ type: "price", instance: "before" });
  await eventually("a first event", () => watch.events().find(({ instance }) => instance === "before"));
  // A clock that is put back stops nothing and is no gap.
  jump.ms = -3_600_000;
  await watch.world.clock.sleep(2_500);
  expect(watch.events().filter(({ type }) => type === "warning")).toEqual([]);
  jump.ms = 0;
  const gap = await eventually("the gap", () => watch.events().find(({ gap: told, instance }) => told !== undefined && instance === null));
  expect(gap).toMatchObject({ type: "warning", gap: { seconds: expect.any(Number), from: expect.any(String), to: expect.any(String) } });
  expect(Math.abs(Number((gap["gap"] as { seconds: number }).seconds) - 3_600)).toBeLessThan(120);
  const became = await eventually("what became of it", () => watch.events().find(({ outcome }) => outcome !== undefined));
  expect(became).toMatchObject({
    type: "warning",
    instance: "train",
    outcome: "gone",
    message: "its machine went while nobody listened: no notice of it was heard; no sealed checkpoint of it is known here",
  });
  await watch.write({ type: "price", instance: "after" });
  await eventually("a later event", () => watch.events().find(({ instance }) => instance === "after"));
  await watch.stop();
});

test("a real agent is heard before any list: one notice, said by the agent", async () => {
  const world = await cloudWorld();
  await must(world, "up", "--name", "train", "--gpu", "A10G", "--yes", "--", "sleep", "1000");
  const state = await openState(join(world.home, "state.db"));
  const over = new AbortController();
  const local = await createProvider("local", world);
  const base: Fleet = {
    state,
    provider: async () => local,
    guest: createGuestDoor(world),
    clock: world.clock,
    rng: world.rng,
    owner: "this test",
    leases: noLeases(),
    ownerIsDead: () => false,
    say: () => undefined,
  };
  const pace = ownPace(world.clock);
  const ear = openEar(base, { pace, signal: over.signal, wake: () => undefined });
  try {
    await look({ ...base, ear }, over.signal, [], pace);
    ear.follow(await state.instances());
    const [{ providerId } = { providerId: null }] = await state.instances();
    await eventually("a first word", () => ear.word("local", providerId ?? ""));
    await must(world, "local", "reclaim", "train", "--notice", "60s");
    const notice = await eventually("the notice", async () => (await state.events({})).find(({ type }) => type === "notice"));
    expect(notice).toMatchObject({ instance: "train", data: { kind: "reclaim", source: "guest" } });
    await look({ ...base, ear }, over.signal, [], ownPace(world.clock));
    const heard = (await state.events({})).filter(({ data }) => data["action"] === "heard");
    expect(heard).toMatchObject([{ data: { mouth: "api" } }]);
    expect((await state.events({})).filter(({ type }) => type === "notice")).toHaveLength(1);
  } finally {
    over.abort();
    await ear.close();
    await state.close();
  }
});
