import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/platform/clock.ts";
import { temporaryFolder } from "../../world.ts";
import { type MachineRoom, machineRoom, machineRoomAvailable } from "../machine-room.ts";
import { type FakeGcp, fakeGcp } from "./fake.ts";
import { BOOT_DISK, type Requests, requestsTo, ZONE } from "./requests.ts";

const ID = `${ZONE}/vm1`;
const VM = `zones/${ZONE}/instances/vm1`;
const SCRIPT = '#!/bin/sh\necho up >>"$SPOT_ROOT/booted"\nexec sleep 1000\n';

async function eventually<Value>(look: () => Value | Promise<Value>, isRight: (value: Value) => boolean): Promise<Value> {
  const until = Date.now() + 45_000;
  for (;;) {
    const value = await look();
    if (isRight(value) || Date.now() > until) return value;
    await systemClock.sleep(20);
  }
}

describe.skipIf(!machineRoomAvailable())("machines that are real", () => {
  let room: MachineRoom;
  let cloud: FakeGcp;
  let to: Requests;
  let key: string;

  beforeEach(async () => {
    room = await machineRoom();
    cloud = await fakeGcp({ clock: systemClock, machines: room, delays: { shutdownMs: 300 } });
    to = requestsTo(cloud);
    key = join(temporaryFolder(), "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  });

  afterEach(async () => {
    await cloud.close();
    await room.close();
  });

  const metadata = (more: readonly object[] = []) => ({
    items: [
      { key: "startup-script", value: SCRIPT },
      { key: "ssh-keys", value: `someone:${readFileSync(`${key}.pub`, "utf8").trim()}` },
      ...more,
    ],
  });
  const status = async () => (await to.get(VM)).body?.status;
  const root = () => cloud.vm(ID).machine?.handle.root ?? "";
  const enter = async (): Promise<string> => {
    const address: string = (await to.get(VM)).body.networkInterfaces[0].accessConfigs[0].natIP;
    const [host = "", port = ""] = address.split(":");
    const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"].flatMap((one) => [
      "-o",
      one,
    ]);
    const user = cloud.env["SPOT_GCP_SSH_USER"] ?? "";
    return execFileSync("ssh", ["-i", key, "-p", port, ...options, `${user}@${host}`, "echo in"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  };
  const flag = async () => {
    const url = cloud.vm(ID).machine?.service.url;
    const answer = await fetch(`${url}/computeMetadata/v1/instance/preempted`, { headers: { "Metadata-Flavor": "Google" } });
    return answer.text();
  };

  test("boot at every start, are come into with the key of the metadata, and hear of a preemption inside", async () => {
    await to.launch("vm1", { metadata: metadata() });
    const booted = () => (existsSync(join(root(), "booted")) ? readFileSync(join(root(), "booted"), "utf8") : "");
    expect(await eventually(booted, (text) => text === "up\n")).toBe("up\n");
    expect([await enter(), await flag()]).toEqual(["in\n", "FALSE"]);
    expect(readFileSync(join(root(), "metadata.env"), "utf8")).toContain("SPOT_METADATA_URL=http://127.0.0.1:");
    await cloud.reclaim(ID, 1);
    expect([await flag(), await status()]).toEqual(["TRUE", "RUNNING"]);
    expect(await eventually(status, (word) => word === "STOPPING")).toBe("STOPPING");
    // Still running: its best effort.
    expect(cloud.vm(ID).machine?.handle.processes().join()).toContain("sleep 1000");
    expect(await eventually(status, (word) => word === "TERMINATED")).toBe("TERMINATED");
    expect(cloud.vm(ID).machine?.handle.processes()).toEqual([]);
    await to.done("POST", `${VM}/start`);
    await cloud.settle();
    expect(await eventually(booted, (text) => text === "up\nup\n")).toBe("up\nup\n");
    expect([await enter(), await flag()]).toEqual(["in\n", "FALSE"]);
    await to.done("DELETE", VM);
    await cloud.settle();
    expect(cloud.vm(ID).machine).toBeNull();
  });

  test("have their disks by the names of the devices; what a snapshot holds is what was on the disk then", async () => {
    await to.done("POST", `zones/${ZONE}/disks`, { name: "d1", sizeGb: "10" });
    const file = (disk: string) => join(room.volumeFolder(`disk-${cloud.disk(`${ZONE}/${disk}`).id}`), "files", "note");
    writeFileSync(file("d1"), "then");
    await to.launch("vm1", {
      metadata: metadata(),
      disks: [BOOT_DISK, { source: `zones/${ZONE}/disks/d1`, deviceName: "data", autoDelete: false }],
    });
    await cloud.settle();
    expect(existsSync(join(root(), "dev/disk/by-id/google-data"))).toBe(true);
    await to.done("POST", `zones/${ZONE}/disks/d1/createSnapshot`, { name: "s1" });
    writeFileSync(file("d1"), "now");
    await to.done("POST", `zones/${ZONE}/disks`, { name: "d2", sourceSnapshot: "global/snapshots/s1" });
    expect([readFileSync(file("d1"), "utf8"), readFileSync(file("d2"), "utf8")]).toEqual(["now", "then"]);
    await to.done("POST", `${VM}/detachDisk?deviceName=data`);
    await cloud.settle();
    expect(existsSync(join(root(), "dev/disk/by-id/google-data"))).toBe(false);
  });

  test("that power themselves off are TERMINATED by the guest; OS Login takes no keys of the metadata", async () => {
    cloud.switches.osLogin = true;
    await to.launch("vm1", { metadata: metadata() });
    await cloud.settle();
    await expect(enter()).rejects.toThrow();
    execFileSync(join(root(), "sbin/poweroff"), { env: { SPOT_ROOT: root() } });
    expect(await eventually(status, (word) => word === "TERMINATED")).toBe("TERMINATED");
    const types = (await to.get(`zones/${ZONE}/operations`)).body.items.map((one: { operationType: string }) => one.operationType);
    expect(types).toContain("compute.instances.guestTerminate");
    await to.done("DELETE", VM);
    await to.launch("vm1", { metadata: metadata([{ key: "enable-oslogin", value: "FALSE" }]) });
    await cloud.settle();
    expect(await enter()).toBe("in\n");
  });
});
