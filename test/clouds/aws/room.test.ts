import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../conformance/bench.ts";
import { type MachineOrder, type MachineRoom, machineRoom, machineRoomAvailable } from "../machine-room.ts";
import { awsBench, START } from "./bench.ts";
import { motoAvailable } from "./moto.ts";

const there = motoAvailable() && machineRoomAvailable();

/** A room, and what was ordered of it. */
async function watchedRoom(): Promise<{ readonly room: MachineRoom; readonly orders: MachineOrder[]; root(): string }> {
  const room = await machineRoom();
  onTestFinished(() => room.close());
  const orders: MachineOrder[] = [];
  let root = "";
  return {
    orders,
    root: () => root,
    room: {
      ...room,
      async boot(order) {
        orders.push(order);
        const machine = await room.boot(order);
        root = machine.root;
        return machine;
      },
    },
  };
}

const SCRIPT = '#!/bin/sh\necho "$SPOT_ROOT" >"$SPOT_ROOT/booted"\nexec sleep 1000\n';

test.skipIf(!there)(
  "a machine boots its packed user data, finds its volume by serial number and its notice, and ends by its own power-off",
  async () => {
    const { room, orders, root } = await watchedRoom();
    const { cloud, ask, launch, clock, instance } = await awsBench({}, {}, room);
    const id = await launch({
      UserData: gzipSync(SCRIPT).toString("base64"),
      InstanceInitiatedShutdownBehavior: "terminate",
      "MetadataOptions.HttpTokens": "required",
    });
    await cloud.settle();
    expect(orders).toMatchObject([{ id, boot: { script: SCRIPT } }]);
    await eventually(async () => (readable(join(root(), "booted")) === undefined ? undefined : true), "the boot");
    expect((await instance(id))?.children.find(({ name }) => name === "ipAddress")?.text).toMatch(/^127\.0\.0\.1:\d+$/);

    const { document } = await ask("CreateVolume", { AvailabilityZone: "us-east-1a", Size: "1" });
    const volume = document?.children.find(({ name }) => name === "volumeId")?.text ?? "";
    clock.advance(1000);
    await ask("AttachVolume", { VolumeId: volume, InstanceId: id, Device: "/dev/sdf" });
    clock.advance(1000);
    await cloud.settle();
    expect(readFileSync(join(root(), "sys/block/nvme1n1/device/serial"), "utf8").trim()).toBe(volume.replace("-", ""));

    const metadata = orders[0]?.metadataUrl ?? "";
    const token = async () => {
      const headers = { "x-aws-ec2-metadata-token-ttl-seconds": "60" };
      return (await fetch(`${metadata}/latest/api/token`, { method: "PUT", headers })).text();
    };
    const action = async () =>
      fetch(`${metadata}/latest/meta-data/spot/instance-action`, { headers: { "x-aws-ec2-metadata-token": await token() } });
    expect((await action()).status).toBe(404);
    await cloud.reclaim(`us-east-1/${id}`, { noticeSeconds: 100, tell: "none" });
    const deadline = new Date(clock.now() + 100_000).toISOString().replace(/\.\d+Z$/, "Z");
    expect(await (await action()).json()).toEqual({ action: "terminate", time: deadline });
    expect(clock.now()).toBeGreaterThan(START);

    expect(cloud.living()).toHaveLength(1);
    await cloud.shutDown(`us-east-1/${id}`);
    clock.advance(1000);
    await cloud.settle();
    expect(cloud.living()).toEqual([]);
    expect(readable(join(root(), "booted"))).toBeUndefined();
    expect(cloud.volumes()).toMatchObject([{ providerId: `us-east-1/${volume}`, attachedTo: null }]);
  },
);

function readable(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

test.skipIf(!there)("a machine that asks for power off is ended by the cloud", async () => {
  const { room, root } = await watchedRoom();
  const { cloud, launch, clock, stateOf } = await awsBench({}, {}, room);
  const id = await launch({
    UserData: Buffer.from('#!/bin/sh\n"$SPOT_ROOT/sbin/poweroff"\ntouch "$SPOT_ROOT/asked"\n').toString("base64"),
    InstanceInitiatedShutdownBehavior: "terminate",
  });
  await cloud.settle();
  await eventually(async () => (readable(join(root(), "asked")) === undefined ? undefined : true), "the power switch");
  await cloud.settle();
  clock.advance(1000);
  expect(await stateOf(id)).toBe("terminated");
});
