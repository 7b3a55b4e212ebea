import { prunableBytes, pruneSealed } from "../../checkpoints/prune.ts";
import { type Retainable, type RetentionRow, type RetentionRules, retain } from "../../checkpoints/retention.ts";
import type { Checkpoint } from "../../model/checkpoint.ts";
import { EXIT } from "../../model/exit-codes.ts";
import type { InstanceState } from "../../model/instance.ts";
import { Problem } from "../../model/problem.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import { isUp } from "../deciding/decide.ts";
import type { Fleet } from "../fleet.ts";
import { reachOf } from "../reach.ts";
import type { CheckpointDoor } from "./checkpoint-door.ts";
import { type CheckpointPlace, checkpointPlace } from "./checkpoint-place.ts";
import { checkpointsRead } from "./checkpoint-reading.ts";
import { syncCheckpoints } from "./checkpoint-sync.ts";
import { withVolume } from "./volumes.ts";

/** A checkpoint as the rules weigh it: each instance keeps its own. */
export interface PrunableCheckpoint extends Retainable {
  readonly checkpoint: Checkpoint;
}

/** What pruning would do on one volume. */
export interface PrunePlan {
  readonly volume: VolumeRecord;
  /** Newest first. */
  readonly rows: readonly RetentionRow<PrunableCheckpoint>[];
  /** Bytes of disk that are free when what goes has gone. */
  readonly freed: number;
  /** What does not verify although it is the newest, or newer than what does. */
  readonly damaged: readonly Checkpoint[];
}

export interface PruneOrder {
  readonly rules: RetentionRules;
  /** Only checkpoints of these instances; null for all. */
  readonly instances: ReadonlySet<string> | null;
  readonly door: Pick<CheckpointDoor, "prune" | "verify">;
}

/** States in which a machine is on its way up. */
const COMING: readonly InstanceState[] = ["requested", "provisioning", "restoring"];
/** States in which there is no machine, or it does not run. */
const AT_REST: readonly InstanceState[] = ["hibernated", "stopped", "gone", "failed"];

/** The living record whose machine has a volume, or is asked for with it. */
async function machineOn({ state }: Fleet, volume: VolumeRecord): Promise<InstanceRecord | undefined> {
  const records = (await state.instances()).filter(({ volumes }) => volumes.some(({ id }) => id === volume.id));
  const asked = new Set((await state.pendingIntents()).flatMap(({ kind, instanceId }) => (kind === "launch" ? [instanceId] : [])));
  return records.find(({ id, providerId, state: now, outlook }) => {
    if (providerId !== null) return !AT_REST.includes(now);
    // One that waits for capacity, for hours perhaps, has no machine and asks for none meanwhile.
    return COMING.includes(now) && (outlook.waiting === null || asked.has(id));
  });
}

/**
 * Where to prune: through the machine that has the volume, for only its agent knows what it is at; and directly where this
 * computer sees the volume and no machine has it.
 * @throws Problem when neither can be done now.
 */
