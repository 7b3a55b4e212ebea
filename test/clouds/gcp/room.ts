import type { Clock } from "../../../src/platform/clock.ts";
import type { MachineRoom } from "../machine-room.ts";
import { startMetadata } from "../metadata/metadata.ts";
import { roomVolume } from "./content.ts";
import { guestTerminate } from "./preemption.ts";
import { type Site, type Vm, vmKey } from "./site.ts";

/** A machine runs during the soft-off too: that is its best effort. */
const ON = new Set(["RUNNING", "STOPPING", "SUSPENDING"]);

const metadataOf = (vm: Vm, key: string): string | undefined => vm.metadata.find((item) => item.key === key)?.value;

/** The keys of `ssh-keys`, one line a user; none of them where OS Login rules. */
function authorizedKeys(site: Site, vm: Vm): readonly string[] {
  const osLogin = metadataOf(vm, "enable-oslogin") ?? (site.switches.osLogin ? "TRUE" : "FALSE");
  if (osLogin.toUpperCase() === "TRUE") return [];
  return (metadataOf(vm, "ssh-keys") ?? "").split("\n").flatMap((line) => {
    const key = /^[a-z_][a-z0-9_-]*:(\S+ \S+.*)$/.exec(line.trim())?.[1];
    return key === undefined ? [] : [key];
  });
}

/** `sdb` and so on, after the boot disk. */
const kernelName = (index: number): string => `sd${String.fromCharCode(97 + index)}`;

async function boot(site: Site, vm: Vm, room: MachineRoom, clock: Clock): Promise<void> {
  const service = await startMetadata("gcp", { clock, instanceId: vm.id });
  const handle = await room.boot({
    id: vm.id,
    kind: "vm",
    authorizedKeys: authorizedKeys(site, vm),
    mounts: [],
    metadataUrl: service.url,
    // Every time it starts.
    everyBoot: true,
    boot: { script: metadataOf(vm, "startup-script") ?? "#!/bin/sh\n" },
  });
  vm.machine = { handle, service, running: true, devices: new Map(), flag: false };
}

async function power(site: Site, vm: Vm, room: MachineRoom, clock: Clock): Promise<void> {
  const wanted = !vm.gone && vm.status === "RUNNING";
  if (vm.machine === null) {
    if (wanted) await boot(site, vm, room, clock);
    return;
  }
  const { handle, service } = vm.machine;
  if (vm.gone) {
    vm.machine = null;
    await handle.halt();
    await handle.erase();
    await service.close();
  } else if (vm.machine.running && !ON.has(vm.status)) {
    await handle.halt();
    vm.machine.running = false;
  } else if (!vm.machine.running && wanted) {
    await attach(site, vm);
    await handle.reboot();
    vm.machine.running = true;
  }
}

/** Devices as the attachments say; the first boot has none before it, as a hot plug. */
async function attach(site: Site, vm: Vm): Promise<void> {
  const { machine } = vm;
  if (machine === null) return;
  const wanted = new Map(
    vm.attachments.flatMap(({ boot: isBoot, diskName, deviceName, index }) => {
      const disk = site.disks.get(vmKey(vm.zone, diskName));
      return isBoot || disk === undefined ? [] : [[kernelName(index), { volume: roomVolume(disk), deviceName }] as const];
    }),
  );
  for (const [device, volume] of [...machine.devices])
    if (wanted.get(device)?.volume !== volume) {
      await machine.handle.detach(device);
      machine.devices.delete(device);
    }
  for (const [device, { volume, deviceName }] of wanted)
    if (!machine.devices.has(device)) {
      await machine.handle.attach(device, volume, { byId: [`google-${deviceName}`] });
      machine.devices.set(device, volume);
    }
}

/** Makes the real machines follow the states of the cloud, and the cloud see what they do to themselves. */
async function follow(site: Site, room: MachineRoom, clock: Clock): Promise<void> {
  for (const vm of site.vms.values()) {
    await power(site, vm, room, clock);
    const { machine } = vm;
    if (machine === null) continue;
    if (machine.flag !== vm.preempted) {
      machine.flag = vm.preempted;
      if (vm.preempted) machine.service.giveNotice(clock.now());
      else machine.service.withdraw();
    }
    if (!machine.running) continue;
    await attach(site, vm);
    if (vm.natIp !== null) vm.natIp = `${machine.handle.host}:${machine.handle.port}`;
    if (vm.status === "RUNNING" && machine.handle.poweredOff()) guestTerminate(site, vm);
  }
}

/** Everything that is due, in the books and in the room, one caller after the other. */
export function settler(site: Site, clock: Clock): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    const next = last.then(async () => {
      site.catchUp();
      if (site.room !== null) await follow(site, site.room, clock);
    });
    last = next.catch(() => undefined);
    return next;
  };
}
