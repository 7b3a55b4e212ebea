import { describe, expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { askProviders, orphansAmong } from "../../src/fleet/orphans/orphan-search.ts";
import { isRootKept } from "../../src/fleet/orphans/strays.ts";
import { putToSleep, takeDown } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import type { ProviderInstance } from "../../src/providers/provider.ts";
import { verdaProvider } from "../../src/providers/verda/provider.ts";
import type { VerdaSwitches } from "../clouds/verda/switches.ts";
import { type FakeVerda, fakeVerda } from "../clouds/verda/verda.ts";
import { up } from "../simulation/scenarios.ts";
import { wireWorld } from "../wire-sweep/wire-world.ts";

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;
const limits = { signal, limitMs: HOUR_MS, snapshot: true };

/** The fleet itself on a Verda of its own, its agents on paper, in a time that passes by itself. */
async function fleetAtVerda(switches: Partial<VerdaSwitches> = {}) {
  let made: FakeVerda | undefined;
  const world = await wireWorld(async (clock) => {
    made = await fakeVerda({ clock, switches });
    const provider = await verdaProvider({ env: made.env, home: "/nowhere", clock });
    const { server, living, volumes, close } = made;
    return { provider, server, living, volumes, giveNotice: async () => false, close };
  });
  onTestFinished(() => world.close());
  const fake = made;
  if (fake === undefined) throw new Error("no cloud");
  const fleet = world.start();
  const creates = () =>
    fake.server.requests
      .filter(({ method, path }) => method === "POST" && path === "/v1/instances")
      .map((request) => request.json() as Readonly<Record<string, unknown>>);
  return { world, fake, fleet, creates, run: <Result>(work: Promise<Result>) => world.clock.run(work) };
}

async function look(fleet: Fleet): Promise<readonly ProviderInstance[]> {
  return (await fleet.provider("verda")).list({ signal });
}

describe("the fleet at Verda", () => {
  test.each([
    ["at-once", true],
    ["at-once", false],
    ["after-pending", true],
  ] as const)("accepted, and then no capacity (%s, can be deleted: %s): another offer", async (noCapacityLater, deletesNoCapacity) => {
    const { fake, fleet, world, creates, run } = await fleetAtVerda({ noCapacityLater, deletesNoCapacity });
    let asked = 0;
    fake.server.disturb({
      what: { do: "reset-before" },
      match({ method, path }) {
        if (method === "POST" && path === "/v1/instances" && ++asked === 2) fake.switches.noCapacityLater = "never";
        return false;
      },
    });
    const record = await run(up(fleet, world.spec));
    expect(record.state).toBe("running");
    const types = creates().map((body) => body["instance_type"]);
    expect(types).toHaveLength(2);
    expect(types[0]).not.toBe(types[1]);
    expect(fake.living()).toMatchObject([{ providerId: record.providerId }]);
    await run(takeDown(fleet, record, limits));
    expect([fake.living(), fake.scripts()]).toEqual([[], []]);
  });

  test("parks with the root disk and comes back from it; after a reclaim from the image; and leaves nothing", async () => {
    const { fake, fleet, world, creates, run } = await fleetAtVerda();
    const first = await run(up(fleet, world.spec));
    const asleep = await run(putToSleep(fleet, first, limits));
    const root = fake.volumes().find(({ isRoot }) => isRoot)?.providerId;
    expect(root).toBeDefined();
    const awake = await run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    expect(creates()[1]).toMatchObject({ image: root });

    await fake.reclaim(awake.providerId ?? "");
    expect(fake.volumes().some(({ isRoot }) => isRoot)).toBe(false);
    for (let pass = 0; pass < 3; pass++) await run(reconcile(fleet, { signal, limitMs: HOUR_MS }));
    const lost = await fleet.state.instance(awake.id);
    if (lost === undefined) throw new Error("no record");
    const again = lost.state === "hibernated" ? await run(wakeUp(fleet, lost, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS })) : lost;
    expect(again.state).toBe("running");
    expect(creates()[2]).toMatchObject({
      image: "ubuntu-24.04-cuda-12.8-open-docker",
      existing_volumes: creates()[0]?.["existing_volumes"],
    });

    await run(takeDown(fleet, again, limits));
    expect(fake.living()).toEqual([]);
    // The data alone, and nothing of it in the trash.
    expect(fake.volumes().map(({ isRoot, inTrash }) => [isRoot, inTrash])).toEqual([[false, false]]);
  });

  test("a machine that is only ordered, put back to sleep, leaves the root disk that it was ordered with", async () => {
    const { fake, fleet, world, creates, run } = await fleetAtVerda();
    const first = await run(up(fleet, world.spec));
    const listed = (await run(look(fleet))).find(({ providerId }) => providerId === first.providerId);
    const asleep = await run(putToSleep(fleet, first, limits));
    const root = fake.volumes().find(({ isRoot }) => isRoot)?.providerId;
    fake.switches.holdAt = "ordered";
    const late = run(wakeUp(fleet, asleep, { signal, capMs: 60_000, sleepLimitMs: HOUR_MS }));
    await expect(late).rejects.toMatchObject({ exit: 124 });
    expect(creates()[1]).toMatchObject({ image: root });
    expect([fake.living(), fake.volumes().filter(({ isRoot, inTrash }) => isRoot && !inTrash)]).toMatchObject([[], [{ providerId: root }]]);
    const again = await fleet.state.instance(asleep.id);
    if (again === undefined) throw new Error("no record");
    // A stray says no more of its disk; the promise that it came from does.
    if (listed === undefined) throw new Error("not listed");
    const ordered = { ...listed, rootVolumeId: null };
    expect(await isRootKept(fleet, "verda", ordered)).toBe(true);
    fake.switches.holdAt = null;
    const awake = await run(wakeUp(fleet, again, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    expect([awake.state, creates()[2]?.["image"]]).toEqual(["running", root]);
    await run(takeDown(fleet, awake, limits));
    expect(await isRootKept(fleet, "verda", ordered)).toBe(false);
  });

  test.each([
    ["in one list, it is looked for again", 1, true],
    ["for long, it is written off, and not deleted", 10_000, false],
  ] as const)("a kept root disk that is not shown %s", async (_what, times, isBootedFrom) => {
    const { fake, fleet, world, creates, run } = await fleetAtVerda();
    const asleep = await run(putToSleep(fleet, await run(up(fleet, world.spec)), limits));
    const root = fake.volumes().find(({ isRoot }) => isRoot)?.providerId;
    fake.server.disturb({
      what: { do: "answer", answer: { status: 200, body: [] } },
      match: ({ method, path }) => method === "GET" && path === "/v1/volumes" && creates().length < 2,
      times,
    });
    const awake = await run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    expect([awake.state, creates()[1]?.["image"] === root]).toEqual(["running", isBootedFrom]);
    for (let pass = 0; pass < 3; pass++) await run(reconcile(fleet, { signal, limitMs: HOUR_MS }));
    const { resources } = await askProviders([await fleet.provider("verda")], signal, { harmless: false });
    const lost = (await orphansAmong(fleet.state, resources)).filter(({ providerId }) => providerId === root);
    expect(lost.map(({ why, kind }) => [why, kind])).toEqual(isBootedFrom ? [] : [["record-gone", "volume"]]);
    // The data, and the disk that was written off.
    expect(
      fake
        .volumes()
        .map(({ isRoot, inTrash }) => `${isRoot} ${inTrash}`)
        .sort(),
    ).toEqual(isBootedFrom ? ["false false"] : ["false false", "true false"]);
  });
});
