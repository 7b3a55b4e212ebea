import { expect, test } from "vitest";
import { decide } from "../../src/fleet/decide.ts";
import { refuseParking } from "../../src/fleet/ending.ts";
import { observe } from "../../src/fleet/observe.ts";
import { wakeUp } from "../../src/fleet/park.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";
import { machine, record, seen } from "./samples.ts";

const signal = new AbortController().signal;
const back = { kind: "here", instance: machine({ state: "stopped", endedBy: "provider" }) } as const;

test.each([
  ["spot", true],
  ["on-demand", false],
] as const)("a machine that is %s: that its cloud starts it again is %s", async (billing, waits) => {
  const world = await paperWorld();
  try {
    const { fleet } = world.start();
    const paper = await fleet.provider("paper");
    const able = { ...fleet, provider: async () => ({ ...paper, capabilities: { ...paper.capabilities, restartsReclaimed: true } }) };
    const ours = await world.clock.run(up(able, paperSpec({ onReclaim: "wait" })));
    expect(await world.clock.run(observe(able, { ...ours, billing }, signal))).toMatchObject({ waitsForCapacity: waits });
  } finally {
    await world.state.close();
  }
});

test.each([
  ["without a volume, its own disk holds its work", paperSpec({ volume: null }), {}, "refuse-parking"],
  ["without a volume, and nobody wants the work", paperSpec({ volume: null }), { skipSnapshot: true }, "snapshot-and-destroy"],
  ["with a volume", paperSpec(), {}, "snapshot-and-destroy"],
] as const)("to hibernate while its cloud keeps it stopped, %s", (_what, spec, set, done) => {
  const stopped = record({ state: "stopped", desired: "hibernated", spec: { ...spec, onReclaim: "wait" }, ...set });
  expect(decide(stopped, seen({ cloud: back, waitsForCapacity: true, hibernates: "park" })).action.do).toBe(done);
});

test("what is said of a machine that waits for its cloud does not blame anybody", async () => {
  const world = await paperWorld();
  try {
    const { fleet } = world.start();
    const ours = await world.clock.run(up(fleet, paperSpec()));
    const reason = "reclaimed; its cloud starts it again when there is room";
    const stopped = { ...ours, spec: paperSpec({ onReclaim: "wait" }), state: "stopped", reason } as const;
    await expect(wakeUp(fleet, stopped, { signal, capMs: 1_000, sleepLimitMs: 1_000 })).rejects.toMatchObject({
      message: `${ours.name} is stopped: ${reason}`,
    });
    await expect(refuseParking(fleet, stopped)).rejects.toThrow("so it was left stopped");
  } finally {
    await world.state.close();
  }
});
