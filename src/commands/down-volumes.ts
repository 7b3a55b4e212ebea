import type { VolumeEnd } from "../fleet/volumes/end-promise.ts";
import { userOf } from "../fleet/volumes/volume-use.ts";
import { usageProblem } from "../model/problem.ts";
import { deletesVolume, isVolumePolicy, makesSnapshot, VOLUME_POLICIES, type VolumePolicy } from "../model/volume-policy.ts";
import type { InstanceRecord, VolumeRecord } from "../state/records.ts";
import type { CommandContext } from "./command.ts";

/** What `down` was asked to do with volumes; null where the command does not say, so that each order has its own word. */
export interface DownWords {
  readonly names: readonly string[];
  readonly policy: VolumePolicy | null;
}

/**
 * `--volumes` alone deletes. What follows it is a policy, or, where it is none, the name of an instance:
 * `down --volumes trainer` means `down trainer --volumes`.
 */
export function downWords({ args, options }: Pick<CommandContext, "args" | "options">): DownWords {
  const said = options["volumes"];
  if (said === undefined || said === false) return { names: args, policy: null };
  if (said === true) return { names: args, policy: "delete" };
  return isVolumePolicy(said) ? { names: args, policy: said } : { names: [String(said), ...args], policy: "delete" };
}

/** One volume, what becomes of it, and the record whose end is waited for. */
export interface DoomedVolume extends VolumeEnd {
  readonly owner: InstanceRecord;
}

/**
 * The volumes that these records have, or had when they ended, with what is to become of each; but for those that somebody else
 * uses: these are named. Only what the command itself says holds for an instance that is gone already.
 * @throws Problem (usage) where a snapshot is asked for and the provider makes none: nothing was done then.
 */
export async function volumesAfter(
  context: CommandContext,
  records: readonly InstanceRecord[],
  policy: VolumePolicy | null,
): Promise<readonly DoomedVolume[]> {
  const state = await context.state();
  const ending = records.map(({ id }) => id);
  const doomed: DoomedVolume[] = [];
  for (const volume of await state.volumes()) {
    const owner = ownerOf(volume, records);
    if (owner === undefined) continue;
    const wanted = policy ?? ordered(owner, volume);
    if (wanted === null) continue;
    const user = wanted === "keep" ? undefined : await userOf({ state }, volume, ending);
    if (user !== undefined) context.progress.note(`volume ${volume.name} stays: ${user.name} (${user.state}) uses it`);
    else doomed.push({ volume, policy: wanted, owner });
  }
  for (const { volume, policy: wanted } of doomed)
    if (makesSnapshot(wanted)) await requireSnapshots(context, volume.provider, `volume ${volume.name}`);
  return doomed;
}

/** The record whose end comes last: a living one before one that is over. */
function ownerOf({ id }: VolumeRecord, records: readonly InstanceRecord[]): InstanceRecord | undefined {
  const owners = records.filter((record) => record.volumes.some((used) => used.id === id));
  return owners.find(({ state }) => state !== "gone") ?? owners[0];
}

/** What was ordered with the instance; null where that is nothing special, or its end is over. */
function ordered({ state, spec }: InstanceRecord, { name }: VolumeRecord): VolumePolicy | null {
  return state === "gone" || spec.volume?.name !== name ? null : (spec.volume.atDown ?? null);
}

/** @throws Problem (usage) where the provider makes no snapshots of volumes. */
export async function requireSnapshots(context: CommandContext, provider: string, what: string): Promise<void> {
  if ((await context.provider(provider)).volumes?.snapshots !== undefined) return;
  const possible = VOLUME_POLICIES.filter((policy) => !makesSnapshot(policy));
  throw usageProblem(`${what}: ${provider} makes no snapshots of volumes`, `possible there: ${possible.join(", ")}`);
}

/** What is done with them, as the question says it. */
export async function endsText(context: CommandContext, doomed: readonly DoomedVolume[]): Promise<readonly string[]> {
  const state = await context.state();
  const held = async (of: readonly DoomedVolume[]) =>
    Promise.all(
      of.map(async ({ volume: { name } }) => {
        const { length } = await state.checkpoints({ volume: name });
        return `${name} with ${length} checkpoint${length === 1 ? "" : "s"} on it`;
      }),
    );
  const of = (wanted: VolumePolicy) => doomed.filter(({ policy }) => policy === wanted);
  const many = (list: readonly unknown[]) => (list.length === 1 ? "" : "s");
  const sizes = (list: readonly DoomedVolume[]) =>
    list.map(({ volume }) => `${volume.name} (${volume.sizeGb} GB, ${volume.provider} bills the snapshot until it is deleted)`).join(", ");
  const [snapshots, moved, deleted] = [of("snapshot"), of("snapshot-and-delete"), of("delete")];
  return [
    ...(snapshots.length === 0 ? [] : [`make a snapshot of the volume${many(snapshots)} ${sizes(snapshots)}`]),
    ...(moved.length === 0
      ? []
      : [`make a snapshot of the volume${many(moved)} ${sizes(moved)} and, once that is ready, DELETE ${(await held(moved)).join(", ")}`]),
    ...(deleted.length === 0 ? [] : [`DELETE the volume${many(deleted)} ${(await held(deleted)).join(", ")}`]),
  ];
}

/** What is said when it is done. */
export function endedText({ volume, policy }: VolumeEnd, snapshotId: string | null): string {
  const made = snapshotId === null ? "" : `snapshotted as ${snapshotId}`;
  if (!deletesVolume(policy)) return `volume ${volume.name} is ${made === "" ? "snapshotted" : made}, and stays`;
  return `volume ${volume.name} is ${made === "" ? "" : `${made} and `}deleted`;
}
