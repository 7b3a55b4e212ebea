import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { readyBy } from "../../src/fleet/wakes/crossing.ts";
import { lastWake, wakesOf } from "../../src/fleet/wakes/wake-log.ts";
import type { Wake } from "../../src/model/wake.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, hibernate, restore, up } from "../simulation/scenarios.ts";

async function asleep(set: Parameters<typeof paperWorld>[0] = {}, spec = {}): Promise<PaperWorld> {
  const world = await paperWorld(set);
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec(spec)).then(() => hibernate(fleet)));
  return world;
}

const wakes = async ({ state }: PaperWorld): Promise<readonly Wake[]> => wakesOf(await state.events({ limit: 10_000 }));
const names = ({ phases }: Wake) => phases.map(({ phase }) => phase);
const msOf = ({ phases }: Wake, name: string) => phases.find(({ phase }) => phase === name)?.ms;

/** The same fleet, whose agents tell what was done by when, by a clock that is an hour ahead. */
function telling(world: PaperWorld, fleet: Fleet): Fleet {
  const AHEAD_S = 3_600;
  return {
    ...fleet,
    guest: {
      ...fleet.guest,
      async report(reach, signal) {
        const report = await fleet.guest.report(reach, signal);
        const machine = world.cloud.machine(reach.kind === "process" ? reach.cwd : "");
        const since = machine?.runningSince ?? null;
        if (report === undefined || since === null) return report;
        const done = [
          { phase: "boot", at: since + 200 },
          { phase: "mount", at: since + 200 },
          { phase: "restore", at: since + 5_200 },
          { phase: "weights", at: since + 45_200 },
        ].filter(({ at }) => at <= world.clock.now());
        const isReady = done.length === 4;
        return {
          ...report,
          phase: isReady ? "running" : "preparing",
          saidAt: world.clock.now() / 1000 + AHEAD_S,
          marks: done.map(({ phase, at }) => ({ phase, at: at / 1000 + AHEAD_S })),
        };
      },
    },
  };
}

test.each([
  ["native", "same-machine"],
  ["park", "same-zone"],
] as const)("a wake is on record with where its time went, whatever the machine's clock says (%s)", async (hibernates, rung) => {
  const world = await asleep({ hibernates, provisionMs: 20_000, changeMs: 20_000 });
  const began = world.clock.now();
  await world.clock.run(restore(telling(world, world.start().fleet)));
  const [wake, ...more] = await wakes(world);
  if (wake === undefined) throw new Error("there is no wake");
  expect(more).toEqual([]);
  expect(wake).toMatchObject({ startedAt: began, outcome: "ready", during: null, rung, readyBy: ["started"], provider: "paper" });
  expect(names(wake)).toEqual(["ask", "provider", "boot", "mount", "restore", "weights", "ready"]);
  expect(wake.phases.reduce((sum, { ms }) => sum + ms, 0)).toBe(wake.endedAt - wake.startedAt);
  // It is seen up within one look; what its agent tells is told to the millisecond here.
  expect(msOf(wake, "provider")).toBeGreaterThanOrEqual(19_000);
  expect(msOf(wake, "restore")).toBe(5_000);
  expect(msOf(wake, "weights")).toBe(40_000);
  const [record] = await world.state.instances();
  expect(record?.outlook.wake ?? null).toBeNull();
});

test("what is marked right before it serves is in its record, also where its agent is not heard at that moment", async () => {
  const world = await asleep({ hibernates: "park", provisionMs: 20_000 });
  const { fleet } = world.start();
  const told = telling(world, fleet);
  let deaf = 1;
  const late: Fleet = {
    ...told,
    guest: {
      ...told.guest,
      async report(reach, signal) {
        const report = await told.guest.report(reach, signal);
        return report && { ...report, marks: report.marks?.filter(({ phase }) => phase !== "weights") ?? [] };
      },
      async marks(reach, signal) {
        if (deaf-- > 0) throw new Error("the connection broke");
        return (await told.guest.report(reach, signal))?.marks;
      },
    },
  };
  await world.clock.run(restore(late));
  const [wake] = await wakes(world);
  expect(names(wake as Wake)).toEqual(["ask", "provider", "boot", "mount", "restore", "weights", "ready"]);
  expect(deaf).toBeLessThan(0);
});

