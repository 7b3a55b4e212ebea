import { describe, expect, test } from "vitest";
import type { Fleet, GuestDoor, GuestLine, GuestReport } from "../../src/fleet/fleet.ts";
import { type OpenEar, openEar } from "../../src/fleet/hearing/ear.ts";
import { type Heard, keyOf, whoIsHeard } from "../../src/fleet/hearing/ear-places.ts";
import { look } from "../../src/fleet/hearing/look.ts";
import { type OwnPace, ownPace } from "../../src/fleet/hearing/pace.ts";
import type { FleetEvent } from "../../src/model/event.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

interface FakeAgent {
  say(notice: GuestLine["notice"], phase?: GuestLine["phase"]): void;
  /** The connection breaks. */
  drop(): void;
}

/** The agents of a paper cloud as somebody who listens hears them. */
function agents() {
  const streams = new Map<string, FakeAgent>();
  const line = (notice: GuestLine["notice"], phase: GuestLine["phase"] = "running"): GuestLine => ({ phase, step: null, notice });
  const listen: NonNullable<GuestDoor["listen"]> = (reach, signal, onLine) =>
    new Promise((resolve) => {
      const key = reach.kind === "process" ? reach.cwd : reach.host;
      const end = () => {
        streams.delete(key);
        resolve("ended");
      };
      signal.addEventListener("abort", end, { once: true });
      streams.set(key, { say: (notice, phase) => onLine(line(notice, phase)), drop: end });
      onLine(line(null));
    });
  return { listen, streams };
}

interface Scene {
  readonly world: PaperWorld;
  readonly fleet: Fleet;
  readonly pace: OwnPace;
  readonly ear: OpenEar;
  readonly streams: ReadonlyMap<string, FakeAgent>;
  /** The calls to the cloud since the last time. */
  calls(): readonly string[];
  pass(): Promise<void>;
  events(type: FleetEvent["type"]): Promise<readonly FleetEvent[]>;
  record(): ReturnType<Fleet["state"]["instanceByName"]>;
}

async function scene(names: readonly string[], work: (scene: Scene) => Promise<void>, said: Partial<GuestReport> = {}): Promise<void> {
  const world = await paperWorld();
  const process = world.start();
  const { listen, streams } = agents();
  const { guest } = process.fleet;
  const report: GuestDoor["report"] = async (reach, signal) => {
    const plain = await guest.report(reach, signal);
    return plain === undefined ? undefined : { ...plain, ...said };
  };
  const base: Fleet = { ...process.fleet, guest: { ...guest, listen, report } };
  const over = new AbortController();
  const pace = ownPace(world.clock);
  const ear = openEar(base, { pace, signal: over.signal, wake: () => undefined });
  const fleet: Fleet = { ...base, ear };
  try {
    for (const name of names) await world.clock.run(up(fleet, paperSpec({ name, volume: null })));
    await world.clock.pass(5_000);
    let counted = 0;
    await work({
      world,
      fleet,
      pace,
      ear,
      streams,
      calls() {
        const made = process.trace.slice(counted).flatMap(({ kind, name }) => (kind === "read" ? [name] : []));
        counted = process.trace.length;
        return made;
      },
      async pass() {
        await world.clock.pass(1_000);
        await world.clock.run(look(fleet, over.signal, [], pace));
        ear.follow(await world.state.instances());
        await world.clock.pass(1);
      },
      events: async (type) => (await world.state.events({})).filter((event) => event.type === type),
      record: () => world.state.instanceByName(names[0] ?? ""),
    });
  } finally {
    over.abort();
    await world.clock.run(ear.close());
    await world.state.close();
  }
}

const machineOf = async ({ record }: Scene) => (await record())?.providerId ?? "";

