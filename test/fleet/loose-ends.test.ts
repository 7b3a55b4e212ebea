import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import { newIntent } from "../../src/fleet/intent.ts";
import { resourceLease } from "../../src/fleet/orphans/strays.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wish } from "../../src/fleet/wish.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { paperCloud } from "../simulation/paper-cloud.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";
import { sampleVolume } from "../state/sample-records.ts";

const signal = new AbortController().signal;
const once = { signal, limitMs: 2_000 };

async function opened(): Promise<PaperWorld> {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  return world;
}

/** The fleet on a cloud that is listed every 30 s, changed by hand. */
function fleetOn(world: PaperWorld, change: (provider: Provider) => Partial<Provider> = () => ({})): Fleet {
  const { capabilities } = world.cloud.provider;
  const machine = { ...capabilities.machine, kind: "vm" as const };
  const paced = { ...world.cloud.provider, capabilities: { ...capabilities, machine, listEvery: { ms: 30_000, why: "its rate limit" } } };
  const provider: Provider = { ...paced, ...change(paced) };
  return { ...world.start().fleet, provider: async () => provider };
}

/** A promise that was given up. @returns its token. */
async function givenUp(world: PaperWorld, fleet: Fleet, kind: "launch" | "volume-create", provider = "paper"): Promise<string> {
  const intent = newIntent(fleet, { kind, provider, detail: {} });
  await world.state.commit({ openIntents: [intent] });
  await world.state.commit({ closeIntents: [{ id: intent.id, status: "failed", at: fleet.clock.now() }] });
  return intent.token;
}

/** A machine whose launch was given up, and which came up all the same. @returns its id. */
async function late(world: PaperWorld, fleet: Fleet, name: string): Promise<string> {
  const [offer] = await world.clock.run(world.cloud.provider.offers({}, { signal }));
  const spec = {
    name,
    token: await givenUp(world, fleet, "launch"),
    offer,
    volumes: [],
    bootScript: "",
    maxPrice: null,
    rootVolumeId: null,
  };
  const { providerId } = await world.clock.run(world.cloud.provider.launch(spec as never, { signal }));
  await world.clock.pass(5_000);
  return providerId;
}

async function lateVolume(world: PaperWorld, fleet: Fleet): Promise<string> {
  const token = await givenUp(world, fleet, "volume-create");
  const spec = { name: "data", token, sizeGb: 10, region: "north", zone: "north-a" };
  const { volumes } = world.cloud.provider;
  if (volumes === undefined) throw new Error("no volumes on paper");
  return (await world.clock.run(volumes.create(spec, { signal }))).providerId;
}

const living = (world: PaperWorld) => world.cloud.living().map(({ name }) => name);

test("a late machine is ended while the work on another instance takes longer than any pass", async () => {
  const world = await opened();
  const plain = fleetOn(world);
  const fleet: Fleet = {
    ...plain,
    guest: { ...plain.guest, snapshot: () => world.clock.sleep(600_000).then(() => ({ kind: "failed", why: "it hangs" })) },
  };
  const record = await world.clock.run(up(fleet, paperSpec()));
  await wish(fleet, record.id, { desired: "gone", skipSnapshot: false });
  await late(world, fleet, "late");
  const disk = await lateVolume(world, fleet);
  const pace = ownPace(world.clock);
  for (let passes = 0; passes < 40; passes++) {
    await world.clock.run(reconcile(fleet, { ...once, pace }));
    expect(pace.underway?.size).toBe(1);
    await world.clock.pass(1_000);
  }
  expect(living(world)).toEqual(["train"]);
  expect(world.cloud.volumes.has(disk)).toBe(false);
});

test("one stray that cannot be ended keeps nobody from the others, and is named", async () => {
  const world = await opened();
  const fleet = fleetOn(world, ({ id, destroy }) => ({
    destroy: (machine, context, options) =>
      machine === "m-1"
        ? Promise.reject(new ProviderError(id, { kind: "conflict" }, "it is protected from termination"))
        : destroy(machine, context, options),
  }));
  await late(world, fleet, "protected");
  await late(world, fleet, "late");
  const disk = await lateVolume(world, fleet);
  const report = await world.clock.run(reconcile(fleet, once));
  await world.clock.pass(5_000);
  expect(living(world)).toEqual(["protected"]);
  expect(world.cloud.volumes.has(disk)).toBe(false);
  expect(report.unended).toEqual([{ provider: "paper", what: "paper m-1", why: expect.stringContaining("protected from termination") }]);
});

