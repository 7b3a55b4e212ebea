import { expect, onTestFinished, test } from "vitest";
import { surveyLadder } from "../../src/fleet/climbing/survey.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { putToSleep } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { weighSnapshots } from "../../src/fleet/volumes/snapshot-retention.ts";
import { removeVolume } from "../../src/fleet/volumes/volume-removal.ts";
import { snapshotVolume } from "../../src/fleet/volumes/volume-snapshots.ts";
import { wakeData } from "../../src/fleet/wakes/wake-log.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { type RungName, USUAL_RUNGS } from "../../src/model/comeback.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import { Problem } from "../../src/model/problem.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { Provider } from "../../src/providers/provider.ts";
import type { InstanceRecord, InstanceSpec } from "../../src/state/records.ts";
import { sealSample } from "../checkpoints/sealing.ts";
import type { PaperSettings } from "../simulation/paper-cloud.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { hibernate, up } from "../simulation/scenarios.ts";
import { temporaryFolder } from "../world.ts";

const signal = new AbortController().signal;
const MINUTE_MS = 60_000;
const ZONAL = { hibernates: "park", zonal: true, readable: true } as const;

/** Asleep on its volume in north-a, where no spot is left. */
async function asleep(set: Partial<PaperSettings> = ZONAL, spec: Partial<InstanceSpec> = {}): Promise<PaperWorld> {
  const world = await paperWorld(set);
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec(spec)).then(() => hibernate(fleet)));
  soldOut(world, "north-a");
  return world;
}

function soldOut({ cloud }: PaperWorld, ...names: readonly string[]): void {
  for (const zone of cloud.zones) if (names.includes(zone.zone)) zone.stock = 0;
}

async function train({ state }: PaperWorld): Promise<InstanceRecord> {
  const [record] = await state.instances();
  if (record === undefined) throw new Error("no train");
  return record;
}

async function wake(world: PaperWorld, set: { allow?: readonly RungName[]; ceiling?: string; capMs?: number } = {}, fleet?: Fleet) {
  const { allow = USUAL_RUNGS, ceiling = null, capMs = 10 * MINUTE_MS } = set;
  const record = await train(world);
  return world.clock.run(
    wakeUp(fleet ?? world.start().fleet, record, { signal, capMs, sleepLimitMs: 5 * MINUTE_MS, comeback: { allow, ceiling } }),
  );
}

const volumesOf = async ({ state }: PaperWorld) =>
  (await state.volumes()).map(({ name, zone, state: is }) => `${name} in ${zone}: ${is}`).sort();

test("where its zone is sold out it comes back in the sister zone, from a snapshot, and the old volume stays under a name of its own", async () => {
  const world = await asleep();
  const [sealed] = world.cloud.sealed;
  const said: string[] = [];
  const awake = await wake(world, {}, { ...world.start().fleet, say: (text) => void said.push(text) });
  expect(said.join("\n")).not.toContain("volumes snapshot --rm");
  expect(awake).toMatchObject({ state: "running", zone: "north-b", billing: "spot" });
  expect(await volumesOf(world)).toEqual(["train in north-b: available", "train-north-a in north-a: available"]);
  expect(world.cloud.living().map(({ zone, volumeIds }) => [zone.zone, volumeIds.length])).toEqual([["north-b", 1]]);
  // The snapshot between the two was its own, and has gone with the way back.
  expect(world.cloud.snapshots.size).toBe(0);
  // What was sealed is on both, and the catalogue says so.
  for (const volume of world.cloud.volumes.values()) expect(volume.checkpoints).toEqual([sealed]);
  const known = await world.state.checkpoints({ instance: "train" });
  expect(known.map(({ id, volume }) => `${id} ${volume}`).sort()).toEqual([`${sealed?.id} train`, `${sealed?.id} train-north-a`]);
  expect(await world.state.pendingIntents()).toEqual([]);
  expect(awake.volumes).toHaveLength(1);
});

