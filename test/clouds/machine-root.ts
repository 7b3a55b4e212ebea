import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** The folders of a machine that has just been made. */
export function makeMachineRoot(root: string, authorizedKeys: readonly string[]): void {
  for (const folder of ["dev", "etc", "home", "mnt", "proc", "run", "tmp", "var/lib", "var/log"])
    mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(join(root, "root/.ssh"), { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "root/.ssh/authorized_keys"), authorizedKeys.map((key) => `${key.trim()}\n`).join(""), { mode: 0o600 });
}

const POWERED_OFF = "powered-off";

/** What the machine's own `poweroff` is here: nothing dies of it, but the cloud can see that it was asked for. */
export function makePowerSwitch(root: string): void {
  mkdirSync(join(root, "sbin"), { recursive: true });
  writeFileSync(join(root, "sbin/poweroff"), `#!/bin/sh\n: >"\${SPOT_ROOT:?}/${POWERED_OFF}"\n`, { mode: 0o755 });
}

export function askedForPowerOff(root: string): boolean {
  return existsSync(join(root, POWERED_OFF));
}

/** Where the agent finds the metadata service that stands for the cloud's; only a machine with a root of its own looks there. */
export function writeMetadataAddress(root: string, url: string): void {
  writeFileSync(join(root, "metadata.env"), `SPOT_METADATA_URL=${url}\n`, { mode: 0o600 });
}

/** A volume that the cloud mounts: `path` is the volume's content. */
export function mountContainerVolume(path: string, volumeFolder: string): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { recursive: true, force: true });
  symlinkSync(join(volumeFolder, "files"), path);
}

function devicePath(root: string, device: string): string {
  if (!/^[a-z][a-z0-9]*$/.test(device)) throw new Error(`not a device's name: ${device}`);
  return join(root, "dev", device);
}

export function placeDevice(root: string, device: string, volumeFolder: string): void {
  const path = devicePath(root, device);
  rmSync(path, { force: true });
  symlinkSync(join(volumeFolder, "disk"), path);
}

export function removeDevice(root: string, device: string): void {
  rmSync(devicePath(root, device), { force: true });
}

/** What a disk is known by besides its name: its serial number, in `/sys/block/NAME`, and links in `/dev/disk/by-id`. */
export interface DiskNames {
  readonly serial?: string;
  readonly byId?: readonly string[];
}

export function placeDeviceName(root: string, device: string, names: DiskNames): void {
  devicePath(root, device);
  // A virtio disk says it itself, an NVMe disk's controller says it for it.
  const sys = join(root, "sys/block", device, device.startsWith("nvme") ? "device" : ".");
  mkdirSync(sys, { recursive: true });
  if (names.serial !== undefined) writeFileSync(join(sys, "serial"), `${names.serial}\n`);
  const folder = join(root, "dev/disk/by-id");
  mkdirSync(folder, { recursive: true });
  for (const name of names.byId ?? []) {
    const link = resolve(folder, name);
    if (dirname(link) !== folder) throw new Error(`not a name of a disk: ${name}`);
    rmSync(link, { force: true });
    symlinkSync(`../../${device}`, link);
  }
}

export function removeDeviceName(root: string, device: string): void {
  rmSync(join(root, "sys/block", device), { recursive: true, force: true });
  const folder = join(root, "dev/disk/by-id");
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (readlinkSync(join(folder, name)) === `../../${device}`) rmSync(join(folder, name));
}

/** What a machine forgets when its power goes: its mounts, and what lies in `run`. `shims` made the mounts. */
export function forgetBoot(root: string, shims: string): void {
  execFileSync("sh", [join(shims, "umount"), "-a"], { env: { PATH: process.env["PATH"] ?? "", SPOT_ROOT: root }, stdio: "ignore" });
  rmSync(join(root, "run"), { recursive: true, force: true });
  rmSync(join(root, POWERED_OFF), { force: true });
  mkdirSync(join(root, "run"));
}