test("what an agent hears is a notice at once, without a question to the cloud; the list says it later, and it is still one", () =>
  scene(["train"], async (it) => {
    await it.pass();
    const id = await machineOf(it);
    it.calls();
    const deadline = it.world.clock.now() + 60_000;
    it.streams.get(id)?.say({ kind: "reclaim", deadline, own: true });
    await it.world.clock.pass(500);
    expect(it.calls()).toEqual([]);
    expect(await it.events("notice")).toMatchObject([{ instance: "train", data: { kind: "reclaim", source: "guest", deadline } }]);
    expect(await it.record()).toMatchObject({ state: "reclaiming", notice: { source: "guest" } });

    it.world.cloud.reclaim(id, deadline - it.world.clock.now());
    await it.pass();
    const [heard] = (await it.events("action")).filter(({ data }) => data["action"] === "heard");
    expect(heard).toMatchObject({
      instance: "train",
      data: { mouth: "api", heard: { guest: expect.any(Number), api: expect.any(Number) } },
    });
    expect(await it.events("notice")).toHaveLength(1);
    expect((await it.record())?.notice).toMatchObject({ source: "guest", heard: { api: heard?.at } });

    // The list takes it back, and the agent still says it.
    it.world.cloud.withdraw(id);
    await it.pass();
    await it.pass();
    expect(await it.record()).toMatchObject({ state: "reclaiming", notice: { heard: { guest: expect.any(Number) } } });
    expect((await it.events("action")).at(-1)).toMatchObject({ data: { action: "heard", mouth: "api", withdrew: true } });
    it.streams.get(id)?.say(null);
    await it.world.clock.pass(500);
    expect(await it.record()).toMatchObject({ state: "running", notice: null });
    expect((await it.events("notice")).map(({ data }) => data["withdrawn"] === true)).toEqual([false, true]);
  }));

test("what we told an agent ourselves is no second voice", () =>
  scene(["train"], async (it) => {
    await it.pass();
    const id = await machineOf(it);
    it.world.cloud.reclaim(id, 60_000);
    await it.pass();
    it.streams.get(id)?.say({ kind: "reclaim", deadline: it.world.cloud.machine(id)?.notice?.deadline ?? 0, own: false });
    await it.pass();
    expect((await it.events("action")).filter(({ data }) => data["action"] === "heard")).toEqual([]);
    it.world.cloud.withdraw(id);
    await it.pass();
    expect(await it.record()).toMatchObject({ state: "running", notice: null });
  }));

test("a word that comes while somebody works on the instance is written down when he has done", () =>
  scene(["train"], async (it) => {
    await it.pass();
    const record = await it.record();
    const lease = `instance:${record?.id}`;
    expect(await it.world.state.acquireLease(lease, "somebody", it.world.clock.now(), 20_000)).toBe(true);
    it.streams.get(record?.providerId ?? "")?.say({ kind: "reclaim", deadline: it.world.clock.now() + 60_000, own: true });
    await it.world.clock.pass(3_000);
    expect(await it.events("notice")).toEqual([]);
    await it.world.state.releaseLease(lease, "somebody");
    await it.world.clock.pass(1_000);
    expect(await it.events("notice")).toHaveLength(1);
  }));

test("unreachable is not reclaimed: the provider is asked for that machine at once, and the agent is listened to again", () =>
  scene(["train"], async (it) => {
    await it.pass();
    const id = await machineOf(it);
    it.calls();
    it.streams.get(id)?.drop();
    await it.world.clock.pass(600);
    expect(it.calls()).toEqual(["get"]);
    expect(await it.record()).toMatchObject({ state: "running", notice: null });
    await it.world.clock.pass(3_000);
    expect(it.streams.has(id)).toBe(true);
  }));

test("a machine that is really gone is asked for once, and the next pass lists its provider at once", () =>
  scene(["train"], async (it) => {
    await it.pass();
    const id = await machineOf(it);
    it.world.cloud.console(id, "destroy");
    await it.world.clock.pass(1_000);
    it.calls();
    it.streams.get(id)?.drop();
    await it.world.clock.pass(600);
    expect(it.calls()).toEqual(["get"]);
    expect(it.pace.isAnyDue()).toBe(true);
  }));

