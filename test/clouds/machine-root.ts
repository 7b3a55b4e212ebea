import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";

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

/** What a reboot forgets: mounts (links to a volume outside `dev`) become empty folders, and `run` is empty. */
export function unmountAll(root: string, volumes: string): void {
  const walk = (folder: string, left: readonly string[]) => {
    for (const name of readdirSync(folder)) {
      if (left.includes(name)) continue;
      const path = join(folder, name);
      const stat = lstatSync(path);
      if (stat.isDirectory()) walk(path, []);
      else if (stat.isSymbolicLink() && readlinkSync(path).startsWith(`${volumes}${sep}`)) {
        rmSync(path);
        mkdirSync(path);
      }
    }
  };
  walk(root, ["dev"]);
  rmSync(join(root, "run"), { recursive: true, force: true });
  mkdirSync(join(root, "run"));
}
