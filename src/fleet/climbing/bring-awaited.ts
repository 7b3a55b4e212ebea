import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { deadlineBy } from "../../platform/clock.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import { awaitsItsCopy } from "../deciding/decide.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord } from "../record-change.ts";
import { copyOf, type VolumeCopy } from "../volumes/volumes.ts";
import { noteArrived } from "./arrived.ts";

/** What could not be brought now is tried again after so many milliseconds. */
const AGAIN_MS = 5_000;
/** For one that nobody gave a cap. */
const UNCAPPED_MS = 24 * 3_600_000;
/** Whether it is still to run is looked up so often, in milliseconds: a copy may take an hour, and nobody waits for that to end it. */
const WANTED_MS = 3_000;

/**
 * Brings the checkpoint for which its agent holds the workload back from the bucket to the volume that its machine has, and gives
 * that volume the name once it is sealed there. What has arrived of it stays, so that whoever comes after a crash goes on with the
 * rest. No longer than its cap, and than it is wanted to run.
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
  const { volume, copy, checkpoint, source, travel } = await awaited(fleet, record);
  const [home = volume] = await fleet.state.volumes({ ids: [copy.of] });
  fleet.say(`${record.name}: copying ${checkpoint} from ${source.place} to its machine in ${record.zone}; its workload waits for it`);
  const limit = deadlineBy(fleet.clock, signal, record.wakeBy === null ? UNCAPPED_MS : Math.max(0, record.wakeBy - fleet.clock.now()));
  const wish = whileWanted(fleet, record.id, limit.signal);
  const onArrived = async () => {
    if (!(await markArrived(fleet, record.id, volume))) throw new Error(`${record.name} is not to run any more`);
  };
  try {
    await travel.bring({ id: checkpoint, sha256: source.sha256 }, home, volume, wish.signal, { reach, onArrived });
  } catch (error) {
    signal.throwIfAborted();
    // Past its cap the next look puts it back to sleep; one that is not to run is ended by it.
    if (limit.isOver() || !(await isWanted(fleet, record.id))) return 0;
    if (!(error instanceof Problem) || !error.retryable) throw error;
    fleet.say(`${record.name}: its checkpoint has not arrived yet (${error.message})`);
    return AGAIN_MS;
  } finally {
    wish.done();
    limit.done();
  }
  const now = await fleet.state.instance(record.id);
  if (now !== undefined && now.desired !== "gone") await noteArrived(fleet, now, reach, signal);
  return 0;
}

interface Awaited {
  readonly volume: VolumeRecord;
  readonly copy: VolumeCopy;
  readonly checkpoint: string;
  readonly source: NonNullable<VolumeCopy["source"]>;
  readonly travel: NonNullable<Fleet["travel"]>;
}

/** What its agent waits for, and where that goes. @throws Problem (exit 1) when nothing says from where it comes. */
async function awaited(fleet: Fleet, { name, volumes }: InstanceRecord): Promise<Awaited> {
  const [used] = volumes;
  const [volume] = used === undefined ? [] : await fleet.state.volumes({ ids: [used.id] });
  const copy = volume === undefined ? undefined : await copyOf(fleet, volume);
  const { travel } = fleet;
  if (volume !== undefined && copy?.source !== undefined && copy.checkpoint !== null && travel !== undefined)
    return { volume, copy, checkpoint: copy.checkpoint, source: copy.source, travel };
  throw new Problem({
    code: "SPOT_E_UNREADABLE",
    message: `${name} waits for a checkpoint, and nothing says from where it is to come`,
    exit: EXIT.failed,
    next: [`spot hibernate ${name}`],
  });
}

async function isWanted({ state }: Fleet, id: string): Promise<boolean> {
  return (await state.instance(id))?.desired === "running";
}

/** A signal that follows another one, and that ends as well when it is not to run any more. */
function whileWanted(fleet: Fleet, id: string, signal: AbortSignal): { readonly signal: AbortSignal; done(): void } {
  const unwanted = new AbortController();
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const watch = async () => {
    while (await isWanted(fleet, id)) await fleet.clock.sleep(WANTED_MS, until);
    unwanted.abort(new Error("it is not to run any more"));
  };
  // What ends the copy ends this too; a database that does not answer is met again by whoever writes.
  watch().catch(() => undefined);
  return { signal: AbortSignal.any([signal, unwanted.signal]), done: () => over.abort() };
}

/**
 * All has arrived and is about to be sealed, which is when its agent begins: from here on that volume may hold work of its own, and
 * that is written down first. Nobody deletes it as a copy, whatever becomes of this process.
 * @returns false when it is not to run any more, and nothing is to be sealed.
 */
async function markArrived(fleet: Fleet, id: string, { id: volume }: VolumeRecord): Promise<boolean> {
  const record = await fleet.state.instance(id);
  if (record?.desired !== "running") return false;
  const given = record.outlook.given ?? [];
  if (awaitsItsCopy(record) && !given.includes(volume))
    await changeRecord(fleet, record, { outlook: { ...record.outlook, given: [...given, volume] } });
  return true;
}
