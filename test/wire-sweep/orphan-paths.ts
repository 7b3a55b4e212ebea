import type { Fleet } from "../../src/fleet/fleet.ts";
import { adopt } from "../../src/fleet/orphans/adopt.ts";
import { askProviders, orphansAmong } from "../../src/fleet/orphans/orphan-search.ts";
import type { Orphan } from "../../src/fleet/orphans/orphans.ts";
import { reap } from "../../src/fleet/orphans/reap.ts";
import { orphanJson, type ReapPlan, rowFromJson } from "../../src/fleet/orphans/reap-plan.ts";
import { snapshotVolume, untilReady } from "../../src/fleet/volumes/volume-snapshots.ts";
import { openState } from "../../src/state/open.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { up } from "../simulation/scenarios.ts";
import type { Path } from "./paths.ts";
import type { WireWorld } from "./wire-world.ts";

const signal = new AbortController().signal;
const LIMIT_MS = 600_000;

/** What `spot orphans` finds; `silent`: it could not see everything, and said so. */
async function search(fleet: Fleet, id: string): Promise<{ readonly rows: readonly Orphan[]; readonly isSilent: boolean }> {
  const { resources, silent } = await askProviders([await fleet.provider(id)], signal, { harmless: false });
  return { rows: await orphansAmong(fleet.state, resources), isSilent: silent.length > 0 };
}

/** As it comes back out of the file that `--save` wrote; no file is written, since a virtual clock waits for no disk. */
function saved(rows: readonly Orphan[], madeAt: number): ReapPlan {
  const text = JSON.stringify(rows.filter(({ why }) => why !== "in-flight").map(orphanJson));
  return { madeAt, rows: (JSON.parse(text) as readonly unknown[]).flatMap((row) => rowFromJson(row) ?? []) };
}

const key = ({ kind, providerId }: Orphan) => `${kind} ${providerId}`;

/** A state of ours that is lost, with what was made from it. */
async function lostState(world: WireWorld) {
  const state = await openState(":memory:");
  const fleet = world.start(state);
  const bare = (name: string) => up(fleet, { ...world.spec, name, volume: null });
  const withVolume = (name: string, volume: string) =>
    up(fleet, { ...world.spec, name, volume: { name: volume, sizeGb: 20, mount: "/data" } });
  const seal = async ({ provider, providerId }: InstanceRecord) => {
    const instance = await (await fleet.provider(provider)).get(providerId ?? "", { signal });
    if (instance?.reach != null) await fleet.guest.snapshot(instance.reach, "manual", null, signal);
  };
  /** The cloud's own, of every volume there is; where the cloud makes any. */
  const snapshot = async () => {
    const provider = world.cloud.provider;
    if (provider.volumes?.snapshots === undefined) return;
    for (const volume of await state.volumes()) await untilReady(fleet, provider, await snapshotVolume(fleet, volume, signal), signal);
  };
  return { state, fleet, bare, withVolume, seal, snapshot };
}

const idsOf = ({ cloud }: WireWorld) => [...cloud.living(), ...cloud.volumes()].map(({ providerId }) => providerId).toSorted();

