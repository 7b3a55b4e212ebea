import { cpSync, rmSync } from "node:fs";
import type { Clock } from "../../../src/platform/clock.ts";
import type { MachineRoom } from "../machine-room.ts";
import { startMetadata } from "../metadata/metadata.ts";
import type { MetadataService } from "../metadata/service.ts";
import { disksOf } from "./disks.ts";
import { stop } from "./instances.ts";
import type { Disk, Instance, Site } from "./site.ts";
import { serialOf } from "./views.ts";

const ON = new Set(["Running", "Stopping"]);

/** `/dev/xvdb` of the cloud is `vdb` to the kernel of a machine. */
function kernelName(disk: Disk): string {
  return (disk.device ?? "").replace(/^\/dev\/x/, "");
}

/** Null for a machine that was launched without one. */
async function metadataOf({ id, httpEndpoint, httpTokens }: Instance, clock: Clock): Promise<MetadataService | null> {
  return httpEndpoint === "disabled" ? null : startMetadata("alibaba", { clock, instanceId: id, tokens: httpTokens });
}

async function power(instance: Instance, room: MachineRoom, clock: Clock): Promise<void> {
  const isWanted = !instance.isGone && !instance.isEnding && instance.status === "Running";
  if (instance.machine === null) {
    if (!isWanted) return;
    const authorizedKeys = instance.keyPair === null ? [] : [instance.keyPair.publicKey];
    const metadata = await metadataOf(instance, clock);
    const order = { id: instance.id, kind: "vm" as const, authorizedKeys, mounts: [] };
    const boot = { script: instance.userData === "" ? "#!/bin/sh\n" : instance.userData };
    const handle = await room.boot({ ...order, boot, ...(metadata === null ? {} : { metadataUrl: metadata.url }) });
    instance.machine = { handle, running: true, devices: new Map(), metadata, toldEnd: null };
    return;
  }
  const { machine } = instance;
  if (instance.isGone || instance.isEnding) {
    instance.machine = null;
    await machine.handle.halt();
    await machine.handle.erase();
    await machine.metadata?.close();
    return;
  }
  if (machine.running && !ON.has(instance.status)) {
    await machine.handle.halt();
    machine.running = false;
  } else if (!machine.running && isWanted) {
    await machine.handle.reboot();
    machine.running = true;
  }
}

/** Whoever shuts his machine down from inside stops it, as the account's default has it. */
function heedPowerOff(site: Site, instance: Instance): void {
  if (instance.status === "Running" && !instance.isEnding && instance.machine?.running === true && instance.machine.handle.poweredOff())
    stop(site, instance, undefined);
}

/** Its metadata service says what the cloud has it say. */
function tell({ machine, terminationTime }: Instance): void {
  if (machine === null || machine.metadata === null || machine.toldEnd === terminationTime) return;
  machine.toldEnd = terminationTime;
  if (terminationTime === null) machine.metadata.withdraw();
  else machine.metadata.giveNotice(terminationTime);
}

async function followDisks(site: Site, instance: Instance): Promise<void> {
  const { machine } = instance;
  if (machine === null) return;
  const attached = new Map<string, Disk>();
  for (const disk of disksOf(site, instance)) if (disk.kind === "data" && disk.status === "In_use") attached.set(kernelName(disk), disk);
  for (const [device, id] of [...machine.devices])
    if (attached.get(device)?.id !== id) {
      await machine.handle.detach(device);
      machine.devices.delete(device);
    }
  if (!machine.running) return;
  for (const [device, disk] of attached)
    if (!machine.devices.has(device)) {
      await machine.handle.attach(device, disk.id, { serial: serialOf(disk) });
      machine.devices.set(device, disk.id);
    }
  // The API has no place for an SSH port: it is said behind the address.
  if (instance.publicIp !== null) instance.publicIp = `${machine.handle.host}:${machine.handle.port}`;
}

/** Everything that is due, in the books and in the room, one caller after the other. */
export function settler(site: Site, clock: Clock): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    const next = last.then(async () => {
      site.schedule.catchUp();
      const { room } = site;
      if (room === null) return;
      for (const instance of site.instances.values()) heedPowerOff(site, instance);
      site.schedule.catchUp();
      for (const instance of site.instances.values()) {
        await power(instance, room, clock);
        tell(instance);
        await followDisks(site, instance);
      }
    });
    last = next.catch(() => undefined);
    return next;
  };
}

/** What lies on disks, in the room's folders: a snapshot is a volume of its own that nobody attaches. */
export function contentsIn(room: MachineRoom | null): Site["contents"] {
  if (room === null) return { copy: () => undefined, erase: () => undefined };
  return {
    copy(from, to) {
      rmSync(room.volumeFolder(to), { recursive: true, force: true });
      cpSync(room.volumeFolder(from), room.volumeFolder(to), { recursive: true });
    },
    erase: (id) => room.eraseVolume(id),
  };
}
