import type { Checkpoint } from "../../model/checkpoint.ts";
import type { Change, InstanceRecord, NewEvent, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { copyOf, volumeNamed } from "../volumes/volumes.ts";
import { hasOwnSnapshot } from "./own-snapshot.ts";
import { freeName } from "./twins.ts";

/** The volume that a record's machine is ordered with, where it is another one than the one of that name. */
async function otherVolume(fleet: Fleet, { volumes, spec }: InstanceRecord): Promise<VolumeRecord | undefined> {
  const [used] = volumes;
  if (used === undefined || spec.volume === null) return undefined;
  const [volume] = await fleet.state.volumes({ ids: [used.id] });
  return volume === undefined || volume.name === used.name ? undefined : volume;
}

/** Where the name of a volume stays where it is. */
export const NOT_MOVED = { volumes: [], checkpoints: [], removeCheckpoints: [], events: [] };

/** Whether its machine is to have a volume that begins empty, and that does not hold its work yet. */
export async function awaitsCopy(fleet: Fleet, record: InstanceRecord): Promise<boolean> {
  const other = await otherVolume(fleet, record);
  return other !== undefined && (await copyOf(fleet, other))?.source !== undefined;
}

/**
 * What becomes true with a machine that has a copy of its volume: the copy has the name from now on, because its work goes on
 * there, and the volume before it is kept under a name of its own. Nothing where the machine has the volume itself.
 */
export async function handOver(
  fleet: Fleet,
  record: InstanceRecord,
): Promise<Required<Pick<Change, "volumes" | "checkpoints" | "removeCheckpoints" | "events">>> {
  const copy = await otherVolume(fleet, record);
  const name = record.spec.volume?.name;
  if (copy === undefined || name === undefined) return NOT_MOVED;
  const before = await volumeNamed(fleet, name);
  if (before === undefined) return { ...NOT_MOVED, volumes: [{ ...copy, name }] };
  const taken = new Set((await fleet.state.volumes()).map((volume) => volume.name));
  const kept = freeName(`${name}-${before.zone}`, taken);
  const sealed = await fleet.state.checkpoints({ volume: name });
  const promised = await copyOf(fleet, copy);
  // What was sealed there before it got the name, and what was put there.
  const onCopy = await fleet.state.checkpoints({ volume: copy.name });
  const there = new Set([promised?.checkpoint, ...onCopy.map(({ id }) => id)]);
  const isOn = ({ id }: Checkpoint) => promised === undefined || promised.snapshot !== null || there.has(id);
  const at = fleet.clock.now();
  const moved: NewEvent = {
    at,
    type: "action",
    instance: record.name,
    provider: copy.provider,
    data: { action: "volume-moved", volume: name, from: before.zone, to: copy.zone, kept, providerId: copy.providerId },
  };
  fleet.say(
    `${record.name}: ${name} is the volume in ${copy.provider} ${copy.zone} from now on; the one in ${before.zone} is kept as ${kept} and goes on billing: spot volumes rm ${kept}`,
  );
  const snapshot = promised?.snapshot ?? null;
  if (snapshot !== null && !(await hasOwnSnapshot(fleet, record)))
    fleet.say(`${record.name}: the snapshot ${snapshot}, from which it was made, stays and bills: spot volumes snapshot --rm ${snapshot}`);
  return {
    volumes: [
      { ...before, name: kept },
      { ...copy, name },
    ],
    checkpoints: [
      ...sealed.map((checkpoint) => ({ ...checkpoint, volume: kept })),
      ...onCopy.map((checkpoint) => ({ ...checkpoint, volume: name })),
    ],
    removeCheckpoints: [...sealed.filter((one) => !isOn(one)), ...onCopy],
    events: [moved],
  };
}

/** The volumes of a record whose launch came to nothing: the one of its spec again, where a copy was to be tried. */
export async function volumesAgain(fleet: Fleet, record: InstanceRecord): Promise<Partial<Pick<InstanceRecord, "volumes">>> {
  const { volume } = record.spec;
  const other = await otherVolume(fleet, record);
  if (volume === null || other === undefined) return {};
  // Its agent may have begun at that very moment, and sealed something of which nobody has heard.
  if (record.outlook.given?.includes(other.id) === true && (await copyOf(fleet, other))?.source !== undefined)
    fleet.say(
      `${record.name}: all of its checkpoint had arrived on ${other.name} in ${other.zone}, and nobody knows whether its work has gone on there: that volume stays and bills, and a machine there goes on from what it holds`,
    );
  const home = await volumeNamed(fleet, volume.name);
  return { volumes: home === undefined ? [] : [{ name: home.name, id: home.id, mount: volume.mount }] };
}
