import { expect, onTestFinished, test } from "vitest";
import type { Fleet, GuestReport, SnapshotOutcome } from "../../src/fleet/fleet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wish } from "../../src/fleet/wish.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, hibernate, up } from "../simulation/scenarios.ts";

const FULL: SnapshotOutcome = { kind: "failed", why: "No space left on device" };

interface Setting {
  readonly cloud?: Parameters<typeof paperWorld>[0];
  readonly set?: Parameters<typeof paperSpec>[0];
  readonly downMs?: number;
  /** What the agents say besides. */
  readonly says?: Partial<GuestReport>;
}

/** An instance that serves, and how its agent answers each seal; `undefined` seals. Called with how often it was asked before. */
async function serving(
  answer: (before: number, world: PaperWorld) => SnapshotOutcome | undefined,
  { cloud = {}, set = {}, downMs = 0, says }: Setting = {},
) {
  const world = await paperWorld(cloud);
  onTestFinished(() => world.state.close());
  const { fleet: base } = world.start();
  const asked: number[] = [];
  let isSaid = false;
  const guest: Fleet["guest"] = {
    ...base.guest,
    async report(...args) {
      const report = await base.guest.report(...args);
      return report === undefined || !isSaid ? report : { ...report, ...says };
    },
    async snapshot(...args) {
      asked.push(world.clock.now());
      return answer(asked.length - 1, world) ?? base.guest.snapshot(...args);
    },
  };
  const { provider: paper } = world.cloud;
  // The request that ends it, or puts it to sleep, finds the cloud down for a while.
  const putOff = <Args extends readonly unknown[], Result>(send: (...args: Args) => Promise<Result>) => {
    let isFirst = downMs > 0;
    return (...args: Args) => {
      if (isFirst) world.cloud.outageUntil = world.clock.now() + downMs;
      isFirst = false;
      return send(...args);
    };
  };
  const { hibernation } = paper;
  const provider = {
    ...paper,
    // What cannot end itself is asked whether its time is over.
    capabilities: { ...paper.capabilities, machine: { ...paper.capabilities.machine, endsItself: says === undefined } },
    destroy: putOff(paper.destroy),
    ...(hibernation === undefined ? {} : { hibernation: { ...hibernation, hibernate: putOff(hibernation.hibernate) } }),
  };
  const fleet: Fleet = { ...base, guest, provider: async () => provider };
  await world.clock.run(up(fleet, paperSpec(set)));
  await world.clock.pass(120_000);
  isSaid = true;
  return { world, fleet, asked };
}

const stateOf = async ({ state }: PaperWorld) => (await state.instances({ includeGone: true }))[0]?.state;
const warnings = async ({ state }: PaperWorld) =>
  (await state.events({})).filter(({ type }) => type === "warning").map(({ data }) => String(data["message"]));

test.each([
  ["hibernate", "park", hibernate, "hibernated"],
  ["hibernate", "native", hibernate, "hibernated"],
  ["down", "park", down, "gone"],
] as const)("%s (%s) that is put off for long after its checkpoint seals what was done since", async (_, hibernates, command, state) => {
  const { world, fleet, asked } = await serving(() => undefined, { cloud: { hibernates }, downMs: 90_000 });
  await world.clock.run(command(fleet));
  expect(await stateOf(world)).toBe(state);
  expect(asked).toHaveLength(2);
  expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBeGreaterThan(60_000);
  expect([...world.cloud.volumes.values()][0]?.checkpoints).toHaveLength(2);
  expect(await warnings(world)).toEqual([]);
});

test.each([false, true])(
  "when that one fails, nothing is put off any more, and it is said once an hour (said before: %s)",
  async (isSaid) => {
    const { world, fleet, asked } = await serving((before) => (before === 0 ? undefined : FULL), { downMs: 90_000 });
    const said = { guard: "unsealed", message: "not sealed: as before" };
    const event = { at: world.clock.now(), type: "warning", instance: "train", provider: "paper", data: said } as const;
    await world.state.commit({ events: isSaid ? [event] : [] });
    await world.clock.run(hibernate(fleet));
    const [record] = await world.state.instances();
    expect(record).toMatchObject({ state: "hibernated", sealedAsleep: false });
    expect(asked).toHaveLength(2);
    expect(await warnings(world)).toEqual([isSaid ? said.message : expect.stringContaining("is not sealed: ")]);
  },
);

