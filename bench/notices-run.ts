// A minute of notices for many machines, in a process of its own; started by notices.mjs. The cloud and the agents are paper
// that takes as long as real ones do; the database is a real file, the clock the real one, the passes those of `watch --act`.
import { setMaxListeners } from "node:events";
import { join } from "node:path";
import type { Fleet, GuestDoor } from "../src/fleet/fleet.ts";
import { ownPace } from "../src/fleet/hearing/pace.ts";
import { noLeases } from "../src/fleet/leases/held-leases.ts";
import { reconcile } from "../src/fleet/pass.ts";
import { systemClock } from "../src/platform/clock.ts";
import { seededRng } from "../src/platform/rng.ts";
import { ProviderError } from "../src/providers/errors.ts";
import type { CallContext, Provider, Reach } from "../src/providers/provider.ts";
import { openState } from "../src/state/open.ts";
import type { InstanceRecord } from "../src/state/records.ts";
import { type PaperCloud, paperCloud } from "../test/simulation/paper-cloud.ts";
import { sampleInstance, sampleLedger, sampleSpec, sampleVolume, usd } from "../test/state/sample-records.ts";

export interface Task {
  readonly home: string;
  readonly machines: number;
  /** All notices come within so long, and each lasts so long, in milliseconds. */
  readonly spreadMs: number;
  readonly noticeMs: number;
  /** The part of the calls to provider and agents that fail, 0 to 1. */
  readonly failing: number;
  readonly seed: number;
}

export interface Outcome {
  readonly notices: number;
  /** From the notice until its agent begins with the checkpoint, in milliseconds, sorted. */
  readonly hookMs: readonly number[];
  readonly sealed: number;
  readonly replaced: number;
  /** The same a minute after the last deadline. */
  readonly replacedLater: number;
  readonly asleep: number;
  /** The most connections into machines, and calls to the provider, that were open at once. */
  readonly mostInside: number;
  readonly mostCalls: number;
  readonly calls: number;
  readonly cpuSeconds: number;
  readonly peakMb: number;
  /** The longest that the process did nothing else, in milliseconds. */
  readonly longestStallMs: number;
}

/** So long after the last deadline it is counted what has become of them, and the replacements once more. */
const AFTERWARDS_MS = 20_000;
const LATER_MS = 60_000;
/** One in so many is to hibernate, the others are to be replaced. */
const SLEEPERS = 4;

interface Told {
  readonly at: number;
  readonly deadline: number;
  hookAt: number | null;
  sealedAt: number | null;
}

/** How many are under way, and the most that ever were. */
function meter() {
  let [now, most, all] = [0, 0, 0];
  return {
    async during<Result>(work: () => Promise<Result>): Promise<Result> {
      all += 1;
      now += 1;
      most = Math.max(most, now);
      try {
        return await work();
      } finally {
        now -= 1;
      }
    },
    most: () => most,
    all: () => all,
  };
}

