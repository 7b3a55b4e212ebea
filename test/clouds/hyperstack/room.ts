import type { MachineRoom } from "../machine-room.ts";
import type { Site, Vm } from "./site.ts";

const ON = new Set(["ACTIVE", "STOPPING", "HIBERNATING", "DELETING", "REBOOTING"]);

/** `/dev/vdb` as the room wants it: `vdb`. */
function short(device: string): string {
  return device.replace(/^\/dev\//, "");
}

async function power(vm: Vm, room: MachineRoom): Promise<void> {
  const wanted = !vm.gone && vm.status === "ACTIVE";
  const ended = vm.gone || vm.status === "DELETED" || vm.status === "DELETING";
  if (vm.machine === null) {
    if (!wanted) return;
    const order = { id: String(vm.id), kind: "vm" as const, authorizedKeys: [vm.keypair.publicKey], mounts: [] };
    vm.machine = { handle: await room.boot({ ...order, boot: { script: vm.userData } }), running: true, devices: new Map() };
    return;
  }
  if (ended) {
    const { handle } = vm.machine;
    vm.machine = null;
    await handle.halt();
    await handle.erase();
    return;
  }
  if (vm.machine.running && !ON.has(vm.status)) {
    await vm.machine.handle.halt();
    vm.machine.running = false;
  } else if (!vm.machine.running && wanted) {
    await vm.machine.handle.reboot();
    vm.machine.running = true;
  }
}

/** Makes the real machines follow the states of the cloud. */
export async function follow(site: Site, room: MachineRoom): Promise<void> {
  for (const vm of site.vms.values()) {
    await power(vm, room);
    const { machine } = vm;
    if (machine === null) continue;
    const attached = new Map<string, string>();
    for (const disk of site.disks.values())
      if (disk.attachment?.vmId === vm.id && ["ATTACHED", "RESERVED"].includes(disk.attachment.status))
        attached.set(short(disk.attachment.device), String(disk.id));
    for (const device of [...machine.devices.keys()])
      if (attached.get(device) !== machine.devices.get(device)) {
        await machine.handle.detach(device);
        machine.devices.delete(device);
      }
    if (!machine.running) continue;
    for (const [device, volumeId] of attached)
      if (!machine.devices.has(device)) {
        await machine.handle.attach(device, volumeId);
        machine.devices.set(device, volumeId);
      }
    if (vm.floatingIp !== null) vm.floatingIp = `${machine.handle.host}:${machine.handle.port}`;
  }
}

/** Everything that is due, in the books and in the room, one caller after the other. */
export function settler(site: Site, room: MachineRoom | null): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    const next = last.then(async () => {
      site.catchUp();
      if (room !== null) await follow(site, room);
    });
    last = next.catch(() => undefined);
    return next;
  };
}