const HOUR_MS = 3_600_000;

async function pass(world: PaperWorld, fleet: Fleet): Promise<readonly string[]> {
  const signal = new AbortController().signal;
  const report = await world.clock.run(reconcile(fleet, { signal, limitMs: 30_000 }));
  return report.items.map(({ outcome }) => outcome);
}

test("a machine whose TTL is over and that cannot be sealed is ended all the same, minutes later, and what stands is said", async () => {
  const { world, fleet, asked } = await serving(() => FULL, { set: { ttlMs: HOUR_MS } });
  const at = world.clock.now() - 60_000;
  const checkpoint = { id: "c-1", volume: "train", instance: "train", step: null, reason: "interval", createdAt: at } as const;
  await world.state.commit({ checkpoints: [{ ...checkpoint, files: 1, bytes: 1, sha256: "0", sealed: true, verifiedAt: null }] });
  await world.clock.pass(HOUR_MS + 300_000);
  expect(await pass(world, fleet)).toEqual(["stuck"]);
  expect(await stateOf(world)).toBe("running");
  expect(await warnings(world)).toEqual([expect.stringContaining("goes on running and billing: the checkpoint failed: No space left")]);
  await world.clock.pass(240_000);
  expect(await pass(world, fleet)).toEqual(["stuck"]);
  await world.clock.pass(60_000);
  expect(await pass(world, fleet)).toEqual(["settled"]);
  expect(await stateOf(world)).toBe("gone");
  expect(asked).toHaveLength(3);
  const said = await warnings(world);
  expect(said).toHaveLength(2);
  expect(said[1]).toMatch(/^its time is up, and it is ended without a last checkpoint \(No space.*\): c-1, sealed 1h .* ago, stands$/);
});

test("one whose agent says that it is over, and has tried to seal, is ended at once", async () => {
  const { world, fleet, asked } = await serving(() => FULL, { set: { idleMs: 60_000 }, says: { phase: "expired" } });
  expect(await pass(world, fleet)).toEqual(["settled"]);
  expect(await stateOf(world)).toBe("gone");
  expect(asked).toHaveLength(1);
  expect(await warnings(world)).toEqual([expect.stringContaining("nothing of it is known to be sealed")]);
});

test("a TTL holds also where a `down` was refused before", async () => {
  const { world, fleet } = await serving(() => FULL, { set: { ttlMs: HOUR_MS } });
  await expect(world.clock.run(down(fleet))).rejects.toMatchObject({ code: "SPOT_E_CHECKPOINT" });
  expect(await stateOf(world)).toBe("running");
  await world.clock.pass(HOUR_MS);
  expect(await pass(world, fleet)).toEqual(["stuck"]);
  await world.clock.pass(300_000);
  expect(await pass(world, fleet)).toEqual(["settled"]);
  expect(await stateOf(world)).toBe("gone");
});

test("what a budget puts to sleep and cannot be sealed goes on, and a warning says so, once an hour", async () => {
  const { world, fleet } = await serving(() => FULL);
  const [record] = await world.state.instances();
  await wish(fleet, record?.id ?? "", { desired: "hibernated", skipSnapshot: false, wakeBy: null, reason: "the budget is reached" });
  for (let passes = 0; passes < 3; passes++) {
    expect(await pass(world, fleet)).toEqual(["stuck"]);
    await world.clock.pass(60_000);
  }
  expect(await stateOf(world)).toBe("running");
  expect(await warnings(world)).toEqual([
    expect.stringMatching(/^it is to sleep \(the budget is reached\), and goes on running and billing/),
  ]);
  await world.clock.pass(HOUR_MS);
  await pass(world, fleet);
  expect(await warnings(world)).toHaveLength(2);
});