async function played(task: Task): Promise<Outcome> {
  const clock = systemClock;
  const rng = seededRng(task.seed);
  const uniform = (least: number, most: number) => least + (most - least) * rng.next();
  const cloud = paperCloud(clock, { latencyMs: 0, listSettlesMs: 3_000, provisionMs: 20_000, changeMs: 5_000 });
  for (const zone of cloud.zones) Object.assign(zone, { stock: 10 * task.machines, onDemandStock: 10 * task.machines });
  const state = await openState(join(task.home, "state.db"));
  const told = new Map<string, Told>();
  const [inside, calls] = [meter(), meter()];
  let isLive = false;
  const provider = slowProvider(
    cloud,
    async (name, signal) => {
      if (!isLive) return;
      await clock.sleep(name === "list" ? uniform(250, 350) : name === "launch" ? uniform(1_000, 3_000) : uniform(150, 500), signal);
      if (rng.next() < task.failing) throw new ProviderError("paper", { kind: "unavailable" }, "503 on paper");
    },
    calls,
  );
  const guest = slowGuest(cloud, told, {
    inside,
    uniform,
    fails: () => rng.next() < task.failing,
  });
  const fleet: Fleet = {
    state,
    provider: async () => provider,
    guest,
    clock,
    rng,
    owner: "bench",
    leases: noLeases(),
    ownerIsDead: () => false,
    say: () => undefined,
  };
  const ids = await seeded(fleet, cloud, task.machines);
  isLive = true;
  const [cpuBefore, stall] = [process.cpuUsage(), stallMeter()];
  const over = new AbortController();
  const pace = ownPace(clock, rng);
  const watching = watch(fleet, pace, over.signal);
  const began = clock.now();
  await Promise.all(
    ids.map(async (id) => {
      await clock.sleep(uniform(0, task.spreadMs));
      told.set(id, { at: clock.now(), deadline: clock.now() + task.noticeMs, hookAt: null, sealedAt: null });
      cloud.reclaim(id, task.noticeMs);
      pace.hurry(new Set(["paper"]));
    }),
  );
  await clock.sleep(began + task.spreadMs + task.noticeMs + AFTERWARDS_MS - clock.now());
  const used = process.cpuUsage(cpuBefore);
  const records = await state.instances({ includeGone: true });
  const counted = {
    notices: told.size,
    hookMs: [...told.values()].flatMap(({ at, hookAt }) => (hookAt === null ? [] : [hookAt - at])).sort((one, other) => one - other),
    sealed: [...told.values()].filter(({ sealedAt, deadline }) => sealedAt !== null && sealedAt < deadline).length,
    replaced: replacedOf(records),
    asleep: records.filter((record) => record.state === "hibernated").length,
    mostInside: inside.most(),
    mostCalls: calls.most(),
    calls: calls.all(),
    cpuSeconds: (used.user + used.system) / 1e6,
    peakMb: process.resourceUsage().maxRSS / 1024,
    longestStallMs: stall.end(),
  };
  await clock.sleep(LATER_MS - AFTERWARDS_MS);
  const outcome: Outcome = { ...counted, replacedLater: replacedOf(await state.instances({ includeGone: true })) };
  over.abort();
  await watching;
  await Promise.all([...(pace.underway?.values() ?? []), pace.syncs?.underway]);
  await state.close();
  return outcome;
}

const replacedOf = (records: readonly InstanceRecord[]) =>
  records.filter(({ generation, providerId }) => generation > 1 && providerId !== null).length;

/** A machine and a record of it each, up and running since long ago. */
async function seeded({ state, clock }: Fleet, cloud: PaperCloud, count: number): Promise<readonly string[]> {
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const [offer] = await cloud.provider.offers({}, { signal });
  if (offer === undefined) throw new Error("no offer on paper");
  return Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const name = `job-${String(number).padStart(4, "0")}`;
      const sleeps = number % SLEEPERS === 0;
      const launched = await cloud.provider.launch(
        { name, token: `t-${name}`, offer, volumes: [], bootScript: "", maxPrice: null, rootVolumeId: null } as never,
        { signal },
      );
      const machine = cloud.machines.get(launched.providerId);
      if (machine === undefined) throw new Error("no machine on paper");
      Object.assign(machine, { state: "running", next: null, runningSince: clock.now() - 3_600_000, createdAt: clock.now() - 3_600_000 });
      const at = clock.now() - 3_600_000;
      const volume = sampleVolume(`${name}-data`, { provider: "paper", region: offer.region, zone: offer.zone });
      await state.commit({
        addInstance: sampleInstance(name, {
          spec: sampleSpec(name, {
            providers: ["paper"],
            maxPrice: null,
            onReclaim: sleeps ? "hibernate" : "replace",
            volume: sleeps ? { name: volume.name, sizeGb: volume.sizeGb, mount: "/data" } : null,
          }),
          provider: "paper",
          providerId: machine.id,
          region: offer.region,
          zone: offer.zone,
          type: offer.type,
          createdAt: at,
          changedAt: at,
          readyAt: at,
          volumes: sleeps ? [{ name: volume.name, id: volume.id, mount: "/data" }] : [],
        }),
        ...(sleeps ? { volumes: [volume] } : {}),
        ledger: [
          {
            ...sampleLedger(`l-${name}`),
            instanceId: `i-${name}`,
            instance: name,
            provider: "paper",
            providerId: machine.id,
            from: at,
            to: null,
            rate: usd(1_000_000),
          },
        ],
      });
      return machine.id;
    }),
  );
}

/** As `watch --act` does it: a pass, and a second later the next. */
async function watch(fleet: Fleet, pace: ReturnType<typeof ownPace>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await reconcile(fleet, { signal, limitMs: 2_000, pace }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    await fleet.clock.sleep(1_000, signal).catch(() => undefined);
  }
}

