import { describe, expect, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { type Fault, ProviderError } from "../../src/providers/errors.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { type PaperWorld, paperWorld } from "../simulation/paper-world.ts";
import { sampleInstance, sampleLedger, sampleSpec } from "../state/sample-records.ts";

const signal = new AbortController().signal;

/** Records that run at a cloud whose agents hear of notices from us alone, each on a machine of its own. */
async function running(world: PaperWorld, count: number): Promise<readonly string[]> {
  const { clock, cloud, state } = world;
  for (const zone of cloud.zones) zone.stock = count;
  const [offer] = await clock.run(cloud.provider.offers({}, { signal }));
  if (offer === undefined) throw new Error("no offer on paper");
  const names = Array.from({ length: count }, (_, index) => `job-${String(index).padStart(3, "0")}`);
  const launch = (name: string) =>
    cloud.provider.launch({ name, token: `t-${name}`, offer, volumes: [], bootScript: "", maxPrice: null, rootVolumeId: null } as never, {
      signal,
    });
  const machines = await clock.run(Promise.all(names.map(launch)));
  await clock.pass(5_000 + cloud.settings.provisionMs);
  const adding = machines.map(({ providerId }, index) => {
    const name = names[index] ?? "";
    const spec = sampleSpec(name, { providers: ["paper"], maxPrice: null, volume: null });
    const { region, zone, type } = offer;
    const at = clock.now();
    const place = { provider: "paper", providerId, region, zone, type, volumes: [], createdAt: at, changedAt: at, readyAt: at };
    const open = { instanceId: `i-${name}`, instance: name, provider: "paper", providerId, from: at, to: null };
    return state.commit({ addInstance: sampleInstance(name, { spec, ...place }), ledger: [{ ...sampleLedger(`l-${name}`), ...open }] });
  });
  await Promise.all(adding);
  return machines.map(({ providerId }) => providerId);
}

interface Agents {
  /** How long a word with one takes. */
  readonly wordMs: number;
  /** Whether that machine does not get its so-many-th word (1 for the first). */
  fails(id: string, nth: number): boolean;
}

/** The fleet of a watch at that cloud; when each agent got its notice, and every word that was had with one. */
function watched(world: PaperWorld, { wordMs, fails }: Agents, get?: Provider["get"]) {
  const { fleet: paper } = world.start();
  const { capabilities } = world.cloud.provider;
  const machine = { kind: "vm", notices: "controller", endsItself: true, volumes: "mounted" } as const;
  const cloud = { ...world.cloud.provider, capabilities: { ...capabilities, machine }, ...(get === undefined ? {} : { get }) };
  const told = new Map<string, { at: number; deadline: number }>();
  const words: string[] = [];
  const tries = new Map<string, number>();
  const word = async (reach: Parameters<Fleet["guest"]["report"]>[0]) => {
    const id = reach.kind === "process" ? reach.cwd : "";
    words.push(id);
    await world.clock.sleep(wordMs);
    return id;
  };
  const fleet: Fleet = {
    ...paper,
    provider: async () => cloud,
    guest: {
      ...paper.guest,
      async report(reach, own) {
        const deadline = told.get(await word(reach))?.deadline;
        const said = await paper.guest.report(reach, own);
        return said && { ...said, noticeDeadline: deadline === undefined ? null : deadline / 1000 };
      },
      async tellNotice(reach, deadlineSeconds) {
        const id = await word(reach);
        const nth = (tries.get(id) ?? 0) + 1;
        tries.set(id, nth);
        if (fails(id, nth)) throw new Error("the connection broke");
        told.set(id, { at: world.clock.now(), deadline: deadlineSeconds * 1000 });
      },
      async tellWithdrawn(reach) {
        const id = await word(reach);
        const nth = (tries.get(id) ?? 0) + 1;
        tries.set(id, nth);
        if (fails(id, nth)) throw new Error("the connection broke");
        told.delete(id);
      },
    },
  };
  return { fleet, told, words };
}

async function passes(world: PaperWorld, fleet: Fleet, forMs: number, until = () => false): Promise<void> {
  const pace = ownPace(world.clock);
  for (const end = world.clock.now() + forMs; world.clock.now() < end && !until(); await world.clock.pass(1_000))
    await world.clock.run(reconcile(fleet, { signal, limitMs: 2_000, pace }));
}

test("a word that did not get through is said again before anybody is asked who has heard, whosever deadline is nearer", async () => {
  const world = await paperWorld();
  try {
    const ids = await running(world, 160);
    // The last ones, whose deadlines are the latest, do not get their first two words.
    const unlucky = new Set(ids.slice(-16));
    const { fleet, told } = watched(world, { wordMs: 6_000, fails: (id, nth) => unlucky.has(id) && nth <= 2 });
    for (const [index, id] of ids.entries()) world.cloud.reclaim(id, 110_000 + 40 * index);
    const began = world.clock.now();
    await passes(world, fleet, 60_000, () => told.size === ids.length);
    expect(told.size).toBe(ids.length);
    expect(Math.max(...[...told.values()].map(({ at }) => at - began))).toBeLessThan(50_000);
  } finally {
    await world.state.close();
  }
});

test("an agent that has heard is not asked again whether it has", async () => {
  const world = await paperWorld();
  try {
    const [id = ""] = await running(world, 1);
    const { fleet, told, words } = watched(world, { wordMs: 500, fails: (_, nth) => nth === 1 });
    world.cloud.reclaim(id, 100_000);
    await passes(world, fleet, 60_000);
    expect([...told.keys()]).toEqual([id]);
    // Two words in vain or not, and no third one.
    expect(words.length).toBe(2);
  } finally {
    await world.state.close();
  }
});

test("one look alone says a word that did not get through again as well, as long as it may", async () => {
  const world = await paperWorld();
  try {
    const [id = ""] = await running(world, 1);
    const { fleet, told } = watched(world, { wordMs: 500, fails: (_, nth) => nth <= 3 });
    world.cloud.reclaim(id, 100_000);
    await world.clock.run(reconcile(fleet, { signal, limitMs: 60_000 }));
    expect([...told.keys()]).toEqual([id]);
  } finally {
    await world.state.close();
  }
});

describe("an agent that heard of its notice from us alone", () => {
  /** Told of a notice of an hour; its words from the second one on are had as `fails` says. */
  async function toldOnce(world: PaperWorld, fails: (nth: number) => boolean) {
    const [id = ""] = await running(world, 1);
    const it = watched(world, { wordMs: 500, fails: (_, nth) => nth > 1 && fails(nth - 1) });
    world.cloud.reclaim(id, 3_600_000);
    await passes(world, it.fleet, 60_000, () => it.told.size > 0);
    expect([...it.told.keys()]).toEqual([id]);
    world.cloud.withdraw(id);
    const noticed = async () => (await world.state.instances())[0]?.notice?.kind ?? null;
    return { ...it, noticed };
  }

  test("is told of its withdrawal until it has heard, also by the next process", async () => {
    const world = await paperWorld();
    try {
      const { fleet, told, noticed } = await toldOnce(world, (nth) => nth <= 2);
      await world.clock.run(reconcile(fleet, { signal, limitMs: 1 }));
      // Whoever dies here leaves it to the next one.
      expect([told.size, await noticed()]).toEqual([1, "reclaim"]);
      await passes(world, fleet, 60_000, () => told.size === 0);
      await passes(world, fleet, 10_000);
      expect([told.size, await noticed()]).toEqual([0, null]);
      expect((await world.state.instances())[0]?.state).toBe("running");
    } finally {
      await world.state.close();
    }
  });

  test("and is out of reach until its deadline: its record waits no longer than that", async () => {
    const world = await paperWorld();
    try {
      const { fleet, told, noticed } = await toldOnce(world, () => true);
      await passes(world, fleet, 60_000);
      expect([told.size, await noticed()]).toEqual([1, "reclaim"]);
      await world.clock.pass(3_600_000);
      await passes(world, fleet, 60_000);
      expect(await noticed()).toBeNull();
    } finally {
      await world.state.close();
    }
  });
});

test("machines that come up are looked at by the list that each pass of a watch has, and not one by one", async () => {
  const world = await paperWorld({ provisionMs: 40_000 });
  try {
    const ids = await running(world, 12);
    let gets = 0;
    const { fleet } = watched(world, { wordMs: 500, fails: () => false }, async (id, context) => {
      gets += 1;
      return world.cloud.provider.get(id, context);
    });
    const cloud = await fleet.provider("paper");
    const slower: Fleet = { ...fleet, provider: async () => ({ ...cloud, capabilities: { ...cloud.capabilities, pollMs: 2_000 } }) };
    for (const id of ids) world.cloud.reclaim(id, 0);
    await passes(world, slower, 120_000);
    const records = await world.state.instances();
    expect(records.map(({ state, generation }) => [state, generation])).toEqual(ids.map(() => ["running", 2]));
    // Once after the launch and around its being ready; of the twenty looks in between none is a call of its own.
    expect(gets).toBeLessThanOrEqual(4 * ids.length);
  } finally {
    await world.state.close();
  }
});

test("a machine that is as it is wanted, and of which its provider says nothing, is not waited for without end", async () => {
  const world = await paperWorld();
  try {
    const [id = ""] = await running(world, 1);
    const silent: Fault = { kind: "unavailable" };
    const { fleet } = watched(world, { wordMs: 500, fails: () => false }, async () => {
      throw new ProviderError("paper", silent, "503 on paper");
    });
    // Missing from the list, which proves nothing: it is asked for.
    Object.assign(world.cloud.machine(id) ?? {}, { createdAt: world.clock.now() + 3_600_000 });
    const began = world.clock.now();
    const pass = reconcile(fleet, { signal, limitMs: 60_000 }).then((report) => ({ report, after: world.clock.now() - began }));
    const given = world.clock.run(Promise.race([pass, world.clock.sleep(600_000)]));
    const ended = await given;
    expect(ended?.report.items).toMatchObject([{ outcome: "waiting", why: expect.stringContaining("does not answer") }]);
    expect(ended?.after).toBeLessThan(70_000);
  } finally {
    await world.state.close();
  }
});
