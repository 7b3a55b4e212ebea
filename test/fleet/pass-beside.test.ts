import { expect, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;

test("volumes that take minutes to read keep no pass of a watch, and each is read once at a time", async () => {
  const world = await paperWorld();
  const { fleet: paper } = world.start();
  let readings = 0;
  const { capabilities } = world.cloud.provider;
  const provider: Provider = {
    ...world.cloud.provider,
    capabilities: { ...capabilities, machine: { ...capabilities.machine, kind: "vm", notices: "controller" } },
  };
  const fleet: Fleet = {
    ...paper,
    provider: async () => provider,
    guest: {
      ...paper.guest,
      async sealed() {
        readings += 1;
        await world.clock.sleep(120_000);
        return [];
      },
    },
  };
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
