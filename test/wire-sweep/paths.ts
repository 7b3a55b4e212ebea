import type { Fleet } from "../../src/fleet/fleet.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import type { InstanceRecord, InstanceSpec } from "../../src/state/records.ts";
import { downWith, hibernate, restore, up, watchAndAct } from "../simulation/scenarios.ts";
import type { Expected } from "./sweep.ts";
import type { WireWorld } from "./wire-world.ts";

const HOUR_MS = 3_600_000;

/** How a path is walked once. Each step is a process of its own; how it ends is not asked, only what is left behind it. */
export interface Walk {
  /** What happens before, undisturbed. */
  prepare(fleet: Fleet): Promise<void>;
  readonly steps: readonly PathStep[];
  /** What somebody does again once all is quiet, undisturbed. */
  again?(fleet: Fleet): Promise<void>;
  /** What is there in the end besides what one instance has. */
  readonly expected?: Expected;
  /** What must hold in the end, whatever failed on the way. */
  broken(): Promise<readonly string[]>;
  /** What the undisturbed walk must have shown besides. */
  shows?(): Promise<readonly string[]>;
  close?(): Promise<void>;
}

export interface PathStep {
  do(fleet: Fleet): Promise<void>;
  /** Somebody else's doing, which nothing disturbs. */
  readonly aside?: true;
}

export interface Path {
  readonly name: string;
  /** Clouds without notices have nothing to take back. */
  readonly needsNotices?: true;
  /** Clouds whose volumes are tied to a zone, and can be made anew elsewhere from a snapshot. */
  readonly needsZones?: true;
  begin(scene: PathScene): Walk;
}

export interface PathScene {
  readonly world: WireWorld;
  /** What the market of this cloud has; turned while the path is walked. */
  readonly market: { hasSpot: boolean; closedZone?: string };
  /** Machines that are being taken back, beside which another one may be rented. */
  readonly doomed: Set<string>;
}

/** How long a notice is, and how often a controller passes meanwhile. Milliseconds. */
function paceOf({ tempo, cloud }: WireWorld): { readonly noticeMs: number; readonly everyMs: number; readonly afterMs: number } {
  if (tempo.noticeSeconds < 60) return { noticeMs: tempo.noticeSeconds * 1_000, everyMs: 400, afterMs: 1_500 };
  // Alibaba's are told without their end: as long as they usually are.
  const usual = cloud.provider.capabilities.noticeSeconds;
  const noticeMs = usual === 300 ? 300_000 : 120_000;
  return { noticeMs, everyMs: 20_000, afterMs: 30_000 };
}

async function train({ state }: WireWorld): Promise<InstanceRecord | undefined> {
  return (await state.instances({ includeGone: true })).find(({ name }) => name === "train");
}

const idsOf = ({ cloud }: WireWorld) => cloud.living().map(({ providerId }) => providerId);

/** A controller that listens to the agents. */
const watching = ({ guests }: WireWorld, fleet: Fleet): Fleet => ({ ...fleet, ear: guests.ear });

async function giveNotice({ world, doomed }: PathScene, ms: number): Promise<boolean> {
  for (const id of idsOf(world)) doomed.add(id);
  const given = await world.cloud.giveNotice(ms / 1_000);
  const { tellsInside } = world.cloud;
  if (tellsInside) for (const id of doomed) world.guests.hear(id.split("/").at(-1) ?? id, world.clock.now() + ms);
  return given && (tellsInside === true || world.cloud.takeBack !== undefined);
}

/** What a reclaim of `train` leads to. */
function reclaimed(scene: PathScene, onReclaim: InstanceSpec["onReclaim"], state: InstanceRecord["state"]): Walk {
  const { world } = scene;
  const { noticeMs, everyMs, afterMs } = paceOf(world);
  let first: string | null = null;
  let heard = false;
  return {
    async prepare(fleet) {
      first = (await up(fleet, { ...world.spec, onReclaim })).providerId;
      await fleet.clock.sleep(world.tempo.betweenMs / 2);
      await world.cloud.refresh?.();
      heard = await giveNotice(scene, noticeMs);
    },
    steps: [{ do: (fleet) => watchAndAct(watching(world, fleet), noticeMs + afterMs, everyMs) }],
    async broken() {
      const record = await train(world);
      const broken = record?.state === state ? [] : [`it ended up ${record?.state} (${record?.reason})`];
      if (heard && world.guests.sealed.length === 0) broken.push("its work was never sealed");
      if (state === "running" && record?.providerId === first) broken.push("its machine was taken back, and is there");
      // Whose launch lost its answer is found by its token. Ended as a stray it would have been paid for in vain.
      if ((await acted(world, "end-stray")) > 0) broken.push("a machine of its own was ended as nobody's");
      return broken;
    },
  };
}

