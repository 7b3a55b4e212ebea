import { expect, onTestFinished, test } from "vitest";
import type { GuestDoor } from "../../src/fleet/fleet.ts";
import { snapshotVolume, untilReady } from "../../src/fleet/volumes/volume-snapshots.ts";
import { Problem } from "../../src/model/problem.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { ProviderSnapshot } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, up } from "../simulation/scenarios.ts";

const made: ProviderSnapshot = {
  providerId: "snap-1",
  name: "work",
  token: "t-1",
  volumeId: "disk-1",
  sizeGb: 10,
  region: "north",
  state: "pending",
  rawState: "pending",
  createdAt: null,
};

/** What comes of waiting where the list says these states, one after the other, and the last one for ever; null: it is not there. */
async function waited(states: readonly (ProviderSnapshot["state"] | null)[]): Promise<ProviderSnapshot> {
  const world = await paperWorld();
  try {
    const { fleet } = world.start();
    const paper = await fleet.provider("paper");
    if (paper.volumes?.snapshots === undefined) throw new Error("no snapshots");
    const left = [...states];
    const list = async () => {
      const [state = null] = left.length > 1 ? left.splice(0, 1) : left;
      return state === null ? [] : [{ ...made, state, rawState: state }];
    };
    const volumes = { ...paper.volumes, snapshots: { ...paper.volumes.snapshots, list } };
    return await world.clock.run(untilReady(fleet, { ...paper, volumes }, made, new AbortController().signal));
  } finally {
    await world.state.close();
  }
}

test("a list that is behind does not know a snapshot yet that was just made", async () => {
  expect(await waited([null, "pending", "ready"])).toMatchObject({ state: "ready" });
});

test.each([
  [["pending", null], "is gone"],
  [[null], "is gone"],
  [["pending", "failed"], "failed (failed)"],
] as const)("%j ends the waiting", async (states, said) => {
  await expect(waited(states)).rejects.toThrow(said);
});

const signal = new AbortController().signal;

/** A machine with a volume whose agent holds it still as `turn` says, and the order in which all of it happens. */
async function beside(turn: Partial<Pick<GuestDoor, "freeze" | "thaw">> = {}) {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet: plain } = world.start();
  await world.clock.run(up(plain, paperSpec({ name: "a", volume: { name: "data", sizeGb: 5, mount: "/data" } })));
  const order: string[] = [];
  const said: string[] = [];
  const { snapshots } = world.cloud.provider.volumes ?? {};
  if (snapshots === undefined) throw new Error("no snapshots");
  const { create } = snapshots;
  Object.assign(snapshots, {
    create: (...words: Parameters<typeof create>) => {
      order.push("create");
      return create(...words);
    },
  });
  const noted = <Words extends readonly unknown[], Result>(what: string, work: (...words: Words) => Promise<Result>) => {
    return (...words: Words) => {
      order.push(what);
      return work(...words);
    };
  };
  const freeze = noted("freeze", turn.freeze ?? (async () => ({ frozen: true })));
  const thaw = noted("thaw", turn.thaw ?? (async () => true));
  const fleet = { ...plain, guest: { ...plain.guest, freeze, thaw }, say: (text: string) => said.push(text) };
  const [volume] = await world.state.volumes();
  if (volume === undefined) throw new Error("no volume");
  const stillness = async () =>
    (await world.state.events({})).findLast(({ data }) => data["action"] === "volume-snapshot")?.data["stillness"];
  return { world, plain, order, said, snapshots, stillness, snapshot: () => world.clock.run(snapshotVolume(fleet, volume, signal)) };
}

test("the file system of a machine that has the volume stands still until the provider has accepted", async () => {
  const { order, stillness, snapshot } = await beside();
  await snapshot();
  expect([order, await stillness()]).toEqual([["freeze", "create", "thaw"], "frozen"]);
});

test.each([
  ["it could not be held", { freeze: async () => ({ frozen: false }) }, ["freeze", "create"], "synced"],
  ["it was let go before", { thaw: async () => false }, ["freeze", "create", "thaw"], "synced"],
  [
    "its machine cannot be asked",
    {
      freeze: async () => {
        throw new Problem({ code: "SPOT_E_GUEST_UNREACHABLE", message: "no answer", exit: 1 });
      },
    },
    ["freeze", "create"],
    "untouched",
  ],
] as const)("%s: the snapshot is made all the same, and what it is worth is on record", async (_, turn, expected, worth) => {
  const { order, stillness, snapshot } = await beside(turn);
  expect((await snapshot()).state).toBe("pending");
  expect([order, await stillness()]).toEqual([expected, worth]);
});

test("a provider that refuses leaves nothing frozen", async () => {
  const { order, snapshots, snapshot } = await beside();
  const refuse = async () => {
    order.push("create");
    throw new ProviderError("paper", { kind: "quota", scope: "region" }, "too many", null);
  };
  Object.assign(snapshots, { create: refuse });
  await expect(snapshot()).rejects.toThrow("too many");
  expect(order).toEqual(["freeze", "create", "thaw"]);
});

test("a volume that no machine has is taken as it lies", async () => {
  const { world, plain, order, stillness, snapshot } = await beside();
  await world.clock.run(down(plain, "a"));
  await snapshot();
  expect([order, await stillness()]).toEqual([["create"], "untouched"]);
});
