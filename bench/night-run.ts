// The nights of one policy under one length of notice, in a process of its own; started by night.mjs.
import { isUp } from "../src/fleet/deciding/decide.ts";
import { RAREST_LOOK_MS } from "../src/fleet/deciding/policy.ts";
import { worksUntil } from "../src/fleet/deciding/under-notice.ts";
import { onDemandFrom } from "../src/fleet/deciding/waiting.ts";
import type { Fleet } from "../src/fleet/fleet.ts";
import { ownPace } from "../src/fleet/hearing/pace.ts";
import { noLeases } from "../src/fleet/leases/held-leases.ts";
import { reconcile } from "../src/fleet/pass.ts";
import { claimName, newRecord } from "../src/fleet/up.ts";
import { wakeUp } from "../src/fleet/waking.ts";
import { costOf } from "../src/model/money.ts";
import { seededRng } from "../src/platform/rng.ts";
import { openState } from "../src/state/open.ts";
import type { InstanceSpec, State } from "../src/state/records.ts";
import { virtualClock } from "../test/simulation/virtual-clock.ts";
import { sampleSpec } from "../test/state/sample-records.ts";
import { nightJobs, type Pace, type Tally } from "./night-job.ts";
import { type Market, nightMarket } from "./night-market.ts";
import { capacityOf, changesIn, readTraces } from "./night-traces.ts";

export interface Policy {
  readonly name: string;
  readonly onReclaim: InstanceSpec["onReclaim"];
  /** Where its next machine may be. */
  readonly within: "zone" | "region";
  /** On demand when spot was refused for so long; null: never. */
  readonly fallbackAfterMs: number | null;
  /** `spot restore` is tried so often for whoever sleeps; null: the person sleeps, too. */
  readonly wakeEveryMs: number | null;
}

export interface Task {
  readonly root: string;
  readonly set: string;
  readonly policy: Policy;
  readonly noticeMs: number;
  readonly provisionMs: number;
  readonly pace: Pace;
  readonly starts: readonly number[];
  readonly lengthMs: number;
  /** Between two passes of the watch. */
  readonly passMs: number;
  readonly seed: number;
}

export interface Night extends Tally {
  /** Instance-time of the window, in milliseconds. */
  readonly wallMs: number;
  /** Work that was there in the morning. */
  readonly usefulMs: number;
  /** Without a machine that runs. */
  readonly waitingMs: number;
  /** What the ledger says, in USD, and how much of it on demand. */
  readonly cost: number;
  readonly costOnDemand: number;
  /** What the cloud would bill for its machines: the ledger may differ by how late a pass sees an end. */
  readonly billed: number;
  /** For how long the traces had capacity, and how often it fell: the most that an instance bound to its zone can have. */
  readonly capacityMs: number;
  readonly falls: number;
  /** Machines that nobody's record explained in the morning. Must be 0. */
  readonly strays: number;
}

type Jobs = ReturnType<typeof nightJobs>;

const never = () => new AbortController().signal;
/** `spot restore --cap 5m`: a machine, its boot and what is put back take more than three by default. */
const WAKE_CAP_MS = 300_000;
/** Whoever runs on demand looks for spot every five minutes, by a moment of its own. */
const ON_DEMAND_LOOK_MS = 60_000;
const DAY_MS = 86_400_000;

/** One window of the traces: an instance for each node of each zone, and a watch over all of them. */
async function night(task: Task, fromMs: number): Promise<Night> {
  const { policy, noticeMs, provisionMs, pace, lengthMs, passMs } = task;
  const clock = virtualClock();
  const zones = readTraces(task.root, task.set).map((trace) => ({ ...trace, changes: changesIn(trace, fromMs, lengthMs) }));
  let jobs: Jobs | undefined;
  const market = nightMarket(clock, zones, { noticeMs, provisionMs }, () => {
    if (jobs === undefined) throw new Error("the jobs come first");
    return jobs;
  });
  jobs = nightJobs(clock, market.cloud, pace);
  const state = await openState(":memory:");
  const fleetOf = (owner: string): Fleet => ({
    state,
    provider: async () => market.provider,
    guest: jobs.guest,
    clock,
    rng: seededRng(task.seed),
    owner,
    leases: noLeases(),
    looks: new Map(),
    ownerIsDead: () => false,
    say: () => undefined,
  });
  const watch = fleetOf("watch");
  // It controls all night, under a name that renews nothing: renewals would be half of all that happens.
  await state.acquireLease("controller", "all night", clock.now(), lengthMs + DAY_MS);
  const until = clock.now() + lengthMs;
  const over = new AbortController();
  const specs = zones.flatMap((zone) => Array.from({ length: zone.nodes }, (_, node) => specOf(policy, pace, zone.zone, node)));
  const play = async () => {
    const offers = await market.provider.offers({}, { signal: never() });
    for (const spec of specs) {
      const offer = offers.find((one) => spec.name.startsWith(one.zone));
      if (offer === undefined) throw new Error(`no zone for ${spec.name}`);
      await claimName(watch, newRecord(watch, spec, offer));
    }
    const market_ = market.play();
    const woken = policy.wakeEveryMs === null ? [] : [wakeAll(fleetOf("cron"), policy.wakeEveryMs, until, over.signal)];
    const ours = ownPace(clock, watch.rng);
    while (clock.now() < until) {
      const before = await state.lastSeq();
      await reconcile(watch, { signal: over.signal, limitMs: 2_000, pace: ours });
      // What a pass has brought about is looked at by the next one.
      const isCalm = (await state.lastSeq()) === before;
      const wanted = isCalm ? await nextPass(state, market, jobs as Jobs, clock.now(), () => watch.rng.next()) : clock.now();
      // Passes are made on a grid, as a watch makes them: those between two that could do nothing are left out.
      const slots = Math.max(1, Math.ceil((wanted - clock.now()) / passMs));
      await clock.sleep(Math.min(slots * passMs, Math.max(1, until - clock.now())));
    }
    const had = zones.map(({ changes }) => capacityOf(changes, lengthMs));
    const sum = (key: "capacityMs" | "falls") => had.reduce((total, zone) => total + zone[key], 0);
    const kept = await morning(market, jobs as Jobs, state, specs.length, task, until);
    const result = { ...kept, capacityMs: sum("capacityMs"), falls: sum("falls") };
    over.abort();
    await Promise.all([...(ours.underway?.values() ?? []), market_, ...woken]);
    return result;
  };
  try {
    return await clock.run(play());
  } finally {
    await state.close();
  }
}

