import { eachOf } from "../../checkpoints/bounded.ts";
import { type Catalogue, readCatalogue } from "../../checkpoints/catalogue.ts";
import type { Checkpoint } from "../../model/checkpoint.ts";
import type { Reach } from "../../providers/provider.ts";
import type { InstanceRecord, NewEvent, VolumeRecord } from "../../state/records.ts";
import { isUp } from "../deciding/decide.ts";
import { call, type Fleet } from "../fleet.ts";
import type { Listing } from "../observe.ts";

/** Where this machine can read a volume directly, if it can. */
export async function volumePath(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<string | null> {
  if (volume.providerId === null) return null;
  const provider = await fleet.provider(volume.provider);
  // Only the embedded cloud's disks lie on this machine; of others nobody need be asked.
  if (provider.volumes === undefined || provider.capabilities.machine.kind !== "process") return null;
  const listed = await call(signal, (context) => provider.volumes?.list(context) ?? Promise.resolve([]));
  return listed.find((candidate) => candidate.providerId === volume.providerId)?.localPath ?? null;
}

/** The first volume is the one that the machine has: another may be named beside it until its work has been copied. */
const hasIt = ({ volumes: [first] }: InstanceRecord, { id }: VolumeRecord) => first?.id === id;

/** The machine through which a volume can be read: one of ours that is up and has it. */
export async function machineWith(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<Reach | null> {
  const holders = (await fleet.state.instances()).filter((record) => isUp(record) && hasIt(record, volume));
  for (const { provider: id, providerId } of holders) {
    if (providerId === null) continue;
    const provider = await fleet.provider(id);
    const instance = await call(signal, (context) => provider.get(providerId, context)).catch(() => undefined);
    if (instance?.reach != null) return instance.reach;
  }
  return null;
}

/** What a volume holds, read directly or through a machine that has it; null when neither can be done now. Writes nothing. */
export async function readSealed(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal, through?: Reach): Promise<Catalogue | null> {
  const path = await volumePath(fleet, volume, signal);
  if (path !== null) return readCatalogue(path, volume.name);
  const reach = through ?? (await machineWith(fleet, volume, signal));
  if (reach === null) return null;
  const sealed = await fleet.guest.sealed(reach, signal).catch(() => {
    signal.throwIfAborted();
    return null;
  });
  // The machine knows its volume by the name that it had at its boot.
  return sealed === null ? null : { sealed: sealed.map((checkpoint) => ({ ...checkpoint, volume: volume.name })), damaged: [] };
}

async function knownOf({ state }: Fleet, { name }: VolumeRecord): Promise<ReadonlyMap<string, Checkpoint>> {
  return new Map((await state.checkpoints({ volume: name })).map((checkpoint) => [checkpoint.id, checkpoint]));
}

/**
 * Brings the catalogue up to what the volume really holds: the volume is the truth, the catalogue a copy. One that was listed
 * and whose manifest no longer holds is told as a warning. `through`: the machine that has the volume, where it is known.
 * @returns the sealed checkpoints of that volume, newest first; null when the volume cannot be read now.
 */
export async function syncCheckpoints(
  fleet: Fleet,
  volume: VolumeRecord,
  signal: AbortSignal,
  through?: Reach,
): Promise<readonly Checkpoint[] | null> {
  // Reading takes seconds, in which another process seals, prunes, and writes that down. Only what was known before can have
  // vanished from what is read, and only what is known neither before nor after is news.
  const before = await knownOf(fleet, volume);
  const read = await readSealed(fleet, volume, signal, through);
  if (read === null) return null;
  const { sealed, damaged } = read;
  const known = await knownOf(fleet, volume);
  const fresh = sealed.filter(({ id, sha256 }) => [before, known].every((then) => then.get(id)?.sha256 !== sha256));
  const present = new Set(sealed.map((checkpoint) => checkpoint.id));
  const vanished = [...known.values()].filter(({ id }) => before.has(id) && !present.has(id));
  if (fresh.length > 0 || vanished.length > 0) {
    // Two that were sealed between two looks are told in the order in which they were made.
    const events = fresh.toReversed().map(
      (checkpoint): NewEvent => ({
        at: checkpoint.createdAt,
        type: "checkpoint",
        instance: checkpoint.instance,
        provider: volume.provider,
        data: {
          checkpoint: checkpoint.id,
          volume: volume.name,
          files: checkpoint.files,
          bytes: checkpoint.bytes,
          step: checkpoint.step,
          reason: checkpoint.reason,
        },
      }),
    );
    const warnings = vanished.flatMap(({ id, instance }): readonly NewEvent[] => {
      const broken = damaged.find((other) => other.id === id);
      if (broken === undefined) return [];
      const message = `checkpoint ${id} on volume ${volume.name} is no longer whole: ${broken.what}`;
      const data = { checkpoint: id, volume: volume.name, message };
      return [{ at: fleet.clock.now(), type: "warning", instance, provider: volume.provider, data }];
    });
    await fleet.state.commit({ checkpoints: fresh, removeCheckpoints: vanished, events: [...events, ...warnings] });
  }
  return sealed.map((checkpoint) => ({ ...checkpoint, verifiedAt: known.get(checkpoint.id)?.verifiedAt ?? null }));
}

/** Reads what the record's volume holds into the catalogue; a volume that cannot be read now is read later. */
export async function syncRecordCheckpoints(fleet: Fleet, record: InstanceRecord, signal: AbortSignal, through?: Reach): Promise<void> {
  const ids = record.volumes.map(({ id }) => id);
  if (ids.length === 0) return;
  for (const volume of await fleet.state.volumes({ ids }))
    await syncCheckpoints(fleet, volume, signal, hasIt(record, volume) ? through : undefined);
}

/**
 * Whether something may have been sealed on a volume since the catalogue was last brought up to date. Reading through
 * a machine costs a connection, so a pass over everything asks only then, and at the pace at which its cloud is
 * `listed` at all. `holders`: the living records that have it.
 */
async function isSyncDue(fleet: Fleet, volume: VolumeRecord, holders: readonly InstanceRecord[], listed: boolean): Promise<boolean> {
  const provider = await fleet.provider(volume.provider);
  if (provider.capabilities.machine.kind === "process") return true;
  if (!listed) return false;
  if (holders.some((record) => record.notice !== null)) return true;
  const [every] = holders.map((record) => record.spec.checkpointEveryMs ?? 0).filter((ms) => ms > 0);
  if (every === undefined) return false;
  const [newest] = await fleet.state.checkpoints({ volume: volume.name });
  return newest === undefined || fleet.clock.now() - newest.createdAt > every;
}

/** So many volumes are read side by side, each through a connection into its machine. */
const READ_AT_ONCE = 16;

/**
 * Reads every volume on which something may have been sealed since. One that cannot be read keeps nobody from the others.
 * @param listings what the providers of this pass have answered.
 */
export async function syncAllDue(fleet: Fleet, listings: ReadonlyMap<string, Listing>, signal: AbortSignal): Promise<void> {
  const holders = new Map<string, InstanceRecord[]>();
  for (const record of await fleet.state.instances())
    for (const { id } of record.volumes) holders.set(id, [...(holders.get(id) ?? []), record]);
  const reaches = new Map<string, Reach>();
  for (const [provider, listing] of listings)
    for (const { providerId, reach } of typeof listing === "string" ? [] : listing)
      if (reach !== null) reaches.set(`${provider} ${providerId}`, reach);
  await eachOf(await fleet.state.volumes(), READ_AT_ONCE, async (volume) => {
    signal.throwIfAborted();
    const ours = holders.get(volume.id) ?? [];
    if (!(await isSyncDue(fleet, volume, ours, listings.has(volume.provider)))) return;
    const up = ours.filter((record) => isUp(record) && hasIt(record, volume));
    const [through] = up.flatMap(({ provider, providerId }) => reaches.get(`${provider} ${providerId}`) ?? []);
    await syncCheckpoints(fleet, volume, signal, through).catch(() => null);
  });
}
