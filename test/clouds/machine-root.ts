import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folders of a machine that has just been made. */
export function makeMachineRoot(root: string, authorizedKeys: readonly string[]): void {
  for (const folder of ["dev", "etc", "home", "mnt", "proc", "run", "tmp", "var/lib", "var/log"])
    mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(join(root, "root/.ssh"), { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "root/.ssh/authorized_keys"), authorizedKeys.map((key) => `${key.trim()}\n`).join(""), { mode: 0o600 });
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

/** What a machine forgets when its power goes: its mounts, and what lies in `run`. `shims` made the mounts. */
export function forgetBoot(root: string, shims: string): void {
  execFileSync("sh", [join(shims, "umount"), "-a"], { env: { PATH: process.env["PATH"] ?? "", SPOT_ROOT: root }, stdio: "ignore" });
  rmSync(join(root, "run"), { recursive: true, force: true });
  mkdirSync(join(root, "run"));
}
