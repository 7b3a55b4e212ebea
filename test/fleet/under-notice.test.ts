import { describe, expect, test } from "vitest";
import { decide } from "../../src/fleet/deciding/decide.ts";
import type { Observation } from "../../src/fleet/deciding/decision.ts";
import { CONTROLLER_LOOKS_MS, SLEEP_MARGIN_MS } from "../../src/fleet/deciding/policy.ts";
import { isDueUnderNotice } from "../../src/fleet/deciding/under-notice.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { noPace, type Pace } from "../../src/fleet/hearing/pace.ts";
import { controllerSeat } from "../../src/fleet/leases/controller.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { type EarlySeal, FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import { decisionsOf, decisionsView } from "../../src/output/decisions-view.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";
import { machine, NOW, record, seen } from "./samples.ts";

const MINUTE_MS = 60_000;
const signal = new AbortController().signal;
const reach = { kind: "process", cwd: "m-1", env: {}, log: "" } as const;

/** An hour's notice, of which `leftMs` are left. */
function noticed(leftMs: number, early: EarlySeal | null, set: Partial<InstanceRecord> = {}): InstanceRecord {
  const notice = { kind: "reclaim", source: "api", seenAt: NOW - 60_000, deadline: NOW + leftMs } as const;
  const spec = paperSpec({ onReclaim: "hibernate" });
  return record({ state: "reclaiming", notice, spec, outlook: { ...FRESH_OUTLOOK, early }, ...set });
}

/** A watch looks; what the cloud says of its machine is what the record says. */
function given({ notice }: InstanceRecord, around: Partial<Observation> = {}): Observation {
  return seen({ cloud: { kind: "here", instance: machine({ state: "reclaiming", notice, reach }) }, looksEveryMs: 30_000, ...around });
}

const sealed = (tookMs: number | null, worksUntil: number | null = null): EarlySeal => ({
  machine: "m-1",
  at: NOW - 30_000,
  tookMs,
  worksUntil,
});
const HOUR = 60 * MINUTE_MS;
/** What a seal of 40 s leaves of an hour: it twice, the margin, the watch's longest pause. */
const UNTIL = NOW + HOUR - 80_000 - SLEEP_MARGIN_MS - CONTROLLER_LOOKS_MS;

