import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { adopt } from "../../src/fleet/orphans/adopt.ts";
import { forget } from "../../src/fleet/orphans/forget.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import type { GuestSettings } from "../../src/guest/settings.ts";
import type { Provider, ProviderInstance } from "../../src/providers/provider.ts";
import { lost, orphans } from "../simulation/orphan-scenarios.ts";
import { type PaperWorld, paperWorld, untilQuiet } from "../simulation/paper-world.ts";
import { sampleIntent, sampleVolume, usd } from "../state/sample-records.ts";

const never = () => new AbortController().signal;

async function world(): Promise<PaperWorld> {
  const on = await paperWorld();
  onTestFinished(() => on.state.close());
  return on;
}

const makeDisk = ({ clock, cloud }: PaperWorld, name: string, token: string) =>
  clock.run(
    cloud.provider.volumes?.create({ name, token, sizeGb: 10, region: "north", zone: "north-a" }, { signal: never() }) ??
      Promise.reject(new Error("no volumes")),
  );

test("a volume whose making is still promised is left to that promise, and is not taken over twice", async () => {
  const on = await world();
  const { fleet } = on.start();
  const at = on.clock.now();
  // A command was killed, or is at work on another computer: the disk is there, and its record does not say so yet.
  const intent = sampleIntent("n-made", {
    kind: "volume-create",
    instanceId: null,
    provider: "paper",
    token: "t-disk",
    createdAt: at,
    detail: { volumeId: "v-data", name: "data", sizeGb: 10, fleet: null },
  });
  const record = sampleVolume("data", { provider: "paper", providerId: null, state: "requested", pricePerHour: null, createdAt: at });
  await on.state.commit({ volumes: [record], openIntents: [intent] });
  const { providerId } = await makeDisk(on, "data", "t-disk");
  const rows = await on.clock.run(orphans(fleet));
  expect(rows).toMatchObject([{ kind: "volume", providerId, why: "in-flight" }]);

  const taken = await on.clock.run(adopt(fleet, rows, never()));
  expect(taken).toMatchObject([{ outcome: "skipped", why: expect.stringContaining("spot reconcile") }]);
  expect(await untilQuiet(on)).toEqual([]);
  expect(await on.state.volumes()).toMatchObject([{ name: "data", providerId, state: "available" }]);
  expect((await on.state.ledger({ openOnly: true })).map((entry) => entry.providerId)).toEqual([providerId]);
  // What was read before that is no reason to take it now.
  expect(await on.clock.run(adopt(fleet, rows, never()))).toMatchObject([{ outcome: "adopted", name: "data" }]);
  expect((await on.state.volumes()).length).toBe(1);
});

const SETTINGS: GuestSettings = {
  instance: "trainer",
  volumeName: "trainer",
  volumeMount: "/data",
  workdir: null,
  checkpointHook: null,
  checkpointEverySeconds: null,
  ttlEndsAt: null,
  idleSeconds: null,
  envNames: [],
  command: ["train"],
  order: JSON.stringify({ fleet: "vision" }),
};

/** Nobody says what its machines cost; whether it says what others may be had for is another question. */
function withoutPrices(fleet: Fleet, { offers }: { readonly offers: boolean }): Fleet {
  const unpriced = (instance: ProviderInstance): ProviderInstance => ({ ...instance, price: null });
  const silent = (provider: Provider): Provider => ({
    ...provider,
    offers: offers ? provider.offers : () => Promise.reject(new Error("no prices today")),
    list: async (context) => (await provider.list(context)).map(unpriced),
    async get(id, context) {
      const instance = await provider.get(id, context);
      return instance && unpriced(instance);
    },
  });
  return { ...fleet, provider: async (id) => silent(await fleet.provider(id)) };
}

/** The state is lost, its machine with a volume is not, and what that costs is not to be found out. */
async function unpriced(settings: GuestSettings | undefined) {
  const on = await world();
  const { fleet } = on.start();
  await on.clock.run(lost(on));
  const rows = (await on.clock.run(orphans(fleet))).filter(({ token }) => token === "t-lost-1" || token === "t-lost-v1");
  const guest = { ...fleet.guest, settings: async () => settings ?? Promise.reject(new Error("not reached")) };
  const taken = await on.clock.run(adopt({ ...withoutPrices(fleet, { offers: false }), guest }, rows, never()));
  const [record] = await on.state.instances();
  if (record === undefined) throw new Error("not taken over");
  return { on, fleet, record, missing: taken.find(({ row }) => row.kind === "machine")?.missing ?? [] };
}

const pass = ({ clock }: PaperWorld, fleet: Fleet) => clock.run(reconcile(fleet, { signal: never(), limitMs: 60_000 }));