export const reclaimedAndReplaced: Path = {
  name: "a reclaim, replaced",
  begin(scene) {
    const { world } = scene;
    const walk = reclaimed(scene, "replace", "running");
    return {
      ...walk,
      async shows() {
        const { volumes } = world.cloud.provider;
        // A machine is rented ahead where a volume can be attached to one that runs, and a notice leaves time for it.
        const canBeAhead = volumes?.attach !== undefined && world.cloud.takeBack !== undefined;
        const ahead = await acted(world, "launch-ahead");
        return ahead === Number(canBeAhead) ? [] : [`${ahead} machines were rented ahead`];
      },
    };
  },
};

const reclaimedAndAsleep: Path = { name: "a reclaim, to hibernate", begin: (scene) => reclaimed(scene, "hibernate", "hibernated") };

export const takenBack: Path = {
  name: "a notice, withdrawn",
  needsNotices: true,
  begin(scene) {
    const { world } = scene;
    const { noticeMs, everyMs, afterMs } = paceOf(world);
    let first: string | null = null;
    return {
      async prepare(fleet) {
        first = (await up(fleet, { ...world.spec, onReclaim: "replace" })).providerId;
        await fleet.clock.sleep(world.tempo.betweenMs / 2);
        await world.cloud.refresh?.();
        await giveNotice(scene, noticeMs);
        // So near to its end that another machine is rented ahead, where that is possible.
        await fleet.clock.sleep(0.6 * noticeMs);
      },
      steps: [
        { do: (fleet) => watchAndAct(watching(world, fleet), everyMs, everyMs / 2) },
        {
          aside: true,
          async do() {
            await world.cloud.takeBack?.();
            for (const id of world.cloud.tellsInside ? scene.doomed : []) world.guests.hear(id.split("/").at(-1) ?? id, null);
          },
        },
        { do: (fleet) => watchAndAct(watching(world, fleet), afterMs, everyMs) },
      ],
      async broken() {
        const record = await train(world);
        const stays = record?.state === "running" && record.providerId === first && record.notice === null;
        return stays
          ? []
          : [`it is ${record?.state} on ${record?.providerId} and was on ${first} (${record?.reason}), ${record?.notice?.source}`];
      },
      async shows() {
        const heard = (await world.state.events({ limit: 10_000 })).some(({ type }) => type === "notice");
        return heard && world.guests.sealed.length > 0 ? [] : ["no notice was heard, or nothing sealed"];
      },
    };
  },
};

async function acted({ state }: WireWorld, action: string): Promise<number> {
  return (await state.events({ limit: 10_000 })).filter(({ data }) => data["action"] === action).length;
}

const fallback: Path = {
  name: "fallback, and back to spot",
  begin({ world, market }) {
    const { everyMs, afterMs } = paceOf(world);
    return {
      async prepare() {
        market.hasSpot = false;
      },
      steps: [
        {
          do: async (fleet) => void (await up(fleet, { ...world.spec, onReclaim: "replace", fallbackAfterMs: 1_000, returnToSpot: true })),
        },
        {
          aside: true,
          async do() {
            market.hasSpot = true;
            await world.leap(HOUR_MS * 0.75);
          },
        },
        { do: (fleet) => watchAndAct(fleet, afterMs + everyMs, everyMs) },
      ],
      async broken() {
        const record = await train(world);
        const isFine = record === undefined || record.state === "gone" || record.state === "running";
        return isFine ? [] : [`it ended up ${record.state} (${record.reason})`];
      },
      async shows() {
        const record = await train(world);
        const fell = (await acted(world, "fallback")) > 0 || (record?.generation ?? 0) > 1;
        return record?.billing === "spot" && fell && world.guests.sealed.length > 0
          ? []
          : [`it is ${record?.state} on ${record?.billing}, generation ${record?.generation}, ${world.guests.sealed.length} sealed`];
      },
    };
  },
};