describe("an instance that is to sleep, under a notice", () => {
  test.each<[string, InstanceRecord, Partial<Observation>, string, RegExp]>([
    [
      "has an hour: a checkpoint at once",
      noticed(HOUR, null),
      {},
      "seal-early",
      /goes in 1h: a checkpoint at once, and then the work goes on/,
    ],
    ["is sealed: until when it works is written down", noticed(HOUR, sealed(40_000)), {}, "work-on", /it is sealed, and works on until/],
    ["is sealed, and that is written down", noticed(HOUR, sealed(40_000, UNTIL)), {}, "rest", /then it seals once more and sleeps/],
    ["sleeps at the last moment", noticed(170_000, sealed(40_000, NOW)), {}, "sleep", /goes in 2m 50s, and it sleeps now/],
    ["was told of an earlier end meanwhile", noticed(2 * MINUTE_MS, sealed(40_000, UNTIL)), {}, "sleep", /sleeps now/],
    ["was told of a later end meanwhile", noticed(2 * HOUR, sealed(40_000, UNTIL)), {}, "work-on", /works on until/],
    ["is looked at when all is over", noticed(-MINUTE_MS, sealed(40_000, NOW - HOUR)), {}, "sleep", /goes in 0.0s, and it sleeps now/],
    ["has two minutes, as at AWS", noticed(2 * MINUTE_MS, null), {}, "sleep", /just enough for a checkpoint/],
    ["has nobody who looks again", noticed(HOUR, null), { looksEveryMs: null }, "sleep", /no watch --act runs/],
    ["lost the watch that looked", noticed(HOUR, sealed(40_000, UNTIL)), { looksEveryMs: null }, "sleep", /no watch --act runs/],
    ["could not be sealed ahead", noticed(HOUR, sealed(null)), {}, "sleep", /its checkpoint ahead failed/],
    ["takes half an hour to be sealed", noticed(50 * MINUTE_MS, sealed(HOUR / 2)), {}, "sleep", /time for its last checkpoint/],
    ["was sealed on the machine before", noticed(HOUR, { ...sealed(1_000), machine: "m-0" }), {}, "seal-early", /at once/],
    ["has an end that is only assumed", noticed(HOUR, null, { notice: { ...notice(HOUR), assumed: true } }), {}, "sleep", /only assumed/],
    [
      "lives by a clock that was set back",
      noticed(3 * HOUR, sealed(1_000, NOW), { notice: { ...notice(3 * HOUR), seenAt: NOW + HOUR } }),
      {},
      "sleep",
      /clock/,
    ],
    ["was sealed in a future that is over", noticed(3 * HOUR, { ...sealed(1_000), at: NOW + HOUR }), {}, "sleep", /the clock was set back/],
    ["has no volume, and a cloud that hibernates", noticed(HOUR, null, { spec: spec(null) }), {}, "sleep", /no volume/],
    ["has no volume, and a cloud that cannot", noticed(HOUR, null, { spec: spec(null) }), { hibernates: "park" }, "rest", /outlive/],
    ["still boots, and has the time", noticed(HOUR, null, { readyAt: null, state: "reclaiming" }), {}, "wait", /agent/],
    ["still boots, and is late", noticed(2 * MINUTE_MS, null, { readyAt: null }), {}, "sleep", /sleeps now/],
  ])("%s", (_what, of, around, action, why) => {
    const decided = decide(of, given(of, around));
    expect(decided.action.do).toBe(action);
    expect(decided.why).toMatch(why);
  });

  test("the next look is the moment until which it works", () => {
    const of = noticed(HOUR, sealed(40_000));
    expect(decide(of, given(of))).toMatchObject({ action: { do: "work-on", until: UNTIL }, nextLook: UNTIL });
  });

  test("replace, checkpoint and let-go work on until the end, and that is said at the notice", () => {
    for (const onReclaim of ["replace", "checkpoint", "let-go"] as const) {
      const of = noticed(HOUR, null, { spec: paperSpec({ onReclaim }) });
      expect(decide(of, given(of)).action.do).toBe("rest");
      const before = decide({ ...of, notice: null, state: "running" }, given(of));
      expect(before.why).toContain("its agent seals at once, and again as late as is safe, and it works on until then");
    }
  });

  test("it is due between two lists before it is sealed, and from the last moment on", () => {
    expect(isDueUnderNotice(noticed(HOUR, null), NOW)).toBe(true);
    expect(isDueUnderNotice(noticed(HOUR, sealed(1_000, NOW + 1)), NOW)).toBe(false);
    expect(isDueUnderNotice(noticed(HOUR, sealed(1_000, NOW)), NOW)).toBe(true);
    expect(isDueUnderNotice(noticed(HOUR, null, { desired: "hibernated" }), NOW)).toBe(false);
    expect(isDueUnderNotice(noticed(HOUR, null, { spec: paperSpec() }), NOW)).toBe(false);
  });
});

function notice(leftMs: number) {
  return { kind: "reclaim", source: "api", seenAt: NOW, deadline: NOW + leftMs } as const;
}

function spec(volume: null) {
  return paperSpec({ onReclaim: "hibernate", volume });
}

/** It has worked for a while, and has been told that it has `noticeMs` left. */
async function warned(noticeMs: number): Promise<{ readonly world: PaperWorld; readonly deadline: number }> {
  const world = await paperWorld();
  const first = world.start();
  await world.clock.run(up(first.fleet, paperSpec({ onReclaim: "hibernate" })));
  world.bury(first);
  await world.clock.pass(20 * MINUTE_MS);
  for (const { id } of world.cloud.living()) world.cloud.reclaim(id, noticeMs);
  return { world, deadline: world.clock.now() + noticeMs };
}

