import { expect, onTestFinished, test } from "vitest";
import { putToSleep } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, hibernate, restore, up } from "../simulation/scenarios.ts";

async function asleep(set: Parameters<typeof paperWorld>[0] = {}): Promise<PaperWorld> {
  const world = await paperWorld(set);
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()).then(() => hibernate(fleet)));
  return world;
}

const stateOf = async (world: PaperWorld) => {
  const [record] = await world.state.instances({ includeGone: true });
  return { state: record?.state, desired: record?.desired };
};

test.each(["native", "park"] as const)("past the cap of a restore it sleeps again, and nothing bills (%s)", async (hibernates) => {
  const world = await asleep({ hibernates, provisionMs: 60_000, changeMs: 60_000 });
  const waking = world.clock.run(restore(world.start().fleet, "train", 20_000));
  await expect(waking).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT", exit: EXIT.timeout });
  expect(await stateOf(world)).toEqual({ state: "hibernated", desired: "hibernated" });
  expect(world.cloud.living().filter((machine) => machine.state !== "hibernated")).toEqual([]);
});

test("past the cap of a restore a machine that never comes up is ended all the same, also when that takes two tries", async () => {
  const world = await asleep({ hibernates: "park" });
  Object.assign(world.cloud.settings, { provisionMs: 86_400_000 });
  const waking = world.clock.run(restore(world.start().fleet, "train", 20_000));
  await world.clock.pass(19_000);
  world.cloud.outageUntil = world.clock.now() + 30_000;
  await expect(waking).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT", exit: EXIT.timeout });
  expect(await stateOf(world)).toEqual({ state: "hibernated", desired: "hibernated" });
  expect(world.cloud.living()).toEqual([]);
  // It comes back when the cloud is itself again.
  Object.assign(world.cloud.settings, { provisionMs: 900 });
  await world.clock.run(restore(world.start().fleet));
  expect(await stateOf(world)).toEqual({ state: "running", desired: "running" });
});

test("without hardware to come back to, it goes on sleeping", async () => {
  const world = await asleep();
  for (const zone of world.cloud.zones) zone.stock = 0;
  await expect(world.clock.run(restore(world.start().fleet, "train", 20_000))).rejects.toMatchObject({ exit: EXIT.timeout });
  expect(await stateOf(world)).toEqual({ state: "hibernated", desired: "hibernated" });
});

test("a restore that is killed keeps its cap: the next reconcile past it puts the machine back to sleep", async () => {
  const slow = { changeMs: 60_000 };
  const rehearsal = await asleep(slow);
  const rehearsed = rehearsal.start();
  await rehearsal.clock.run(restore(rehearsed.fleet, "train", 120_000));
  const world = await asleep(slow);
  const asked = rehearsed.trace.findIndex((effect) => effect.name.includes("restore")) + 1;
  const killed = world.start({ at: asked, mode: "crash-after" });
  await world.clock.run(restore(killed.fleet, "train", 20_000).catch(() => undefined));
  world.bury(killed);
  await world.clock.pass(90_000);
  expect(world.cloud.living().map((machine) => machine.state)).toEqual(["running"]);
  await world.clock.run(reconcile(world.start().fleet, { signal: new AbortController().signal, limitMs: 120_000 }));
  expect(await stateOf(world)).toEqual({ state: "hibernated", desired: "hibernated" });
  expect(world.cloud.living().map((machine) => machine.state)).toEqual(["hibernated"]);
});

test("an end that is asked for while it comes back is not taken back", async () => {
  const world = await asleep({ changeMs: 10_000 });
  const waking = restore(world.start().fleet);
  const ending = world.clock.sleep(3_000).then(() => down(world.start().fleet));
  const [woken, ended] = await world.clock.run(Promise.allSettled([waking, ending]));
  expect(woken).toMatchObject({ status: "rejected", reason: { code: "SPOT_E_CONFLICT" } });
  expect(ended.status).toBe("fulfilled");
  expect(await stateOf(world)).toEqual({ state: "gone", desired: "gone" });
  expect(world.cloud.living()).toEqual([]);
});

