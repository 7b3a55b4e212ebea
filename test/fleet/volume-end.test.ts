import { expect, onTestFinished, test } from "vitest";
import { forget } from "../../src/fleet/orphans/forget.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { endOrder, promiseEnds } from "../../src/fleet/volumes/end-promise.ts";
import { finishEnd } from "../../src/fleet/volumes/volume-end.ts";
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