/** A watch, to be let on: a pass every half minute until then, under the lease of the controller; then it stands still. */
function watching({ clock, ...world }: PaperWorld, around: (fleet: Fleet) => Fleet = (fleet) => fleet) {
  const process = world.start();
  const fleet = around(process.fleet);
  const seat = controllerSeat(fleet);
  const look = async (pace: Pace = noPace()) => {
    const turn = await seat.take(signal);
    if (turn.kind === "acts") await reconcile(turn.held.fleet, { signal, limitMs: 10_000, pace });
  };
  const until = async (at: number) => {
    while (clock.now() < at) {
      await look();
      await clock.sleep(Math.min(30_000, Math.max(1, at - clock.now())));
    }
  };
  return {
    fleet,
    until: (at: number) => clock.run(until(at)),
    forMs: (ms: number) => clock.run(until(clock.now() + ms)),
    look: (pace: Pace) => clock.run(look(pace)),
    kill: () => world.bury(process),
  };
}

const only = async ({ state }: PaperWorld) => (await state.instances())[0];
const sealsOf = ({ cloud }: PaperWorld) => [...cloud.volumes.values()].flatMap(({ checkpoints }) => checkpoints.map(({ at }) => at));
const actionsOf = async ({ state }: PaperWorld) =>
  decisionsOf(await state.events({ instances: ["train"], limit: 10_000 })).map(({ action }) => action);
const pass = (world: PaperWorld, fleet: Fleet) => world.clock.run(reconcile(fleet, { signal, limitMs: 30_000 }));

