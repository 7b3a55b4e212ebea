import type { Fleet } from "../../src/fleet/fleet.ts";
import { adopt } from "../../src/fleet/orphans/adopt.ts";
import { forget } from "../../src/fleet/orphans/forget.ts";
import { askProviders, orphansAmong } from "../../src/fleet/orphans/orphan-search.ts";
import type { Orphan } from "../../src/fleet/orphans/orphans.ts";
import { reap } from "../../src/fleet/orphans/reap.ts";
import { type FaultMode, MODES, NO_FAULT } from "./faulty-process.ts";
import { brokenWhenQuiet } from "./invariants.ts";
import { type PaperWorld, paperSpec, paperWorld, untilQuiet } from "./paper-world.ts";
import { up } from "./scenarios.ts";

const never = () => new AbortController().signal;
const LIMIT_MS = 600_000;

/** Everything at the paper cloud that has no record. */
export async function orphans(fleet: Fleet): Promise<readonly Orphan[]> {
  const { resources, silent } = await askProviders([await fleet.provider("paper")], never(), { harmless: true });
  if (silent.length > 0) throw new Error("not everybody answered");
  return orphansAmong(fleet.state, resources);
}

const reapAll = async (fleet: Fleet) => {
  const rows = (await orphans(fleet)).filter(({ why }) => why !== "in-flight");
  await reap(fleet, { madeAt: fleet.clock.now(), rows }, { signal: never(), limitMs: LIMIT_MS, volumes: true, dryRun: false });
};
const adoptAll = async (fleet: Fleet) =>
  void (await adopt(
    fleet,
    (await orphans(fleet)).filter(({ why }) => why === "no-record"),
    never(),
  ));

/** What another state made, which is lost: two machines, one of them with a volume, a disk of its own, and a snapshot. */
export async function lost({ cloud, clock }: PaperWorld): Promise<void> {
  for (const zone of cloud.zones) zone.stock = 9;
  const { provider } = cloud;
  const context = { signal: never() };
  const [offer] = await provider.offers({}, context);
  if (offer === undefined || provider.volumes === undefined) throw new Error("nothing on offer");
  const { region, zone } = offer;
  const disk = (name: string, token: string) => provider.volumes?.create({ name, token, sizeGb: 10, region, zone }, context);
  const work = await disk("train", "t-lost-v1");
  await disk("asleep", "t-lost-v2");
  await provider.volumes.snapshots?.create(work?.providerId ?? "", { name: "train", token: "t-lost-s1" }, context);
  for (const [token, volumes] of [
    ["t-lost-1", [{ providerVolumeId: work?.providerId ?? "", mount: "/data" }]],
    ["t-lost-2", []],
  ] as const)
    await provider.launch(
      {
        name: "train",
        token,
        offer,
        maxPrice: null,
        image: null,
        volumes,
        env: {},
        bootScript: "",
        sshKey: null,
        ports: [],
        registryAuth: null,
        rootVolumeId: null,
        ttlSeconds: null,
        labels: {},
      },
      context,
    );
  await clock.sleep(60_000);
}

/** One of ours that lives, and one that was forgotten. */
export async function ours(_world: PaperWorld, fleet: Fleet): Promise<void> {
  await up(fleet, paperSpec({ name: "mine", volume: { name: "mine", sizeGb: 10, mount: "/data" } }));
  await forget(fleet, await up(fleet, paperSpec({ name: "left", volume: null })), never());
  await fleet.clock.sleep(60_000);
}

export interface OrphanScenario {
  readonly name: string;
  prepare(world: PaperWorld, fleet: Fleet): Promise<void>;
  act(fleet: Fleet): Promise<void>;
  /** Machines, volumes and snapshots once all of it was done. */
  readonly left: readonly [number, number, number];
  /** What nobody may ever end, by the name of its machine. */
  readonly stays: readonly string[];
}

export const ORPHAN_SCENARIOS: readonly OrphanScenario[] = [
  {
    name: "reap",
    async prepare(world, fleet) {
      await ours(world, fleet);
      await lost(world);
    },
    act: reapAll,
    left: [1, 1, 0],
    stays: ["mine"],
  },
  {
    name: "adopt",
    prepare: (world) => lost(world),
    act: adoptAll,
    left: [2, 2, 1],
    stays: ["train"],
  },
];

/** Plays it, lets its n-th effect fail, restarts, reconciles until all is quiet, then does it once more undisturbed. */
async function play(scenario: OrphanScenario, at: number, mode: FaultMode) {
  const world = await paperWorld({});
  try {
    const before = world.start();
    await world.clock.run(scenario.prepare(world, before.fleet));
    world.bury(before);
    const stay = world.cloud.living().filter(({ name }) => scenario.stays.includes(name));
    const launched = world.cloud.machines.size;
    const process = world.start(at === 0 ? NO_FAULT : { at, mode });
    await world.clock.run(scenario.act(process.fleet).catch(() => undefined));
    world.bury(process);
    const broken = [...(await untilQuiet(world))];
    for (const { kind, id } of await world.state.pendingIntents()) broken.push(`the ${kind} intent ${id} is still open`);
    const again = world.start();
    await world.clock.run(scenario.act(again.fleet));
    world.bury(again);
    broken.push(...(await untilQuiet(world)), ...(await brokenWhenQuiet(world)));
    const { cloud } = world;
    const left = [cloud.living().length, cloud.volumes.size, cloud.snapshots.size];
    if (String(left) !== String(scenario.left)) broken.push(`what is left: ${left}`);
    for (const { id, name } of stay)
      if (cloud.machine(id)?.state !== "running") broken.push(`${name} (${id}) is ${cloud.machine(id)?.state}`);
    if (cloud.machines.size !== launched) broken.push(`${cloud.machines.size - launched} machines were launched`);
    const look = world.start();
    const rest = await world.clock.run(orphans(look.fleet));
    for (const { kind, providerId, why } of rest) broken.push(`still an orphan: ${kind} ${providerId} (${why})`);
    return { trace: process.trace, broken };
  } finally {
    await world.state.close();
  }
}

/** Every `stride`-th way in which an effect of it can fail. */
export async function sweepOrphans(
  scenario: OrphanScenario,
  stride: number,
): Promise<{ readonly points: number; readonly damage: readonly string[] }> {
  const { trace, broken } = await play(scenario, 0, "refused");
  const damage = broken.map((what) => `undisturbed: ${what}`);
  const all = trace.flatMap(({ kind, name }, index) => MODES[kind].map((mode) => ({ at: index + 1, name, mode })));
  const chosen = all.filter((_, index) => index % stride === 0);
  for (const { at, name, mode } of chosen) {
    const played = await play(scenario, at, mode);
    damage.push(...played.broken.map((what) => `${scenario.name}, effect ${at} (${name}), ${mode}: ${what}`));
  }
  return { points: chosen.length, damage };
}
