import { gunzipSync } from "node:zlib";
import type { Machine, MachineRoom } from "../machine-room.ts";
import { startMetadata } from "../metadata/metadata.ts";
import type { MetadataService } from "../metadata/service.ts";
import { shutDownFromInside } from "./instances.ts";
import { advance } from "./lifecycle.ts";
import type { AwsState, FakeInstance } from "./state.ts";

interface Booted {
  readonly machine: Machine;
  readonly metadata: MetadataService;
  isOn: boolean;
  /** Kernel names of the volumes that it sees, by their ids. */
  readonly devices: Map<string, string>;
  /** What its metadata has told so far. */
  told: { noticeAt: number | null; rebalanceAt: number | null };
}

export interface Occupants {
  readonly room: MachineRoom;
  readonly machines: Map<string, Booted>;
}

const ON = new Set(["running", "stopping", "shutting-down"]);
const NOTICE_MS = 120_000;

/** What cloud-init makes of user data: it unpacks gzip by itself. */
function userDataOf(order: URLSearchParams): string {
  const bytes = Buffer.from(order.get("UserData") ?? "", "base64");
  return (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("utf8");
}

async function boot({ room, machines }: Occupants, state: AwsState, instance: FakeInstance): Promise<void> {
  const behaviour = state.spotRequests.get(instance.spotRequestId ?? "")?.behaviour ?? "terminate";
  const metadata = await startMetadata("aws", {
    clock: state.clock,
    instanceId: instance.id,
    tokens: instance.order.get("MetadataOptions.HttpTokens") === "required" ? "required" : "optional",
    action: behaviour,
  });
  const script = userDataOf(instance.order);
  const machine = await room.boot({
    id: instance.id,
    kind: "vm",
    boot: { script: script === "" ? "#!/bin/sh\nexec sleep 1000000\n" : script },
    authorizedKeys: state.keys.get(`${instance.region} ${instance.order.get("KeyName")}`) ?? [],
    mounts: [],
    metadataUrl: metadata.url,
  });
  machines.set(instance.id, { machine, metadata, isOn: true, devices: new Map(), told: { noticeAt: null, rebalanceAt: null } });
}

/** On Nitro machines the kernel names disks as it likes; a volume is known by its serial number, its id without the dash. */
async function plug(state: AwsState, instance: FakeInstance, { machine, devices }: Booted): Promise<void> {
  const attached = [...state.volumes.values()].filter(
    ({ isRoot, attachment }) => !isRoot && attachment?.instanceId === instance.id && attachment.state !== "attaching",
  );
  for (const [id, device] of [...devices])
    if (!attached.some((volume) => volume.id === id)) {
      await machine.detach(device);
      devices.delete(id);
    }
  for (const { id } of attached) {
    if (devices.has(id)) continue;
    const taken = new Set(devices.values());
    const device = Array.from({ length: 30 }, (_, index) => `nvme${index + 1}n1`).find((name) => !taken.has(name)) ?? "nvme31n1";
    await machine.attach(device, id, { serial: id.replace("-", "") });
    devices.set(id, device);
  }
}

function tell(instance: FakeInstance, { metadata, told }: Booted): void {
  if (instance.noticeAt !== told.noticeAt) {
    if (instance.noticeAt !== null) metadata.giveNotice(instance.noticeAt + NOTICE_MS);
    told.noticeAt = instance.noticeAt;
  }
  if (instance.rebalanceAt === told.rebalanceAt) return;
  metadata.giveRebalance();
  told.rebalanceAt = instance.rebalanceAt;
}

async function leave({ machines }: Occupants, id: string, { machine, metadata, devices }: Booted): Promise<void> {
  machines.delete(id);
  await machine.halt();
  for (const device of devices.values()) await machine.detach(device);
  await machine.erase();
  await metadata.close();
}

async function follow(occupants: Occupants, state: AwsState): Promise<void> {
  const { machines } = occupants;
  for (const [id, booted] of [...machines]) {
    const instance = state.instances.get(id);
    // Forgotten already: more than an hour has passed since the last look.
    if (instance === undefined) await leave(occupants, id, booted);
    else if (booted.isOn && booted.machine.poweredOff()) await shutDownFromInside(state, instance);
  }
  for (const instance of state.instances.values()) {
    if (instance.state === "running" && !machines.has(instance.id)) await boot(occupants, state, instance);
    const booted = machines.get(instance.id);
    if (booted === undefined) continue;
    if (instance.state === "terminated") {
      await leave(occupants, instance.id, booted);
      continue;
    }
    if (booted.isOn && !ON.has(instance.state)) await booted.machine.halt();
    if (!booted.isOn && instance.state === "running") await booted.machine.reboot();
    booted.isOn = ON.has(instance.state);
    await plug(state, instance, booted);
    tell(instance, booted);
    // The API has no field for a port. A machine of the room has one, and says so behind its address.
    if (instance.state === "running") instance.address = `${booted.machine.host}:${booted.machine.port}`;
  }
}

export interface Settler {
  settle(): Promise<void>;
  /** Ends what the machines have besides themselves. */
  close(): Promise<void>;
}

/** Everything that is due, in the books and in the room, and whatever is to be done then, one caller after the other. */
export function settler(state: AwsState, room: MachineRoom | undefined): Settler {
  const occupants = room === undefined ? undefined : { room, machines: new Map<string, Booted>() };
  return {
    async settle() {
      await advance(state);
      if (occupants !== undefined) await follow(occupants, state);
    },
    async close() {
      for (const { metadata } of occupants?.machines.values() ?? []) await metadata.close();
    },
  };
}
