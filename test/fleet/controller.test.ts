import { expect, onTestFinished, test } from "vitest";
import { controllerOf, controllerSeat } from "../../src/fleet/leases/controller.ts";
import { HOLD_MS, LEASE_MS } from "../../src/fleet/leases/held-leases.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { planLaunch } from "../../src/fleet/steps/plan.ts";
import { claimName, newRecord } from "../../src/fleet/up.ts";
import type { FaultPlan } from "../simulation/faulty-process.ts";
import { brokenWhenQuiet } from "../simulation/invariants.ts";
import { type PaperWorld, paperSpec, paperWorld, untilQuiet } from "../simulation/paper-world.ts";
import { up, watchAndAct } from "../simulation/scenarios.ts";

const never = () => new AbortController().signal;
/** From one turn of `watchAndAct` to the next. */
const TURN_MS = 5_000;

async function opened(): Promise<PaperWorld> {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  return world;
}

async function changesOfHands(world: PaperWorld): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const events = await world.state.events({});
  return events.filter(({ data }) => data["action"] === "controller").map(({ at, data }) => ({ ...data, at }));
}

test("the second stands by, asks no cloud and writes nothing; it acts at its next turn once the first has let go", async () => {
  const world = await opened();
  const [one, other] = [world.start(), world.start()];
  const [first, second] = [controllerSeat(one.fleet), controllerSeat(other.fleet)];
  expect((await first.take(never())).kind).toBe("acts");
  for (let count = 0; count < 3; count++) {
    const turn = await second.take(never());
    expect(turn).toMatchObject({ kind: "stands-by", controller: { owner: one.fleet.owner, since: world.clock.now() } });
  }
  expect(other.trace).toEqual([]);
  await first.leave();
  expect((await second.take(never())).kind).toBe("acts");
  expect((await first.take(never())).kind).toBe("stands-by");
  expect(await changesOfHands(world)).toMatchObject([
    { host: one.fleet.owner, was: null },
    { host: other.fleet.owner, was: { host: one.fleet.owner } },
  ]);
  await second.leave();
  expect(await controllerOf(world.state, world.clock.now())).toBeUndefined();
});

test("one that died is followed at the next turn, where its death is known", async () => {
  const world = await opened();
  const one = world.start();
  expect((await controllerSeat(one.fleet).take(never())).kind).toBe("acts");
  const other = world.start();
  world.bury(one);
  expect((await controllerSeat(other.fleet).take(never())).kind).toBe("acts");
});

test("one of whom nothing is known any more is followed when its lease has run out: 20 s and a turn after its last sign of life", async () => {
  const world = await opened();
  const stopped = world.start({ at: 1, mode: "stopped-after", stopMs: 600_000 });
  // It takes the lease, and stands still with the answer on its way.
  const frozen = controllerSeat(stopped.fleet).take(never());
  const since = world.clock.now();
  const other = world.start();
  await world.clock.run(watchAndAct(other.fleet, 60_000));
  const [change, ...more] = await changesOfHands(world);
  expect(more).toEqual([]);
  expect(change).toMatchObject({ host: other.fleet.owner, was: { host: stopped.fleet.owner } });
  const tookMs = Number(change?.["at"]) - since;
  expect(tookMs).toBeGreaterThanOrEqual(LEASE_MS);
  expect(tookMs).toBeLessThanOrEqual(LEASE_MS + TURN_MS);
  await expect(world.clock.run(frozen)).rejects.toMatchObject({ code: "SPOT_E_LEASE_LOST" });
  expect(await changesOfHands(world)).toHaveLength(1);
});

