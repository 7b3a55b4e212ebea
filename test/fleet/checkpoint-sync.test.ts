import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkpointFolder } from "../../src/checkpoints/catalogue.ts";
import { formatManifest } from "../../src/checkpoints/manifest.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { syncCheckpoints } from "../../src/fleet/volumes/checkpoint-sync.ts";
import type { Checkpoint } from "../../src/model/checkpoint.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
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

/** A volume that is read through its machine, while another process is at it as well: `meanwhile` is what that one does. */
async function readBeside(meanwhile: (world: PaperWorld, checkpoints: readonly Checkpoint[]) => Promise<unknown>) {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()));
  const { signal } = new AbortController();
  const [volume] = await world.state.volumes();
  if (volume === undefined) throw new Error("up makes a volume");
  const common = { instance: "train", volume: volume.name, files: 1, bytes: 1, sealed: true, verifiedAt: null, step: null } as const;
  const [old, young] = ["c-20261121T053818Z-00000014", "c-20261121T053819Z-00000001"].map(
    (id, index): Checkpoint => ({ ...common, id, createdAt: 1_700_000_000_000 + index, sha256: `${index}`, reason: "notice" }),
  );
  if (old === undefined || young === undefined) throw new Error("two");
  const { capabilities } = world.cloud.provider;
  const remote = { ...world.cloud.provider, capabilities: { ...capabilities, machine: { ...capabilities.machine, kind: "vm" as const } } };
  const reach = { kind: "process" as const, cwd: "", env: {}, log: "" };
  const look = (seen: readonly Checkpoint[], during?: () => Promise<unknown>) => {
    const sealed = async () => {
      await during?.();
      return seen;
    };
    return syncCheckpoints({ ...fleet, provider: async () => remote, guest: { ...fleet.guest, sealed } }, volume, signal, reach);
  };
  const told = async () => (await world.state.events({})).filter(({ type }) => type === "checkpoint").map(({ data }) => data["checkpoint"]);
  const listed = async () => (await world.state.checkpoints({ volume: volume.name })).map(({ id, verifiedAt }) => [id, verifiedAt]);
  return { world, old, young, look, told, listed, meanwhile: () => meanwhile(world, [old, young]) };
}

test("what another process seals and records while the volume is read has not vanished", async () => {
  const bench = await readBeside((world, [, young]) =>
    world.state.commit({ checkpoints: young === undefined ? [] : [{ ...young, verifiedAt: 7 }] }),
  );
  const { old, young, look, listed } = bench;
  await look([old]);
  await look([old], bench.meanwhile);
  expect(await listed()).toEqual([
    [young.id, 7],
    [old.id, null],
  ]);
});

test("what another process records while the volume is read is told once, and stays verified", async () => {
  const bench = await readBeside((world, checkpoints) =>
    world.state.commit({ checkpoints: checkpoints.map((checkpoint) => ({ ...checkpoint, verifiedAt: 7 })) }),
  );
  const { old, young, look, listed, told } = bench;
  const seen = await look([young, old], bench.meanwhile);
  expect(seen?.map(({ verifiedAt }) => verifiedAt)).toEqual([7, 7]);
  expect([await listed(), await told()]).toEqual([
    [
      [young.id, 7],
      [old.id, 7],
    ],
    [],
  ]);
});

test("what another process prunes while the volume is read does not come back into the catalogue", async () => {
  const bench = await readBeside((world, [old]) => world.state.commit({ removeCheckpoints: old === undefined ? [] : [old] }));
  const { old, young, look, listed, told } = bench;
  await look([young, old]);
  await look([young, old], bench.meanwhile);
  expect([await listed(), await told()]).toEqual([[[young.id, null]], [old.id, young.id]]);
});

test("a volume that has another name by now than when its machine was made keeps its list", async () => {
  const { old, young, look, listed } = await readBeside(async () => undefined);
  await look([young, old]);
  const seen = await look([young, old].map((checkpoint) => ({ ...checkpoint, volume: "train-north-b" })));
  expect(seen?.map(({ volume }) => volume)).toEqual([young.volume, old.volume]);
  expect((await listed()).map(([id]) => id)).toEqual([young.id, old.id]);
});