test("a machine that somebody woke at the cloud's console is put to sleep again", async () => {
  const world = await asleep();
  const [machine] = world.cloud.living();
  world.cloud.console(machine?.id ?? "", "restore");
  await world.clock.pass(5_000);
  const report = await world.clock.run(reconcile(world.start().fleet, { signal: new AbortController().signal, limitMs: 60_000 }));
  expect(report.items.map((item) => item.outcome)).toEqual(["settled"]);
  expect(world.cloud.living().map((each) => each.state)).toEqual(["hibernated"]);
  expect((await world.state.ledger({ openOnly: true })).filter((entry) => entry.kind === "gpu")).toEqual([]);
});

test("a machine that arrives after its promise was given up is ended, even when nothing of ours lives any more", async () => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  // The launch leaves, its sender is killed, and the request arrives later than any listing would tell.
  const trace = (await tracedUp()).findIndex((effect) => effect.name === "launch") + 1;
  const process = world.start({ at: trace, mode: "crash-late" });
  await world.clock.run(up(process.fleet, paperSpec()).catch(() => undefined));
  world.bury(process);
  await world.clock.run(down(world.start().fleet));
  await world.clock.pass(10_000);
  expect(await stateOf(world)).toEqual({ state: "gone", desired: "gone" });
  await world.clock.run(reconcile(world.start().fleet, { signal: new AbortController().signal, limitMs: 60_000 }));
  await world.clock.pass(10_000);
  expect(world.cloud.living()).toEqual([]);
});

test("a notice that comes before it is ready does not keep it from being ready", async () => {
  const world = await paperWorld({ provisionMs: 1_000 });
  onTestFinished(() => world.state.close());
  const coming = up(world.start().fleet, paperSpec());
  const noticed = world.clock.sleep(1_350).then(() => {
    const [machine] = world.cloud.living();
    expect(machine?.state).toBe("running");
    world.cloud.reclaim(machine?.id ?? "", 60_000);
  });
  const [record] = await world.clock.run(Promise.all([coming, noticed]));
  expect(record).toMatchObject({ state: "reclaiming", desired: "running" });
  expect(record.readyAt).not.toBeNull();
});

test("a hibernation that was promised and never asked for is taken back by a restore", async () => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  await world.clock.run(up(world.start().fleet, paperSpec()));
  const trial = await paperWorld();
  onTestFinished(() => trial.state.close());
  await trial.clock.run(up(trial.start().fleet, paperSpec()));
  const traced = trial.start();
  await trial.clock.run(hibernate(traced.fleet));
  const at = traced.trace.findIndex((effect) => effect.name === "hibernate") + 1;
  const process = world.start({ at, mode: "crash-before" });
  await world.clock.run(hibernate(process.fleet).catch(() => undefined));
  expect((await world.state.pendingIntents()).map((intent) => intent.kind)).toEqual(["hibernate"]);
  await world.clock.run(restore(world.start().fleet));
  expect(await stateOf(world)).toEqual({ state: "running", desired: "running" });
  expect(await world.state.pendingIntents()).toEqual([]);
});

test("the lease of a process that was killed is taken over at once", async () => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  await world.clock.run(up(world.start().fleet, paperSpec()));
  // The first effects: the list of the cloud, the lease. The kill comes right after the lease.
  const process = world.start({ at: 2, mode: "crash-after" });
  const options = { signal: new AbortController().signal, limitMs: 60_000 };
  await world.clock.run(reconcile(process.fleet, options).catch(() => undefined));
  expect(process.trace.at(-1)?.name).toBe("acquire lease");
  const report = await world.clock.run(reconcile(world.start().fleet, options));
  expect(report.items.map((item) => item.outcome)).toEqual(["settled"]);
});

test("an end that is under way is not taken back by a command that knew the record before", async () => {
  const world = await paperWorld({ changeMs: 10_000 });
  onTestFinished(() => world.state.close());
  const before = await world.clock.run(up(world.start().fleet, paperSpec()));
  const ending = down(world.start().fleet);
  const limits = { signal: new AbortController().signal, limitMs: 60_000, snapshot: true };
  const sleeping = world.clock.sleep(1_000).then(() => putToSleep(world.start().fleet, before, limits));
  const [, last] = await world.clock.run(Promise.all([ending, sleeping]));
  expect(last).toMatchObject({ state: "gone", desired: "gone" });
});

async function tracedUp() {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const process = world.start();
  await world.clock.run(up(process.fleet, paperSpec()));
  return process.trace;
}