test("where its whole region is sold out its newest checkpoint is taken to another one, and the older ones stay known where they are", async () => {
  const world = await asleep();
  const { fleet } = world.start();
  // A second checkpoint, so that there is an older one.
  for (const zone of world.cloud.zones) zone.stock = 3;
  await world.clock.run(
    wakeUp(fleet, await train(world), { signal, capMs: MINUTE_MS, sleepLimitMs: MINUTE_MS }).then(() => hibernate(fleet)),
  );
  soldOut(world, "north-a", "north-b");
  const [older, newest] = world.cloud.sealed;
  const awake = await wake(world);
  expect(awake).toMatchObject({ state: "running", zone: "south-a" });
  expect(await volumesOf(world)).toEqual(["train in south-a: available", "train-north-a in north-a: available"]);
  const [machine] = world.cloud.living();
  expect(world.cloud.volumes.get(machine?.volumeIds[0] ?? "")?.checkpoints).toEqual([newest]);
  const known = await world.state.checkpoints({ instance: "train" });
  expect(known.map(({ id, volume }) => `${id} ${volume}`).sort()).toEqual(
    [`${newest?.id} train`, `${newest?.id} train-north-a`, `${older?.id} train-north-a`].sort(),
  );
});

test("without leave it is never rented on demand, and with leave only after everything else", async () => {
  const world = await asleep();
  soldOut(world, "north-a", "north-b", "south-a");
  await expect(wake(world, { capMs: MINUTE_MS })).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  expect(world.cloud.living()).toEqual([]);
  const awake = await wake(world, { allow: [...USUAL_RUNGS, "on-demand"] });
  expect(awake).toMatchObject({ state: "running", billing: "on-demand", zone: "north-a" });
  // The copies for which there was no machine are gone.
  expect(await volumesOf(world)).toEqual(["train in north-a: available"]);
  expect(world.cloud.volumes.size).toBe(1);
});

test("what costs more than was agreed is not rented", async () => {
  const world = await asleep();
  const dear = wake(world, { ceiling: "1.1", capMs: MINUTE_MS, allow: ["same-zone", "snapshot"] });
  await expect(dear).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  expect(world.cloud.snapshots.size).toBe(0);
  expect(await wake(world, { ceiling: "1.2", allow: ["same-zone", "snapshot"] })).toMatchObject({ zone: "north-b" });
});

test("a copy that was made for a try that was cut off is used by the next one, and no other is made", async () => {
  const world = await asleep();
  const { fleet } = world.start();
  // In the sister zone nobody hears whether its machine was rented, and it was not.
  const { launch } = world.cloud.provider;
  const provider: Provider = {
    ...world.cloud.provider,
    launch: (spec, context) =>
      spec.offer.zone === "north-b"
        ? Promise.reject(new ProviderError("paper", { kind: "ambiguous" }, "no answer"))
        : launch(spec, context),
  };
  await expect(wake(world, { capMs: MINUTE_MS }, { ...fleet, provider: async () => provider })).rejects.toMatchObject({
    code: "SPOT_E_WAKE_TIMEOUT",
  });
  expect((await volumesOf(world)).length).toBeGreaterThan(1);
  const made = [...world.cloud.volumes.keys()];
  await world.clock.pass(4 * MINUTE_MS);
  expect(await wake(world)).toMatchObject({ zone: "north-b" });
  expect([...world.cloud.volumes.keys()]).toEqual(made);
  expect(world.cloud.snapshots.size).toBe(0);
});

const look = (world: PaperWorld) => world.clock.run(reconcile(world.start().fleet, { signal, limitMs: MINUTE_MS }));
const ends = async ({ state }: PaperWorld) => (await state.pendingIntents()).filter(({ kind }) => kind === "snapshot-end");

