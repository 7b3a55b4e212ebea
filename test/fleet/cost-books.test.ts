import { expect, onTestFinished, test } from "vitest";
import { followBilling } from "../../src/fleet/billed.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { lossEvents, lossesOf } from "../../src/fleet/lost-time.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { followStorage, listedVolumeRate, unpricedRoots } from "../../src/fleet/storage-cost.ts";
import { removeVolume } from "../../src/fleet/volumes/volume-removal.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { asleepRate } from "../../src/model/asleep.ts";
import { costOf } from "../../src/model/money.ts";
import { lossBook } from "../../src/pricing/losses.ts";
import { storageBook } from "../../src/pricing/storage-use.ts";
import { summarize } from "../../src/pricing/summary.ts";
import type { BilledItem, Provider } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld, untilQuiet } from "../simulation/paper-world.ts";
import { down, hibernate, up } from "../simulation/scenarios.ts";

const HOUR = 3_600_000;
const usd = (micros: bigint) => ({ micros, currency: "USD" });
const { signal } = new AbortController();

/** A world with one machine that has run for an hour, with its volume; the cloud as `change` makes it. */
async function hourOld(change: (provider: Provider) => Provider = (provider) => provider) {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet: plain } = world.start();
  const fleet: Fleet = { ...plain, provider: async (id) => change(await plain.provider(id)) };
  await world.clock.run(up(fleet, paperSpec()));
  await world.clock.pass(HOUR);
  return { ...world, fleet };
}

test("a machine that is reclaimed: the work since its seal and the time until the next one serves are told as lost, at their price", async () => {
  const world = await hourOld();
  const [record] = await world.state.instances();
  const machine = record?.providerId ?? "";
  const sealedAt = world.clock.now() - 90_000;
  const volume = record?.volumes[0]?.name ?? "";
  await world.state.commit({
    checkpoints: [
      {
        ...{ id: "c-1", instance: "train", volume, createdAt: sealedAt, files: 1, bytes: 1, sha256: "0".repeat(64) },
        ...{ sealed: true, verifiedAt: null, reason: "interval", step: null },
      },
    ],
  });
  world.cloud.reclaim(machine, 0);
  await world.clock.run(reconcile(world.fleet, { signal, limitMs: 60_000 }));
  expect(await untilQuiet(world)).toEqual([]);
  await world.clock.pass(HOUR);
  const now = world.clock.now();
  const [ledger, instances, volumes, events] = await Promise.all([
    world.state.ledger(),
    world.state.instances({ includeGone: true }),
    world.state.volumes({ includeGone: true }),
    lossEvents(world.state, 0),
  ]);
  const losses = lossesOf(events, ledger, now);
  const books = { losses: lossBook(losses), storage: storageBook(instances, volumes, ledger) };
  const [row, ...others] = summarize(ledger, "instance", { since: 0, now }, books).rows;
  expect(others).toEqual([]);
  const [first, second] = ledger.filter(({ kind }) => kind === "gpu");
  if (row === undefined || first === undefined || second === undefined) throw new Error("no two machines");
  const lostMs = (first.to ?? now) - sealedAt;
  expect(lostMs).toBeGreaterThanOrEqual(90_000);
  expect(row.lost.work.micros - costOf(first.rate, lostMs).micros).toBeLessThanOrEqual(1n);
  expect(costOf(first.rate, lostMs).micros - row.lost.work.micros).toBeLessThanOrEqual(1n);
  const serves = (await world.state.events({})).filter(({ type, data }) => type === "state" && data["to"] === "running").at(-1);
  expect(row.lost.restarts).toEqual(costOf(second.rate, (serves?.at ?? 0) - second.from));
  expect(row.lost.restarts.micros).toBeGreaterThan(0n);
  expect(row.lost.wakes.micros).toBe(0n);
  // Its volume was its own all the while, and asleep only while it had no machine.
  const gap = second.from - (first.to ?? now);
  const disk = ledger.find(({ kind }) => kind === "disk");
  expect(disk).toBeDefined();
  expect(row.storage.kept.micros).toBe(0n);
  const before = first.from - (disk?.from ?? 0);
  expect(Number(row.storage.asleep.micros)).toBeGreaterThanOrEqual(Math.floor((100 * (gap + before)) / HOUR) - 1);
  expect(row.storage.inUse.micros).toBeGreaterThan(row.storage.asleep.micros);
});