test("connections that break together are one list, and no question for a single machine", () =>
  scene(["train", "other", "third", "fourth"], async (it) => {
    await it.pass();
    expect(it.streams.size).toBe(4);
    it.calls();
    for (const agent of [...it.streams.values()]) agent.drop();
    await it.world.clock.pass(400);
    expect(it.calls()).toEqual([]);
    await it.pass();
    expect(it.calls()).toEqual(["list"]);
    expect((await it.world.state.instances()).map(({ state }) => state)).toEqual(["running", "running", "running", "running"]);
  }));

test("a listener that falls silent has lost its connection", () =>
  scene(["train"], async (it) => {
    await it.pass();
    it.calls();
    await it.world.clock.pass(30_000);
    expect(it.calls()).toEqual([]);
    await it.world.clock.pass(12_000);
    expect(it.calls()).toEqual(["get"]);
  }));

describe("places", () => {
  const heard = (name: string, set: Partial<Heard> = {}): Heard => ({
    id: name,
    provider: "gcp",
    providerId: name,
    reach: { kind: "process", cwd: name, env: {}, log: "" },
    noticeSeconds: 120,
    isUrgent: false,
    isSpot: true,
    isNear: false,
    ...set,
  });
  const names = (places: ReadonlyMap<string, Heard>) => [...places.values()].map(({ id }) => id).toSorted();

  test("the shortest notice is listened to, then the others are asked in turns; a near one never is", () => {
    const machines = [
      heard("long", { noticeSeconds: 300 }),
      heard("short", { noticeSeconds: 0 }),
      heard("paid", { isSpot: false, noticeSeconds: 0 }),
      heard("near", { isNear: true, noticeSeconds: 0 }),
      heard("urgent", { noticeSeconds: 300, isUrgent: true }),
    ];
    const two = whoIsHeard(machines, new Set(), new Set(), 2);
    expect([names(two.streams), names(two.turns)]).toEqual([
      ["short", "urgent"],
      ["long", "paid"],
    ]);
  });

  test("whoever is listened to stays so, and who cannot be is asked", () => {
    const machines = Array.from({ length: 200 }, (_, index) => heard(`m${index}`));
    const [last, old] = [machines.at(-1), machines[0]] as [Heard, Heard];
    const places = whoIsHeard(machines, new Set([keyOf(last)]), new Set([keyOf(old)]), 64);
    expect(places.streams.size).toBe(64);
    expect(places.streams.has(keyOf(last))).toBe(true);
    expect(places.streams.has(keyOf(old))).toBe(false);
    expect(places.turns.has(keyOf(old))).toBe(true);
    expect(places.turns.size).toBe(136);
  });
});

test("an agent whose workload ends is heard at once: one event, also when it says so again; one that began anew has not ended", () => {
  const said: { phase: GuestReport["phase"]; exitCode: number | null; endedAt: number | null } = {
    phase: "running",
    exitCode: null,
    endedAt: null,
  };
  return scene(
    ["train"],
    async (it) => {
      const endings = async () => (await it.events("action")).filter(({ data }) => data["action"] === "workload-ended");
      const id = await machineOf(it);
      await it.pass();
      await it.pass();
      it.calls();
      Object.assign(said, { phase: "exited", exitCode: 3, endedAt: 77 });
      it.streams.get(id)?.say(null, "exited");
      await it.world.clock.pass(500);
      expect(await it.record()).toMatchObject({ state: "running", outlook: { ended: { machine: id, code: 3 } } });
      expect(it.calls()).toEqual([]);
      it.streams.get(id)?.say(null, "exited");
      await it.pass();
      await it.pass();
      expect(await endings()).toMatchObject([{ instance: "train", data: { code: 3, endedAt: expect.any(Number) } }]);

      Object.assign(said, { phase: "running", exitCode: null, endedAt: null });
      it.streams.get(id)?.say(null, "running");
      await it.world.clock.pass(500);
      expect((await it.record())?.outlook.ended).toBeNull();
      Object.assign(said, { phase: "exited", exitCode: 4, endedAt: 99 });
      it.streams.get(id)?.say(null, "exited");
      await it.world.clock.pass(500);
      expect((await endings()).map(({ data }) => data["code"])).toEqual([3, 4]);
    },
    said,
  );
});
