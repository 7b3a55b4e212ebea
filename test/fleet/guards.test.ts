import { expect, onTestFinished, test } from "vitest";
import type { Fleet, GuestReport } from "../../src/fleet/fleet.ts";
import { type GuardPace, isDue, lookAtGuards } from "../../src/fleet/guards.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { CLOUD_GUARDS } from "../../src/model/guard.ts";
import { createProvider, knownProviders } from "../../src/providers/registry.ts";
import type { GuardRecord } from "../../src/state/records.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";
import { testWorld } from "../world.ts";
import { NOW, record } from "./samples.ts";

const { signal } = new AbortController();
const MINUTE_MS = 60_000;

/** Instances that run, with a TTL, and what their agents say; the names of those that were asked, in order. */
async function guarded(count: number, say: (now: number) => Partial<GuestReport> | undefined, set = {}) {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet: base } = world.start();
  const asked: number[] = [];
  const guest: Fleet["guest"] = {
    ...base.guest,
    async report(reach, within) {
      const now = world.clock.now();
      asked.push(now);
      const report = await base.guest.report(reach, within);
      const more = say(now);
      return report === undefined || more === undefined ? undefined : { ...report, ...more };
    },
  };
  const fleet: Fleet = { ...base, guest };
  for (const zone of world.cloud.zones) zone.stock = count;
  for (let index = 0; index < count; index++)
    await world.clock.run(up(fleet, paperSpec({ name: `train-${index}`, volume: null, ttlMs: 86_400_000, ...set })));
  await world.clock.pass(world.cloud.settings.listSettlesMs);
  asked.length = 0;
  return { world, fleet, asked };
}

const warnings = async ({ state }: PaperWorld) => (await state.events({})).filter(({ type }) => type === "warning").map(({ data }) => data);
const pass = (world: PaperWorld, fleet: Fleet) => world.clock.run(reconcile(fleet, { signal, limitMs: 10_000 }));
/** An agent whose clock is an hour ahead, and that looked around so many seconds before it spoke. */
const heard = (now: number, seconds = 1) => ({ heartbeatAt: now / 1000 + 3_600 - seconds, saidAt: now / 1000 + 3_600 });

test("a heartbeat is kept by our clock, without a change of the record, and asked for every five minutes", async () => {
  const { world, fleet, asked } = await guarded(1, (now) => heard(now, 2));
  const [before] = await world.state.instances();
  await pass(world, fleet);
  const [guard] = await world.state.guards();
  expect(guard).toEqual({
    instanceId: before?.id,
    providerId: before?.providerId,
    heartbeatAt: world.clock.now() - 2_000,
    askedAt: world.clock.now(),
    silentAt: null,
    warned: false,
  });
  expect((await world.state.instances())[0]?.version).toBe(before?.version);
  await world.clock.pass(4 * MINUTE_MS);
  await pass(world, fleet);
  expect(asked).toHaveLength(1);
  await world.clock.pass(MINUTE_MS);
  await pass(world, fleet);
  expect(asked).toHaveLength(2);
});

test("nobody is asked who keeps neither a TTL nor an idle time", async () => {
  const { world, fleet, asked } = await guarded(1, heard, { ttlMs: null });
  await pass(world, fleet);
  expect([asked, await world.state.guards()]).toEqual([[], []]);
});

test.each([
  ["that does not answer", undefined],
  ["whose supervisor stands still", { heartbeatAt: 1, saidAt: 1_000 }],
])("an agent %s is warned of once, when it was asked again; one that speaks again may fall silent anew", async (_, silent) => {
  let lives = true;
  const { world, fleet } = await guarded(1, (now) => (lives ? heard(now) : silent));
  const later = async (ms: number) => {
    await world.clock.pass(ms);
    await pass(world, fleet);
  };
  await pass(world, fleet);
  lives = false;
  await later(5 * MINUTE_MS);
  expect(await warnings(world)).toEqual([]);
  expect((await world.state.guards())[0]?.silentAt).toBe(world.clock.now());
  await later(MINUTE_MS);
  const [warning, ...more] = await warnings(world);
  expect(more).toEqual([]);
  expect(warning).toMatchObject({ guard: "silent" });
  expect(warning?.["message"]).toMatch(/^its agent was last heard at \S+Z; its TTL is kept by spot watch --act or reconcile$/);
  for (let minutes = 0; minutes < 30; minutes += 5) await later(5 * MINUTE_MS);
  expect(await warnings(world)).toHaveLength(1);
  lives = true;
  await later(5 * MINUTE_MS);
  expect((await world.state.guards())[0]).toMatchObject({ silentAt: null, warned: false });
  lives = false;
  await later(5 * MINUTE_MS);
  await later(MINUTE_MS);
  expect(await warnings(world)).toHaveLength(2);
});

test("a watch asks a few at a time beside its passes, whoever was not asked for longest first", async () => {
  const { world, fleet, asked } = await guarded(40, heard);
  const pace: GuardPace = { next: new Map(), asked: new Map(), underway: null };
  const listing = await world.clock.run(world.cloud.provider.list({ signal }));
  const records = await world.state.instances();
  const round = async () => {
    await lookAtGuards(fleet, records, new Map([["paper", listing]]), pace, signal);
    if (pace.underway !== null) await world.clock.run(pace.underway);
  };
  await round();
  await round();
  expect(asked).toHaveLength(15);
  for (let rounds = 0; rounds < 2; rounds++) {
    await world.clock.pass(15_000);
    await round();
  }
  expect(asked).toHaveLength(40);
  expect(await world.state.guards()).toHaveLength(40);
});