test.each(["park", "native"] as const)(
  "a restore that does not serve in time (%s) costs all that its machine was paid for",
  async (hibernates) => {
    const world = await paperWorld({ hibernates });
    onTestFinished(() => world.state.close());
    const { fleet } = world.start();
    await world.clock.run(up(fleet, paperSpec()).then(() => hibernate(fleet)));
    await world.clock.pass(HOUR);
    const asleep = await world.state.instanceByName("train");
    if (asleep === undefined) throw new Error("no train");
    const guest = { ...fleet.guest, isReady: async () => false };
    const waking = world.clock.run(wakeUp({ ...fleet, guest }, asleep, { signal, capMs: 90_000, sleepLimitMs: 60_000 }));
    await expect(waking).rejects.toMatchObject({ code: "SPOT_E_WAKE_TIMEOUT" });
    expect(await untilQuiet(world)).toEqual([]);
    await world.clock.pass(HOUR);
    const awake = await world.state.instanceByName("train");
    await world.clock.run(wakeUp(fleet, awake ?? asleep, { signal, capMs: 90_000, sleepLimitMs: 60_000 }));
    const now = world.clock.now();
    const ledger = await world.state.ledger();
    const losses = lossBook(lossesOf(await lossEvents(world.state, 0), ledger, now));
    const [row] = summarize(ledger, "provider", { since: 0, now }, { losses }).rows;
    const [, failed] = ledger.filter(({ kind }) => kind === "gpu");
    if (failed?.to == null) throw new Error("no machine that was woken in vain");
    expect(failed.to - failed.from).toBeGreaterThan(30_000);
    expect(row?.lost).toMatchObject({ work: usd(0n), wakes: costOf(failed.rate, failed.to - failed.from), restarts: usd(0n) });
    expect(ledger.filter(({ kind }) => kind === "gpu").length).toBe(3);
  },
);

const unpriced = (provider: Provider): Provider => {
  const { volumes } = provider;
  if (volumes === undefined) throw new Error("no volumes");
  const silent = async (...asked: Parameters<typeof volumes.create>) => ({ ...(await volumes.create(...asked)), pricePerHour: null });
  const list = async (...asked: Parameters<typeof volumes.list>) =>
    (await volumes.list(...asked)).map((volume) => ({ ...volume, pricePerHour: null }));
  return { ...provider, volumes: { ...volumes, create: silent, list } };
};

test("a volume whose price was not known when it was made is paid for from then on: by the list, or when its provider says it", async () => {
  const world = await hourOld(unpriced);
  const disks = async () => (await world.state.ledger()).filter(({ kind }) => kind === "disk");
  expect(await disks()).toEqual([]);
  const found = await world.clock.run(followStorage(world.fleet, signal));
  expect(found).toEqual({ unpriced: [], silent: [] });
  const [volume] = await world.state.volumes();
  const rate = listedVolumeRate(await world.fleet.provider("paper"), 10);
  expect(await disks()).toMatchObject([
    { from: volume?.createdAt, to: null, instance: volume?.name, instanceId: null, rate, billed: null },
  ]);
  // Once is enough, and what is gone gets none.
  await world.clock.run(followStorage(world.fleet, signal));
  expect((await disks()).length).toBe(1);
  await world.clock.run(down(world.fleet, "train"));
  if (volume !== undefined) await world.clock.run(removeVolume(world.fleet, volume, signal));
  expect((await disks()).map(({ to }) => to === null)).toEqual([false]);
  expect(await world.clock.run(followStorage(world.fleet, signal))).toEqual({ unpriced: [], silent: [] });
  expect((await disks()).length).toBe(1);
});

test("what nobody says the price of is named; a provider that does not answer is too", async () => {
  const noPrice = (provider: Provider): Provider => {
    const { asleep } = provider.capabilities;
    const { price: _, ...volume } = asleep.parked.billed.volume;
    const parked = { ...asleep.parked, billed: { ...asleep.parked.billed, volume } };
    return unpriced({ ...provider, capabilities: { ...provider.capabilities, asleep: { ...asleep, parked } } });
  };
  const world = await hourOld(noPrice);
  const disk = { name: "train", provider: "paper", sizeGb: 10, kind: "volume" };
  expect(await world.clock.run(followStorage(world.fleet, signal))).toEqual({ unpriced: [disk], silent: [] });
  const deaf: Fleet = { ...world.fleet, provider: async () => Promise.reject(new Error("no credentials")) };
  const silent = [{ provider: "paper", why: "no credentials" }];
  expect(await world.clock.run(followStorage(deaf, signal))).toEqual({ unpriced: [disk], silent });
});

