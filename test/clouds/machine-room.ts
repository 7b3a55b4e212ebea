import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { isMissing } from "../missing-program.ts";
import { type RunningMachine, sshLog, sshServer, startMachine } from "./machine-processes.ts";
import {
  askedForPowerOff,
  type DiskNames,
  forgetBoot,
  makeMachineRoot,
  makePowerSwitch,
  mountContainerVolume,
  placeDevice,
  placeDeviceName,
  removeDevice,
  removeDeviceName,
  writeMetadataAddress,
} from "./machine-root.ts";

export interface MachineOrder {
  readonly id: string;
  readonly kind: "vm" | "container";
  /** vm: the user data (runs as root at the first boot). container: what the cloud was told to start. */
  readonly boot: { readonly script: string } | { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> };
  readonly authorizedKeys: readonly string[];
  /** container: volumes as the cloud mounts them (folder of the volume, by `volumeFolder`). */
  readonly mounts: readonly { readonly path: string; readonly volumeId: string }[];
  /** vm: where its metadata service is (`startMetadata`); it stands for http://169.254.169.254 and its like. */
  readonly metadataUrl?: string;
  /** vm: the cloud starts the script at every boot (a startup script), not at the first one only (cloud-init's user data). */
  readonly everyBoot?: boolean;
}

/** A machine with a root folder, real processes and a real sshd on loopback. Host, port and user are those of the last boot. */
export interface Machine {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Its root file system, for tests that look inside. */
  readonly root: string;
  /** How many connections its sshd has accepted since the machine was made. */
  connections(): number;
  /** The command lines of all that runs in it now. */
  processes(): readonly string[];
  /** vm: whether it has asked to be powered off since it booted. Nothing dies of that here: `halt` it. */
  poweredOff(): boolean;
  /**
   * vm: a block device appears, e.g. "vdb"; its content is the volume's. `names`: what else it is known by: its serial number
   * (/sys/block/vdb/serial), and names in /dev/disk/by-id.
   */
  attach(device: string, volumeId: string, names?: DiskNames): Promise<void>;
  detach(device: string): Promise<void>;
  /** Power off: every process dies, the root folder stays. */
  halt(): Promise<void>;
  /** Boots again on the same root folder: a vm starts what its service manager knows, i.e. `var/lib/spot/agent.sh run`. New port. */
  reboot(): Promise<void>;
  erase(): Promise<void>;
}

/** Where fake clouds run real machines. Volumes outlive machines; `close` leaves nothing behind. */
export interface MachineRoom {
  boot(order: MachineOrder): Promise<Machine>;
  /** Holds `disk`, the device as a file, and `files`, what is on it. Made at the first call. */
  volumeFolder(volumeId: string): string;
  eraseVolume(volumeId: string): void;
  close(): Promise<void>;
}

/** Enough for a blank first and last MiB with something between. The file has holes, so it takes no space. */
const DISK_BYTES = 16 * 1024 * 1024;
const SHIMS = fileURLToPath(new URL("shims", import.meta.url));

/** False where no sshd is installed; whoever needs a machine room then skips, and says so. */
export function machineRoomAvailable(): boolean {
  if (sshServer() !== undefined) return true;
  isMissing("sshd", "machines behind SSH");
  return false;
}

function inside(folder: string, name: string): string {
  const path = resolve(folder, name);
  if (!path.startsWith(`${folder}${sep}`)) throw new Error(`not a name for a folder: ${name}`);
  return path;
}

/** What the first boot of a machine starts, or a later one. A cloud-init runs its user data once. */
function mainProcess(
  order: MachineOrder,
  root: string,
  boot: "first" | "again",
): { argv: readonly string[] | null; env: Readonly<Record<string, string>> } {
  if (order.kind === "container") {
    if (!("argv" in order.boot)) throw new Error("a container is told what to start");
    return order.boot;
  }
  if (!("script" in order.boot)) throw new Error("a vm is given user data");
  if (boot === "first" || order.everyBoot === true) {
    if (!order.boot.script.startsWith("#!")) throw new Error("cloud-init runs only user data that begins with #!");
    const folder = join(root, "var/lib/cloud/instance/scripts");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "part-001"), order.boot.script, { mode: 0o700 });
    return { argv: [join(folder, "part-001")], env: {} };
  }
  const agent = join(root, "var/lib/spot/agent.sh");
  // As the unit of a service manager would: appended to the console log.
  const start = 'exec sh "$0" run >>"$SPOT_ROOT/var/lib/spot/console.log" 2>&1';
  return { argv: existsSync(agent) ? ["/bin/sh", "-c", start, agent] : null, env: {} };
}

export async function machineRoom(): Promise<MachineRoom> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "spot-room-")));
  for (const name of ["machines", "volumes"]) mkdirSync(join(base, name));
  const volumes = join(base, "volumes");
  const machines = new Set<Machine>();
  let count = 0;
  const volumeFolder = (volumeId: string): string => {
    const folder = inside(volumes, volumeId);
    mkdirSync(join(folder, "files"), { recursive: true });
    const disk = join(folder, "disk");
    writeFileSync(disk, "", { flag: "a" });
    truncateSync(disk, DISK_BYTES);
    return folder;
  };

  const boot = async (order: MachineOrder): Promise<Machine> => {
    count += 1;
    const home = join(base, "machines", String(count));
    const root = join(home, "root");
    makeMachineRoot(root, order.authorizedKeys);
    for (const { path, volumeId } of order.mounts) mountContainerVolume(inside(root, `./${path}`), volumeFolder(volumeId));
    if (order.kind === "vm") makePowerSwitch(root);
    if (order.metadataUrl !== undefined) writeMetadataAddress(root, order.metadataUrl);
    const start = (time: "first" | "again") => startMachine({ home, root, shims: SHIMS, ...mainProcess(order, root, time) });
    let running: RunningMachine | undefined = await start("first");
    let last = running.address;
    const halt = async () => {
      if (running === undefined) return;
      await running.kill();
      running = undefined;
      if (order.kind === "vm") forgetBoot(root, SHIMS);
    };
    const machine: Machine = {
      get host() {
        return last.host;
      },
      get port() {
        return last.port;
      },
      get user() {
        return last.user;
      },
      root,
      connections: () => sshLog(home).match(/Accepted (?:publickey|password) for/g)?.length ?? 0,
      processes: () => running?.commandLines() ?? [],
      poweredOff: () => askedForPowerOff(root),
      async attach(device, volumeId, names = {}) {
        placeDeviceName(root, device, names);
        placeDevice(root, device, volumeFolder(volumeId));
      },
      async detach(device) {
        removeDevice(root, device);
        removeDeviceName(root, device);
      },
      halt,
      async reboot() {
        await halt();
        running = await start("again");
        last = running.address;
      },
      async erase() {
        await halt();
        machines.delete(machine);
        rmSync(home, { recursive: true, force: true, maxRetries: 3 });
      },
    };
    machines.add(machine);
    return machine;
  };

  return {
    boot,
    volumeFolder,
    eraseVolume: (volumeId) => rmSync(inside(volumes, volumeId), { recursive: true, force: true }),
    async close() {
      await Promise.all([...machines].map((machine) => machine.erase()));
      rmSync(base, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