const atCap: Path = {
  name: "a budget at its cap",
  begin({ world }) {
    const { everyMs } = paceOf(world);
    const refused: string[] = [];
    const mustRefuse = async (what: string, work: Promise<unknown>) => {
      const code = await work.then(
        () => "done",
        (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : String(error)),
      );
      refused.push(`${what}: ${code}`);
    };
    let first: readonly string[] = [];
    return {
      async prepare(fleet) {
        await up(fleet, world.spec);
        await world.leap(HOUR_MS);
        await world.cloud.refresh?.();
        first = idsOf(world);
        const cap = moneyFromDecimal("0.02", "USD");
        await fleet.state.commit({ budgets: [{ scope: "total", cap, atCap: "hibernate", createdAt: 0, said: { percent: 0, at: 0 } }] });
      },
      steps: [
        { do: (fleet) => mustRefuse("up", up(fleet, { ...world.spec, name: "bare", volume: null })) },
        { do: (fleet) => watchAndAct(fleet, everyMs, everyMs) },
        { do: (fleet) => mustRefuse("restore", restore(fleet)) },
      ],
      async broken() {
        const records = await world.state.instances({ includeGone: true });
        const record = await train(world);
        const broken = record?.state === "hibernated" ? [] : [`it ended up ${record?.state} (${record?.reason})`];
        if (world.guests.sealed.length === 0) broken.push("its work was never sealed");
        if (records.some(({ name, providerId }) => name === "bare" && providerId !== null)) broken.push("a machine was rented at the cap");
        for (const id of idsOf(world)) if (!first.includes(id)) broken.push(`${id} was rented at the cap`);
        return broken;
      },
      async shows() {
        return refused.join() === "up: SPOT_E_BUDGET,restore: SPOT_E_BUDGET" ? [] : refused;
      },
    };
  },
};

/** Where a cloud makes no snapshots, its volume is deleted at once. */
export const endsWithItsVolume: Path = {
  name: "down, its volume snapshotted and deleted",
  begin({ world }) {
    const { snapshots, list: volumesOf } = world.cloud.provider.volumes ?? {};
    const signal = new AbortController().signal;
    return {
      async prepare(fleet) {
        await up(fleet, world.spec);
        await fleet.clock.sleep(world.tempo.betweenMs / 2);
        await world.cloud.refresh?.();
      },
      steps: [{ do: (fleet) => downWith(fleet, snapshots === undefined ? "delete" : "snapshot-and-delete") }],
      // Before the wish was written down, nothing was promised.
      again: async (fleet) => {
        const record = await train(world);
        if (record?.state === "running") await downWith(fleet, snapshots === undefined ? "delete" : "snapshot-and-delete");
      },
      expected: { volumeEnds: true },
      async broken() {
        const record = await train(world);
        const left = (await volumesOf?.({ signal })) ?? [];
        const made = (await snapshots?.list({ signal })) ?? [];
        return [
          ...(record?.state === "gone" ? [] : [`it ended up ${record?.state} (${record?.reason})`]),
          ...(left.length === 0 ? [] : [`${left.map(({ name }) => name)} is left`]),
          ...(snapshots === undefined || made.length === 1 ? [] : [`${made.length} snapshots are left`]),
          ...made.filter(({ state }) => state !== "ready").map(({ rawState }) => `the volume is deleted, and its snapshot is ${rawState}`),
        ];
      },
    };
  },
};

/** Asleep on its volume, in a zone that has nothing left: it comes back in a sister zone, from a snapshot. */
export const climbed: Path = {
  name: "a restore from a snapshot in a sister zone",
  needsZones: true,
  begin({ world, market }) {
    let home = "";
    return {
      async prepare(fleet) {
        home = (await up(fleet, world.spec)).zone;
        await fleet.clock.sleep(world.tempo.betweenMs);
        await hibernate(fleet);
        market.closedZone = home;
      },
      steps: [{ do: (fleet) => restore(fleet, "train", HOUR_MS / 2) }],
      async broken() {
        const record = await train(world);
        const isFine = record?.state === "running" || record?.state === "hibernated";
        const broken = isFine ? [] : [`it ended up ${record?.state} (${record?.reason})`];
        const volumes = await world.state.volumes();
        if (!volumes.some(({ name }) => name === "work")) broken.push("there is no volume of its name");
        if (!volumes.some(({ zone }) => zone === home)) broken.push("its first volume is gone");
        const known = await world.state.checkpoints({ instance: "train" });
        for (const { id } of world.guests.sealed) if (!known.some((one) => one.id === id)) broken.push(`${id} is not known any more`);
        return broken;
      },
      async shows() {
        const record = await train(world);
        const names = (await world.state.volumes()).map(({ name, zone }) => `${name} in ${zone}`).sort();
        const wanted = [`work in ${record?.zone}`, `work-${home} in ${home}`].sort();
        return record?.state === "running" && record.zone !== home && names.join() === wanted.join()
          ? []
          : [`it is ${record?.state} in ${record?.zone} and was in ${home} (${record?.reason}); ${names}`];
      },
    };
  },
};

export const POLICY_PATHS: readonly Path[] = [
  reclaimedAndReplaced,
  takenBack,
  reclaimedAndAsleep,
  fallback,
  atCap,
  endsWithItsVolume,
  climbed,
];