async function prunePlace(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<CheckpointPlace> {
  const record = await machineOn(fleet, volume);
  if (record === undefined) return checkpointPlace(fleet, volume, signal);
  if (isUp(record)) return { kind: "machine", reach: await reachOf(fleet, record, signal) };
  throw new Problem({
    code: "SPOT_E_IN_USE",
    message: `volume ${volume.name} ${record.providerId === null ? "is to be" : "is"} in the machine of ${record.name}, which is ${record.state}`,
    exit: EXIT.failed,
    hint: "checkpoints are removed while a machine runs, or while none has the volume",
    next: COMING.includes(record.state) ? [`spot wait ${record.name} --for running`] : ["spot reconcile", `spot show ${record.name}`],
    retryable: true,
  });
}

/** Of each instance the checkpoint with the greatest id: the one that an agent would put back. */
function headsOf(sealed: readonly Checkpoint[]): ReadonlyMap<string, string> {
  const heads = new Map<string, string>();
  for (const { id, instance } of sealed) if (id > (heads.get(instance) ?? "")) heads.set(instance, id);
  return heads;
}

/** Where a clock went backwards, the one that says to be the newest is another one than the one to begin from. @returns why, by id. */
export function beginnings(sealed: readonly Checkpoint[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [instance, id] of headsOf(sealed)) {
    const own = sealed.filter((checkpoint) => checkpoint.instance === instance);
    const head = own.find((checkpoint) => checkpoint.id === id);
    if (own.some(({ createdAt }) => createdAt > (head?.createdAt ?? 0))) found.set(id, `what ${instance} begins from next`);
  }
  return found;
}

/** What must stay whatever the rules say: what is read now, and what a living machine was put back from. */
async function usedNow(
  fleet: Fleet,
  volume: VolumeRecord,
  sealed: readonly Checkpoint[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const used = new Map([...(await checkpointsRead(fleet)), ...beginnings(sealed)]);
  const record = await machineOn(fleet, volume);
  if (record === undefined || !isUp(record)) return used;
  const report = await fleet.guest.report(await reachOf(fleet, record, signal), signal);
  if (report?.restoredFrom != null) used.set(report.restoredFrom, `${record.name} began from it`);
  return used;
}

/**
 * Nothing of an instance goes before one that stays has been read again, every byte: the rules know times and no contents, and
 * what they would keep may be the damaged one. Where the newest does not verify, the next older one that does stays as well;
 * where none does, all stay.
 */
export async function keepWhole(
  rows: readonly RetentionRow<PrunableCheckpoint>[],
  isWhole: (checkpoint: Checkpoint) => Promise<boolean>,
): Promise<Pick<PrunePlan, "rows" | "damaged">> {
  const saved = new Map<string, string>();
  const damaged: Checkpoint[] = [];
  for (const group of new Set(rows.filter(({ kept }) => !kept).map(({ item }) => item.group))) {
    const own = rows.filter(({ item }) => item.group === group);
    const bad: Checkpoint[] = [];
    let whole: string | undefined;
    for (const { item } of own) {
      if (await isWhole(item.checkpoint)) {
        whole = item.id;
        break;
      }
      bad.push(item.checkpoint);
    }
    damaged.push(...bad);
    if (whole === undefined) for (const { item } of own) saved.set(item.id, "no newer one verifies");
    else if (bad.length > 0) saved.set(whole, "the newest that verifies");
  }
  const kept = rows.map((row) => {
    const why = saved.get(row.item.id);
    return why === undefined ? row : { ...row, kept: true, because: [...row.because, why] };
  });
  return { rows: kept, damaged };
}

const goes = (rows: PrunePlan["rows"]): readonly string[] => rows.flatMap(({ kept, item }) => (kept ? [] : [item.id])).toReversed();

/** What would go from one volume, and why the rest stays. Nothing is changed. @throws Problem when it cannot be read now. */
export async function planPrune(fleet: Fleet, volume: VolumeRecord, order: PruneOrder, signal: AbortSignal): Promise<PrunePlan> {
  const sealed = (await syncCheckpoints(fleet, volume, signal)) ?? [];
  const items = sealed.map(
    (checkpoint): PrunableCheckpoint => ({
      id: checkpoint.id,
      createdAt: checkpoint.createdAt,
      group: checkpoint.instance,
      checkpoint,
    }),
  );
  const place = await prunePlace(fleet, volume, signal);
  const { instances, rules } = order;
  const weighed = retain(items, rules, fleet.clock.now(), await usedNow(fleet, volume, sealed, signal)).filter(
    ({ item }) => instances === null || instances.has(item.group),
  );
  const { rows, damaged } = await keepWhole(weighed, async (checkpoint) => {
    fleet.say(`reading ${checkpoint.id} again, before anything older goes`);
    return (await order.door.verify(place, checkpoint, signal)).length === 0;
  });
  const ids = goes(rows);
  if (ids.length === 0) return { volume, rows, damaged, freed: 0 };
  if (place.kind === "here") return { volume, rows, damaged, freed: await prunableBytes(place.path, ids, signal) };
  return { volume, rows, damaged, freed: (await order.door.prune(place.reach, ids, true, signal)).freed };
}

/** What pruning did on one volume. */
export interface PruneOutcome {
  readonly pruned: readonly string[];
  /** Bytes of disk. */
  readonly freed: number;
  /** What was to go and stays, by id, with why: somebody has begun to read it since the plan was made. */
  readonly spared: ReadonlyMap<string, string>;
}

/**
 * Does what a plan says, oldest first, under the volume's lease: what is being read by now is spared. The catalogue follows, and
 * an event for each instance, and one for the volume where there are several.
 * @throws Problem (exit 7) when one of them is the newest by now, or in use on its machine: then none goes.
 */
export async function carryOutPrune(
  fleet: Fleet,
  plan: PrunePlan,
  door: Pick<CheckpointDoor, "prune">,
  signal: AbortSignal,
): Promise<PruneOutcome> {
  return withVolume(fleet, plan.volume.name, signal, async (held, until) => {
    const read = await checkpointsRead(held);
    const wanted = goes(plan.rows);
    const spared = new Map(wanted.flatMap((id) => (read.has(id) ? [[id, read.get(id) ?? ""] as const] : [])));
    const ids = wanted.filter((id) => !spared.has(id));
    if (ids.length === 0) return { pruned: [], freed: 0, spared };
    const place = await prunePlace(held, plan.volume, until);
    const { pruned, freed } =
      place.kind === "here" ? await pruneSealed(place.path, ids, until) : await door.prune(place.reach, ids, false, until);
    await noteWhatWent(held, plan, new Set(pruned), freed);
    return { pruned, freed, spared };
  });
}

async function noteWhatWent(fleet: Fleet, { volume, rows }: PrunePlan, pruned: ReadonlySet<string>, freed: number): Promise<void> {
  const gone = rows.filter(({ item }) => pruned.has(item.id)).map(({ item }) => item.checkpoint);
  const at = fleet.clock.now();
  const told = { action: "checkpoints-prune", volume: volume.name };
  const common = { at, type: "action" as const, provider: volume.provider };
  const instances = [...new Set(gone.map(({ instance }) => instance))];
  const each = instances.map((instance) => {
    const checkpoints = gone.filter((checkpoint) => checkpoint.instance === instance).map(({ id }) => id);
    return { instance, data: { ...told, checkpoints, count: checkpoints.length } };
  });
  // They share files: what was freed is the volume's, and is told once.
  const events =
    each.length === 1
      ? each.map(({ instance, data }) => ({ ...common, instance, data: { ...data, freedBytes: freed } }))
      : [...each.map((one) => ({ ...common, ...one })), { ...common, instance: null, data: { ...told, instances, freedBytes: freed } }];
  await fleet.state.commit({ removeCheckpoints: gone.map(({ id }) => ({ id, volume: volume.name })), events });
}
