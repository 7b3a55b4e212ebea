import { describe, expect, test } from "vitest";
import type { VolumeSpec } from "../../src/providers/provider.ts";
import { context, type GcpBench, gcpBench, MINUTE } from "./gcp-bench.ts";

const SPEC: VolumeSpec = { name: "work", token: "t-d", sizeGb: 20, region: "us-central1", zone: "us-central1-a" };

function volumesOf({ provider }: GcpBench) {
  const { volumes } = provider;
  if (volumes?.snapshots === undefined) throw new Error("no volumes");
  return { volumes, snapshots: volumes.snapshots };
}

describe("a data disk", () => {
  test("is made by a call of its own, in its zone, labelled", async () => {
    const bench = await gcpBench();
    const { volumes } = volumesOf(bench);
    const made = await volumes.create(SPEC, context);
    expect(bench.bodies("POST", /^zones\/us-central1-a\/disks$/)).toEqual([
      {
        name: "work-t-d",
        sizeGb: "20",
        type: `projects/${bench.fake.project}/zones/us-central1-a/diskTypes/pd-balanced`,
        labels: { "spot-fleet-token": "t-d", "spot-fleet-name": "work" },
      },
    ]);
    expect(made).toMatchObject({ providerId: "us-central1-a/work-t-d", name: "work", token: "t-d", sizeGb: 20, device: null });
  });

  test("tells the machine where it is while it is attached, as the machine was told at its launch", async () => {
    const bench = await gcpBench();
    const { volumes } = volumesOf(bench);
    const { providerId: id } = await volumes.create(SPEC, context);
    const machine = await bench.running("t-a", { volumes: [{ providerVolumeId: id, mount: "/data" }] });
    const [body] = bench.bodies("POST", /^zones\/[^/]+\/instances$/);
    const given = ((body?.["disks"] ?? []) as readonly { readonly deviceName?: string }[])[1]?.deviceName;
    const [listed] = await volumes.list(context);
    expect(listed).toMatchObject({ attachedTo: machine.providerId, device: `/dev/disk/by-id/google-${given}` });
    expect(machine.volumeIds).toEqual([id]);
    await expect(volumes.remove(id, context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
    await bench.provider.destroy(machine.providerId, context);
    bench.clock.advance(MINUTE);
    expect(await volumes.list(context)).toMatchObject([{ providerId: id, attachedTo: null, device: null }]);
  });

  test("costs what the catalogue says, once the catalogue was read", async () => {
    const bench = await gcpBench();
    const { volumes } = volumesOf(bench);
    expect(await volumes.create(SPEC, context)).toMatchObject({ pricePerHour: null });
    await bench.provider.offers({}, context);
    const [listed] = await volumes.list(context);
    expect(listed?.pricePerHour).toMatchObject({ currency: "USD" });
    expect(Number(listed?.pricePerHour?.micros)).toBeGreaterThan(1_000);
  });

  test("whose token made it already is that one", async () => {
    const bench = await gcpBench({ delays: { requestIdMs: MINUTE } });
    const { volumes } = volumesOf(bench);
    const one = await volumes.create(SPEC, context);
    bench.clock.advance(10 * MINUTE);
    expect(await volumes.create(SPEC, context)).toMatchObject({ providerId: one.providerId, token: "t-d" });
    expect(bench.fake.volumes()).toHaveLength(1);
  });

  test("is removed twice without harm, and one that never was, too", async () => {
    const bench = await gcpBench();
    const { volumes } = volumesOf(bench);
    const { providerId } = await volumes.create(SPEC, context);
    await volumes.remove(providerId, context);
    await volumes.remove(providerId, context);
    await volumes.remove("us-central1-a/none", context);
    await volumes.remove("nonsense", context);
    expect(bench.fake.volumes()).toEqual([]);
  });

  test("a boot disk that no machine has any more is shown: it costs, and nobody else would see it", async () => {
    const bench = await gcpBench();
    const { volumes } = volumesOf(bench);
    const { providerId } = await bench.running("t-a");
    expect(await volumes.list(context)).toEqual([]);
    const vm = bench.fake.vm(providerId);
    const device = vm.attachments.find(({ boot }) => boot)?.deviceName ?? "";
    await bench.atConsole("POST", `zones/us-central1-a/instances/train-t-a/setDiskAutoDelete?autoDelete=false&deviceName=${device}`);
    bench.clock.advance(MINUTE);
    await bench.provider.destroy(providerId, context);
    bench.clock.advance(MINUTE);
    expect(await volumes.list(context)).toMatchObject([{ token: "t-a", attachedTo: null }]);
  });
});

describe("a snapshot", () => {
  test("is global, and the way of a disk from zone to zone", async () => {
    const bench = await gcpBench();
    const { volumes, snapshots } = volumesOf(bench);
    const { providerId } = await volumes.create(SPEC, context);
    const made = await snapshots.create(providerId, { name: "nightly", token: "t-s" }, context);
    expect(made).toMatchObject({ providerId: "global/nightly-t-s", state: "pending", volumeId: providerId, sizeGb: 20, region: "global" });
    expect(bench.bodies("POST", /^zones\/us-central1-a\/disks\/work-t-d\/createSnapshot$/)).toEqual([
      { name: "nightly-t-s", labels: { "spot-fleet-token": "t-s", "spot-fleet-name": "nightly" } },
    ]);
    bench.clock.advance(MINUTE);
    expect(await snapshots.list(context)).toMatchObject([{ providerId: made.providerId, state: "ready", rawState: "READY", token: "t-s" }]);
    const elsewhere = { ...SPEC, token: "t-e", region: "europe-west4", zone: "europe-west4-b", fromSnapshotId: made.providerId };
    await volumes.create(elsewhere, context);
    expect(bench.bodies("POST", /^zones\/europe-west4-b\/disks$/)).toMatchObject([
      { sourceSnapshot: `projects/${bench.fake.project}/global/snapshots/nightly-t-s` },
    ]);
    await snapshots.remove(made.providerId, context);
    await snapshots.remove(made.providerId, context);
    await snapshots.remove("global/none", context);
    expect(await snapshots.list(context)).toEqual([]);
  });

  test("that failed is failed", async () => {
    const bench = await gcpBench({ switches: { snapshotsFail: true } });
    const { volumes, snapshots } = volumesOf(bench);
    const { providerId } = await volumes.create(SPEC, context);
    await snapshots.create(providerId, { name: "nightly", token: "t-s" }, context);
    bench.clock.advance(MINUTE);
    expect(await snapshots.list(context)).toMatchObject([{ state: "failed", rawState: "FAILED" }]);
  });
});