test("one that loses control in the middle of a pass does no more of it, and stands by", async () => {
  const world = await opened();
  const one = world.start();
  const record = await world.clock.run(up(world.start().fleet, paperSpec()));
  world.cloud.reclaim(record.providerId ?? "", 3_600_000);
  const seat = controllerSeat(one.fleet);
  const turn = await seat.take(never());
  if (turn.kind !== "acts") throw new Error("it stands by");
  const pass = reconcile(turn.held.fleet, { signal: turn.held.signal, limitMs: 600_000 }).catch((error: unknown) => error);
  await world.state.releaseLease("controller", one.fleet.owner);
  const other = world.start();
  const second = controllerSeat(other.fleet);
  expect((await second.take(never())).kind).toBe("acts");
  expect(await world.clock.run(pass)).toMatchObject({ code: "SPOT_E_LEASE_LOST", lease: "controller" });
  expect(await seat.take(never())).toMatchObject({ kind: "stands-by", controller: { owner: other.fleet.owner } });
  expect(world.trespasses).toEqual([]);
  // The instance's own lease was given back: who acts now can work on it.
  expect(await world.state.leaseHolder(`instance:${record.id}`, world.clock.now())).toBeUndefined();
});

test("a single pass beside a controller works on what nobody else works on", async () => {
  const world = await opened();
  const seat = controllerSeat(world.start().fleet);
  expect((await seat.take(never())).kind).toBe("acts");
  const record = await world.clock.run(up(world.start().fleet, paperSpec()));
  const cron = world.start();
  const report = await world.clock.run(reconcile(cron.fleet, { signal: never(), limitMs: 1_000 }));
  expect(report.items).toMatchObject([{ instance: record.name, outcome: "settled" }]);
  expect(await changesOfHands(world)).toHaveLength(1);
});

/** Somebody's `up` was killed right after it had claimed the name: who acts launches the machine. */
async function claimed(world: PaperWorld): Promise<void> {
  const { fleet } = world.start();
  // With a volume the late machine would be refused: another one has it.
  const spec = paperSpec({ volume: null });
  const [offer] = (await world.clock.run(planLaunch(fleet, spec, never()))).offers;
  if (offer === undefined) throw new Error("nothing on offer");
  await claimName(fleet, newRecord(fleet, spec, offer));
}

async function twoControllers(plan: FaultPlan): Promise<{ readonly world: PaperWorld; readonly launchAt: number }> {
  const world = await opened();
  await claimed(world);
  const [one, other] = [world.start(plan), world.start()];
  await world.clock.run(
    Promise.all([watchAndAct(one.fleet, 240_000), world.clock.sleep(1_000).then(() => watchAndAct(other.fleet, 240_000))]),
  );
  return { world, launchAt: one.trace.findIndex(({ name }) => name === "launch") + 1 };
}

test("stopped between its last look at the lease and the request: the late machine is no record's, and is ended", async () => {
  const { launchAt } = await twoControllers({ at: 0, mode: "refused" });
  const { world } = await twoControllers({ at: launchAt, mode: "stopped-before", stopMs: 2 * (HOLD_MS + LEASE_MS) });
  expect(await changesOfHands(world)).toHaveLength(2);
  const machines = [...world.cloud.machines.values()];
  // The window is there: the request left when its sender woke up.
  expect(machines).toHaveLength(2);
  expect(new Set(machines.map(({ token }) => token)).size).toBe(2);
  expect(await untilQuiet(world)).toEqual([]);
  expect(await brokenWhenQuiet(world)).toEqual([]);
  const [record] = await world.state.instances();
  expect(world.cloud.living().map(({ id }) => id)).toEqual([record?.providerId]);
  const late = machines.find(({ id }) => id !== record?.providerId);
  expect(await world.state.intentByToken(late?.token ?? "")).toMatchObject({ kind: "launch", status: "failed" });
  expect((await world.state.events({})).filter(({ data }) => data["action"] === "end-stray")).toMatchObject([
    { data: { providerId: late?.id } },
  ]);
  // Nothing of the stopped one was taken for the launch of the record.
  expect((await world.state.events({})).filter(({ data }) => data["action"] === "launch")).toHaveLength(1);
});
