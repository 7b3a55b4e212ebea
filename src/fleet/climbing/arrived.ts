import type { Reach } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { awaitsItsCopy } from "../deciding/decide.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { syncCheckpoints } from "../volumes/checkpoint-sync.ts";
import { leaveRoot } from "../volumes/root-volume.ts";
import { handOver } from "./moved-volume.ts";

/**
 * The checkpoint for which its workload was held back is sealed on the volume that its machine has: that volume has the name from
 * now on, because its work goes on there. Nothing where it has it already. `reach`: its machine, which says what is sealed there.
 * @throws RecordMoved when somebody else changed the record meanwhile.
 */
export async function noteArrived(fleet: Fleet, record: InstanceRecord, reach: Reach | null, signal: AbortSignal): Promise<void> {
  const [used] = record.volumes;
  if (used === undefined || !awaitsItsCopy(record)) return;
  const { events, ...moved } = await handOver(fleet, record);
  const [volume] = await fleet.state.volumes({ ids: [used.id] });
  const given = [...new Set([...(record.outlook.given ?? []), ...record.volumes.map(({ id }) => id)])];
  const arrived = eventOf(fleet, record, "action", { action: "checkpoint-arrived", volume: used.id, zone: volume?.zone ?? record.zone });
  const left = await leaveRoot(fleet, record);
  await changeRecord(
    fleet,
    record,
    { ...left.set, volumes: [used], sealedAsleep: false, outlook: { ...record.outlook, given } },
    { ...moved, events: [...events, arrived, ...left.events] },
  );
  const [named] = await fleet.state.volumes({ ids: [used.id] });
  if (named === undefined || reach === null) return;
  // The catalogue has it by its name from here on; what cannot be read now is read later.
  await syncCheckpoints(fleet, named, signal, reach).catch(() => signal.throwIfAborted());
}