test("of many under notice each has its turn", async () => {
  const disk = (name: string) => ({ name, sizeGb: 10, mount: "/data" });
  const { world, fleet } = await guarded(1, heard, { ttlMs: null, volume: disk("disk") });
  const [one] = await world.state.instances();
  const [machine] = await world.clock.run(world.cloud.provider.list({ signal }));
  if (one === undefined || machine?.reach?.kind !== "process") throw new Error("no machine");
  const doors: string[] = [];
  const guest: Fleet["guest"] = {
    ...fleet.guest,
    async report(reach) {
      doors.push(reach.kind === "process" ? reach.cwd : "");
      return undefined;
    },
  };
  const notice = { kind: "reclaim", source: "api", seenAt: 0, deadline: world.clock.now() + 120_000 } as const;
  const names = Array.from({ length: 40 }, (_, index) => `m-${index}`);
  const records = names.map((name) => ({ ...one, id: `i-${name}`, providerId: name, notice }));
  const { reach } = machine;
  const listing = names.map((name) => ({ ...machine, providerId: name, reach: { ...reach, cwd: name } }));
  const pace: GuardPace = { next: new Map(), asked: new Map(), underway: null };
  for (let rounds = 0; rounds < 3; rounds++) {
    await lookAtGuards({ ...fleet, guest }, records, new Map([["paper", listing]]), pace, signal);
    if (pace.underway !== null) await world.clock.run(pace.underway);
    await world.clock.pass(5_000);
  }
  expect(new Set(doors).size).toBe(40);
  expect(await world.state.guards()).toEqual([]);
});

test("under a notice a checkpoint that does not fit is told by the agent's own word, once", async () => {
  const fit = { bytes: 9e9, bytesPerSecond: 1e8, neededSeconds: 136, leftSeconds: 55, fits: false, begun: false, stands: "c-1" };
  const { world, fleet } = await guarded(1, (now) => ({ ...heard(now), fit }), {
    ttlMs: null,
    volume: { name: "disk", sizeGb: 10, mount: "/data" },
  });
  const [before] = await world.state.instances();
  world.cloud.reclaim(before?.providerId ?? "", 60_000);
  for (let passes = 0; passes < 3; passes++) {
    await pass(world, fleet);
    await world.clock.pass(6_000);
  }
  const told = (await world.state.events({})).filter(({ data }) => data["skipped"] === true);
  expect(told.map(({ data }) => [data["neededSeconds"], data["leftSeconds"], data["stands"]])).toEqual([[136, 55, "c-1"]]);
});

test("who is due", () => {
  const guard: GuardRecord = { instanceId: "i-1", providerId: "m-1", heartbeatAt: NOW, askedAt: NOW, silentAt: null, warned: false };
  const due = (before: GuardRecord, afterMs: number) => isDue(record(), before, NOW + afterMs);
  expect([due({ ...guard, askedAt: 0 }, 0), due(guard, 299_000), due(guard, 300_000)]).toEqual([true, false, true]);
  expect([due({ ...guard, silentAt: NOW }, 59_000), due({ ...guard, silentAt: NOW }, 60_000)]).toEqual([false, true]);
  expect([due({ ...guard, silentAt: NOW, warned: true }, 60_000), due(guard, -3_600_000)]).toEqual([false, true]);
});

test("what lists say of each cloud is what its adapter says", async () => {
  const world = testWorld();
  const said = await Promise.all(
    knownProviders().map(async (id) => {
      const { capabilities } = await createProvider(id, world);
      return [id, { endsAtTtl: capabilities.endsAtTtl, endsItself: capabilities.machine.endsItself }];
    }),
  );
  expect(Object.fromEntries(Object.entries(CLOUD_GUARDS).map(([id, { name: _, ...guards }]) => [id, guards]))).toEqual(
    Object.fromEntries(said),
  );
});

test("an agent that is asked whether it lives says too that its workload has ended: written down with its time, once", async () => {
  let end: number | null = null;
  const { world, fleet } = await guarded(1, (now) => ({
    ...heard(now),
    ...(end === null ? {} : { phase: "exited", exitCode: 9, endedAt: end }),
  }));
  const endings = async () => (await world.state.events({})).filter(({ data }) => data["action"] === "workload-ended");
  await pass(world, fleet);
  expect(await endings()).toEqual([]);
  // By the machine's own clock, which is an hour ahead.
  end = Math.floor(world.clock.now() / 1000) + 3_600 + 180;
  const at = world.clock.now() + 180_000;
  await world.clock.pass(5 * MINUTE_MS);
  await pass(world, fleet);
  const [record] = await world.state.instances();
  expect(record?.outlook.ended).toMatchObject({ code: 9, machine: record?.providerId });
  expect(Math.abs((record?.outlook.ended?.at ?? 0) - at)).toBeLessThanOrEqual(1_000);
  await world.clock.pass(6 * MINUTE_MS);
  await pass(world, fleet);
  expect(await endings()).toMatchObject([{ instance: "train-0", data: { code: 9 } }]);
});

test("what an agent says of its checkpoints is kept on the way", async () => {
  const { world, fleet } = await guarded(1, (now) => ({ ...heard(now), checkpointSeconds: 9, everySeconds: 700 }));
  await pass(world, fleet);
  const [record] = await world.state.instances();
  const { providerId: machine } = record ?? {};
  expect(record?.outlook.sealing).toEqual({ machine, at: world.clock.now(), checkpointSeconds: 9, everySeconds: 700 });
});
