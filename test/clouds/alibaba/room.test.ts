import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type MachineRoom, machineRoom, machineRoomAvailable } from "../machine-room.ts";
import { alibabaBench, type Bench, REGION, ZONE } from "./bench.ts";

const NOTICE = "/latest/meta-data/instance/spot/termination-time";
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";

let room: MachineRoom;
let bench: Bench;
const isPossible = machineRoomAvailable();
beforeEach(async () => {
  if (!isPossible) return;
  room = await machineRoom();
  bench = await alibabaBench({ machines: room });
});
afterEach(async () => {
  if (!isPossible) return;
  await bench.cloud.close();
  await room.close();
});

function machineOf(id: string) {
  const { machine } = bench.cloud.instance(id);
  if (machine === null) throw new Error(`${id} does not run`);
  return machine;
}

async function running(change: Readonly<Record<string, string | number>> = {}): Promise<string> {
  const script = '#!/bin/sh\necho "$SPOT_ROOT" >"$SPOT_ROOT/up"\n';
  return bench.running({ SpotDuration: 0, UserData: Buffer.from(script).toString("base64"), ...change });
}

test.skipIf(!isPossible)(
  "its user data runs, its disks are there by serial number, and what lies on them outlives it in a snapshot",
  async () => {
    await bench.ok("ImportKeyPair", { RegionId: REGION, KeyPairName: "spot-1", PublicKeyBody: KEY });
    const id = await running({ KeyPairName: "spot-1" });
    const { handle } = machineOf(id);
    await expect.poll(() => existsSync(join(handle.root, "up")), { interval: 10 }).toBe(true);
    expect((await bench.show(id)).PublicIpAddress.IpAddress).toEqual([`127.0.0.1:${handle.port}`]);
    expect(readFileSync(join(handle.root, "root/.ssh/authorized_keys"), "utf8")).toContain(KEY);

    const { DiskId } = await bench.ok("CreateDisk", { RegionId: REGION, ZoneId: ZONE, DiskCategory: "cloud_essd", Size: 20 });
    await bench.pass();
    await bench.ok("AttachDisk", { InstanceId: id, DiskId });
    expect(existsSync(join(handle.root, "dev/vdb"))).toBe(false);
    await bench.pass();
    expect(existsSync(join(handle.root, "dev/vdb"))).toBe(true);
    expect(readFileSync(join(handle.root, "sys/block/vdb/serial"), "utf8").trim()).toBe(DiskId.slice(2));
    writeFileSync(join(room.volumeFolder(DiskId), "files/model"), "weights");
    const { SnapshotId } = await bench.ok("CreateSnapshot", { DiskId });
    writeFileSync(join(room.volumeFolder(DiskId), "files/model"), "later");
    await bench.pass();
    const again = await bench.ok("CreateDisk", { RegionId: REGION, ZoneId: ZONE, DiskCategory: "cloud_essd", SnapshotId });
    expect(readFileSync(join(room.volumeFolder(again.DiskId), "files/model"), "utf8")).toBe("weights");
    await bench.ok("DetachDisk", { InstanceId: id, DiskId });
    await bench.pass();
    expect(existsSync(join(handle.root, "dev/vdb"))).toBe(false);

    await bench.ok("StopInstance", { InstanceId: id, StoppedMode: "StopCharging" });
    await bench.pass();
    expect(handle.processes()).toEqual([]);
    await bench.ok("StartInstance", { InstanceId: id });
    await bench.pass();
    expect((await bench.show(id)).PublicIpAddress.IpAddress).toEqual([`127.0.0.1:${handle.port}`]);
    await bench.ok("DeleteInstance", { InstanceId: id, Force: true });
    await bench.pass();
    expect(existsSync(handle.root)).toBe(false);
  },
);

test.skipIf(!isPossible)("a shutdown from inside is a stop that is charged, unless the account says otherwise", async () => {
  const shutDown = async () => {
    const id = await running();
    const { handle } = machineOf(id);
    execFileSync("sh", [join(handle.root, "sbin/poweroff")], { env: { ...process.env, SPOT_ROOT: handle.root } });
    await bench.pass();
    await bench.pass();
    expect(handle.processes()).toEqual([]);
    return bench.show(id);
  };
  expect(await shutDown()).toMatchObject({ Status: "Stopped", StoppedMode: "KeepCharging" });
  bench.cloud.switches.stopsFreeByDefault = true;
  expect(await shutDown()).toMatchObject({ Status: "Stopped", StoppedMode: "StopCharging" });
});

test.skipIf(!isPossible)("its metadata service knows the end of a reclaim, and in hardened mode wants a token", async () => {
  const [normal, hardened] = [await running(), await running({ HttpTokens: "required" })];
  const ask = async (id: string, headers = {}) => {
    const url = /SPOT_METADATA_URL=(.*)/.exec(readFileSync(join(machineOf(id).handle.root, "metadata.env"), "utf8"))?.[1];
    const response = await fetch(`${url}${NOTICE}`, { headers });
    return [response.status, response.status === 200 ? await response.text() : ""];
  };
  expect([await ask(normal), await ask(hardened)]).toEqual([
    [404, ""],
    [403, ""],
  ]);
  await bench.cloud.reclaim(normal);
  expect(await ask(normal)).toEqual([200, new Date(bench.clock.now() + 300_000).toISOString().replace(/\.\d{3}/, "")]);
  bench.cloud.switches.silentMetadata = true;
  const silent = await running();
  await bench.cloud.reclaim(silent);
  expect(await ask(silent)).toEqual([404, ""]);
});
