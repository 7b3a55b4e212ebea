import { expect, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { look } from "../../src/fleet/hearing/look.ts";
import { noteListed, quietTest, readBooks } from "../../src/fleet/hearing/quiet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import type { ProviderInstance } from "../../src/providers/provider.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";

const signal = new AbortController().signal;

/** One machine that runs as it should, and the fleet that keeps it. */
async function atRest(work: (world: PaperWorld, fleet: Fleet, record: InstanceRecord) => Promise<void>): Promise<void> {
  const world = await paperWorld();
  try {
    const { fleet } = world.start();
    const record = await world.clock.run(up(fleet, paperSpec({ volume: null })));
    await world.clock.pass(world.cloud.settings.listSettlesMs);
    await work(world, fleet, record);
  } finally {
    await world.state.close();
  }
}

function listed({ clock, cloud }: PaperWorld): Promise<readonly ProviderInstance[]> {
  return clock.run(cloud.provider.list({ signal }));
}

/** Counts the leases that are asked for. */
function counted(fleet: Fleet): { readonly fleet: Fleet; readonly leases: string[] } {
  const leases: string[] = [];
  const acquireLease: typeof fleet.state.acquireLease = (name, ...rest) => {
    leases.push(name);
    return fleet.state.acquireLease(name, ...rest);
  };
  return { fleet: { ...fleet, state: { ...fleet.state, acquireLease } }, leases };
}

test("a machine that runs as it should is left alone: no lease is taken for it, and it counts as settled", () =>
  atRest(async (world, fleet, record) => {
    const before = await world.state.lastSeq();
    const { leases, fleet: watched } = counted(fleet);
    const { items } = await world.clock.run(reconcile(watched, { signal, limitMs: 10_000 }));
    await world.clock.run(look(watched, signal));
    expect(items).toEqual([{ instance: record.name, outcome: "settled", why: null, problem: null }]);
    expect(leases).toEqual([]);
    expect(await world.state.lastSeq()).toBe(before);
  }));

test("a notice is heard in the next pass, and a machine that is gone is missed", () =>
  atRest(async (world, fleet, record) => {
    const { leases, fleet: watched } = counted(fleet);
    world.cloud.reclaim(record.providerId ?? "", 60_000);
    await world.clock.run(reconcile(watched, { signal, limitMs: 1_000 }));
    expect(leases).not.toEqual([]);
    expect((await world.state.instance(record.id))?.state).toBe("reclaiming");
    world.cloud.console(record.providerId ?? "", "destroy");
    await world.clock.pass(120_000);
    await world.clock.run(reconcile(fleet, { signal, limitMs: 10_000 }));
    expect((await world.state.instance(record.id))?.state).toBe("gone");
  }));

const NOTICE = { kind: "reclaim", deadline: Date.UTC(2027, 0), seenAt: 0, source: "api" } as const;

test.each<[string, (record: InstanceRecord, machine: ProviderInstance) => readonly [Partial<InstanceRecord>, Partial<ProviderInstance>]]>([
  ["is noticed", () => [{}, { notice: NOTICE }]],
  ["had a notice that is no longer there", () => [{ notice: NOTICE }, {}]],
  ["is to be gone", () => [{ desired: "gone" }, {}]],
  ["is to hibernate", () => [{ desired: "hibernated" }, {}]],
  ["has lived its time", () => [{ ttlEndsAt: 1 }, {}]],
  ["never came up", () => [{ readyAt: null }, {}]],
  ["was stopped by somebody", () => [{}, { state: "stopped" }]],
  ["is in a state that nobody knows", () => [{}, { state: "unknown", rawState: "DREAMING" }]],
  ["is another machine", () => [{}, { providerId: "m-other" }]],
  ["is another machine than the ledger's", () => [{ providerId: "m-other" }, { providerId: "m-other" }]],
])("one that %s is looked at", (_, change) =>
  atRest(async (world, fleet, record) => {
    const [machine] = await listed(world);
    if (machine === undefined) throw new Error("no machine");
    expect(quietTest(fleet, await readBooks(fleet, new Map([["paper", [machine]]])))(record)).toBe(true);
    const [ours, theirs] = change(record, machine);
    expect(quietTest(fleet, await readBooks(fleet, new Map([["paper", [{ ...machine, ...theirs }]]])))({ ...record, ...ours })).toBe(false);
  }),
);

test("so is one whose provider is silent, whose interval in the ledger is not open, or that was promised something", () =>
  atRest(async (world, fleet, record) => {
    const listings = new Map([["paper", await listed(world)]]);
    expect(quietTest(fleet, await readBooks(fleet, new Map([["paper", "no answer"]])))(record)).toBe(false);
    expect(quietTest(fleet, await readBooks(fleet, new Map()))(record)).toBe(false);
    const [entry] = await world.state.ledger({ openOnly: true });
    if (entry === undefined) throw new Error("no interval");
    await world.state.commit({ ledger: [{ ...entry, to: world.clock.now() }] });
    expect(quietTest(fleet, await readBooks(fleet, listings))(record)).toBe(false);
    await world.state.commit({ ledger: [entry] });
    expect(quietTest(fleet, await readBooks(fleet, listings))(record)).toBe(true);
    const promise = { id: "n-9", kind: "destroy", instanceId: record.id, provider: "paper", token: "t-9" } as const;
    await world.state.commit({
      openIntents: [{ ...promise, createdAt: world.clock.now(), status: "pending", closedAt: null, detail: {} }],
      events: [],
    });
    expect(quietTest(fleet, await readBooks(fleet, listings))(record)).toBe(false);
  }));

test("that a machine at rest was found is written down once in half an hour, in one change for all, and costs no lease", () =>
  atRest(async (world, fleet) => {
    const { leases, fleet: watched } = counted(fleet);
    const changes: unknown[] = [];
    const commit: typeof fleet.state.commit = (change) => {
      changes.push(change);
      return fleet.state.commit(change);
    };
    const pass = async (what: "look" | "reconcile") => {
      changes.length = 0;
      const busy: Fleet = { ...watched, state: { ...watched.state, commit } };
      await world.clock.run<unknown>(what === "look" ? look(busy, signal) : reconcile(busy, { signal, limitMs: 1_000 }));
      return changes.length;
    };
    const [opened] = await world.state.ledger();
    expect(opened?.seenAt).toBe(opened?.from);
    expect(await pass("look")).toBe(0);
    for (const what of ["look", "reconcile"] as const) {
      await world.clock.pass(1_800_000);
      const begun = world.clock.now();
      expect(await pass(what)).toBe(1);
      const [entry] = await world.state.ledger();
      expect(entry).toEqual({ ...opened, seenAt: expect.any(Number) });
      expect(entry?.seenAt).toBeGreaterThanOrEqual(begun);
      expect(await pass(what)).toBe(0);
    }
    expect(leases).toEqual([]);
    // Nobody is told anything of one that is not there.
    const before = await world.state.ledger();
    await world.clock.pass(1_800_000);
    await noteListed(fleet, await readBooks(fleet, new Map([["paper", []]])));
    await noteListed(fleet, await readBooks(fleet, new Map([["paper", "no answer"]])));
    expect(await world.state.ledger()).toEqual(before);
  }));
