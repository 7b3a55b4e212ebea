import type { VirtualClock } from "../simulation/virtual-clock.ts";
import { adoptPath, reapPath } from "./orphan-paths.ts";
import { type Path, type PathScene, POLICY_PATHS } from "./paths.ts";
import { brokenNow, FAULTS, type Swept, type WireFault } from "./sweep.ts";
import { type CloudOnTheWire, type Tempo, untilQuiet, wireWorld } from "./wire-world.ts";

type MakeCloud = (clock: VirtualClock) => Promise<CloudOnTheWire>;

/** Beside a whole life: what happens when nobody asks for it, and what is done about what nobody knows of. */
export const PATHS: readonly Path[] = [reapPath, adoptPath, ...POLICY_PATHS];

interface Walked {
  /** Requests of what is disturbed, and which of them, from 1, change something. */
  readonly requests: number;
  readonly changes: ReadonlySet<number>;
  readonly broken: readonly string[];
}

/** The cloud, with a market that can be without spot. */
function withMarket(make: MakeCloud, market: PathScene["market"]): MakeCloud {
  return async (clock) => {
    const cloud = await make(clock);
    const { provider } = cloud;
    const offers: typeof provider.offers = async (query, context) =>
      (await provider.offers(query, context)).map((offer) => {
        const isClosed = offer.zone === market.closedZone || (!market.hasSpot && offer.billing === "spot");
        return isClosed ? { ...offer, stock: 0 } : offer;
      });
    return { ...cloud, provider: { ...provider, offers } };
  };
}

/** Walks a path with the n-th request of what can be disturbed failing (0: none), reconciles until all is quiet, and looks for damage. */
async function walk(path: Path, make: MakeCloud, n: number, fault: WireFault, tempo: Tempo | undefined): Promise<Walked | undefined> {
  const market: PathScene["market"] = { hasSpot: true };
  const world = await wireWorld(withMarket(make, market), tempo);
  const { clock, cloud } = world;
  const doomed = new Set<string>();
  const walking = path.begin({ world, market, doomed });
  try {
    if (path.needsNotices === true && cloud.takeBack === undefined) return undefined;
    const { capabilities, volumes } = cloud.provider;
    if (path.needsZones === true && (!capabilities.zonalVolumes || volumes?.snapshots === undefined)) return undefined;
    const first = world.start();
    await clock.run(walking.prepare(first));
    world.bury(first);
    const broken: string[] = [];
    let isOpen = false;
    let requests = 0;
    const changes = new Set<number>();
    let most = 0;
    const isChange = cloud.isChange ?? (({ method }) => method !== "GET");
    // Strikes nothing, and so looks on to the end: who has struck is not asked again.
    cloud.server.disturb({
      what: { do: fault },
      match(request) {
        most = Math.max(most, cloud.living().filter(({ providerId }) => !doomed.has(providerId)).length);
        if (!isOpen) return false;
        requests += 1;
        if (isChange(request)) changes.add(requests);
        return false;
      },
    });
    if (n > 0) cloud.server.disturb({ what: { do: fault }, match: () => isOpen && requests === n });
    for (const step of walking.steps) {
      const fleet = world.start();
      isOpen = step.aside !== true;
      const failed = (error: unknown) => {
        if (n === 0 || step.aside === true) broken.push(String(error));
      };
      await clock.run(step.do(fleet).catch(failed));
      isOpen = false;
      world.bury(fleet);
    }
    const swept = requests;
    broken.push(...(await untilQuiet(world)));
    if (walking.again !== undefined) {
      const again = world.start();
      await clock.run(walking.again(again));
      world.bury(again);
      broken.push(...(await untilQuiet(world)));
    }
    broken.push(...(await brokenNow(world, walking.expected)), ...(await clock.run(walking.broken())));
    if (most > (walking.expected?.machines ?? 1)) broken.push(`${most} machines at the same time`);
    if (n === 0) broken.push(...((await walking.shows?.()) ?? []));
    return { requests: swept, changes, broken };
  } finally {
    await walking.close?.();
    await world.close();
  }
}

export interface PathSweep {
  /** Every so-manyth of the requests, with one fault each in turn; 1: every request with every fault. */
  readonly stride: number;
  /** The first of these points; 0 unless told. */
  readonly from?: number;
  readonly tempo?: Tempo;
}

/** @returns undefined where the path does not apply. */
export async function sweepPath(
  path: Path,
  make: MakeCloud,
  { stride, from = 0, tempo }: PathSweep,
): Promise<Omit<Swept, "sealed" | "told"> | undefined> {
  const calm = await walk(path, make, 0, "reset-before", tempo);
  if (calm === undefined) return undefined;
  const damage = calm.broken.map((what) => `undisturbed: ${what}`);
  const all = Array.from({ length: calm.requests }, (_, index) => FAULTS.map((fault) => ({ n: index + 1, fault }))).flat();
  // What only reads and never took effect is much like what only reads and lost its answer; a bounded run takes them in turn.
  const points = all.filter((_, index) => index >= from && (index - from) % stride === 0);
  for (const { n, fault } of points) {
    const walked = await walk(path, make, n, fault, tempo);
    damage.push(...(walked?.broken ?? []).map((what) => `request ${n}, ${fault}: ${what}`));
  }
  return { requests: calm.requests, points: points.length, damage };
}
