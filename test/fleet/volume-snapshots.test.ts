import { expect, test } from "vitest";
import { untilReady } from "../../src/fleet/volumes/volume-snapshots.ts";
import type { ProviderSnapshot } from "../../src/providers/provider.ts";
import { paperWorld } from "../simulation/paper-world.ts";

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
