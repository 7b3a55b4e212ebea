import { expect, onTestFinished, test } from "vitest";
import { adopt } from "../../src/fleet/orphans/adopt.ts";
import { orphans } from "../simulation/orphan-scenarios.ts";
import { type PaperWorld, paperWorld, untilQuiet } from "../simulation/paper-world.ts";
import { sampleIntent, sampleVolume } from "../state/sample-records.ts";

const never = () => new AbortController().signal;

async function world(): Promise<PaperWorld> {
  const on = await paperWorld();
  onTestFinished(() => on.state.close());
  return on;
}

const makeDisk = ({ clock, cloud }: PaperWorld, name: string, token: string) =>
  clock.run(
    cloud.provider.volumes?.create({ name, token, sizeGb: 10, region: "north", zone: "north-a" }, { signal: never() }) ??
      Promise.reject(new Error("no volumes")),
  );

test("a volume whose making is still promised is left to that promise, and is not taken over twice", async () => {
  const on = await world();
  const { fleet } = on.start();
  const at = on.clock.now();
  // A command was killed, or is at work on another computer: the disk is there, and its record does not say so yet.
  const intent = sampleIntent("n-made", {
    kind: "volume-create",
    instanceId: null,
    provider: "paper",
    token: "t-disk",
    createdAt: at,
    detail: { volumeId: "v-data", name: "data", sizeGb: 10, fleet: null },
  });
  const record = sampleVolume("data", { provider: "paper", providerId: null, state: "requested", pricePerHour: null, createdAt: at });
  await on.state.commit({ volumes: [record], openIntents: [intent] });
  const { providerId } = await makeDisk(on, "data", "t-disk");
  const rows = await on.clock.run(orphans(fleet));
  expect(rows).toMatchObject([{ kind: "volume", providerId, why: "in-flight" }]);

  const taken = await on.clock.run(adopt(fleet, rows, never()));
  expect(taken).toMatchObject([{ outcome: "skipped", why: expect.stringContaining("spot reconcile") }]);
  expect(await untilQuiet(on)).toEqual([]);
  expect(await on.state.volumes()).toMatchObject([{ name: "data", providerId, state: "available" }]);
  expect((await on.state.ledger({ openOnly: true })).map((entry) => entry.providerId)).toEqual([providerId]);
  // What was read before that is no reason to take it now.
  expect(await on.clock.run(adopt(fleet, rows, never()))).toMatchObject([{ outcome: "adopted", name: "data" }]);
  expect((await on.state.volumes()).length).toBe(1);
});
