import { describe, expect } from "vitest";
import type { SnapshotOperations, VolumeOperations } from "../../src/providers/provider.ts";
import { eventually } from "../conformance/bench.ts";
import { type AwsProviderBench, awsOn, onMoto } from "./aws-bench.ts";

const PLACE = { region: "us-east-1", zone: "us-east-1a" };
const disk = { name: "work", token: "t-v1", sizeGb: 20, ...PLACE };

function operations({ provider }: AwsProviderBench): VolumeOperations & { readonly snapshots: SnapshotOperations } {
  const { volumes } = provider;
  if (volumes?.snapshots === undefined) throw new Error("no volumes");
  return { ...volumes, snapshots: volumes.snapshots };
}

async function attached(bench: AwsProviderBench, volumeId: string, instanceId: string): Promise<void> {
  await eventually(async () => {
    const done = await operations(bench)
      .attach?.(volumeId, instanceId, bench.context)
      .then(
        () => true,
        () => undefined,
      );
    return done;
  }, "the attachment");
}

describe("data volumes", () => {
  onMoto("gp3, with our token as the client token and as a tag", async () => {
    const bench = await awsOn();
    const made = await operations(bench).create(disk, bench.context);
    expect(bench.sent("CreateVolume")).toEqual([
      {
        Action: "CreateVolume",
        Version: "2016-11-15",
        AvailabilityZone: "us-east-1a",
        Size: "20",
        VolumeType: "gp3",
        ClientToken: "t-v1",
        "TagSpecification.1.ResourceType": "volume",
        "TagSpecification.1.Tag.1.Key": "Name",
        "TagSpecification.1.Tag.1.Value": "work",
        "TagSpecification.1.Tag.2.Key": "spot-fleet-token",
        "TagSpecification.1.Tag.2.Value": "t-v1",
        "TagSpecification.1.Tag.3.Key": "spot-fleet-name",
        "TagSpecification.1.Tag.3.Value": "work",
      },
    ]);
    expect(made).toMatchObject({ name: "work", token: "t-v1", sizeGb: 20, ...PLACE, attachedTo: null, device: null });
    expect(made.providerId).toMatch(/^us-east-1\/vol-/);
    expect((await operations(bench).create(disk, bench.context)).providerId).toBe(made.providerId);
    expect(bench.cloud.volumes()).toHaveLength(1);
  });

  onMoto("root disks are no volumes of anybody's, and go with their machine", async () => {
    const bench = await awsOn();
    const { providerId, volumeIds } = await bench.running();
    expect(volumeIds).toEqual([]);
    expect(await operations(bench).list(bench.context)).toEqual([]);
    await bench.provider.destroy(providerId, bench.context);
    await bench.until(providerId, (one) => one?.state === "gone");
    expect(bench.cloud.volumes()).toEqual([]);
  });

  onMoto("attached, its serial number tells which device it is, whatever name was asked for", async () => {
    const bench = await awsOn();
    const { providerId: volume } = await operations(bench).create(disk, bench.context);
    const { providerId: machine } = await bench.running({ volumes: [{ providerVolumeId: volume, mount: "/data" }] });
    await attached(bench, volume, machine);
    const seen = await eventually(
      async () => (await operations(bench).list(bench.context)).find(({ device }) => device !== null),
      "the device",
    );
    expect(seen).toMatchObject({ attachedTo: machine, device: `serial:${volume.split("/")[1]?.replace("-", "")}` });
    expect(bench.sent("AttachVolume")[0]).toMatchObject({ Device: "/dev/sdf" });
    const { providerId: second } = await operations(bench).create({ ...disk, token: "t-v2" }, bench.context);
    await attached(bench, second, machine);
    expect(bench.sent("AttachVolume").at(-1)).toMatchObject({ Device: "/dev/sdg" });
    expect((await bench.provider.get(machine, bench.context))?.volumeIds.toSorted()).toEqual([volume, second].toSorted());
    await bench.provider.destroy(machine, bench.context);
    await bench.until(machine, (one) => one?.state === "gone");
    expect(bench.cloud.volumes().map(({ attachedTo }) => attachedTo)).toEqual([null, null]);
    expect(bench.changes()).not.toContain("DetachVolume");
  });

  onMoto("a volume of another zone cannot be had: nothing is launched for it", async () => {
    const bench = await awsOn();
    const { providerId } = await operations(bench).create({ ...disk, zone: "us-east-1b" }, bench.context);
    const order = await bench.spec({ volumes: [{ providerVolumeId: providerId, mount: "/data" }] });
    await expect(bench.provider.launch(order, bench.context)).rejects.toMatchObject({
      fault: { kind: "invalid-request" },
      message: expect.stringContaining("us-east-1b"),
    });
    expect(bench.sent("RunInstances")).toEqual([]);
  });

  onMoto("a region that does not answer makes no list", async () => {
    const bench = await awsOn();
    await operations(bench).create(disk, bench.context);
    bench.cloud.switches.silentRegions = ["eu-west-1"];
    await expect(operations(bench).list(bench.context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    await expect(bench.provider.list(bench.context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
  });
});

describe("snapshots", () => {
  onMoto("carry our tags, are ready only when completed, and become a volume again", async () => {
    const bench = await awsOn({ delays: { snapshot: 300 } });
    const { snapshots } = operations(bench);
    const { providerId } = await operations(bench).create(disk, bench.context);
    await bench.untilUsable();
    const made = await snapshots.create(providerId, { name: "before", token: "t-s1" }, bench.context);
    expect(made).toMatchObject({ name: "before", token: "t-s1", volumeId: providerId, sizeGb: 20, region: "us-east-1", state: "pending" });
    expect(bench.sent("CreateSnapshot")[0]).toMatchObject({
      VolumeId: providerId.split("/")[1],
      "TagSpecification.1.ResourceType": "snapshot",
      "TagSpecification.1.Tag.2.Value": "t-s1",
    });
    const ready = await eventually(
      async () => (await snapshots.list(bench.context)).find(({ state }) => state === "ready"),
      "the snapshot",
    );
    expect(ready).toMatchObject({ providerId: made.providerId, rawState: "completed" });
    expect(bench.sent("DescribeSnapshots")[0]).toMatchObject({ "Owner.1": "self" });
    await operations(bench).create({ ...disk, token: "t-v2", fromSnapshotId: made.providerId }, bench.context);
    expect(bench.sent("CreateVolume").at(-1)).toMatchObject({ SnapshotId: made.providerId.split("/")[1] });
    const elsewhere = { ...disk, token: "t-v3", region: "eu-west-1", zone: "eu-west-1a", fromSnapshotId: made.providerId };
    await expect(operations(bench).create(elsewhere, bench.context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
    await snapshots.remove(made.providerId, bench.context);
    await snapshots.remove(made.providerId, bench.context);
    expect(bench.cloud.snapshots()).toEqual([]);
  });
});
