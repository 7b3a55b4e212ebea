import { join } from "node:path";
import { expect, test } from "vitest";
import { openState } from "../../src/state/open.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { sampleInstance, sampleSpec, sampleVolume } from "../state/sample-records.ts";
import { spot, type TestWorld, testWorld } from "../world.ts";

const DATA = { name: "data", id: "v-data", mount: "/data" };

const instance = (name: string, set: Partial<InstanceRecord>) =>
  sampleInstance(name, { volumes: [DATA], spec: sampleSpec(name, { volume: { name: "data", sizeGb: 10, mount: "/data" } }), ...set });
const gone = instance("a", { state: "gone", desired: "gone" });
const asleep = { state: "hibernated", desired: "hibernated", parked: "recreate", providerId: null } as const;

/** A home with a volume `data` with a checkpoint on it, and these records. */
async function homeWith(...records: readonly InstanceRecord[]): Promise<TestWorld> {
  const world = testWorld();
  const state = await openState(join(world.home, "state.db"));
  const volumes = [sampleVolume("data", { providerId: "disk-1" }), sampleVolume("b-root", { providerId: "disk-2" })];
  const checkpoint = { id: "c-1", instance: "b", volume: "data", createdAt: 1, files: 1, bytes: 1, sha256: "0".repeat(64) };
  await state.commit({ volumes, checkpoints: [{ ...checkpoint, sealed: true, verifiedAt: null, step: null, reason: "hibernate" }] });
  for (const addInstance of records) await state.commit({ addInstance });
  await state.close();
  return world;
}

test("down --volumes of what is over leaves a volume on which another one sleeps, and says so", async () => {
  const world = await homeWith(gone, instance("b", asleep));
  const { code, stderr } = await spot(world, "down", "a", "--volumes", "--yes");
  expect([code, stderr]).toEqual([0, expect.stringContaining("volume data stays: b (hibernated) uses it")]);
  expect(stderr).not.toContain("deleted");
});

test("down --volumes leaves a volume that another one was ordered with and waits for a machine", async () => {
  const world = await homeWith(gone, instance("b", { state: "requested", providerId: null, volumes: [] }));
  const { code, stderr } = await spot(world, "down", "a", "--volumes", "--yes");
  expect([code, stderr]).toEqual([0, expect.stringContaining("volume data stays: b (requested) uses it")]);
});

test("down --volumes of what is over asks before it deletes, and needs --yes without a terminal", async () => {
  const world = await homeWith(gone);
  const { code, stderr } = await spot(world, "down", "a", "--volumes");
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining("cannot ask without a terminal: DELETE the volume data with 1 checkpoint on it?"),
  ]);
});

test("down --volumes of what lives names the volumes that go with it", async () => {
  const world = await homeWith(instance("b", asleep));
  const { code, stderr } = await spot(world, "down", "b", "--volumes");
  expect([code, stderr]).toEqual([2, expect.stringMatching(/End b \(\$1\.99.*\) and DELETE the volume data with 1 checkpoint on it\?/)]);
});

test.each([
  ["b-root", { ...asleep, rootVolume: "v-b-root" }, "b (hibernated) is to boot from b-root", "spot down b"],
  ["data", asleep, "data is used by b (hibernated)", "spot down b --volumes"],
  ["data", { state: "requested", providerId: null, volumes: [] }, "data is used by b (requested)", "spot down b"],
] as const)("volumes rm %s is refused: %j", async (name, set, said, next) => {
  const world = await homeWith(instance("b", set));
  const { code, stderr } = await spot(world, "volumes", "rm", name, "--yes");
  expect([code, stderr]).toEqual([1, expect.stringContaining(said)]);
  expect(stderr).toContain(next);
});

test.each(["snapshot", "snapshot-and-delete"])(
  "down --volumes %s where disks have no snapshots is refused before anything is done",
  async (policy) => {
    const world = await homeWith(instance("b", asleep));
    const { code, stderr } = await spot(world, "down", "b", "--volumes", policy, "--yes");
    expect([code, stderr]).toEqual([2, expect.stringContaining("volume data: local makes no snapshots of volumes")]);
    expect(stderr).toContain("possible there: keep, delete");
    const state = await openState(join(world.home, "state.db"));
    expect([(await state.instances())[0]?.desired, await state.pendingIntents()]).toEqual(["hibernated", []]);
    await state.close();
  },
);

test("what was ordered with an instance is done with its volume unless down says otherwise", async () => {
  const spec = sampleSpec("b", { volume: { name: "data", sizeGb: 10, mount: "/data", atDown: "delete" } });
  const world = await homeWith(instance("b", { ...asleep, spec }));
  expect((await spot(world, "down", "b")).stderr).toContain("DELETE the volume data with 1 checkpoint on it?");
  expect((await spot(world, "down", "b", "--volumes", "keep")).stderr).toMatch(/cannot ask without a terminal: End b \([^)]*\)\?/);
});

test("a name behind --volumes is a name", async () => {
  const world = await homeWith(instance("b", asleep));
  const { code, stderr } = await spot(world, "down", "--volumes", "b");
  expect([code, stderr]).toEqual([2, expect.stringMatching(/End b \(\$1\.99.*\) and DELETE the volume data with 1 checkpoint on it\?/)]);
});
