import { expect, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { look } from "../../src/fleet/hearing/look.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";
import { sampleInstance } from "../state/sample-records.ts";

const signal = new AbortController().signal;

test("a provider that takes half a minute to answer keeps no other one's notice from being heard, and its list is used when it comes", async () => {
  const world = await paperWorld();
  const { fleet: paper } = world.start();
  let lists = 0;
  const slow: Provider = {
    ...world.cloud.provider,
    id: "slow",
    async list() {
      lists += 1;
      await world.clock.sleep(30_000);
      return [];
    },
    get: async () => undefined,
  };
  const fleet: Fleet = { ...paper, provider: async (id) => (id === "slow" ? slow : paper.provider(id)) };
  try {
    const record = await world.clock.run(up(fleet, paperSpec()));
    await world.state.commit({ addInstance: sampleInstance("other", { provider: "slow", providerId: "m", readyAt: 1, volumes: [] }) });
    await world.clock.pass(5_000);
    world.cloud.reclaim(record.providerId ?? "", 60_000);
    const pace = ownPace(world.clock);
    const began = world.clock.now();
    await world.clock.run(look(fleet, signal, [], pace));
    expect(world.clock.now() - began).toBeLessThan(2_000);
    expect(await world.state.instanceByName("train")).toMatchObject({ state: "reclaiming", notice: { source: "api" } });
    await world.clock.run(look(fleet, signal, [], pace));
    expect([lists, pace.latest.has("slow")]).toEqual([1, false]);
    await world.clock.pass(30_000);
    await world.clock.run(look(fleet, signal, [], pace));
    expect(pace.latest.get("slow")?.listing).toEqual([]);
  } finally {
    await world.state.close();
  }
});