export const reapPath: Path = {
  name: "orphans --save, and reap",
  begin({ world }) {
    const { cloud } = world;
    const { id } = cloud.provider;
    let lost: Awaited<ReturnType<typeof lostState>> | undefined;
    let whole: ReapPlan = { madeAt: 0, rows: [] };
    let plan: ReapPlan | undefined;
    const stays = new Set<string>();
    const strangers = new Set<string>();
    const broken: string[] = [];
    const end = (fleet: Fleet, chosen: ReapPlan) => reap(fleet, chosen, { signal, limitMs: LIMIT_MS, volumes: true, dryRun: false });
    return {
      async prepare(fleet) {
        const mine = await up(fleet, world.spec);
        stays.add(mine.providerId ?? "");
        lost = await lostState(world);
        await lost.seal(mine);
        await lost.seal(await lost.withVolume("other", "other"));
        await lost.snapshot();
        // In the plan, and taken over before it is done.
        stays.add((await lost.bare("bare-taken")).providerId ?? "");
        await fleet.clock.sleep(world.tempo.betweenMs);
        whole = saved((await search(fleet, id)).rows, fleet.clock.now());
      },
      steps: [
        {
          async do(fleet) {
            const { rows, isSilent } = await search(fleet, id);
            const seen = new Set(rows.map(key));
            if (!isSilent && whole.rows.some((row) => !seen.has(key(row)))) broken.push("a search that saw not everything did not say so");
            if (!isSilent) plan = saved(rows, fleet.clock.now());
          },
        },
        {
          aside: true,
          async do(fleet) {
            const isTaken = ({ name }: Orphan) => name.startsWith("bare-taken");
            const [taken] = await adopt(fleet, whole.rows.filter(isTaken), signal);
            if (taken?.outcome !== "adopted") throw new Error(`it was not adopted: ${taken?.why}`);
            // Not in the plan.
            const late = (await lost?.bare("bare-late"))?.providerId ?? "";
            stays.add(late);
            strangers.add(late);
          },
        },
        { do: async (fleet) => void (await end(fleet, plan ?? whole)) },
      ],
      again: async (fleet) => void (await end(fleet, whole)),
      expected: { machines: 4, strangers },
      async broken() {
        const there = new Set(idsOf(world));
        for (const one of stays) if (!there.has(one)) broken.push(`${one} was ended, and was not to be`);
        const fleet = world.start();
        const { rows } = await search(fleet, id);
        for (const row of rows)
          if (!strangers.has(row.providerId) && !strangers.has(row.attachedTo ?? "") && !row.name.startsWith("bare-late"))
            broken.push(`still there: ${key(row)} (${row.why})`);
        return broken;
      },
      async shows() {
        const kinds = new Set(whole.rows.map(({ kind }) => kind));
        return kinds.has("machine") && kinds.has("volume") ? [] : [`the plan has ${[...kinds]}`];
      },
      close: async () => lost?.state.close(),
    };
  },
};

export const adoptPath: Path = {
  name: "adopt --all after the state is lost",
  begin({ world }) {
    const { id } = world.cloud.provider;
    let lost: Awaited<ReturnType<typeof lostState>> | undefined;
    let before: readonly string[] = [];
    const adoptAll = async (fleet: Fleet) => {
      const { rows } = await search(fleet, id);
      await adopt(
        fleet,
        rows.filter(({ why }) => why === "no-record"),
        signal,
      );
    };
    return {
      async prepare(fleet) {
        lost = await lostState(world);
        const record = await lost.withVolume("train", "work");
        await lost.seal(record);
        await lost.bare("bare");
        await lost.snapshot();
        const { region, zone } = record;
        const spare = { name: "spare", token: "t-spare0000001", sizeGb: 10, region, zone };
        await world.cloud.provider.volumes?.create(spare, { signal });
        await fleet.clock.sleep(world.tempo.betweenMs);
        await world.cloud.refresh?.();
        before = idsOf(world);
      },
      steps: [{ do: adoptAll }],
      again: adoptAll,
      expected: { machines: 2 },
      async broken() {
        const broken: string[] = [];
        if (String(idsOf(world)) !== String(before)) broken.push(`there was ${before}, and is ${idsOf(world)}`);
        const records = await world.state.instances({ includeGone: true });
        const said = records.map(({ name, state }) => `${name} ${state}`).toSorted();
        if (said.join() !== "bare running,train running") broken.push(`the records are ${said}`);
        const known = (await world.state.checkpoints({ volume: "work" })).map((one) => one.id);
        // A volume that can be read from here has nothing on it: these agents seal on paper.
        const isReadHere = (await world.cloud.provider.volumes?.list({ signal }))?.some(({ localPath }) => localPath !== null);
        if (isReadHere !== true && known.join() !== "c-1") broken.push(`of its checkpoints are known: ${known}`);
        const { rows } = await search(world.start(), id);
        for (const row of rows) broken.push(`still an orphan: ${key(row)} (${row.why})`);
        return broken;
      },
      close: async () => lost?.state.close(),
    };
  },
};
