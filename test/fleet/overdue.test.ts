import { expect, onTestFinished, test } from "vitest";
import { whyNotServing } from "../../src/fleet/deciding/overdue.ts";
import type { Fleet, GuestReport } from "../../src/fleet/fleet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";
import { machine, seen } from "./samples.ts";

const HELD: GuestReport = {
  phase: "preparing",
  awaitsVolume: false,
  exitCode: null,
  step: null,
  restoredFrom: null,
  lastSealSeconds: null,
  noticeDeadline: null,
};

test("a replacement whose agent has given up is told of, once, with the agent's own words", async () => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet: base } = world.start();
  await world.clock.run(up(base, paperSpec()));
  const [first] = world.cloud.living();
  const givenUp = "the agent is not running: sealed checkpoint(s) of train and none verifies: c-2 c-1";
  let asked = 0;
  const guest: Fleet["guest"] = {
    ...base.guest,
    report: async () => undefined,
    async silence() {
      asked++;
      return givenUp;
    },
  };
  const fleet: Fleet = { ...base, guest };
  const pass = () => world.clock.run(reconcile(fleet, { signal: new AbortController().signal, limitMs: 1_000 }));
  const warnings = async () => (await world.state.events({})).filter(({ type }) => type === "warning").map(({ data }) => data);
  world.cloud.reclaim(first?.id ?? "", 10_000);
  await world.clock.pass(15_000);
  await pass();
  await world.clock.pass(60_000);
  await pass();
  expect(world.cloud.living().map(({ id, state }) => [id === first?.id, state])).toEqual([[false, "running"]]);
  expect([asked, await warnings()]).toEqual([0, []]);
  await world.clock.pass(1_800_000);
  await pass();
  const said = await warnings();
  expect(said).toEqual([expect.objectContaining({ guard: "overdue", message: expect.stringContaining(`may bill: ${givenUp}`) })]);
  expect((await world.state.instances())[0]).toMatchObject({ state: "provisioning", reason: `not serving: ${givenUp}` });
  await world.clock.pass(7_200_000);
  await pass();
  expect(await warnings()).toEqual(said);
  expect(asked).toBe(1);
  // Somebody has mended it: it serves, and nothing of that is left.
  await world.clock.run(reconcile(base, { signal: new AbortController().signal, limitMs: 1_000 }));
  expect((await world.state.instances())[0]).toMatchObject({ state: "running", reason: null });
});

test("a machine that does not serve because its checkpoint is on its way to it is said to wait for that", () => {
  const guest = { ...HELD, awaitsCheckpoint: "c-7" };
  expect(whyNotServing(machine(), seen({ guest }))).toBe("its workload waits for checkpoint c-7, which is copied to it");
  expect(whyNotServing(machine(), seen({ guest: HELD }))).toBe("the agent is preparing");
});
