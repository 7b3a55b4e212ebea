import { expect, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wish } from "../../src/fleet/wish.ts";
import type { Capabilities, Provider } from "../../src/providers/provider.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;

/** The world's cloud, but that its machines are VMs. */
function withVms({ cloud }: PaperWorld, capabilities: Partial<Capabilities>, machine: Partial<Capabilities["machine"]> = {}): Provider {
  const own = cloud.provider.capabilities;
  return { ...cloud.provider, capabilities: { ...own, ...capabilities, machine: { ...own.machine, kind: "vm", ...machine } } };
}

function fleetWith(paper: Fleet, provider: Provider, guest: Partial<Fleet["guest"]>): Fleet {
  return { ...paper, provider: async () => provider, guest: { ...paper.guest, ...guest } };
}

test("volumes that take minutes to read keep no pass of a watch, and each is read once at a time", async () => {
  const world = await paperWorld();
  const { fleet: paper } = world.start();
  let readings = 0;
  const provider = withVms(world, {}, { notices: "controller" });
  const fleet = fleetWith(paper, provider, {
    async sealed() {
      readings += 1;
      await world.clock.sleep(120_000);
      return [];
    },
  });
  try {
    const record = await world.clock.run(up(fleet, paperSpec()));
    await world.clock.pass(5_000);
    world.cloud.reclaim(record.providerId ?? "", 100_000);
    const pace = ownPace(world.clock);
    for (let passes = 0; passes < 5; passes++) {
      const began = world.clock.now();
      await world.clock.run(reconcile(fleet, { signal, limitMs: 2_000, pace }));
      expect(world.clock.now() - began).toBeLessThan(5_000);
      await world.clock.pass(3_000);
    }
    expect(await world.state.instanceByName("train")).toMatchObject({ state: "reclaiming", notice: { source: "api" } });
    expect(readings).toBe(1);
    expect(pace.syncs?.underway).not.toBeNull();
    await world.clock.pass(130_000);
    expect(pace.syncs?.underway).toBeNull();
  } finally {
    await world.state.close();
  }
});

test("a failure that took longer than a pass waits is said in every pass, and tried again at the pace of the list", async () => {
  const world = await paperWorld();
  const { fleet: paper } = world.start();
  const provider = withVms(world, { listEvery: { ms: 30_000, why: "its rate limit" } });
  let seals = 0;
  const fleet = fleetWith(paper, provider, {
    async snapshot() {
      seals += 1;
      await world.clock.sleep(3_000);
      return { kind: "failed", why: "no room on the volume" };
    },
  });
  try {
    const record = await world.clock.run(up(fleet, paperSpec()));
    await wish(fleet, record.id, { desired: "hibernated", skipSnapshot: false });
    const pace = ownPace(world.clock);
    const said: string[] = [];
    for (let passes = 0; passes < 50; passes++) {
      const { items } = await world.clock.run(reconcile(fleet, { signal, limitMs: 2_000, pace }));
      said.push(items.map(({ outcome, why }) => `${outcome} ${why}`).join());
      await world.clock.pass(1_000);
    }
    expect(seals).toBe(2);
    // Also while it is being tried again: what a service says of it does not come and go.
    for (const one of said.slice(5)) expect(one).toMatch(/^stuck .*no room on the volume/);
    // A new wish is answered at once.
    await wish(fleet, record.id, { desired: "gone", skipSnapshot: true });
    await world.clock.run(reconcile(fleet, { signal, limitMs: 2_000, pace }));
    await world.clock.run(Promise.all(pace.underway?.values() ?? []));
    expect(await fleet.state.instance(record.id)).toMatchObject({ state: expect.stringMatching(/^(terminating|gone)$/) });
  } finally {
    await world.state.close();
  }
});

test("a wish that comes while something fails is answered at once, and not remembered as what failed", async () => {
  const world = await paperWorld();
  const { fleet: paper } = world.start();
  const provider = withVms(world, { listEvery: { ms: 600_000, why: "its rate limit" } });
  const fleet = fleetWith(paper, provider, {
    async snapshot() {
      await world.clock.sleep(3_000);
      const record = await world.state.instanceByName("train");
      if (record !== undefined) await wish(fleet, record.id, { desired: "gone", skipSnapshot: true });
      return { kind: "failed", why: "no room on the volume" };
    },
  });
  try {
    const record = await world.clock.run(up(fleet, paperSpec()));
    await wish(fleet, record.id, { desired: "hibernated", skipSnapshot: false });
    const pace = ownPace(world.clock);
    for (let passes = 0; passes < 30; passes++) {
      await world.clock.run(reconcile(fleet, { signal, limitMs: 2_000, pace }));
      await world.clock.pass(1_000);
    }
    expect((await world.state.instance(record.id))?.state).toBe("gone");
  } finally {
    await world.state.close();
  }
});