test("what its last machine sealed and nobody has heard of is what is taken along", async () => {
  const world = await asleep();
  const { provider } = world.cloud;
  const { volumes } = provider;
  const { fleet } = world.start();
  if (volumes === undefined) throw new Error("no volumes");
  const disk = temporaryFolder();
  const [known] = await world.state.checkpoints({ volume: "train" });
  const unheard = "c-20991231T235959Z-00000001";
  sealSample(disk, { id: unheard, files: { count: "9" }, created: Math.ceil(world.clock.now() / 1000) });
  const readable = {
    ...volumes,
    list: async (context: Parameters<typeof volumes.list>[0]) => (await volumes.list(context)).map((one) => ({ ...one, localPath: disk })),
  };
  const brought: string[] = [];
  const travel: Fleet["travel"] = {
    source: async (_home, newest, among) => ({ from: newest?.id ?? "nowhere", bytes: 1, to: among }),
    bring: async ({ id }) => void brought.push(id),
  };
  const local: Fleet = { ...fleet, travel, provider: async () => ({ ...provider, volumes: readable }) };
  soldOut(world, "north-b");
  // A real disk is read while the clock on paper stands still but for this.
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  void (async () => {
    while (!isOver) await world.clock.sleep(1);
  })();
  const before = await world.state.lastSeq();
  const { newest } = await world.clock.run(surveyLadder(local, await train(world), { allow: USUAL_RUNGS, ceiling: null }, signal));
  expect([known?.id === unheard, newest?.id, await world.state.lastSeq()]).toEqual([false, unheard, before]);
  expect(await wake(world, {}, local)).toMatchObject({ state: "running", zone: "south-a" });
  expect(brought).toEqual([unheard]);
  expect((await world.state.checkpoints({ instance: "train" })).map(({ id }) => id)).toContain(unheard);
});

test("past the cap the copies of its work are named, and what fetches them", async () => {
  const world = await asleep();
  const [newest] = await world.state.checkpoints({ instance: "train" });
  const [volume] = await world.state.volumes();
  if (newest === undefined || volume === undefined) throw new Error("nothing was sealed");
  const copy = { checkpoint: newest.id, instance: "train", sha256: newest.sha256, bytes: newest.bytes, sealedAt: newest.createdAt };
  const [seen, at] = [{ verifiedAt: 1, proof: "read" }, "https://s3.example:9000"] as const;
  await world.state.commit({
    volumes: [{ ...volume, id: "v-old", name: "train-old", providerId: "d-old", zone: "north-b" }],
    checkpoints: [{ ...newest, volume: "train-old" }],
    bucketCopies: [
      { ...copy, ...seen, place: "s3://backups/spot", endpoint: "" },
      { ...copy, ...seen, place: "s3://mine", endpoint: at },
    ],
  });
  soldOut(world, "north-b", "south-a");
  await expect(wake(world, { capMs: MINUTE_MS, allow: ["same-zone"] })).rejects.toMatchObject({
    exit: EXIT.timeout,
    hint: expect.stringContaining(`${newest.id} in s3://backups/spot, ${newest.id} in s3://mine at`),
    next: expect.arrayContaining([
      `spot checkpoints copy s3://backups/spot/${newest.id} --to ./train`,
      `AWS_ENDPOINT_URL_S3=${at} spot checkpoints copy s3://mine/${newest.id} --to ./train`,
      `spot checkpoints copy ${newest.id} --from train-old --to ./train`,
    ]),
  });
});

test("a wake that took no time, and what was none, say nothing of how long a way back takes", async () => {
  const world = await asleep();
  const { fleet } = world.start();
  const record = await train(world);
  const at = world.clock.now();
  const wakeOf = (ms: number, phase: string) => {
    const rest = { during: null, readyBy: ["started"], provider: "paper", zone: "north-a", phases: [{ phase, ms }] } as const;
    const data = wakeData({ startedAt: at - ms, endedAt: at, outcome: "ready", rung: "same-zone", ...rest });
    return { at, type: "action" as const, instance: "train", provider: "paper", data };
  };
  const expected = async () => {
    const { rungs } = await world.clock.run(surveyLadder(fleet, record, { allow: USUAL_RUNGS, ceiling: null }, signal));
    return rungs.find(({ rung }) => rung === "same-zone")?.expectedMs;
  };
  await world.state.commit({ events: [wakeOf(0, "ask"), wakeOf(2_000, "ready")] });
  expect(await expected()).toBeNull();
  await world.state.commit({ events: [wakeOf(41_000, "ask")] });
  expect(await expected()).toBe(41_000);
});

test("a snapshot that somebody else made is taken, and stays", async () => {
  const world = await asleep();
  const { fleet } = world.start();
  const [volume] = await world.state.volumes();
  if (volume === undefined) throw new Error("no volume");
  await world.clock.run(snapshotVolume(fleet, volume, signal));
  await world.clock.pass(MINUTE_MS);
  const made = [...world.cloud.snapshots.keys()];
  expect(await wake(world)).toMatchObject({ zone: "north-b" });
  expect([...world.cloud.snapshots.keys()]).toEqual(made);
});

