import type { Machine, MachineRoom } from "../machine-room.ts";
import { advance, volumesOf } from "./lifecycle.ts";
import type { FakeInstance, VerdaState } from "./state.ts";

interface Booted {
  readonly machine: Machine;
  isOn: boolean;
  /** Device names of the volumes that it sees. */
  readonly devices: Map<string, string>;
}

/** The machines of a fake cloud: what runs in the room, and the root disks that wait there for another machine. */
interface Occupants {
  readonly room: MachineRoom;
  readonly machines: Map<string, Booted>;
  /** By the id of the root volume. */
  readonly parked: Map<string, Machine>;
}

const ON = new Set(["running", "stopping", "deleting"]);

/** First boot of a new disk, or another boot of one that was kept; the startup script runs at the first one only. */
async function switchOn({ room, machines, parked }: Occupants, state: VerdaState, instance: FakeInstance): Promise<void> {
  const kept = parked.get(instance.osVolumeId);
  if (kept !== undefined) {
    parked.delete(instance.osVolumeId);
    await kept.reboot();
    machines.set(instance.id, { machine: kept, isOn: true, devices: new Map() });
    return;
  }
  const script = state.scripts.get(instance.startupScriptId ?? "")?.text ?? "#!/bin/sh\nexec sleep 1000000\n";
  const authorizedKeys = instance.sshKeyIds.flatMap((id) => state.sshKeys.get(id)?.text ?? []);
  const machine = await room.boot({ id: instance.id, kind: "vm", boot: { script }, authorizedKeys, mounts: [] });
  machines.set(instance.id, { machine, isOn: true, devices: new Map() });
}

async function leave(
  { machines, parked }: Occupants,
  state: VerdaState,
  instance: FakeInstance,
  { machine, devices }: Booted,
): Promise<void> {
  machines.delete(instance.id);
  await machine.halt();
  for (const device of devices.keys()) await machine.detach(device);
  if (state.volumes.get(instance.osVolumeId)?.deletedAt === null) parked.set(instance.osVolumeId, machine);
  else await machine.erase();
}

async function plug(state: VerdaState, instance: FakeInstance, { machine, devices }: Booted): Promise<void> {
  const wanted = new Map(
    volumesOf(state, instance)
      .filter(({ isOs, target }) => !isOs && target !== null)
      .map(({ id, target }) => [target ?? "", id]),
  );
  for (const [device, id] of [...devices]) {
    if (wanted.get(device) === id) continue;
    await machine.detach(device);
    devices.delete(device);
  }
  for (const [device, id] of wanted) {
    if (devices.has(device)) continue;
    await machine.attach(device, id);
    devices.set(device, id);
  }
}

async function follow(occupants: Occupants, state: VerdaState): Promise<void> {
  const { machines, parked } = occupants;
  for (const instance of state.instances.values()) {
    let booted = machines.get(instance.id);
    if (booted === undefined && instance.status === "running") {
      await switchOn(occupants, state, instance);
      booted = machines.get(instance.id);
    }
    if (booted === undefined) continue;
    if (instance.status === "discontinued") {
      await leave(occupants, state, instance, booted);
      continue;
    }
    if (booted.isOn && !ON.has(instance.status)) await booted.machine.halt();
    if (!booted.isOn && instance.status === "running") await booted.machine.reboot();
    booted.isOn = ON.has(instance.status);
    await plug(state, instance, booted);
    // The API has no field for a port. A machine of the room has one, and says so behind its address.
    if (booted.isOn) instance.ip = `${booted.machine.host}:${booted.machine.port}`;
  }
  for (const [id, machine] of parked) {
    if (state.volumes.get(id)?.deletedAt === null) continue;
    parked.delete(id);
    await machine.erase();
  }
}

/** Everything that is due, in the books and in the room, one caller after the other. */
export function settler(state: VerdaState, room: MachineRoom | undefined): () => Promise<void> {
  const occupants = room === undefined ? undefined : { room, machines: new Map<string, Booted>(), parked: new Map<string, Machine>() };
  let last: Promise<void> = Promise.resolve();
  return () => {
    const next = last.then(async () => {
      advance(state);
      if (occupants !== undefined) await follow(occupants, state);
    });
    last = next.catch(() => undefined);
    return next;
  };
}
