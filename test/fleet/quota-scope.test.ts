import { expect, onTestFinished, test } from "vitest";
import { reconcile } from "../../src/fleet/pass.ts";
import { type Fault, ProviderError } from "../../src/providers/errors.ts";
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

test.each([
  ["a balance that is used up", { kind: "quota" }, "paper allows no more (top up the account)"],
  ["a price that has risen", { kind: "price-too-low" }, "paper asks more than the price limit by now"],
] as const)("%s is what is waited for, and not capacity, however often it is looked at", async (_what, fault: Fault, why) => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  await world.clock.run(up(world.start().fleet, paperSpec({ volume: null, onReclaim: "replace" })));
  for (const machine of world.cloud.living()) world.cloud.reclaim(machine.id, 0);
  const { fleet } = world.start();
  const provider = await fleet.provider("paper");
  const launch = async () => {
    throw new ProviderError("paper", fault, "top up the account");
  };
  const limited = { ...fleet, provider: async () => ({ ...provider, launch }) };
  const reason = `every offer that fits is passed over for now: ${why}`;
  for (let looks = 0; looks < 4; looks++) {
    const { items } = await world.clock.run(reconcile(limited, { signal: new AbortController().signal, limitMs: 60_000 }));
    expect(items).toMatchObject([{ outcome: "stuck", problem: { exit: 5, message: expect.stringContaining(reason) } }]);
    expect(await world.state.instanceByName("train")).toMatchObject({ reason, outlook: { waiting: { reason } } });
    await world.clock.pass(70_000);
  }
  const waits = (await world.state.events({})).filter(({ data }) => data["action"] === "wait");
  expect(waits.map(({ data }) => data["because"])).toEqual([reason]);
});
