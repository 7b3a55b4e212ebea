import { type EffectKind, type FaultMode, MODES, NO_FAULT } from "./faulty-process.ts";
import { brokenWhenQuiet, unknownSpenders } from "./invariants.ts";
import { type PaperStore, paperWorld, untilQuiet } from "./paper-world.ts";
import type { Scenario } from "./scenarios.ts";

/** Longer than the pauses between the tries of one restore. */
const NEXT_TRY_MS = 3_700_000;

interface Outcome {
  readonly trace: readonly { readonly kind: EffectKind; readonly name: string }[];
  readonly broken: readonly string[];
}

/** Plays one scenario, lets its n-th effect fail, restarts, reconciles until all is quiet, and looks for damage. */
async function play(scenario: Scenario, at: number, mode: FaultMode, store?: () => Promise<PaperStore>): Promise<Outcome> {
  const world = await paperWorld(scenario.cloud, 1, store);
  try {
    const before = world.start();
    await world.clock.run(scenario.prepare(world, before.fleet));
    world.bury(before);
    const process = world.start(at === 0 ? NO_FAULT : { at, mode });
    // However it ends, killed, with an error or well: what counts is what is left.
    const beside = world.start();
    await world.clock.run(scenario.act(process.fleet, beside.fleet).catch(() => undefined));
    world.bury(process);
    world.bury(beside);
    const broken = [...(await unknownSpenders(world))];
    // A machine that runs out its notice is quiet, and yet its story is not over.
    while (world.cloud.living().some(({ notice }) => notice !== null)) await world.clock.pass(10_000);
    broken.push(...(await untilQuiet(world)));
    // What stays for another try is gone when none has come.
    if ((await world.state.pendingIntents()).some(({ kind }) => kind === "snapshot-end")) {
      await world.clock.pass(NEXT_TRY_MS);
      broken.push(...(await untilQuiet(world)));
    }
    broken.push(...(await brokenWhenQuiet(world)), ...world.trespasses);
    const unsealed = world.cloud.unsealedEnds;
    if (unsealed.length > 0) broken.push(`ended without a checkpoint: ${unsealed}`);
    const records = await world.state.instances({ includeGone: true });
    const record = records.find(({ name }) => name === "train");
    const end = record?.state ?? "nothing";
    if (!scenario.ends.includes(end)) broken.push(`the instance ended up ${end} (${record?.reason})`);
    if (records.length > (scenario.records ?? 1)) broken.push("more than one record");
    broken.push(...((await scenario.holds?.(world)) ?? []));
    if (at === 0) broken.push(...((await scenario.shows?.(world)) ?? []));
    return { trace: process.trace, broken };
  } finally {
    await world.state.close();
  }
}

/**
 * In the sweep, the whole story is told for each damage: scenario, effect, way to fail, what was found. `stride`: only every
 * so-manyth point.
 */
export async function sweep(
  scenario: Scenario,
  stride = 1,
  store?: () => Promise<PaperStore>,
): Promise<{ readonly points: number; readonly damage: readonly string[] }> {
  const { trace, broken } = await play(scenario, 0, "refused", store);
  const damage = broken.map((what) => `${scenario.name}, undisturbed: ${what}`);
  let points = 0;
  let seen = 0;
  for (const [index, { kind, name }] of trace.entries()) {
    for (const mode of MODES[kind]) {
      if (seen++ % stride !== 0) continue;
      points++;
      const played = await play(scenario, index + 1, mode, store);
      damage.push(...played.broken.map((what) => `${scenario.name}, effect ${index + 1} (${name}), ${mode}: ${what}`));
    }
  }
  return { points, damage };
}