/**
 * When a pass can do something again: when a machine that is on its way is there, when something happens, or when capacity is
 * looked for. Looks that the cloud could only refuse are left out: where an instance may be there is no capacity, and once
 * there is some, it is found as late as by a look that falls anywhere into the longest pause between two.
 */
async function nextPass(state: State, market: Market, jobs: Jobs, now: number, chance: () => number): Promise<number> {
  const due = (await state.instances()).map((record) => {
    const { outlook, billing, providerId } = record;
    if (record.desired === "hibernated" && record.state === "hibernated") return Number.POSITIVE_INFINITY;
    if (record.desired !== "running") return now;
    if (isUp(record)) return billing === "on-demand" ? now + ON_DEMAND_LOOK_MS : (worksUntil(record) ?? Number.POSITIVE_INFINITY);
    if (providerId !== null) return jobs.servesAt(providerId) ?? now;
    if (outlook.waiting === null || market.hasCapacity(record.spec.regions)) return outlook.waiting?.nextLook ?? now;
    const found = market.risesAfter(record.spec.regions, now) + chance() * RAREST_LOOK_MS;
    return Math.min(found, onDemandFrom(record) ?? Number.POSITIVE_INFINITY);
  });
  return Math.min(market.happensAfter(now), ...due);
}

function specOf({ onReclaim, within, fallbackAfterMs }: Policy, pace: Pace, zone: string, node: number): InstanceSpec {
  const name = `${zone}-${node}`;
  return sampleSpec(name, {
    providers: ["paper"],
    maxPrice: null,
    regions: [within === "zone" ? zone : zone.replace(/[a-z]$|-[a-z]$/, "")],
    volume: { name, sizeGb: 100, mount: "/data" },
    onReclaim,
    fallbackAfterMs,
    returnToSpot: fallbackAfterMs !== null,
    checkpointEveryMs: pace.everyMs,
  });
}

/** Somebody's cron line: `spot restore` for whatever sleeps. */
async function wakeAll(fleet: Fleet, everyMs: number, until: number, signal: AbortSignal): Promise<void> {
  const ours = new Map<string, Promise<unknown>>();
  while (clock(fleet) < until) {
    for (const record of await fleet.state.instances())
      if (record.state === "hibernated" && !ours.has(record.id)) {
        const waking = wakeUp(fleet, record, { signal, capMs: WAKE_CAP_MS, sleepLimitMs: WAKE_CAP_MS });
        ours.set(
          record.id,
          waking.catch(() => undefined).finally(() => ours.delete(record.id)),
        );
      }
    await fleet.clock.sleep(Math.min(everyMs, until - clock(fleet)), signal).catch(() => undefined);
  }
  await Promise.all(ours.values());
}

const clock = (fleet: Fleet) => fleet.clock.now();
const dollars = (micros: bigint) => Number(micros) / 1e6;

async function morning(
  { cloud, reclaims }: Market,
  jobs: Jobs,
  state: State,
  instances: number,
  { lengthMs }: Task,
  until: number,
): Promise<Omit<Night, "capacityMs" | "falls">> {
  cloud.living();
  const tally = jobs.tally(until, reclaims());
  const wallMs = instances * lengthMs;
  const ledger = (await state.ledger()).filter(({ kind }) => kind === "gpu");
  const rates = ledger.map((entry) => ({ ...entry, cost: dollars(costOf(entry.rate, (entry.to ?? until) - entry.from).micros) }));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const machines = [...cloud.machines.values()];
  const billed = machines.map(({ runningSince, endedAt, billing, zone }) => {
    const rate = billing === "spot" ? dollars(zone.price.micros) : ON_DEMAND;
    return runningSince === null ? 0 : (Math.max(0, (endedAt ?? until) - runningSince) / 3_600_000) * rate;
  });
  const known = new Set((await state.instances()).map(({ providerId }) => providerId));
  return {
    ...tally,
    wallMs,
    usefulMs: tally.workingMs - tally.lostMs,
    waitingMs: wallMs - tally.workingMs - tally.sealingMs - tally.startingMs,
    cost: sum(rates.map(({ cost }) => cost)),
    costOnDemand: sum(rates.filter(({ billing }) => billing === "on-demand").map(({ cost }) => cost)),
    billed: sum(billed),
    strays: cloud.living().filter(({ id, state: now }) => !known.has(id) && now !== "terminating").length,
  };
}

/** The paper cloud's, per hour. */
export const ON_DEMAND = 3;

process.once("message", async (task: Task) => {
  const nights: Night[] = [];
  for (const from of task.starts) nights.push(await night(task, from));
  process.send?.(nights, () => process.disconnect());
});
