import { expect, test } from "vitest";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

test("a machine that is gone before it came up is replaced by another offer, not by the same one again", async () => {
  const world = await paperWorld({ provisionMs: 5_000 });
  try {
    const { fleet } = world.start();
    const vanish = world.clock.sleep(2_000).then(() => {
      // Accepted, and then there was no capacity after all: some clouds tell that minutes later.
      for (const machine of world.cloud.living())
        Object.assign(machine, { state: "gone", endedBy: "provider", endedAt: world.clock.now(), reason: "no capacity" });
    });
    const record = await world.clock.run(Promise.all([up(fleet, paperSpec({ volume: null })), vanish]).then(([first]) => first));
    const zones = [...world.cloud.machines.values()].map(({ zone }) => zone.zone);
    expect(zones).toHaveLength(2);
    expect(new Set(zones).size).toBe(2);
    expect(record).toMatchObject({ state: "running", zone: zones[1] });
  } finally {
    await world.state.close();
  }
});