test("one that sleeps again keeps the snapshot that is still being made for its way back, and it goes when no other try comes", async () => {
  const world = await asleep();
  // Before it is made nothing can begin with it.
  await expect(wake(world, { capMs: 4_000 })).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  expect([world.cloud.snapshots.size, (await ends(world)).length]).toEqual([1, 1]);
  await world.clock.pass(30 * MINUTE_MS);
  await look(world);
  expect(world.cloud.snapshots.size).toBe(1);
  await world.clock.pass(31 * MINUTE_MS);
  await look(world);
  expect([world.cloud.snapshots.size, (await ends(world)).length]).toEqual([0, 0]);
});

test("a snapshot that is not let go is named, the restore has served, and the next look deletes it", async () => {
  const world = await asleep();
  const { fleet } = world.start();
  const { volumes } = world.cloud.provider;
  const { snapshots } = volumes ?? {};
  if (volumes === undefined || snapshots === undefined) throw new Error("a paper world without snapshots");
  const busy = new ProviderError("paper", { kind: "conflict" }, "InvalidSnapshot.InUse");
  const provider: Provider = {
    ...world.cloud.provider,
    volumes: { ...volumes, snapshots: { ...snapshots, remove: () => Promise.reject(busy) } },
  };
  const said: string[] = [];
  const hindered: Fleet = { ...fleet, provider: async () => provider, say: (text) => said.push(text) };
  expect(await wake(world, {}, hindered)).toMatchObject({ state: "running", zone: "north-b" });
  expect(said).toContainEqual(
    expect.stringMatching(/snapshot of train .* still bills \(InvalidSnapshot.InUse\); spot reconcile deletes it/),
  );
  expect(world.cloud.snapshots.size).toBe(1);
  await look(world);
  expect([world.cloud.snapshots.size, (await ends(world)).length]).toEqual([0, 0]);
});

test("a snapshot that goes with a way back is neither thinned out nor counted: the newest of the others stays", async () => {
  const world = await asleep();
  const { fleet } = world.start();
  const [volume] = await world.state.volumes();
  if (volume === undefined) throw new Error("no volume");
  await world.clock.run(snapshotVolume(fleet, volume, signal));
  // Too old for the way back: a machine has had the volume since.
  for (const zone of world.cloud.zones) zone.stock = 3;
  await wake(world);
  await world.clock.run(hibernate(fleet));
  soldOut(world, "north-a");
  await expect(wake(world, { capMs: 4_000 })).rejects.toThrow();
  await world.clock.pass(MINUTE_MS);
  const rules = { keepLast: 1 };
  const verdicts = await world.clock.run(weighSnapshots(fleet, [world.cloud.provider], { name: null, rules }, signal));
  expect(verdicts.map(({ kept, because }) => [kept, because.join()]).sort()).toEqual([
    [true, "made for a way back, and deleted once that is over"],
    [true, "newest,last 1"],
  ]);
});

test("it goes back the way it came, to the volume that was kept, as long as no machine came up with the new one", async () => {
  const world = await asleep();
  Object.assign(world.cloud.settings, { provisionMs: 10 * MINUTE_MS });
  await expect(wake(world, { capMs: MINUTE_MS })).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  expect(await volumesOf(world)).toEqual(["train in north-b: available", "train-north-a in north-a: available"]);
  Object.assign(world.cloud.settings, { provisionMs: 900 });
  for (const zone of world.cloud.zones) zone.stock = zone.zone === "north-a" ? 3 : 0;
  await world.clock.pass(4 * MINUTE_MS);
  expect(await wake(world)).toMatchObject({ zone: "north-a" });
  expect(await volumesOf(world)).toEqual(["train in north-a: available", "train-north-b in north-b: available"]);
});

