import { expect, test } from "vitest";
import { putToSleep } from "../../src/fleet/park.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { hyperstackProvider } from "../../src/providers/hyperstack/provider.ts";
import { type FakeHyperstack, fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { up } from "../simulation/scenarios.ts";
import type { VirtualClock } from "../simulation/virtual-clock.ts";
import { wireWorld } from "./wire-world.ts";

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;

/** An instance that hibernates natively at Hyperstack, while the last machine of its kind goes to somebody else. */
async function asleepWithoutStock(snapshot: boolean) {
  let fake: FakeHyperstack | undefined;
  const world = await wireWorld(async (clock: VirtualClock) => {
    fake = await fakeHyperstack({ clock, switches: { requestsPerMinute: 100_000 } });
    return {
      provider: await hyperstackProvider({ env: fake.env, home: "/nowhere", clock }),
      server: fake.server,
      living: fake.living,
      volumes: fake.volumes,
      giveNotice: async () => false,
      close: fake.close,
    };
  });
  const cloud = fake;
  if (cloud === undefined) throw new Error("no cloud");
  const fleet = world.start();
  const first = await world.clock.run(up(fleet, world.spec));
  const asleep = await world.clock.run(putToSleep(fleet, first, { signal, limitMs: HOUR_MS, snapshot }));
  expect(asleep).toMatchObject({ state: "hibernated", parked: "native", providerId: first.providerId });
  cloud.setStock(first.type, 0);
  return { world, cloud, fleet, first, asleep };
}

test("no stock to come back to: it comes back on another machine, from its volume, and the old one is ended", async () => {
  const { world, cloud, fleet, first, asleep } = await asleepWithoutStock(true);
  try {
    const awake = await world.clock.run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    expect(awake).toMatchObject({ state: "running", desired: "running", parkOnly: false });
    expect(awake.providerId).not.toBe(first.providerId);
    expect(awake.type).not.toBe(first.type);
    expect(cloud.living().map(({ providerId }) => providerId)).toEqual([awake.providerId]);
    expect(cloud.volumes()).toMatchObject([{ attachedTo: awake.providerId }]);
    expect(world.guests.sealed).toHaveLength(1);
  } finally {
    await world.close();
  }
});

test("what was put to sleep without a checkpoint keeps its machine, however long there is no stock", async () => {
  const { world, cloud, fleet, first, asleep } = await asleepWithoutStock(false);
  try {
    const woken = world.clock.run(wakeUp(fleet, asleep, { signal, capMs: 600_000, sleepLimitMs: HOUR_MS }));
    await expect(woken).rejects.toMatchObject({ exit: 124 });
    expect(await fleet.state.instance(first.id)).toMatchObject({ state: "hibernated", providerId: first.providerId });
    expect(cloud.living().map(({ providerId }) => providerId)).toEqual([first.providerId]);
  } finally {
    await world.close();
  }
});
