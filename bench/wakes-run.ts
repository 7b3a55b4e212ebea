import type { Fleet } from "../src/fleet/fleet.ts";
import { putToSleep } from "../src/fleet/park.ts";
import { lastWake } from "../src/fleet/wakes/wake-log.ts";
import { wakeUp } from "../src/fleet/waking.ts";
import { type RungName, USUAL_RUNGS } from "../src/model/comeback.ts";
import type { InstanceRecord } from "../src/state/records.ts";
import { up } from "../test/simulation/scenarios.ts";
import type { VirtualClock } from "../test/simulation/virtual-clock.ts";
import { EACH_CLOUD } from "../test/wire-sweep/clouds.ts";
import { type CloudOnTheWire, wireWorld } from "../test/wire-sweep/wire-world.ts";

/** One rung of one cloud: how long each wake took by that cloud's clock, in seconds; or why it has none. */
interface Measured {
  readonly cloud: string;
  readonly rung: RungName;
  readonly seconds: readonly number[];
  readonly why: string | null;
}

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;
const RUNGS: readonly RungName[] = ["same-machine", "same-zone", "snapshot", "copy", "on-demand"];

interface Market {
  hasSpot: boolean;
  /** `zone` of the offers that are sold out, or nothing. */
  closed: string | null;
}

/** The cloud with a market that can be closed, so that the rung in question is the first that is open. */
function withMarket(make: (clock: VirtualClock) => Promise<CloudOnTheWire>, market: Market) {
  return async (clock: VirtualClock): Promise<CloudOnTheWire> => {
    const cloud = await make(clock);
    const { provider } = cloud;
    const offers: typeof provider.offers = async (query, context) =>
      (await provider.offers(query, context)).map((offer) =>
        offer.zone === market.closed || (!market.hasSpot && offer.billing === "spot") ? { ...offer, stock: 0 } : offer,
      );
    const { hibernation: _, ...parking } = provider;
    const parked = { ...parking, offers, capabilities: { ...provider.capabilities, hibernate: "park" as const } };
    return { ...cloud, provider: market.closed === null && market.hasSpot ? { ...provider, offers } : parked };
  };
}

async function train(fleet: Fleet): Promise<InstanceRecord> {
  const record = await fleet.state.instanceByName("train");
  if (record === undefined) throw new Error("no train");
  return record;
}

async function measure(cloud: string, rung: RungName, times: number): Promise<Measured> {
  const make = EACH_CLOUD[cloud];
  if (make === undefined) throw new Error(`no ${cloud}`);
  // Where it is to be parked although its cloud could do more, it is told so by its market's first state.
  const market: Market = { hasSpot: rung !== "on-demand", closed: rung === "snapshot" || rung === "same-zone" ? "nowhere" : null };
  const world = await wireWorld(withMarket(make, market));
  const { clock } = world;
  const seconds: number[] = [];
  const { capabilities, volumes } = world.cloud.provider;
  const hasSisters = capabilities.zonalVolumes && volumes?.snapshots !== undefined;
  try {
    if (rung === "copy") return { cloud, rung, seconds, why: "its volumes are read by machines alone; measured on local" };
    if (rung === "snapshot" && !hasSisters)
      return { cloud, rung, seconds, why: "its volumes are not tied to a zone, or it makes no snapshots" };
    const fleet = world.start();
    market.hasSpot = true;
    await clock.run(up(fleet, world.spec));
    for (let time = 0; time < times; time++) {
      await clock.run(fleet.clock.sleep(120_000));
      const asleep = await clock.run(putToSleep(fleet, await train(fleet), { signal, limitMs: HOUR_MS, snapshot: true }));
      market.hasSpot = rung !== "on-demand";
      if (rung === "snapshot") market.closed = asleep.zone;
      const allow = rung === "on-demand" ? ([...USUAL_RUNGS.filter((one) => one !== "snapshot"), rung] as const) : USUAL_RUNGS;
      const since = clock.now();
      await clock.run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS / 2, sleepLimitMs: HOUR_MS, comeback: { allow, ceiling: null } }));
      const wake = await lastWake(fleet.state, "train", since);
      if (wake === undefined || wake.rung !== rung) return { cloud, rung, seconds: [], why: `came back by ${wake?.rung}` };
      seconds.push((wake.endedAt - wake.startedAt) / 1000);
    }
    return { cloud, rung, seconds, why: null };
  } catch (error) {
    return { cloud, rung, seconds, why: error instanceof Error ? error.message : String(error) };
  } finally {
    await world.close();
  }
}

/** Sends each result as it comes: `[times]` wakes of each rung of each imitated cloud. */
async function all(times: number): Promise<void> {
  for (const cloud of Object.keys(EACH_CLOUD))
    for (const rung of RUNGS) process.stdout.write(`${JSON.stringify(await measure(cloud, rung, times))}\n`);
}

await all(Number(process.argv[2] ?? "5"));
