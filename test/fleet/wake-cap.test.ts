import { expect, onTestFinished, test } from "vitest";
import type { Fleet, GuestDoor } from "../../src/fleet/fleet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { wakeUntilUp } from "../../src/fleet/waking-until.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import type { PaperSettings } from "../simulation/paper-cloud.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { hibernate, up } from "../simulation/scenarios.ts";
import { hanging, silence } from "./hanging.ts";

const CAP_MS = 90_000;
const SLEEP_LIMIT_MS = 60_000;
/** What the clouds and we ourselves need to put one back to sleep that can be put back. */
const BACK_MS = 20_000;

interface Hang {
  readonly stage: string;
  readonly cloud: Partial<PaperSettings>;
  /** Of the cloud, once it sleeps. */
  readonly later?: Partial<PaperSettings>;
  /** Spot is sold out where its volume lies. */
  readonly soldOut?: boolean;
  readonly call?: string;
  readonly isDone?: boolean;
  readonly guest?: (door: GuestDoor) => GuestDoor;
}

const PARKED = { hibernates: "park" } as const;
const SISTER = { hibernates: "park", zonal: true, readable: true } as const;
const FOR_EVER = 86_400_000;

const phase =
  (is: "preparing" | "restoring" | "running"): NonNullable<Hang["guest"]> =>
  (door) => ({
    ...door,
    report: async (reach, signal) => {
      const report = await door.report(reach, signal);
      return report === undefined ? undefined : { ...report, phase: is, awaitsVolume: false };
    },
    isReady: async () => false,
  });

const HANGS: readonly Hang[] = [
  { stage: "the market is asked", cloud: PARKED, call: "offers" },
  { stage: "a machine is asked for, in vain", cloud: PARKED, call: "launch" },
  { stage: "a machine is asked for, and nobody says that it was rented", cloud: PARKED, call: "launch", isDone: true },
  { stage: "it is accepted and never comes up", cloud: PARKED, later: { provisionMs: FOR_EVER } },
  { stage: "it comes up and nobody tells", cloud: PARKED, call: "get" },
  { stage: "its agent never answers", cloud: PARKED, guest: (door) => ({ ...door, report: async () => undefined }) },
  { stage: "its agent hangs", cloud: PARKED, guest: (door) => ({ ...door, report: (_reach, signal) => silence(signal) }) },
  { stage: "its volume never attaches", cloud: { ...PARKED, attaches: true }, call: "attach" },
  {
    stage: "its volume is never mounted",
    cloud: { ...PARKED, attaches: true },
    guest: (door) => ({ ...door, mountVolume: (_reach, _device, _size, signal) => silence(signal) }),
  },
  { stage: "its checkpoint is put back for ever", cloud: PARKED, guest: phase("restoring") },
  { stage: "its workload is never ready", cloud: PARKED, guest: phase("running") },
  {
    stage: "its readiness is asked, and nobody answers",
    cloud: PARKED,
    guest: (door) => ({ ...door, isReady: (_reach, _spec, signal) => silence(signal) }),
  },
  { stage: "it is woken, in vain", cloud: {}, call: "restore" },
  { stage: "it is woken, and nobody says so", cloud: {}, call: "restore", isDone: true },
  { stage: "it is woken, and its workload is never ready", cloud: {}, guest: phase("running") },
  { stage: "a snapshot is asked for, in vain", cloud: SISTER, soldOut: true, call: "snapshot" },
  { stage: "a snapshot is asked for, and nobody says so", cloud: SISTER, soldOut: true, call: "snapshot", isDone: true },
  { stage: "a volume is asked for, in vain", cloud: SISTER, soldOut: true, call: "volume create" },
  { stage: "a volume is asked for, and nobody says so", cloud: SISTER, soldOut: true, call: "volume create", isDone: true },
  { stage: "a machine is asked for in the sister zone, and nobody says so", cloud: SISTER, soldOut: true, call: "launch", isDone: true },
  { stage: "it never comes up in the sister zone", cloud: SISTER, soldOut: true, later: { provisionMs: FOR_EVER } },
];

const signal = new AbortController().signal;

async function asleep(hang: Hang): Promise<{ readonly world: PaperWorld; readonly record: InstanceRecord }> {
  const world = await paperWorld(hang.cloud);
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()).then(() => hibernate(fleet)));
  if (hang.soldOut === true) for (const zone of world.cloud.zones) if (zone.zone === "north-a") zone.stock = 0;
  Object.assign(world.cloud.settings, hang.later);
  const record = await world.state.instanceByName("train");
  if (record === undefined) throw new Error("no train");
  return { world, record };
}

/** A process of ours for which the cloud, or the machine, hangs there. */
function hungFleet(world: PaperWorld, { call, isDone = false, guest }: Hang): Fleet {
  const { fleet } = world.start();
  const provider = call === undefined ? world.cloud.provider : hanging(world.cloud.provider, call, isDone);
  return { ...fleet, provider: async () => provider, guest: guest?.(fleet.guest) ?? fleet.guest };
}

/** What the cloud itself charges for machines now, and what our books say that it does. */
async function billing(world: PaperWorld): Promise<readonly string[]> {
  const machines = world.cloud.living().filter(({ state }) => state !== "hibernated");
  const open = (await world.state.ledger({ openOnly: true })).filter(({ kind }) => kind === "gpu");
  return [...machines.map(({ id, state }) => `${id} ${state}`), ...open.map(({ providerId }) => `${providerId} in the books`)];
}

