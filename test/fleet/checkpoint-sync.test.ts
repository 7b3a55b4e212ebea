import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkpointFolder } from "../../src/checkpoints/catalogue.ts";
import { formatManifest } from "../../src/checkpoints/manifest.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { syncCheckpoints } from "../../src/fleet/volumes/checkpoint-sync.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";
import { temporaryFolder } from "../state/temporary-folder.ts";

function seal(path: string, id: string): void {
  const folder = checkpointFolder(path, id);
  mkdirSync(join(folder, "data"), { recursive: true });
  const manifest = {
    id,
    instance: "train",
    volume: "train",
    created: 1_700_000_000,
    reason: "notice",
    step: null,
    agent: "1",
    entries: [],
  } as const;
  writeFileSync(join(folder, "MANIFEST"), formatManifest(manifest));
}

test("what was sealed between two looks is told in the order in which it was made; what vanished is forgotten", async () => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()));
  const path = temporaryFolder();
  const { signal } = new AbortController();
  const { volumes } = world.cloud.provider;
  if (volumes === undefined) throw new Error("the paper cloud has volumes");
  const listed = (await world.clock.run(volumes.list({ signal }))).map((volume) => ({ ...volume, localPath: path }));
  const readable = { ...volumes, list: async () => listed };
  const seeing: Fleet = { ...fleet, provider: async () => ({ ...world.cloud.provider, volumes: readable }) };
  const [volume] = await world.state.volumes();
  if (volume === undefined) throw new Error("up makes a volume");
  const ids = ["c-20261121T053818Z-00000014", "c-20261121T053818Z-0001aaaa", "c-20261121T053819Z-00000001"];
  for (const id of ids) seal(path, id);
  expect((await syncCheckpoints(seeing, volume, signal))?.map((checkpoint) => checkpoint.id)).toEqual(ids.toReversed());
  const told = async () =>
    (await world.state.events({})).filter((event) => event.type === "checkpoint").map((event) => event.data["checkpoint"]);
  expect(await told()).toEqual(ids);
  await syncCheckpoints(seeing, volume, signal);
  expect(await told()).toEqual(ids);
  rmSync(checkpointFolder(path, ids[0] ?? ""), { recursive: true });
  await syncCheckpoints(seeing, volume, signal);
  expect((await world.state.checkpoints({ volume: volume.name })).map((checkpoint) => checkpoint.id).toSorted()).toEqual(ids.slice(1));
});
