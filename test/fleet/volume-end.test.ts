import { expect, onTestFinished, test } from "vitest";
import { forget } from "../../src/fleet/orphans/forget.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { claimName, newRecord } from "../../src/fleet/up.ts";
import { orderEnds } from "../../src/fleet/volumes/end-order.ts";
import { endIntent, endOrder, promiseEnds } from "../../src/fleet/volumes/end-promise.ts";
import { finishEnd } from "../../src/fleet/volumes/volume-end.ts";
import { withVolume } from "../../src/fleet/volumes/volumes.ts";
import { wish } from "../../src/fleet/wish.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import type { VolumePolicy } from "../../src/model/volume-policy.ts";
import { type Fault, ProviderError } from "../../src/providers/errors.ts";
import type { SnapshotOperations } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, downWith, up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;
const DATA = { name: "data", sizeGb: 5, mount: "/data" };

/** A machine `a` with a volume, and a cloud whose snapshots can be made to do otherwise. */
async function serving() {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { snapshots } = world.cloud.provider.volumes ?? {};
  if (snapshots === undefined) throw new Error("no snapshots");
  const { create, list } = snapshots;
  const turn = (change: Partial<SnapshotOperations>) => Object.assign(snapshots, { create, list }, change);
  const { fleet } = world.start();
  const run = <Result>(work: Promise<Result>) => world.clock.run(work);
  const a = await run(up(fleet, paperSpec({ name: "a", volume: DATA })));
  const volumes = () => [...world.cloud.volumes.keys()];
  const pass = () => run(reconcile(fleet, { signal, limitMs: 60_000 }));
  const open = async () => (await world.state.pendingIntents()).map((intent) => [intent.kind, endOrder(intent)?.policy]);
  /** What a command has written down when it is killed right after that. */
  const promised = async (policy: VolumePolicy) => {
    const [volume] = await world.state.volumes();
    if (volume === undefined) throw new Error("no volume");
    const { intents, change } = await promiseEnds(fleet, a, [{ volume, policy }]);
    await wish(fleet, a.id, { desired: "gone" }, change);
    return intents;
  };
  return { world, fleet, run, a, volumes, pass, open, promised, turn, list };
}

const refusal = (fault: Fault) => async () => {
  throw new ProviderError("paper", fault, `no: ${fault.kind}`, null);
};

test("a command that was killed with its wish: the next passes end the machine, make the snapshot and then delete the volume", async () => {
  const { world, pass, promised, volumes, open } = await serving();
  await promised("snapshot-and-delete");
  await pass();
  expect(volumes()).toHaveLength(1);
  expect((await pass()).volumes).toEqual([{ volume: "data", why: expect.stringContaining("is still being made (paper-pending)") }]);
  expect(volumes()).toHaveLength(1);
  await world.clock.pass(20_000);
  await pass();
  expect([volumes(), world.cloud.snapshots.size, world.cloud.unsnapshotted, await open()]).toEqual([[], 1, [], []]);
});

test("a snapshot that failed keeps the volume, and it is said: by the command with exit 1, and in the log", async () => {
  const { world, run, fleet, turn, list, volumes, open } = await serving();
  turn({ list: async (context) => (await list(context)).map((made) => ({ ...made, state: "failed" as const, rawState: "error" })) });
  const ended = run(downWith(fleet, "snapshot-and-delete", "a"));
  await expect(ended).rejects.toMatchObject({
    code: "SPOT_E_VOLUME_KEPT",
    exit: EXIT.failed,
    message: expect.stringContaining("data stays"),
  });
  expect([volumes().length, await open()]).toEqual([1, []]);
  const told = (await world.state.events({})).filter(({ type }) => type === "warning");
  expect(told).toMatchObject([{ data: { volume: "data", message: expect.stringMatching(/data stays, .* failed \(error\)/) } }]);
});

test.each(["quota", "unsupported", "invalid-request"] as const)("a snapshot that is refused as %s keeps the volume", async (kind) => {
  const { run, fleet, turn, volumes, open } = await serving();
  turn({ create: refusal(kind === "quota" ? { kind, scope: "region" } : { kind }) });
  await expect(run(downWith(fleet, "snapshot-and-delete", "a"))).rejects.toMatchObject({ code: "SPOT_E_VOLUME_KEPT" });
  expect([volumes().length, await open()]).toEqual([1, []]);
});

test.each(["conflict", "unavailable", "rate-limited"] as const)("a snapshot that is refused as %s is asked for again", async (kind) => {
  const { world, run, fleet, turn, volumes, pass, open } = await serving();
  turn({ create: refusal(kind === "rate-limited" ? { kind, retryAfterMs: null } : { kind }) });
  const ended = run(downWith(fleet, "snapshot-and-delete", "a"));
  await expect(ended).rejects.toMatchObject({ code: "SPOT_E_UNCONFIRMED", exit: EXIT.partial });
  expect([volumes().length, await open()]).toEqual([1, [["volume-end", "snapshot-and-delete"]]]);
  turn({});
  await pass();
  await world.clock.pass(20_000);
  await pass();
  expect([volumes(), world.cloud.snapshots.size, world.cloud.unsnapshotted, await open()]).toEqual([[], 1, [], []]);
});