async function settle(world: PaperWorld): Promise<void> {
  for (let pass = 0; pass < 4; pass++) {
    await world.clock.run(reconcile(world.start().fleet, { signal, limitMs: 120_000 }));
    await world.clock.pass(10_000);
  }
}

test.each(HANGS)("$stage: past the cap it sleeps again, and nothing bills", async (hang) => {
  const { world, record } = await asleep(hang);
  const start = world.clock.now();
  // Whoever answers a look at one machine for nobody cannot be asked whether it is gone: that is the next test.
  const isBlind = hang.call === "get";
  const waking = world.clock.run(wakeUp(hungFleet(world, hang), record, { signal, capMs: CAP_MS, sleepLimitMs: SLEEP_LIMIT_MS }));
  await expect(waking).rejects.toMatchObject(
    isBlind ? { code: "SPOT_E_UNCONFIRMED", exit: EXIT.partial } : { code: "SPOT_E_WAKE_TIMEOUT", exit: EXIT.timeout },
  );
  expect(world.clock.now() - start).toBeLessThanOrEqual(CAP_MS + (isBlind ? SLEEP_LIMIT_MS : BACK_MS));
  if (isBlind) await settle(world);
  expect(await billing(world)).toEqual([]);
  expect(await world.state.instanceByName("train")).toMatchObject({ state: "hibernated", desired: "hibernated", wakeBy: null });
  // And nothing turns up later.
  await settle(world);
  expect(await billing(world)).toEqual([]);
  // A snapshot that was made for the way back waits an hour for another try.
  await world.clock.pass(3_600_000);
  await settle(world);
  expect(await world.state.pendingIntents()).toEqual([]);
  for (const { id } of world.cloud.sealed)
    expect([...world.cloud.volumes.values()].some(({ checkpoints }) => checkpoints.some((one) => one.id === id))).toBe(true);
});

test("an answer that comes at the very moment of the cap is taken: it serves, and is not put back", async () => {
  const answer = (_: unknown, __: unknown, until: AbortSignal) =>
    new Promise<boolean>((resolve) => until.addEventListener("abort", () => resolve(true), { once: true }));
  const late: Hang = { stage: "", cloud: PARKED, guest: (door) => ({ ...door, isReady: answer }) };
  const { world, record } = await asleep(late);
  const waking = wakeUp(hungFleet(world, late), record, { signal, capMs: CAP_MS, sleepLimitMs: SLEEP_LIMIT_MS });
  expect(await world.clock.run(waking)).toMatchObject({ state: "running", desired: "running" });
  await settle(world);
  expect(await billing(world)).toHaveLength(2);
});

test.each(["in vain", "and nobody says so"])(
  "putting it back to sleep is asked for %s: exit 6, it is named, and the next reconcile finishes",
  async (how) => {
    const { world, record } = await asleep({ stage: "", cloud: PARKED, later: { provisionMs: FOR_EVER } });
    const fleet = hungFleet(world, { stage: "", cloud: PARKED, call: "destroy", isDone: how !== "in vain" });
    const waking = world.clock.run(wakeUp(fleet, record, { signal, capMs: CAP_MS, sleepLimitMs: SLEEP_LIMIT_MS }));
    await expect(waking).rejects.toMatchObject({
      code: "SPOT_E_UNCONFIRMED",
      exit: EXIT.partial,
      message: expect.stringContaining("train"),
      next: expect.arrayContaining(["spot reconcile"]),
    });
    await settle(world);
    expect(await billing(world)).toEqual([]);
    expect(await world.state.instanceByName("train")).toMatchObject({ state: "hibernated", desired: "hibernated" });
  },
);

const failing =
  (phase: "running" | "exited", ready: boolean): NonNullable<Hang["guest"]> =>
  (door) => ({
    ...door,
    report: async (reach, signal) => {
      const report = await door.report(reach, signal);
      return report?.phase === "running" ? { ...report, phase, exitCode: 3, endedAt: null } : report;
    },
    isReady: async () => ready,
    logEnd: async (_reach, lines) => [`the last of ${lines} lines`],
  });

test.each([
  ["parked, before it was ready", PARKED, failing("exited", false)],
  ["parked, and no readiness was asked", PARKED, failing("running", true)],
  ["by its cloud", {}, failing("exited", false)],
])("a command that fails as it comes back ends the wait at once, asleep, and nothing bills: %s", async (_how, cloud, guest) => {
  const { world, record } = await asleep({ stage: "", cloud });
  const start = world.clock.now();
  const fleet = hungFleet(world, { stage: "", cloud, guest });
  const waking = world.clock.run(
    wakeUntilUp(fleet, record, { signal, capMs: CAP_MS, sleepLimitMs: SLEEP_LIMIT_MS, forMs: null, maxCost: null }),
  );
  await expect(waking).rejects.toMatchObject({
    code: "SPOT_E_WORKLOAD_ENDED",
    exit: EXIT.failed,
    message: expect.stringContaining("its command ended with exit code 3"),
    hint: "the end of its log: the last of 5 lines",
  });
  expect(world.clock.now() - start).toBeLessThan(CAP_MS / 10);
  expect(await billing(world)).toEqual([]);
  expect(await world.state.instanceByName("train")).toMatchObject({ state: "hibernated", desired: "hibernated" });
  expect((await world.state.events({})).filter(({ data }) => data["action"] === "workload-ended")).toHaveLength(1);
  await settle(world);
  expect(await billing(world)).toEqual([]);
});
