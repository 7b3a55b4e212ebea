import { expect, test } from "vitest";
import { decide } from "../../src/fleet/deciding/decide.ts";
import { drive } from "../../src/fleet/drive.ts";
import { observe } from "../../src/fleet/observe.ts";
import { refuseParking } from "../../src/fleet/steps/ending.ts";
import { bringUp } from "../../src/fleet/up.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
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

test("a second up of a machine that its cloud keeps stopped says so, and does not wait for it", async () => {
  const world = await paperWorld();
  try {
    const { fleet } = world.start();
    const paper = await fleet.provider("paper");
    const stopped = { state: "stopped", rawState: "stopped", endedBy: "provider", notice: null, reach: null } as const;
    let isTaken = false;
    const get: typeof paper.get = async (...asked) => {
      const found = await paper.get(...asked);
      return found === undefined || !isTaken ? found : { ...found, ...stopped };
    };
    const able = { ...fleet, provider: async () => ({ ...paper, get, capabilities: { ...paper.capabilities, restartsReclaimed: true } }) };
    const ours = await world.clock.run(up(able, paperSpec({ onReclaim: "wait" })));
    isTaken = true;
    const again = bringUp(able, ours, { signal, limitMs: 600_000, waitFor: "ready", ours: false });
    expect(await world.clock.run(again)).toMatchObject({ state: "running" });
    await world.clock.run(drive(able, ours.id, { until: ({ state }) => state === "stopped", signal, limitMs: 60_000 }));
    const before = world.clock.now();
    const known = (await world.state.instanceByName("train")) ?? ours;
    const later = bringUp(able, known, { signal, limitMs: 600_000, waitFor: "ready", ours: false });
    expect(await world.clock.run(later)).toMatchObject({ state: "stopped", desired: "running" });
    expect(world.clock.now() - before).toBeLessThan(10_000);
    isTaken = false;
    const back = bringUp(able, known, { signal, limitMs: 600_000, waitFor: "ready", ours: false });
    expect(await world.clock.run(back)).toMatchObject({ state: "running" });
  } finally {
    await world.state.close();
  }
});