test.each(["unsupported", "invalid-request"] as const)("a deletion that is refused as %s is given up, and said", async (kind) => {
  const { world, run, fleet, volumes, open } = await serving();
  Object.assign(world.cloud.provider.volumes ?? {}, { remove: refusal({ kind }) });
  await expect(run(downWith(fleet, "delete", "a"))).rejects.toMatchObject({ code: "SPOT_E_VOLUME_KEPT", exit: EXIT.failed });
  expect([volumes().length, await open()]).toEqual([1, []]);
  const told = (await world.state.events({})).filter(({ type }) => type === "warning");
  expect(told).toMatchObject([{ data: { message: expect.stringContaining("stays, and goes on billing") } }]);
});

test("a snapshot that somebody deleted meanwhile is no reason to delete the volume", async () => {
  const { world, promised, pass, volumes, open } = await serving();
  await promised("snapshot-and-delete");
  await pass();
  world.cloud.snapshots.clear();
  await world.clock.pass(600_000);
  await pass();
  expect([volumes().length, world.cloud.snapshots.size, await open()]).toEqual([1, 0, []]);
});

test.each(["delete", "snapshot-and-delete"] as const)(
  "whoever is given the volume next does not lose it to what was ordered: %s",
  async (policy) => {
    const { world, run, fleet, promised, pass, volumes, open } = await serving();
    await promised(policy);
    const before = volumes();
    // The machine ends, and nobody comes by before the next one is ordered.
    await run(down(fleet, "a"));
    const b = await run(up(fleet, paperSpec({ name: "b", volume: DATA })));
    await world.clock.pass(60_000);
    await pass();
    expect([volumes(), b.volumes.map(({ name }) => name), await open()]).toEqual([before, ["data"], []]);
  },
);

test("what was ordered is taken back by another order, and keep is one", async () => {
  const { world, promised, pass, volumes, open } = await serving();
  await promised("delete");
  await promised("snapshot");
  expect(await open()).toEqual([["volume-end", "snapshot"]]);
  await promised("keep");
  expect(await open()).toEqual([]);
  await pass();
  expect([volumes().length, world.cloud.snapshots.size]).toEqual([1, 0]);
});

test("an instance that is forgotten takes its volume's end with it", async () => {
  const { world, run, fleet, a, promised, pass, volumes, open } = await serving();
  await promised("delete");
  const [record] = await world.state.instances({ names: ["a"] });
  await run(forget(fleet, record ?? a, signal));
  await pass();
  expect([volumes().length, await open()]).toEqual([1, []]);
});

test("two processes that finish one end make one snapshot, and both come to its end", async () => {
  const { world, run, fleet, promised, volumes, open } = await serving();
  const [intent] = await promised("snapshot-and-delete");
  if (intent === undefined) throw new Error("nothing was promised");
  await run(down(fleet, "a"));
  const other = world.start().fleet;
  const options = { signal, limitMs: 600_000 };
  await run(Promise.all([finishEnd(fleet, intent, options), finishEnd(other, intent, options)]));
  expect([volumes(), world.cloud.snapshots.size, world.cloud.unsnapshotted, await open()]).toEqual([[], 1, [], []]);
});

/** `down --volumes delete` whose request to the cloud was never carried out, and whose answer never came. */
async function brokenOff() {
  const bench = await serving();
  const { world, run, fleet, a, open } = bench;
  const { volumes } = world.cloud.provider;
  if (volumes === undefined) throw new Error("no volumes");
  const { remove } = volumes;
  Object.assign(volumes, { remove: refusal({ kind: "ambiguous" }) });
  await expect(run(downWith(fleet, "delete", "a"))).rejects.toMatchObject({ code: "SPOT_E_UNCONFIRMED" });
  expect(await open()).toEqual(expect.arrayContaining([["volume-remove", undefined]]));
  Object.assign(volumes, { remove });
  const [volume] = await world.state.volumes();
  if (volume === undefined) throw new Error("no volume");
  /** What `down` says of one that is gone already. */
  const order = (policy: VolumePolicy) =>
    run(orderEnds(fleet, a, [{ volume, policy }], signal, (held, change) => held.state.commit(change)));
  return { ...bench, order, volume };
}

test("a deletion that was begun is called off by a later keep", async () => {
  const { order, pass, volumes, open } = await brokenOff();
  const before = volumes();
  expect(await order("keep")).toEqual({ intents: [], lost: [] });
  await pass();
  expect([volumes(), await open()]).toEqual([before, []]);
});

test("a deletion that was begun waits for the snapshot that is ordered later", async () => {
  const { world, order, pass, volumes, open } = await brokenOff();
  expect((await order("snapshot-and-delete")).lost).toEqual([]);
  await pass();
  expect(volumes()).toHaveLength(1);
  await world.clock.pass(20_000);
  await pass();
  expect([volumes(), world.cloud.snapshots.size, world.cloud.unsnapshotted, await open()]).toEqual([[], 1, [], []]);
});

