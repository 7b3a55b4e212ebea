import type { CheckpointProblem } from "../../checkpoints/verify.ts";
import type { Checkpoint } from "../../model/checkpoint.ts";
import { Problem } from "../../model/problem.ts";
import type { VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import type { CheckpointDoor } from "./checkpoint-door.ts";
import { type CheckpointPlace, checkpointPlace } from "./checkpoint-place.ts";
import { whileReading } from "./checkpoint-reading.ts";
import { machineWith } from "./checkpoint-sync.ts";

/** A checkpoint on a volume, sealed or with a manifest that no longer holds. */
export interface FoundCheckpoint {
  readonly id: string;
  /** Null when its manifest does not say any more. */
  readonly instance: string | null;
  readonly volume: VolumeRecord;
  /** Null when its manifest does not hold: `problems` says why. */
  readonly checkpoint: Checkpoint | null;
  readonly problems: readonly CheckpointProblem[];
}

/** What one command looks at. Each volume is reached once. */
export interface CheckpointSearch {
  readonly fleet: Fleet;
  readonly door: CheckpointDoor;
  readonly signal: AbortSignal;
  readonly warn: (text: string) => void;
  readonly places: Map<string, Promise<CheckpointPlace>>;
  /** What was found of each, by `keyOf`: nothing is read twice. */
  readonly verdicts: Map<string, readonly CheckpointProblem[]>;
}

export function newSearch(fleet: Fleet, door: CheckpointDoor, signal: AbortSignal, warn: (text: string) => void): CheckpointSearch {
  return { fleet, door, signal, warn, places: new Map(), verdicts: new Map() };
}

const keyOf = ({ id, volume }: FoundCheckpoint) => `${volume.id} ${id}`;

/** Where a volume is read. @throws Problem when it cannot be read now. */
export function placeOf({ fleet, places, signal }: CheckpointSearch, volume: VolumeRecord): Promise<CheckpointPlace> {
  const known = places.get(volume.id) ?? checkpointPlace(fleet, volume, signal);
  places.set(volume.id, known);
  return known;
}

const byId = (a: FoundCheckpoint, b: FoundCheckpoint) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/**
 * Everything that may be one of those that are wanted, newest first: what the catalogue has, and what has a manifest that no
 * longer holds, of which only its volume knows. `wanted`: ids and instances; none for all. A volume on machines that are far
 * away is reached only when it may hold one of them.
 */
export async function findCheckpoints(search: CheckpointSearch, wanted: readonly string[]): Promise<readonly FoundCheckpoint[]> {
  const { fleet, signal } = search;
  const known = await fleet.state.checkpoints();
  const unknown = wanted.some((word) => !known.some(({ id, instance }) => word === id || word === instance));
  const found: FoundCheckpoint[] = [];
  for (const volume of await fleet.state.volumes()) {
    const held = known.filter((checkpoint) => checkpoint.volume === volume.name);
    found.push(...held.map((checkpoint) => ({ id: checkpoint.id, instance: checkpoint.instance, volume, checkpoint, problems: [] })));
    const isNear = (await fleet.provider(volume.provider)).capabilities.machine.kind === "process";
    const mayHold = wanted.length === 0 || unknown || held.some(({ id, instance }) => wanted.includes(id) || wanted.includes(instance));
    if (!isNear && !mayHold) continue;
    for (const { id, instance, what } of await brokenOn(search, volume))
      found.push({ id, instance, volume, checkpoint: null, problems: [{ path: "MANIFEST", what }] });
  }
  signal.throwIfAborted();
  return found.toSorted(byId);
}

/** What lies on a volume under a checkpoint's name without a manifest that holds; nothing where it cannot be read now. */
export async function brokenOn(search: CheckpointSearch, volume: VolumeRecord): Promise<Awaited<ReturnType<CheckpointDoor["broken"]>>> {
  try {
    return await search.door.broken(await placeOf(search, volume), search.signal);
  } catch (error) {
    // What cannot be read now was said when the catalogue was brought up to date.
    if (error instanceof Problem) return [];
    throw error;
  }
}

/** Reads every byte of it again, once, and writes down that it is whole. @returns what is wrong with it. @throws Problem when it cannot be read now. */
export async function check(search: CheckpointSearch, found: FoundCheckpoint): Promise<readonly CheckpointProblem[]> {
  const { fleet, door, signal, verdicts } = search;
  const known = verdicts.get(keyOf(found));
  if (known !== undefined) return known;
  const { checkpoint, volume, id } = found;
  if (checkpoint === null) return found.problems;
  const place = await placeOf(search, volume);
  const problems = await whileReading(fleet, { id, volume: volume.name }, "verified", signal, async (until) => {
    const wrong = await door.verify(place, checkpoint, until);
    // As long as it is said to be read nobody prunes it: what is written down is there.
    if (wrong.length === 0) await fleet.state.commit({ checkpoints: [{ ...checkpoint, verifiedAt: fleet.clock.now() }] });
    return wrong;
  });
  verdicts.set(keyOf(found), problems);
  // An agent that verifies keeps to what it finds.
  if (problems.length > 0 && place.kind === "here") await tellDamaged(search, found);
  return problems;
}

/**
 * Tells the machine that has a volume, if one is up, of damage that was found on it without its agent: its next seal is a whole copy,
 * and shares nothing with what is damaged. Where it cannot be told, that is a warning.
 */
export async function tellDamaged(
  { fleet, door, signal, warn }: CheckpointSearch,
  { id, volume }: Pick<FoundCheckpoint, "id" | "volume">,
): Promise<void> {
  const reach = await machineWith(fleet, volume, signal);
  if (reach === null) return;
  try {
    await door.tellDamaged(reach, id, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Problem)) throw error;
    warn(
      `the machine that has volume ${volume.name} could not be told, and its next checkpoint may share what is damaged: ${error.message}`,
    );
  }
}

/** What could be taken in the place of one that is damaged: the same one on another volume, then the older ones of its instance, newest first. */
export function insteadOf(all: readonly FoundCheckpoint[], damaged: FoundCheckpoint): readonly FoundCheckpoint[] {
  const others = all.filter((other) => other.checkpoint !== null && keyOf(other) !== keyOf(damaged));
  const same = others.filter(({ id }) => id === damaged.id);
  const older = others.filter(({ id, instance }) => id < damaged.id && instance !== null && instance === damaged.instance);
  return [...same, ...older];
}

/** The first of these that is whole; undefined when none is, or can be read now. */
export async function firstWhole(search: CheckpointSearch, candidates: readonly FoundCheckpoint[]): Promise<FoundCheckpoint | undefined> {
  for (const candidate of candidates) {
    search.fleet.say(`reading ${candidate.id} again`);
    try {
      if ((await check(search, candidate)).length === 0) return candidate;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      search.signal.throwIfAborted();
    }
  }
  return undefined;
}
