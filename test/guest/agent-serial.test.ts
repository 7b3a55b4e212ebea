import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { parseGuestError, parseVolumeResult } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { DiskNames } from "../clouds/machine-root.ts";
import { eventually, KINDS, type MachineOptions } from "./machine.ts";
import { DISK_BYTES, makeRented, type Rented, VM } from "./rented.ts";

async function waiting({ onTestFinished }: TestContext, options: MachineOptions = {}): Promise<Rented> {
  const machine = makeRented(VM, options);
  onTestFinished(() => machine.close());
  machine.boot({ command: ["sleep", "1000"] });
  await eventually("a status", async () => ((await machine.verb("status")).stdout.includes('"awaits":"volume"') ? true : undefined));
  return machine;
}

const EBS = "vol0123456789abcdef0";
/** What an instance of EC2 has besides: its root disk and a scratch disk that is as blank as a new volume. */
function others(machine: Rented): void {
  machine.attach("nvme0n1", machine.disk(), {
    serial: "vol0fffffffffffffff0",
    byId: [`nvme-Amazon_Elastic_Block_Store_vol0fffffffffffffff0`],
  });
  machine.attach("nvme2n1", machine.disk(), { serial: "AWS22A3B4C5D6E7F8A9B" });
}
const BLANK = Buffer.alloc(DISK_BYTES);
const untouched = (machine: Rented, name: string) => readFileSync(join(machine.root, "dev", name)).equals(BLANK);

// Much of it is waiting.
describe.concurrent("the disk that says a serial number", { timeout: 120_000 }, () => {
  test.for(KINDS)(
    "with $name the disk that says the serial number is the volume, and no other is touched",
    async ({ options }, context) => {
      const machine = await waiting(context, options);
      others(machine);
      const answer = machine.verb("volume", `serial:${EBS}`);
      await systemClock.sleep(500);
      machine.attach("nvme1n1", machine.disk(), { serial: EBS });
      expect(parseVolumeResult((await answer).stdout)).toEqual({ mounted: true, device: "/dev/nvme1n1", formatted: true });
      for (const name of ["nvme0n1", "nvme2n1"]) expect(untouched(machine, name)).toBe(true);
    },
  );

  const told: readonly [string, string, DiskNames, string][] = [
    ["with its dash, and blanks behind it", "vol-0123456789abcdef0", { serial: `${EBS}   ` }, "nvme1n1"],
    [
      "by a name of udev's only",
      EBS,
      { byId: [`nvme-Amazon_Elastic_Block_Store_${EBS}`, `nvme-Amazon_Elastic_Block_Store_${EBS}_1`] },
      "nvme1n1",
    ],
    ["by both", EBS, { serial: EBS, byId: [`nvme-Amazon_Elastic_Block_Store_${EBS}`] }, "nvme1n1"],
    ["that virtio has cut", "bp1a2b3c4d5e6f7g8h9ijkl", { serial: "bp1a2b3c4d5e6f7g8h9i" }, "vdb"],
    ["of Alibaba's", "bp1a2b3c4d5e6f7g8h9i", { serial: "bp1a2b3c4d5e6f7g8h9i", byId: ["virtio-bp1a2b3c4d5e6f7g8h9i"] }, "vdb"],
  ];
  test.for(told)("a serial number %s is found", async ([, wanted, names, name], context) => {
    const machine = await waiting(context);
    others(machine);
    machine.attach(name, machine.disk(), names);
    expect(parseVolumeResult((await machine.verb("volume", `serial:${wanted}`)).stdout)).toMatchObject({
      device: `/dev/${name}`,
      formatted: true,
    });
  });

  test("two disks that say the same serial number are nobody's", async (context) => {
    const machine = await waiting(context, KINDS.at(-1)?.options);
    machine.attach("nvme1n1", machine.disk(), { serial: EBS });
    machine.attach("nvme1n2", machine.disk(), { serial: EBS });
    const result = await machine.verb("volume", `serial:${EBS}`);
    expect(result.code).toBe(7);
    expect(parseGuestError(result.stdout)).toBe(`/dev/nvme1n1 and /dev/nvme1n2 both say the serial number ${EBS}; nothing was changed`);
    for (const name of ["nvme1n1", "nvme1n2"]) expect(untouched(machine, name)).toBe(true);
  });

  test("a longer number, a partition and a name without a disk are not the volume", async (context) => {
    const machine = await waiting(context);
    const wanted = "vol0123456789abcdef";
    machine.attach("nvme1n1", machine.disk(), { serial: EBS, byId: [`nvme-Amazon_Elastic_Block_Store_${EBS}`, `x-${wanted}-part1`] });
    // A partition has a name, and no folder of its own among the disks.
    machine.attach("nvme3n1p1", machine.disk());
    mkdirSync(join(machine.root, "sys/block/nvme9n1/device"), { recursive: true });
    writeFileSync(join(machine.root, "sys/block/nvme9n1/device/serial"), wanted);
    const answer = machine.verb("volume", `serial:${wanted}`);
    await systemClock.sleep(1500);
    expect(existsSync(join(machine.root, "run/spot/volume"))).toBe(false);
    machine.attach("nvme4n1", machine.disk(), { serial: wanted });
    expect(parseVolumeResult((await answer).stdout).device).toBe("/dev/nvme4n1");
    expect(untouched(machine, "nvme1n1")).toBe(true);
  });

  test("Compute Engine's names lead to the disk's own", async (context) => {
    const machine = await waiting(context);
    machine.attach("sdb", machine.disk(), { byId: ["google-spot-data", "scsi-0Google_PersistentDisk_spot-data"] });
    machine.attach("nvme0n1", machine.disk(), { byId: ["google-local-nvme-ssd-0"] });
    expect(parseVolumeResult((await machine.verb("volume", "/dev/disk/by-id/google-spot-data")).stdout)).toEqual({
      mounted: true,
      device: "/dev/sdb",
      formatted: true,
    });
    expect(untouched(machine, "nvme0n1")).toBe(true);
  });

  test.for(["serial:", "serial:abc", "serial:a b c d", "serial:*****", "serial:$(reboot)"])("%j is no disk", async (device, context) => {
    const machine = await waiting(context);
    machine.attach("vdb", machine.disk(), { serial: "abc" });
    const result = await machine.verb("volume", device);
    expect([result.code, parseGuestError(result.stdout)]).toEqual([7, `not a device: ${device}`]);
  });
});
