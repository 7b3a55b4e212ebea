import { expect, onTestFinished, test } from "vitest";
import type { Fleet, SnapshotOutcome } from "../../src/fleet/fleet.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, hibernate, up } from "../simulation/scenarios.ts";

const FULL: SnapshotOutcome = { kind: "failed", why: "No space left on device" };

interface Setting {
  readonly cloud?: Parameters<typeof paperWorld>[0];
  readonly set?: Parameters<typeof paperSpec>[0];
  readonly downMs?: number;
}

/** An instance that serves, and how its agent answers each seal; `undefined` seals. Called with how often it was asked before. */
async function serving(
  answer: (before: number, world: PaperWorld) => SnapshotOutcome | undefined,
  { cloud = {}, set = {}, downMs = 0 }: Setting = {},
) {
  const world = await paperWorld(cloud);
  onTestFinished(() => world.state.close());
  const { fleet: base } = world.start();
  const asked: number[] = [];
  const guest: Fleet["guest"] = {
    ...base.guest,
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
    destroy: putOff(paper.destroy),
    ...(hibernation === undefined ? {} : { hibernation: { ...hibernation, hibernate: putOff(hibernation.hibernate) } }),
  };
  const fleet: Fleet = { ...base, guest, provider: async () => provider };
  await world.clock.run(up(fleet, paperSpec(set)));
  await world.clock.pass(120_000);
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

test("when that one fails, nothing is put off any more, and it is said", async () => {
  const { world, fleet, asked } = await serving((before) => (before === 0 ? undefined : FULL), { downMs: 90_000 });
  await world.clock.run(hibernate(fleet));
  const [record] = await world.state.instances();
  expect(record).toMatchObject({ state: "hibernated", sealedAsleep: false });
  expect(asked).toHaveLength(2);
  expect(await warnings(world)).toEqual([expect.stringContaining("not sealed: ")]);
});
