import { describe, expect, test } from "vitest";
import type { VolumeOperations } from "../../src/providers/provider.ts";
import { type AlibabaBench, alibabaBench, context, ZONE } from "./alibaba-bench.ts";

const A_SECOND_MS = 1_000;
const SPEC = { name: "work", token: "t-v1", sizeGb: 40, region: "cn-hangzhou", zone: ZONE };

function volumesOf({ provider }: AlibabaBench): VolumeOperations {
  if (provider.volumes === undefined) throw new Error("no volumes");
  return provider.volumes;
}

async function attached(bench: AlibabaBench) {
  const volumes = volumesOf(bench);
  const machine = await bench.running("t-1");
  const { providerId } = await volumes.create(SPEC, context);
  bench.clock.advance(A_SECOND_MS);
  await volumes.attach?.(providerId, machine.providerId, context);
  bench.clock.advance(A_SECOND_MS);
  return { volumes, machine, providerId };
}

describe("a disk", () => {
  test("is an ESSD with our tags and the token, of the level that its size allows", async () => {
    const bench = await alibabaBench();
    const volumes = volumesOf(bench);
    const made = await volumes.create(SPEC, context);
    expect(made).toMatchObject({ token: "t-v1", name: "work", sizeGb: 40, zone: ZONE, attachedTo: null, device: null });
    await volumes.create({ ...SPEC, token: "t-v2", sizeGb: 10 }, context);
    expect(bench.sent("CreateDisk")[0]).toEqual({
      RegionId: "cn-hangzhou",
      ZoneId: ZONE,
      DiskName: "work",
      Size: "40",
      DiskCategory: "cloud_essd",
      PerformanceLevel: "PL1",
      "Tag.1.Key": "spot-fleet-token",
      "Tag.1.Value": "t-v1",
      "Tag.2.Key": "spot-fleet-name",
      "Tag.2.Value": "work",
      ClientToken: "t-v1",
    });
    expect(bench.sent("CreateDisk")[1]).toMatchObject({ Size: "10", PerformanceLevel: "PL0" });
    expect((await volumes.list(context)).map(({ token }) => token).toSorted()).toEqual(["t-v1", "t-v2"]);
  });

  test("is attached so that it stays, is found by its serial number, and outlives its machine", async () => {
    const bench = await alibabaBench();
    const { volumes, machine, providerId } = await attached(bench);
    const id = providerId.replace("cn-hangzhou/", "");
    expect(bench.sent("AttachDisk")).toEqual([
      { InstanceId: machine.providerId.replace("cn-hangzhou/", ""), DiskId: id, DeleteWithInstance: "false" },
    ]);
    await volumes.attach?.(providerId, machine.providerId, context);
    expect(bench.sent("AttachDisk")).toHaveLength(1);
    // The system disk of a living machine is part of it.
    expect(await volumes.list(context)).toMatchObject([{ providerId, attachedTo: machine.providerId, device: `serial:${id.slice(2)}` }]);
    expect((await bench.provider.get(machine.providerId, context))?.volumeIds).toEqual([providerId]);
    expect((await bench.provider.list(context))[0]?.volumeIds).toEqual([providerId]);
    await expect(volumes.remove(providerId, context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
    await bench.provider.destroy(machine.providerId, context);
    bench.clock.advance(A_SECOND_MS);
    expect(await volumes.list(context)).toMatchObject([{ providerId, attachedTo: null, device: null, rawState: "Available" }]);
  });

  test("is lost with a machine that the cloud's security locked: said here, since nobody can prevent it", async () => {
    const bench = await alibabaBench();
    const { volumes, machine } = await attached(bench);
    bench.fake.lock(machine.providerId, "security");
    await expect(bench.provider.destroy(machine.providerId, context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
    expect(await volumes.list(context)).toHaveLength(1);
  });

  test("belongs to a zone, and to one machine: a launch that could not have it is refused before", async () => {
    const bench = await alibabaBench();
    const { provider, spec, sent, offer } = bench;
    const { machine, providerId, volumes } = await attached(bench);
    const mount = [{ providerVolumeId: providerId, mount: "/data" }];
    await expect(provider.launch(await spec("t-2", { volumes: mount }), context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
    await provider.destroy(machine.providerId, context);
    bench.clock.advance(A_SECOND_MS);
    for (const where of [{ zone: "cn-hangzhou-i" }, { region: "eu-central-1" }]) {
      const elsewhere = await offer(undefined, { ...where, billing: "spot" });
      const order = spec("t-3", { offer: elsewhere, volumes: mount });
      await expect(provider.launch(await order, context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
    }
    expect(sent("RunInstances")).toHaveLength(1);
    await expect(volumes.attach?.("cn-hangzhou/d-none", machine.providerId, context)).rejects.toMatchObject({
      fault: { kind: "not-found" },
    });
  });

  test("that is being made is waited for before it is deleted", async () => {
    const bench = await alibabaBench();
    const volumes = volumesOf(bench);
    const { providerId } = await volumes.create(SPEC, context);
    await volumes.remove(providerId, context);
    expect(bench.sent("DeleteDisk")).toHaveLength(1);
    await volumes.remove(providerId, context);
    await volumes.remove("nothing", context);
    expect(await volumes.list(context)).toEqual([]);
    expect(bench.fake.volumes()).toEqual([]);
  });
});

describe("a snapshot", () => {
  test("carries our tags, becomes another disk, and goes although one was made of it", async () => {
    const bench = await alibabaBench();
    const { volumes, providerId } = await attached(bench);
    const { snapshots } = volumes;
    const made = await snapshots?.create(providerId, { name: "auto-save", token: "t-s1" }, context);
    expect(made).toMatchObject({ volumeId: providerId, sizeGb: 40, region: "cn-hangzhou", state: "pending", token: "t-s1" });
    expect(bench.sent("CreateSnapshot")[0]).toEqual({
      DiskId: providerId.replace("cn-hangzhou/", ""),
      // Names that begin with auto are the cloud's own.
      SnapshotName: "spot-auto-save",
      "Tag.1.Key": "spot-fleet-token",
      "Tag.1.Value": "t-s1",
      "Tag.2.Key": "spot-fleet-name",
      "Tag.2.Value": "auto-save",
      ClientToken: "t-s1",
    });
    bench.clock.advance(A_SECOND_MS);
    const id = made?.providerId ?? "";
    expect(await snapshots?.list(context)).toMatchObject([{ providerId: id, name: "auto-save", state: "ready", sizeGb: 40 }]);
    await volumes.create({ ...SPEC, token: "t-v2", fromSnapshotId: id }, context);
    expect(bench.sent("CreateDisk").at(-1)).toMatchObject({ SnapshotId: id.replace("cn-hangzhou/", "") });
    const elsewhere = { ...SPEC, token: "t-v3", region: "eu-central-1", zone: "eu-central-1a", fromSnapshotId: id };
    await expect(volumes.create(elsewhere, context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
    bench.clock.advance(A_SECOND_MS);
    await snapshots?.remove(id, context);
    expect(bench.sent("DeleteSnapshot")).toEqual([{ SnapshotId: id.replace("cn-hangzhou/", ""), Force: "true" }]);
    await snapshots?.remove(id, context);
    expect(await snapshots?.list(context)).toEqual([]);
  });

  test("that fails is failed", async () => {
    const bench = await alibabaBench({ switches: { failSnapshots: true } });
    const { volumes, providerId } = await attached(bench);
    await volumes.snapshots?.create(providerId, { name: "s", token: "t-s1" }, context);
    bench.clock.advance(A_SECOND_MS);
    expect(await volumes.snapshots?.list(context)).toMatchObject([{ state: "failed", rawState: "failed" }]);
  });
});
