import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { deadlineBy } from "../../platform/clock.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { copyOf } from "../volumes/volumes.ts";
import { handOver } from "./moved-volume.ts";

/** What could not be brought now is tried again after so many milliseconds. */
const AGAIN_MS = 5_000;
/** For one that nobody gave a cap. */
const UNCAPPED_MS = 24 * 3_600_000;

/**
 * Brings the checkpoint for which its agent holds the workload back from the bucket to the volume that its machine has. What has
 * arrived of it stays, so that whoever comes after a crash goes on with the rest. No longer than its cap.
 * @returns after how many milliseconds to look again.
 * @throws Problem (exit 7) when it does not verify, and whatever else another try does not mend.
 */
export async function bringAwaited(
  fleet: Fleet,
  record: InstanceRecord,
  { reach }: ProviderInstance,
  signal: AbortSignal,
): Promise<number> {
  if (reach === null) return AGAIN_MS;
  const [used] = record.volumes;
  const [volume] = used === undefined ? [] : await fleet.state.volumes({ ids: [used.id] });
  const copy = volume === undefined ? undefined : await copyOf(fleet, volume);
  if (volume === undefined || copy?.source === undefined || copy.checkpoint === null || fleet.travel === undefined)
    throw new Problem({
      code: "SPOT_E_UNREADABLE",
      message: `${record.name} waits for a checkpoint, and nothing says from where it is to come`,
      exit: EXIT.failed,
      next: [`spot hibernate ${record.name}`],
    });
  const { checkpoint, source } = copy;
  const [home = volume] = await fleet.state.volumes({ ids: [copy.of] });
  fleet.say(`${record.name}: copying ${checkpoint} from ${source.place} to its machine in ${record.zone}; its workload waits for it`);
  const limit = deadlineBy(fleet.clock, signal, record.wakeBy === null ? UNCAPPED_MS : Math.max(0, record.wakeBy - fleet.clock.now()));
  const onArrived = () => settleName(fleet, record.id, volume);
  try {
    await fleet.travel.bring({ id: checkpoint, sha256: source.sha256 }, home, volume, limit.signal, { reach, onArrived });
  } catch (error) {
    signal.throwIfAborted();
    // Past its cap the next look puts it back to sleep.
    if (limit.isOver()) return 0;
    if (!(error instanceof Problem) || !error.retryable) throw error;
    fleet.say(`${record.name}: its checkpoint has not arrived yet (${error.message})`);
    return AGAIN_MS;
  } finally {
    limit.done();
  }
  return 0;
}

/** Written down before the checkpoint is sealed on its volume: its agent begins at that moment, and the work is there from then on. */
async function settleName(fleet: Fleet, id: string, { id: volume, zone }: VolumeRecord): Promise<void> {
  const record = await fleet.state.instance(id);
  if (record === undefined || record.volumes.length < 2) return;
  const { events, ...moved } = await handOver(fleet, record);
  const given = [...new Set([...(record.outlook.given ?? []), ...record.volumes.map((one) => one.id)])];
  const arrived = eventOf(fleet, record, "action", { action: "checkpoint-arrived", volume, zone });
  await changeRecord(
    fleet,
    record,
    { volumes: record.volumes.slice(0, 1), sealedAsleep: false, outlook: { ...record.outlook, given } },
    { ...moved, events: [...events, arrived] },
  );
}