test("what was written on the way since is not left behind: a snapshot or a copy from before a machine had the volume is none", async () => {
  const world = await asleep();
  await wake(world);
  const { fleet } = world.start();
  // It has worked, and nobody knows what it has sealed.
  const [machine] = world.cloud.living();
  await world.clock.pass(2 * MINUTE_MS);
  const unseen = { id: "c-unseen", machine: machine?.id ?? "", at: world.clock.now() };
  world.cloud.volumes.get(machine?.volumeIds[0] ?? "")?.checkpoints.push(unseen);
  await world.clock.run(putToSleep(fleet, await train(world), { signal, limitMs: MINUTE_MS, snapshot: false }));
  for (const zone of world.cloud.zones) zone.stock = zone.zone === "north-a" ? 3 : 0;
  await world.clock.pass(4 * MINUTE_MS);
  expect(await wake(world)).toMatchObject({ zone: "north-a" });
  const [last] = world.cloud.living();
  expect(world.cloud.volumes.get(last?.volumeIds[0] ?? "")?.checkpoints).toContainEqual(unseen);
});

test("while a machine is asked for with a copy, neither the volume nor the copy can be removed", async () => {
  const world = await asleep();
  const { fleet } = world.start();
  const { launch } = world.cloud.provider;
  const refused: string[] = [];
  const provider: Provider = {
    ...world.cloud.provider,
    async launch(spec, context) {
      if (spec.offer.zone !== "north-b") return launch(spec, context);
      const other = world.start().fleet;
      for (const volume of await world.state.volumes())
        await removeVolume(other, volume, signal).catch((error) => refused.push(`${volume.name}: ${error.code}`));
      return launch(spec, context);
    },
  };
  expect(await wake(world, {}, { ...fleet, provider: async () => provider })).toMatchObject({ zone: "north-b" });
  expect(refused.sort()).toEqual(["train-north-b: SPOT_E_IN_USE", "train: SPOT_E_IN_USE"]);
});

test("a machine that sleeps at its cloud is ended only when there is another way, and its work was sealed", async () => {
  const world = await asleep({ zonal: true, readable: true });
  const awake = await wake(world);
  expect(awake).toMatchObject({ state: "running", zone: "north-b", parked: null });
  expect(world.cloud.living()).toHaveLength(1);
  const other = await asleep({ zonal: true, readable: true });
  const until = other.clock.now() + 10 * MINUTE_MS;
  const keys = other.cloud.zones.map(({ region, zone }) => `paper/${region}/${zone}/h100.1/spot`);
  await other.state.commit({ blockOffers: keys.map((key) => ({ key, until, why: "no capacity" })) });
  await expect(wake(other, { capMs: MINUTE_MS })).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
  expect(other.cloud.living().map(({ state }) => state)).toEqual(["hibernated"]);
});

test.each(["snapshot", "copy"] as const)(
  "a way back that fails for itself alone (%s) is said and left, and the next one is taken",
  async (rung) => {
    const world = await asleep();
    const { fleet } = world.start();
    const { volumes } = world.cloud.provider;
    const { snapshots } = volumes ?? {};
    if (volumes === undefined || snapshots === undefined || fleet.travel === undefined) throw new Error("a paper world without volumes");
    const auth = new ProviderError("paper", { kind: "auth" }, "UnauthorizedOperation: CreateSnapshot");
    const provider: Provider = {
      ...world.cloud.provider,
      volumes: { ...volumes, snapshots: { ...snapshots, create: () => Promise.reject(auth) } },
    };
    const damaged = new Problem({ code: "SPOT_E_DAMAGED", message: "part 3 does not verify", exit: EXIT.verification });
    const said: string[] = [];
    const hindered: Fleet = {
      ...fleet,
      provider: async () => (rung === "snapshot" ? provider : world.cloud.provider),
      travel: { ...fleet.travel, bring: () => Promise.reject(damaged) },
      say: (text) => said.push(text),
    };
    const allow: readonly RungName[] = [...USUAL_RUNGS.filter((one) => one !== (rung === "snapshot" ? "copy" : "snapshot")), "on-demand"];
    const awake = await wake(world, { allow, capMs: 5 * MINUTE_MS }, hindered);
    expect(awake).toMatchObject({ state: "running", billing: "on-demand", zone: "north-a" });
    expect(said.filter((text) => text.includes(`${rung} leads nowhere`))).toHaveLength(1);
    expect(await volumesOf(world)).toEqual(["train in north-a: available"]);
    expect(world.cloud.volumes.size).toBe(1);
  },
);