test("a price that nobody tells is said to be missing, and counts from the first list that tells it", async () => {
  const { on, fleet, record, missing } = await unpriced(SETTINGS);
  expect(missing).toEqual([expect.stringContaining("its price")]);
  expect(record).toMatchObject({ price: null, fleet: "vision", reason: expect.stringContaining("its price") });
  const intervals = async () => (await on.state.ledger({ openOnly: true })).map(({ kind, fleet: whose, rate }) => ({ kind, whose, rate }));
  // A disk on an instance of a fleet is one of that fleet's.
  const disk = { kind: "disk", whose: "vision", rate: usd(100) };
  expect(await intervals()).toEqual([disk]);
  await on.clock.run(reconcile(withoutPrices(fleet, { offers: true }), { signal: never(), limitMs: 60_000 }));
  expect((await on.state.instance(record.id))?.price).toBeNull();

  const at = on.clock.now();
  await pass(on, fleet);
  expect((await on.state.instance(record.id))?.price).toEqual(usd(1_000_000));
  expect((await intervals()).toSorted((a, b) => a.kind.localeCompare(b.kind))).toEqual([
    disk,
    { kind: "gpu", whose: "vision", rate: usd(1_000_000) },
  ]);
  const [gpu] = (await on.state.ledger({ openOnly: true })).filter(({ kind }) => kind === "gpu");
  expect(gpu?.from).toBeGreaterThanOrEqual(at);
  const { version } = (await on.state.instance(record.id)) ?? {};
  await pass(on, fleet);
  expect((await on.state.instance(record.id))?.version).toBe(version);
});

test("where no list ever tells a price, forgetting and taking over again finds one on offer, and counts it from the beginning", async () => {
  const { on, fleet, record } = await unpriced(SETTINGS);
  const silent = withoutPrices(fleet, { offers: true });
  await on.clock.run(forget(silent, record, never()));
  const rows = (await on.clock.run(orphans(silent))).filter(({ why }) => why === "forgotten");
  expect(await on.clock.run(adopt(silent, rows, never()))).toMatchObject([{ outcome: "adopted", name: record.name, missing: [] }]);
  const [again] = await on.state.instances();
  expect(again).toMatchObject({ price: usd(1_000_000), providerId: record.providerId });
  const [gpu] = (await on.state.ledger({ openOnly: true })).filter(({ kind }) => kind === "gpu");
  expect(gpu).toMatchObject({ from: record.createdAt, rate: usd(1_000_000) });
});

const capped = (micros: number) => ({
  budgets: [{ scope: "total", cap: usd(micros), atCap: "refuse" as const, createdAt: 0, said: { percent: 0, at: 0 } }],
});

test("a machine without a price is replaced within a budget: what counts is the price of the next one", async () => {
  const { on, fleet, record } = await unpriced(SETTINGS);
  const { cloud } = on;
  const silent = withoutPrices(fleet, { offers: true });
  // Nothing fits in what is used up.
  await on.state.commit(capped(1));
  cloud.reclaim(record.providerId ?? "", 1_000);
  await on.clock.pass(60_000);
  const launched = cloud.machines.size;
  const { items } = await pass(on, silent);
  expect(items).toMatchObject([{ outcome: "stuck" }]);
  expect(cloud.machines.size).toBe(launched);
  await on.state.commit(capped(50_000_000));
  for (let passes = 0; passes < 5; passes++) {
    await pass(on, silent);
    await on.clock.pass(15_000);
  }
  // In another zone: the one that took it back is left alone for a while.
  expect(await on.state.instance(record.id)).toMatchObject({ state: "running", generation: 2, price: usd(1_200_000) });
  expect(cloud.machines.size).toBe(launched + 1);
});

test("one that sleeps on its volume, and was taken over without a price, wakes up within a budget", async () => {
  const { on, fleet, record } = await unpriced(undefined);
  const silent = withoutPrices(fleet, { offers: true });
  on.cloud.reclaim(record.providerId ?? "", 1_000);
  await on.clock.pass(60_000);
  await pass(on, silent);
  const asleep = await on.state.instance(record.id);
  if (asleep === undefined) throw new Error("no record");
  expect(asleep).toMatchObject({ state: "hibernated", parked: "recreate", price: null });
  const wake = () => on.clock.run(wakeUp(silent, asleep, { signal: never(), capMs: 600_000, sleepLimitMs: 60_000 }));
  await on.state.commit(capped(1));
  await expect(wake()).rejects.toMatchObject({ code: "SPOT_E_BUDGET" });
  await on.state.commit(capped(50_000_000));
  expect(await wake()).toMatchObject({ state: "running", price: usd(1_200_000) });
});