test("the disk of a machine that its cloud hibernated is named until a bill tells of it", async () => {
  const world = await hourOld();
  const asleep = { id: "i-1", name: "s", provider: "paper", state: "hibernated", parked: "native" } as const;
  const found = [{ name: "s", provider: "paper", sizeGb: 50, kind: "root" }];
  expect(await unpricedRoots(world.fleet, [asleep, { ...asleep, id: "i-2", parked: "recreate" }], [])).toEqual(found);
  const ledger = (await world.state.ledger()).map((entry) => ({ ...entry, kind: "disk" as const, instanceId: "i-1" }));
  expect(await unpricedRoots(world.fleet, [asleep], ledger)).toEqual([]);
});

test("bills replace estimates, the last word holds, and what nobody knows of is told apart", async () => {
  let items: readonly BilledItem[] = [];
  const asked: number[] = [];
  const billing = {
    billed: async (since: number) => {
      asked.push(since);
      return items;
    },
  };
  const world = await hourOld((provider) => ({ ...provider, billing }));
  await world.clock.run(down(world.fleet, "train"));
  const gpus = async () => (await world.state.ledger()).filter(({ kind }) => kind === "gpu");
  const [machine] = await gpus();
  if (machine?.to == null) throw new Error("no machine that ended");
  const item = { resourceId: machine.providerId, kind: "gpu", from: machine.from, to: machine.to, amount: usd(7n) } as const;
  const strange = { ...item, resourceId: "somebody's" };
  // A day before that machine: a bill of its name that is none of its.
  const early = { ...item, from: machine.from - 25 * HOUR, to: machine.from - 24 * HOUR };
  items = [item, strange, early];
  const heard = await followBilling(world.fleet, 0, signal);
  expect(heard).toMatchObject({ silent: [], answered: ["paper"] });
  expect(heard.unmatched.map(({ resourceId, from }) => [resourceId, from])).toEqual([
    [strange.resourceId, strange.from],
    [early.resourceId, early.from],
  ]);
  expect(asked).toEqual([machine.from - HOUR]);
  expect((await gpus()).map(({ billed }) => billed)).toEqual([usd(7n)]);
  items = [{ ...item, amount: usd(9n) }];
  await followBilling(world.fleet, 0, signal);
  expect((await gpus()).map(({ billed }) => billed)).toEqual([usd(9n)]);
  // What ended before is not asked about.
  asked.length = 0;
  await followBilling(world.fleet, machine.to + HOUR, signal);
  expect(asked).toEqual([]);
});

test("of an interval before those that are asked about a bill may tell a part only, which replaces nothing", async () => {
  const items: BilledItem[] = [];
  const world = await hourOld((provider) => ({ ...provider, billing: { billed: async () => items } }));
  const [gpu] = (await world.state.ledger()).filter(({ kind }) => kind === "gpu");
  if (gpu === undefined) throw new Error("no machine");
  const base = gpu.from;
  const older = { ...gpu, id: "older", from: base - 10 * HOUR, to: base - 0.5 * HOUR };
  const asked = { ...gpu, to: base + HOUR };
  await world.state.commit({ ledger: [older, asked] });
  items.push({ resourceId: gpu.providerId, kind: "gpu", from: base - HOUR, to: base - 0.4 * HOUR, amount: usd(3n) });
  items.push({ resourceId: gpu.providerId, kind: "gpu", from: base, to: base + HOUR, amount: usd(5n) });
  const { unmatched } = await followBilling(world.fleet, base, signal);
  expect(unmatched).toEqual([]);
  const billed = new Map((await world.state.ledger()).map((entry) => [entry.id, entry.billed]));
  expect([billed.get("older"), billed.get(asked.id)]).toEqual([null, usd(5n)]);
});

test("a list price is by size and time", () => {
  expect(asleepRate({ amount: "0.002", currency: "USD", per: "gb-day" }, 100).hour).toEqual(usd(8333n));
});
