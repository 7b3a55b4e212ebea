import type { InstanceRecord, NewEvent, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { eventOf } from "../record-change.ts";
import { userOf } from "../volumes/volume-use.ts";
import { copyOf } from "../volumes/volumes.ts";

/** The copies of its volume that were made for this record on a way back, that no machine was given and that nobody uses. */
async function copiesLeft(fleet: Fleet, record: InstanceRecord): Promise<readonly VolumeRecord[]> {
  const had = new Set([...record.volumes.map(({ id }) => id), ...(record.outlook.given ?? [])]);
  const left: VolumeRecord[] = [];
  for (const volume of await fleet.state.volumes()) {
    if (had.has(volume.id) || volume.providerId === null || volume.createdAt < record.createdAt) continue;
    const copy = await copyOf(fleet, volume);
    if (copy !== undefined && had.has(copy.of) && (await userOf(fleet, volume)) === undefined) left.push(volume);
  }
  return left;
}

/** Says at the end of a way back which copies of its volume go on billing, and returns that as an event. Deletes nothing. */
export async function sayCopiesLeft(fleet: Fleet, record: InstanceRecord): Promise<readonly NewEvent[]> {
  if (record.outlook.comeback == null) return [];
  const left = await copiesLeft(fleet, record);
  if (left.length === 0) return [];
  const names = left.map(({ name, zone }) => `${name} (${zone})`).join(", ");
  const remove = left.map(({ name }) => `spot volumes rm ${name}`).join("; ");
  fleet.say(`${record.name}: copies of its volume that no machine has go on billing: ${names}: ${remove}`);
  return [eventOf(fleet, record, "action", { action: "copies-left", volumes: left.map(({ name }) => name) })];
}