test("volumes that cannot be listed where one may have arrived late are said, and the rest is done", async () => {
  const world = await opened();
  const fleet = fleetOn(world, ({ id, volumes }) => ({
    ...(volumes === undefined
      ? {}
      : { volumes: { ...volumes, list: () => Promise.reject(new ProviderError(id, { kind: "auth" }, "not allowed")) } }),
  }));
  await lateVolume(world, fleet);
  await late(world, fleet, "late");
  const report = await world.clock.run(reconcile(fleet, once));
  expect(report.strays).toHaveLength(1);
  expect(report.unended).toEqual([{ provider: "paper", what: "volumes at paper", why: expect.stringContaining("not allowed") }]);
});

test("a cloud that does not answer about a volume keeps no pass of a watch; what could not be ended is said until it is ended", async () => {
  const world = await opened();
  let isProtected = true;
  let listed = 0;
  const fleet = fleetOn(world, ({ id, volumes, destroy }) => ({
    destroy: (machine, context, options) =>
      isProtected ? Promise.reject(new ProviderError(id, { kind: "conflict" }, "protected")) : destroy(machine, context, options),
    ...(volumes === undefined
      ? {}
      : {
          volumes: {
            ...volumes,
            async list() {
              listed += 1;
              await world.clock.sleep(60_000);
              throw new ProviderError(id, { kind: "unavailable" }, "no answer");
            },
          },
        }),
  }));
  await late(world, fleet, "late");
  const volume = sampleVolume("data", { provider: "paper", providerId: null, state: "requested" });
  const intent = newIntent(fleet, { kind: "volume-create", provider: "paper", detail: { volumeId: volume.id, name: volume.name } });
  await world.state.commit({ volumes: [volume], openIntents: [intent] });
  const pace = ownPace(world.clock);
  const pass = async () => {
    const began = world.clock.now();
    const report = await world.clock.run(reconcile(fleet, { ...once, pace }));
    expect(world.clock.now() - began).toBeLessThan(2_000);
    await world.clock.pass(1_000);
    return report;
  };
  for (let passes = 0; passes < 100; passes++) await pass();
  const { unended, volumes } = await pass();
  expect(unended).toMatchObject([{ what: "paper m-1", why: expect.stringContaining("protected") }]);
  expect(volumes).toMatchObject([{ volume: "data", why: expect.stringContaining("no answer") }]);
  // One look at a time.
  expect(listed).toBe(2);
  isProtected = false;
  for (let passes = 0; passes < 130; passes++) await pass();
  expect((await pass()).unended).toEqual([]);
  expect(living(world)).toEqual([]);
});

test("what could not be ended at a cloud that is seldom listed is said on, whatever another one's lists bring", async () => {
  const world = await opened();
  const slow = fleetOn(world, ({ id }) => ({
    destroy: () => Promise.reject(new ProviderError(id, { kind: "conflict" }, "it is protected from termination")),
  }));
  const brisk = paperCloud(world.clock, {}, "brisk").provider;
  const fleet: Fleet = { ...slow, provider: async (id) => (id === "brisk" ? brisk : slow.provider(id)) };
  await late(world, fleet, "late");
  await givenUp(world, fleet, "launch", "brisk");
  const pace = ownPace(world.clock);
  for (let passes = 0; passes < 20; passes++) {
    const { unended } = await world.clock.run(reconcile(fleet, { ...once, pace }));
    if (passes > 2) expect(unended).toMatchObject([{ provider: "paper", what: "paper m-1" }]);
    await world.clock.pass(1_000);
  }
});

test("a late volume that is taken over while the list is on its way is kept", async () => {
  const world = await opened();
  const fleet = fleetOn(world);
  const disk = await lateVolume(world, fleet);
  // Between the list and the look under the lease.
  const other = world.start().fleet;
  const acquire = fleet.state.acquireLease;
  const taking: Fleet = {
    ...fleet,
    state: {
      ...fleet.state,
      async acquireLease(name, ...rest) {
        if (name === resourceLease("paper", disk))
          await other.state.commit({ volumes: [sampleVolume("data", { provider: "paper", providerId: disk })] });
        return acquire(name, ...rest);
      },
    },
  };
  const report = await world.clock.run(reconcile(taking, once));
  expect(report.unended).toEqual([]);
  expect(report.strays).toEqual([]);
  expect(world.cloud.volumes.has(disk)).toBe(true);
});
