import { expect, test } from "vitest";
import { noteNotice } from "../../src/fleet/steps/notices.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

test.each([
  ["log", 0],
  ["checkpoint", 1],
] as const)(
  "a hint that a reclaim is likelier, with the policy %s: noted, %d checkpoints, and nothing else",
  async (onRebalance, seals) => {
    const world = await paperWorld({});
    try {
      const { fleet } = world.start();
      const record = await world.clock.run(up(fleet, paperSpec({ onRebalance })));
      const provider = await fleet.provider("paper");
      const signal = new AbortController().signal;
      const instance = await world.clock.run(provider.get(record.providerId ?? "", { signal }));
      if (instance === undefined) throw new Error("no machine");
      let sealed = 0;
      const guest = {
        ...fleet.guest,
        snapshot: async () => {
          sealed++;
          return { kind: "nothing-to-seal" } as const;
        },
      };
      const now = world.clock.now();
      const notice = { kind: "rebalance", source: "api", seenAt: now, deadline: now } as const;
      await world.clock.run(noteNotice({ ...fleet, guest }, record, { ...instance, notice }, signal));
      expect(sealed).toBe(seals);
      expect(await world.state.instanceByName(record.name)).toMatchObject({ state: "running", desired: "running", notice });
    } finally {
      await world.state.close();
    }
  },
);