test("a pass does not go on with a deletion while a snapshot of the volume is owed", async () => {
  const { world, fleet, a, pass, volumes, open, volume } = await brokenOff();
  // As it was written by whoever calls nothing off.
  await fleet.state.commit((await promiseEnds(fleet, a, [{ volume, policy: "snapshot-and-delete" }])).change);
  await pass();
  expect(volumes()).toHaveLength(1);
  await world.clock.pass(20_000);
  await pass();
  expect([volumes(), world.cloud.unsnapshotted, await open()]).toEqual([[], [], []]);
});

test.each(["keep", "snapshot", "snapshot-and-delete"] as const)(
  "a volume that is gone when %s is ordered is said to be lost",
  async (policy) => {
    const { world, order, open } = await brokenOff();
    world.cloud.volumes.clear();
    expect(await order(policy)).toMatchObject({ intents: [], lost: [{ volume: { name: "data" }, policy }] });
    expect([await world.state.volumes(), await open()]).toEqual([[], []]);
  },
);

test("a volume that is gone before its snapshot was made is no end as it was ordered", async () => {
  const { world, run, fleet, promised, open } = await serving();
  const [intent] = await promised("snapshot-and-delete");
  if (intent === undefined) throw new Error("nothing was promised");
  await run(down(fleet, "a"));
  const [volume] = await world.state.volumes();
  if (volume === undefined) throw new Error("no volume");
  await fleet.state.commit({ volumes: [{ ...volume, state: "gone" }] });
  const ended = run(finishEnd(fleet, intent, { signal, limitMs: 600_000 }));
  await expect(ended).rejects.toMatchObject({ code: "SPOT_E_VOLUME_LOST", exit: EXIT.failed });
  const told = (await world.state.events({})).filter(({ type }) => type === "warning");
  expect(told).toMatchObject([{ data: { message: "volume data was deleted before its snapshot was made" } }]);
  expect(await open()).toEqual([]);
  // Whoever waits for the same hears the same.
  const again = run(finishEnd(fleet, intent, { signal, limitMs: 600_000 }));
  await expect(again).rejects.toMatchObject({ code: "SPOT_E_VOLUME_LOST", exit: EXIT.failed });
});

test.each(["keep", "up"] as const)("what is ordered while the snapshot is made counts before the volume is deleted: %s", async (what) => {
  const { world, run, fleet, a, promised, turn, list, volumes, open } = await serving();
  const [intent] = await promised("snapshot-and-delete");
  await run(down(fleet, "a"));
  const [volume] = await world.state.volumes();
  const { create } = world.cloud.provider.volumes?.snapshots ?? {};
  if (intent === undefined || volume === undefined || create === undefined) throw new Error("nothing was promised");
  const [offer] = await run(world.cloud.provider.offers({}, { signal }));
  if (offer === undefined) throw new Error("nothing on offer");
  turn({
    list: async (context) => (await list(context)).map((made) => ({ ...made, state: "ready" as const })),
    create: async (...order) => {
      const made = await create(...order);
      if (what === "keep") await fleet.state.commit((await promiseEnds(fleet, a, [{ volume, policy: "keep" }])).change);
      else await claimName(fleet, newRecord(fleet, paperSpec({ name: "b", volume: DATA }), offer));
      return { ...made, state: "ready" as const };
    },
  });
  await expect(run(finishEnd(fleet, intent, { signal, limitMs: 600_000 }))).rejects.toMatchObject({ code: "SPOT_E_VOLUME_KEPT" });
  expect([volumes().length, world.cloud.snapshots.size]).toEqual([1, 1]);
  expect((await open()).map(([kind]) => kind)).not.toContain("volume-end");
});

test("an order waits until who is at the volume is done, and takes the place of what that one has left", async () => {
  const { world, run, fleet, a, promised, open } = await serving();
  const [first] = await promised("snapshot");
  await run(down(fleet, "a"));
  const [volume] = await world.state.volumes();
  const order = first && endOrder(first);
  if (first === undefined || order === undefined || volume === undefined) throw new Error("nothing was promised");
  const other = world.start().fleet;
  let begun = () => {};
  const holds = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const retrying = withVolume(other, "data", signal, async (held) => {
    begun();
    await world.clock.sleep(1_000);
    // What a refusal makes of it: another promise in the place of the first.
    const closeIntents = [{ id: first.id, status: "failed" as const, at: world.clock.now(), detail: {} }];
    await held.state.commit({ openIntents: [endIntent(held, order, "paper")], closeIntents });
  });
  const keeping = holds.then(() => orderEnds(fleet, a, [{ volume, policy: "keep" }], signal, (held, change) => held.state.commit(change)));
  await run(Promise.all([retrying, keeping]));
  expect(await open()).toEqual([]);
});
