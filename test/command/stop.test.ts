import { join } from "node:path";
import { expect, test } from "vitest";
import { createProvider, knownProviders } from "../../src/providers/registry.ts";
import { openState } from "../../src/state/open.ts";
import { sampleInstance } from "../state/sample-records.ts";
import { spot, testWorld } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

test("stop is refused with exit 3, says what to do instead, and changes nothing", async () => {
  const world = await cloudWorld();
  await must(world, "up", "--name", "a", "--yes", "--", "sleep", "600");
  const before = await data(world, "ls");
  const { code, stdout, stderr } = await spot(world, "stop", "a");
  expect([code, stdout]).toEqual([3, ""]);
  expect(stderr).toContain("a is not stopped: here a machine either runs, hibernates or is gone");
  expect(stderr).toContain("local hibernates it");
  expect(stderr).toContain("next: spot hibernate a");
  expect(stderr).toContain("spot down a");
  const [after] = await data(world, "ls");
  expect([after.state, after.desired]).toEqual([before[0].state, before[0].desired]);
  expect(await machines(world)).toBe(1);

  await must(world, "hibernate", "a", "--yes");
  const asleep = await spot(world, "stop", "a");
  expect(asleep.code).toBe(3);
  expect(asleep.stderr).toContain("a is hibernated: nothing but its disk is paid for");
  expect(asleep.stderr).toContain("next: spot restore a");
});

test("at every cloud stop says what a stopped machine costs there and how it sleeps instead, without a call or a credential", async () => {
  const world = testWorld();
  const state = await openState(join(world.home, "state.db"));
  for (const provider of knownProviders()) await state.commit({ addInstance: sampleInstance(`m-${provider}`, { provider }) });
  await state.commit({ addInstance: sampleInstance("m-park-only", { provider: "hyperstack", parkOnly: true }) });
  await state.close();
  for (const provider of knownProviders()) {
    const { capabilities } = await createProvider(provider, world);
    const { code, stdout, stderr } = await spot(world, "stop", `m-${provider}`);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toContain(`m-${provider} is not stopped: ${capabilities.whyNoStop}\n`);
    expect(stderr).toContain(
      capabilities.hibernate === "native" ? `${provider} hibernates it` : `${provider} cannot hibernate this machine`,
    );
    expect(stderr).toContain(`next: spot hibernate m-${provider}`);
  }
  expect((await spot(world, "stop", "m-park-only")).stderr).toContain("hyperstack cannot hibernate this machine");
});

test("stop of nobody is 9, without a name 2", async () => {
  const world = await cloudWorld();
  expect((await spot(world, "stop", "nobody")).code).toBe(9);
  expect((await spot(world, "stop")).code).toBe(2);
});
