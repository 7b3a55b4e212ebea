import { expect, test } from "vitest";
import type { Fleet, GuestDoor } from "../../src/fleet/fleet.ts";
import { noLeases } from "../../src/fleet/leases/held-leases.ts";
import { askProviders, orphansAmong } from "../../src/fleet/orphans/orphan-search.ts";
import type { Orphan } from "../../src/fleet/orphans/orphans.ts";
import { type Reaped, reap } from "../../src/fleet/orphans/reap.ts";
import { systemRng } from "../../src/platform/rng.ts";
import { isFault } from "../../src/providers/errors.ts";
import { openState } from "../../src/state/open.ts";
import type { State } from "../../src/state/records.ts";
import { sampleInstance, sampleIntent } from "../state/sample-records.ts";
import { type Bench, eventually, hurried } from "./bench.ts";
import type { ConformanceCase } from "./suite.ts";

const LIMIT_MS = 20_000;
const context = { signal: new AbortController().signal };

function fleetOf({ provider }: Bench, state: State): Fleet {
  return {
    state,
    provider: async () => provider,
    // Nothing here goes into a machine.
    guest: {} as GuestDoor,
    clock: hurried,
    rng: systemRng,
    owner: "conformance",
    leases: noLeases(),
    ownerIsDead: () => false,
    say: () => undefined,
  };
}

async function search({ provider }: Bench, state: State, harmless = false): Promise<readonly Orphan[]> {
  const { resources, silent } = await askProviders([provider], context.signal, { harmless });
  expect(silent).toEqual([]);
  return orphansAmong(state, resources);
}

const ending = (bench: Bench, state: State, rows: readonly Orphan[], volumes: boolean): Promise<readonly Reaped[]> =>
  reap(fleetOf(bench, state), { madeAt: hurried.now(), rows }, { ...context, limitMs: LIMIT_MS, volumes, dryRun: false });

/** A machine with a record, and a machine with a volume and a snapshot that nobody knows. */
async function furnished(bench: Bench, subject: ConformanceCase, state: State): Promise<{ readonly mine: string }> {
  const { provider, spec, reach, offer } = bench;
  const { volumes } = provider;
  const { providerId: mine } = await provider.launch(spec("t-mine"), context);
  const record = sampleInstance("mine", { id: "i-mine", provider: provider.id, providerId: mine, state: "running" });
  const launched = sampleIntent("n-mine", { kind: "launch", instanceId: "i-mine", provider: provider.id, token: "t-mine", status: "done" });
  await state.commit({ addInstance: record, openIntents: [{ ...launched, detail: { providerId: mine } }] });
  const place = { sizeGb: 10, region: offer.region, zone: offer.zone };
  const disk = await volumes?.create({ name: "work", token: "t-lostv", ...place }, context);
  const mounts = volumes?.attach === undefined && disk !== undefined ? [{ providerVolumeId: disk.providerId, mount: "/data" }] : [];
  const waits = provider.capabilities.restartsReclaimed ? { waitsForCapacity: true } : {};
  const ports = [{ port: 8_080, protocol: "tcp" as const }];
  const { providerId: lost } = await provider.launch(spec("t-lost", { volumes: mounts, ports, ...waits }), context);
  await reach(mine, "running");
  await reach(lost, "running");
  const { attach, snapshots } = volumes ?? {};
  const patiently = <Value>(what: string, work: () => Promise<Value>) =>
    eventually(async () => {
      try {
        return { value: await work() };
      } catch (error) {
        if (isFault(error, "conflict")) return undefined;
        throw error;
      }
    }, what);
  if (attach !== undefined && disk !== undefined)
    await patiently("the volume on its machine", () => attach(disk.providerId, lost, context));
  if (subject.snapshots === true && snapshots !== undefined && disk !== undefined)
    await patiently("the snapshot", () => snapshots.create(disk.providerId, { name: "work", token: "t-losts" }, context));
  return { mine };
}

const told = (rows: readonly Orphan[]) => rows.map(({ kind, token, why }) => `${kind} ${token} ${why}`).toSorted();

/** What has no record is found, and ended exactly; what has one is not touched. */
export function orphans(current: () => Bench, subject: ConformanceCase): void {
  test("what no record explains is listed with its kind, reaped exactly, and what launches share only when nobody needs it", async () => {
    const bench = current();
    const { provider, over } = bench;
    const state = await openState(":memory:");
    try {
      const { mine } = await furnished(bench, subject, state);
      const snapshot = subject.snapshots === true ? ["snapshot t-losts no-record"] : [];
      const request = provider.capabilities.restartsReclaimed ? ["spot-request t-lost no-record"] : [];
      const script = subject.leftovers?.includes("startup-script") === true ? ["startup-script t-lost no-record"] : [];
      const expected = ["machine t-lost no-record", "volume t-lostv no-record", ...snapshot, ...request];
      const found = await eventually(async () => {
        const rows = await search(bench, state);
        return rows.length >= expected.length ? rows : undefined;
      }, "all that is lost");
      expect(told(found)).toEqual(expected.toSorted());
      // A key or a group that every launch shares is needed as long as something of ours lives; a machine's own script is not.
      expect(told(await search(bench, state, true))).toEqual([...expected, ...script].toSorted());

      const kept = await ending(bench, state, found, false);
      expect(kept.filter(({ outcome }) => outcome === "kept").map(({ row }) => row.kind)).toEqual([
        "volume",
        ...(snapshot.length > 0 ? ["snapshot"] : []),
      ]);
      expect(kept.filter(({ outcome }) => outcome !== "kept" && outcome !== "ended").map(({ why }) => why)).toEqual([]);
      expect(await provider.get(mine, context)).toMatchObject({ state: "running", token: "t-mine" });
      const rest = await eventually(async () => {
        const rows = await search(bench, state);
        return rows.length === 1 + snapshot.length ? rows : undefined;
      }, "nothing but what work may lie on");
      expect(told(rest)).toEqual(["volume t-lostv no-record", ...snapshot].toSorted());
      expect((await ending(bench, state, rest, true)).map(({ outcome }) => outcome)).toEqual(rest.map(() => "ended"));
      await eventually(async () => ((await search(bench, state)).length === 0 ? true : undefined), "nothing that is lost");
      expect(await state.pendingIntents()).toEqual([]);

      await provider.destroy(mine, context);
      await over(mine);
      const record = await state.instance("i-mine");
      await state.commit({ instance: { id: "i-mine", version: record?.version ?? 0, set: { state: "gone", desired: "gone" } } });
      const around = (await search(bench, state, true)).filter(({ class: kind }) => kind === "harmless");
      // What belongs to one machine alone went with it.
      const shared = (subject.leftovers ?? []).filter((kind) => kind !== "startup-script");
      expect([...new Set(around.map(({ kind }) => kind))].toSorted()).toEqual(shared.toSorted());
      const cleared = await ending(bench, state, around, false);
      expect(cleared.filter(({ outcome }) => outcome !== "ended").map(({ row, why }) => `${row.kind}: ${why}`)).toEqual([]);
      expect(await search(bench, state, true)).toEqual([]);
    } finally {
      await state.close();
    }
  });
}