describe("a notice of twenty minutes", () => {
  test("is used: sealed at once, worked on, sealed once more and asleep before its deadline; and that can be read", async () => {
    const { world, deadline } = await warned(20 * MINUTE_MS);
    const watch = watching(world);
    const told = world.clock.now();
    await watch.forMs(5 * MINUTE_MS);
    expect(sealsOf(world)).toHaveLength(1);
    expect(sealsOf(world)[0]).toBeLessThan(told + 10_000);
    const working = await only(world);
    expect(working).toMatchObject({ state: "reclaiming", desired: "running" });
    const until = working?.outlook.early?.worksUntil ?? 0;
    expect(until).toBeGreaterThan(deadline - 2 * MINUTE_MS);
    if (working === undefined) throw new Error("no record");
    const events = await world.state.events({ instances: ["train"], limit: 10_000 });
    const paint = { bold: String, dim: String, red: String, green: String, yellow: String, cyan: String };
    const view = decisionsView(working, decisionsOf(events), null);
    const clockText = (at: number) => new Date(at).toISOString().slice(11, 19);
    expect(await view.render(paint, 200)).toContain(
      `under notice: works on until ${clockText(until)}Z, then seals once more and sleeps; its machine goes at ${clockText(deadline)}Z`,
    );
    expect(view.beside).toMatchObject({ worksUntil: new Date(until).toISOString() });
    const row = decisionsOf(events).findLast(({ action }) => action === "work-on");
    expect(row).toMatchObject({ nextLook: until });

    await watch.until(deadline);
    expect(await only(world)).toMatchObject({ state: "hibernated", desired: "hibernated", parked: "native" });
    const [, last = 0] = sealsOf(world);
    expect(last).toBeGreaterThan(until - 1_000);
    expect(last).toBeLessThan(deadline - 30_000);
    expect(world.cloud.unsealedEnds).toEqual([]);
    // Each step once, however often it was looked at.
    expect((await actionsOf(world)).filter((action) => ["seal-early", "work-on", "sleep"].includes(action))).toEqual([
      "seal-early",
      "work-on",
      "sleep",
    ]);
  });

  test("that is withdrawn leaves the work as it was", async () => {
    const { world } = await warned(10 * MINUTE_MS);
    const watch = watching(world);
    const before = await only(world);
    await watch.forMs(3 * MINUTE_MS);
    for (const { id } of world.cloud.living()) world.cloud.withdraw(id);
    await watch.forMs(8 * MINUTE_MS);
    expect(await only(world)).toMatchObject({ state: "running", desired: "running", providerId: before?.providerId, generation: 1 });
    // The next one begins anew.
    for (const { id } of world.cloud.living()) world.cloud.reclaim(id, 20 * MINUTE_MS);
    await watch.forMs(2 * MINUTE_MS);
    expect(sealsOf(world)).toHaveLength(2);
  });

  test("whose deadline is brought forward puts it to sleep at once", async () => {
    const { world } = await warned(20 * MINUTE_MS);
    const watch = watching(world);
    await watch.forMs(5 * MINUTE_MS);
    for (const { id } of world.cloud.living()) world.cloud.reclaim(id, MINUTE_MS);
    const deadline = world.clock.now() + MINUTE_MS;
    await watch.until(deadline);
    expect(await only(world)).toMatchObject({ state: "hibernated", parked: "native" });
  });

  test("and nobody there at the last moment: it rests on its volume, from the checkpoint that was sealed at once", async () => {
    const { world, deadline } = await warned(20 * MINUTE_MS);
    const watch = watching(world);
    await watch.forMs(5 * MINUTE_MS);
    await world.clock.pass(deadline + 10 * MINUTE_MS - world.clock.now());
    await pass(world, watch.fleet);
    expect(await only(world)).toMatchObject({ state: "hibernated", desired: "hibernated", parked: "recreate" });
    expect(sealsOf(world)).toHaveLength(1);
  });

  test("and cron alone: nobody says when he comes again, so it sleeps at the first pass", async () => {
    const { world } = await warned(20 * MINUTE_MS);
    await pass(world, world.start().fleet);
    expect(await only(world)).toMatchObject({ state: "hibernated", desired: "hibernated" });
    expect(await actionsOf(world)).not.toContain("work-on");
  });

  test("a reconcile beside a watch leaves it its time; when the watch was killed it does not", async () => {
    const { world } = await warned(20 * MINUTE_MS);
    const watch = watching(world);
    await watch.forMs(5 * MINUTE_MS);
    await pass(world, world.start().fleet);
    expect(await only(world)).toMatchObject({ desired: "running" });
    watch.kill();
    await pass(world, world.start().fleet);
    expect(await only(world)).toMatchObject({ state: "hibernated", desired: "hibernated" });
  });

  test("a watch that takes over from one that was killed keeps to the moment", async () => {
    const { world, deadline } = await warned(20 * MINUTE_MS);
    const watch = watching(world);
    await watch.forMs(5 * MINUTE_MS);
    const until = (await only(world))?.outlook.early?.worksUntil ?? 0;
    watch.kill();
    const next = watching(world);
    await next.until(until - 10_000);
    expect(await only(world)).toMatchObject({ desired: "running" });
    expect(sealsOf(world)).toHaveLength(1);
    await next.until(deadline);
    expect(await only(world)).toMatchObject({ state: "hibernated" });
  });

  test("its last moment is not slept through between two lists", async () => {
    const { world } = await warned(20 * MINUTE_MS);
    const watch = watching(world);
    await watch.forMs(2 * MINUTE_MS);
    const unlisted = { ...noPace(), isDue: () => false };
    await watch.look(unlisted);
    expect(await only(world)).toMatchObject({ desired: "running" });
    await world.clock.pass(((await only(world))?.outlook.early?.worksUntil ?? 0) - world.clock.now());
    await watch.look(unlisted);
    expect(await only(world)).toMatchObject({ desired: "hibernated" });
  });

  test("a checkpoint that cannot be sealed ahead is not waited for", async () => {
    const { world } = await warned(20 * MINUTE_MS);
    const failed = async () => ({ kind: "failed", why: "the disk is full" }) as const;
    const watch = watching(world, (fleet) => ({ ...fleet, guest: { ...fleet.guest, snapshot: failed } }));
    await watch.forMs(2 * MINUTE_MS);
    expect(await only(world)).toMatchObject({ desired: "hibernated", state: "reclaiming" });
    expect(await actionsOf(world)).toContain("sleep");
  });
});