function slowProvider(
  cloud: PaperCloud,
  before: (name: string, signal: AbortSignal) => Promise<void>,
  calls: ReturnType<typeof meter>,
): Provider {
  const { provider } = cloud;
  const slow =
    <Given extends readonly unknown[], Result>(name: string, send: (...given: Given) => Promise<Result>) =>
    (...given: Given) =>
      calls.during(async () => {
        const { signal } = given.find((one) => typeof one === "object" && one !== null && "signal" in one) as CallContext;
        await before(name, signal);
        return send(...given);
      });
  const { hibernation } = provider;
  return {
    ...provider,
    // Nobody but us tells its agents, as on most clouds.
    capabilities: {
      ...provider.capabilities,
      machine: { kind: "vm", notices: "controller", endsItself: true, volumes: "mounted" },
      pollMs: 2_000,
    },
    offers: slow("offers", provider.offers),
    launch: slow("launch", provider.launch),
    list: slow("list", provider.list),
    get: slow("get", provider.get),
    destroy: slow("destroy", provider.destroy),
    ...(hibernation === undefined
      ? {}
      : { hibernation: { hibernate: slow("hibernate", hibernation.hibernate), restore: slow("restore", hibernation.restore) } }),
  };
}

interface Inside {
  readonly inside: ReturnType<typeof meter>;
  uniform(least: number, most: number): number;
  fails(): boolean;
}

/** Agents behind ssh: 0.4 s to 1 s until a word is through, and 5 s to 30 s until a checkpoint is sealed. */
function slowGuest(cloud: PaperCloud, told: Map<string, Told>, { inside, uniform, fails }: Inside): GuestDoor {
  const clock = systemClock;
  const idOf = (reach: Reach) => (reach.kind === "process" ? reach.cwd : "");
  const isThere = (id: string) => ["running", "reclaiming"].includes(cloud.machine(id)?.state ?? "gone");
  const knock = async (signal: AbortSignal) => {
    await clock.sleep(uniform(400, 1_000), signal);
    if (fails()) throw new Error("the connection broke");
  };
  const begin = (id: string) => {
    const entry = told.get(id);
    if (entry === undefined || entry.hookAt !== null || !isThere(id)) return;
    entry.hookAt = clock.now();
    void clock.sleep(uniform(5_000, 30_000)).then(() => {
      if (isThere(id)) entry.sealedAt = clock.now();
    });
  };
  return {
    report: (reach, signal) =>
      inside.during(async () => {
        await knock(signal);
        const id = idOf(reach);
        if (!isThere(id)) return undefined;
        const entry = told.get(id);
        return {
          phase: "running",
          awaitsVolume: false,
          exitCode: null,
          step: null,
          restoredFrom: null,
          lastSealSeconds: null,
          noticeDeadline: entry === undefined || entry.hookAt === null ? null : entry.deadline / 1000,
        };
      }),
    snapshot: (reach, _reason, _deadline, signal) =>
      inside.during(async () => {
        const id = idOf(reach);
        const failed = { kind: "failed", why: "the connection broke" } as const;
        if (
          await knock(signal).then(
            () => false,
            () => true,
          )
        )
          return failed;
        // Somebody wants one without a notice.
        if (!told.has(id)) await clock.sleep(uniform(5_000, 30_000), signal);
        begin(id);
        while (told.has(id) && isThere(id) && (told.get(id)?.sealedAt ?? null) === null) await clock.sleep(500, signal);
        return isThere(id) ? { kind: "sealed", id: `c-${id}`, step: null, files: 1, bytes: 1 } : failed;
      }),
    tellNotice: (reach, _deadline, signal) =>
      inside.during(async () => {
        await knock(signal);
        begin(idOf(reach));
      }),
    tellWithdrawn: async () => undefined,
    mountVolume: async () => undefined,
    releaseVolume: (_reach, signal) => inside.during(() => knock(signal)),
    sealed: (_reach, signal) => inside.during(() => knock(signal).then(() => [])),
    publicKey: async () => "ssh-ed25519 AAAA paper",
    isReady: (_reach, _spec, signal) => inside.during(() => knock(signal).then(() => true)),
    bootScript: async () => "#!/bin/sh\n",
  };
}

/** The longest gap between two looks at the clock that should have been 20 ms apart. */
function stallMeter() {
  let [last, longest] = [performance.now(), 0];
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 20);
    last = performance.now();
  }, 20);
  return {
    end() {
      clearInterval(timer);
      return longest;
    },
  };
}

process.on("message", async (task: Task) => {
  const outcome = await played(task);
  process.send?.(outcome, () => process.exit(0));
});
