import { expect, test } from "vitest";
import { ProviderError } from "../../src/providers/errors.ts";
import type { LaunchSpec } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

test.each([
  ["a region's", "region", ["north-a", "south-a"]],
  ["the account's", undefined, ["north-a"]],
] as const)("%s quota: where it is asked next", async (_what, scope, asked) => {
  const world = await paperWorld();
  try {
    const { fleet } = world.start();
    const zones: string[] = [];
    const provider = await fleet.provider("paper");
    const launch = async (spec: LaunchSpec, context: Parameters<typeof provider.launch>[1]) => {
      zones.push(spec.offer.zone);
      if (spec.offer.region === "north")
        throw new ProviderError("paper", { kind: "quota", ...(scope === undefined ? {} : { scope }) }, "no more here");
      return provider.launch(spec, context);
    };
    const limited = { ...fleet, provider: async () => ({ ...provider, launch }) };
    await world.clock.run(up(limited, paperSpec({ volume: null })).catch(() => undefined));
    expect(zones).toEqual(asked);
  } finally {
    await world.state.close();
  }
});