test("without a volume nothing is said to be mounted", async () => {
  const world = await asleep({ hibernates: "native" }, { volume: null });
  await world.clock.run(restore(telling(world, world.start().fleet)));
  const [wake] = await wakes(world);
  expect(names(wake as Wake)).toEqual(["ask", "provider", "boot", "restore", "weights", "ready"]);
});

test("a wake that is put back to sleep says during what, and the next one counts anew", async () => {
  const world = await asleep({ hibernates: "park", provisionMs: 60_000 });
  await expect(world.clock.run(restore(world.start().fleet, "train", 20_000))).rejects.toMatchObject({
    code: "SPOT_E_WAKE_TIMEOUT",
    hint: expect.stringMatching(/20s: ask .*, provider .* \(not done\)/),
  });
  const [first] = await wakes(world);
  expect(first).toMatchObject({ outcome: "asleep", during: "provider" });
  expect(names(first as Wake)).toEqual(["ask", "provider"]);
  await world.clock.run(restore(world.start().fleet));
  const [, second] = await wakes(world);
  expect(second?.startedAt).toBeGreaterThan(first?.endedAt ?? Number.POSITIVE_INFINITY);
  expect(second).toMatchObject({ outcome: "ready" });
  expect(await lastWake(world.state, "train", first?.endedAt ?? 0)).toEqual(second);
});

test("without hardware all of it is asking", async () => {
  const world = await asleep();
  for (const zone of world.cloud.zones) zone.stock = 0;
  await expect(world.clock.run(restore(world.start().fleet, "train", 20_000))).rejects.toThrow();
  expect(await wakes(world)).toMatchObject([{ outcome: "asleep" }]);
});

test("a wake whose command was killed is finished in the record by whoever finishes it", async () => {
  const world = await asleep({ hibernates: "park", provisionMs: 5_000 });
  const killed = world.start({ at: 12, mode: "crash-after" });
  await world.clock.run(restore(killed.fleet).catch(() => undefined));
  world.bury(killed);
  expect(await wakes(world)).toEqual([]);
  await world.clock.pass(60_000);
  await world.clock.run(reconcile(world.start().fleet, { signal: new AbortController().signal, limitMs: 120_000 }));
  const [wake] = await wakes(world);
  expect(wake).toMatchObject({ outcome: "ready", rung: "same-zone" });
  expect((wake as Wake).endedAt - (wake as Wake).startedAt).toBeGreaterThan(60_000);
});

test("one that is ended while it comes back is no wake that served", async () => {
  const world = await asleep({ changeMs: 10_000 });
  const waking = restore(world.start().fleet).catch(() => undefined);
  const ending = world.clock.sleep(3_000).then(() => down(world.start().fleet));
  await world.clock.run(Promise.all([waking, ending]));
  expect(await wakes(world)).toMatchObject([{ outcome: "ended" }]);
});

test("a first start is no wake", async () => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  await world.clock.run(up(world.start().fleet, paperSpec()));
  expect(await wakes(world)).toEqual([]);
});

test("what ready means is what was asked for, and otherwise only that it runs", () => {
  const spec = paperSpec();
  expect(readyBy({ ...spec, readyHttp: ":80/", readyCmd: "true" })).toEqual(["http", "command"]);
  expect(readyBy({ ...spec, readyHttp: null, readyCmd: null, command: ["sh"] })).toEqual(["started"]);
  expect(readyBy({ ...spec, readyHttp: null, readyCmd: null, command: [] })).toEqual(["agent"]);
});

test("what another version wrote of a wake, and this one does not understand, is left out", () => {
  const event = (data: Record<string, unknown>) => ({ seq: 1, at: 0, type: "action" as const, instance: "train", provider: null, data });
  expect(wakesOf([event({ action: "wake", wake: { outcome: "sideways" } }), event({ action: "wish" })])).toEqual([]);
});
