import { expect, onTestFinished, test } from "vitest";
import { removeSnapshots, weighSnapshots } from "../../src/fleet/volumes/snapshot-retention.ts";
import { removeVolume } from "../../src/fleet/volumes/volume-removal.ts";
import { snapshotVolume } from "../../src/fleet/volumes/volume-snapshots.ts";
import type { ProviderSnapshot } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;
const DAY = 86_400_000;

/** Two volumes with a snapshot a day, three each, all ready. */
async function bench() {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  const { cloud, clock, state } = world;
  for (const name of ["a", "b"]) await clock.run(up(fleet, paperSpec({ name, volume: { name, sizeGb: 5, mount: "/data" } })));
  for (let day = 0; day < 3; day++) {
    for (const volume of await state.volumes()) await clock.run(snapshotVolume(fleet, volume, signal));
    await clock.pass(DAY);
  }
  const weigh = (name: string | null, rules: Parameters<typeof weighSnapshots>[2]["rules"]) =>
    clock.run(weighSnapshots(fleet, [cloud.provider], { name, rules }, signal));
  const put = (set: Partial<ProviderSnapshot>) => {
    const [any] = cloud.snapshots.values();
    if (any === undefined) throw new Error("no snapshot");
    cloud.snapshots.set("s-put", { ...any, providerId: "s-put", name: "a", ...set });
  };
  const left = () => [...cloud.snapshots.values()].map(({ name, providerId }) => `${name} ${providerId}`).sort();
  return { world, fleet, weigh, put, left };
}

const said = (verdicts: Awaited<ReturnType<typeof weighSnapshots>>) =>
  verdicts.map(({ snapshot, kept, because }) => `${snapshot.name} ${kept ? because.join(", ") : "goes"}`);

test("each volume's are weighed by themselves; of one that is named, only its own", async () => {
  const { weigh, world, fleet, left } = await bench();
  expect(said(await weigh(null, { keepLast: 2 })).toSorted()).toEqual([
    "a goes",
    "a last 2",
    "a newest, last 2",
    "b goes",
    "b last 2",
    "b newest, last 2",
  ]);
  const verdicts = await weigh("a", { keepLast: 1 });
  expect(said(verdicts)).toEqual(["a newest, last 1", "a goes", "a goes"]);
  await world.clock.run(removeSnapshots(fleet, verdicts, signal));
  expect(left().map((text) => text[0])).toEqual(["a", "b", "b", "b"]);
  const told = (await world.state.events({})).filter(({ data }) => data["action"] === "snapshot-remove");
  expect(told).toHaveLength(2);
  // What is gone is gone: the same once more does no harm.
  await world.clock.run(removeSnapshots(fleet, verdicts, signal));
  expect(left()).toHaveLength(4);
});

test.each([
  ["somebody else's", { token: null }, "not made by spot"],
  ["another state's", { token: "t-somebody-elses" }, "made from another state"],
  ["one that is still being made", { createdAt: Number.MAX_SAFE_INTEGER }, "pending"],
] as const)("%s is left alone, and does not count as the newest", async (_, set, why) => {
  const { weigh, put } = await bench();
  put(set);
  expect(said(await weigh("a", { keepLast: 1 }))).toEqual(["a newest, last 1", "a goes", "a goes", `a ${why}`]);
});

test("one that carries the volume's own token, as a copy of its tags does, is left alone", async () => {
  const { weigh, put, world } = await bench();
  const [volume] = await world.state.volumes();
  const promise = volume && (await world.state.volumePromise(volume.id));
  if (promise === undefined) throw new Error("no promise of a volume");
  put({ token: promise.token });
  expect(said(await weigh("a", { keepLast: 1 }))).toEqual(["a newest, last 1", "a goes", "a goes", "a not made by spot"]);
});

test("a later volume of the same name does not thin out what is left of the one before", async () => {
  const { weigh, world, fleet } = await bench();
  const { clock, state } = world;
  const [first] = await state.volumes({ name: "a" });
  if (first === undefined) throw new Error("no volume");
  await clock.run(down(fleet, "a"));
  await clock.run(removeVolume(fleet, first, signal));
  await clock.run(up(fleet, paperSpec({ name: "a", volume: { name: "a", sizeGb: 5, mount: "/data" } })));
  const [second] = await state.volumes({ name: "a" });
  if (second === undefined) throw new Error("no volume");
  await clock.run(snapshotVolume(fleet, second, signal));
  await clock.pass(DAY);
  const verdicts = await weigh("a", { keepLast: 1 });
  const kept = verdicts.filter((verdict) => verdict.kept).map(({ snapshot }) => snapshot.volumeId);
  expect([kept.toSorted(), verdicts.length]).toEqual([[first.providerId, second.providerId].toSorted(), 4]);
});

test("one that a volume's end waits for stays", async () => {
  const { weigh, world, fleet } = await bench();
  const oldest = [...world.cloud.snapshots.values()].find(({ name }) => name === "a");
  const detail = { volumeId: "v-x", name: "a", policy: "snapshot-and-delete", for: "i-x", snapshot: oldest?.token };
  const open = { id: "n-end", instanceId: null, provider: "paper", token: "t-end", createdAt: 1, closedAt: null, detail };
  await fleet.state.commit({ openIntents: [{ ...open, kind: "volume-end", status: "pending" }] });
  expect(said(await weigh("a", { keepLast: 1 }))).toEqual(["a newest, last 1", "a goes", "a in use: its volume is about to go"]);
});
