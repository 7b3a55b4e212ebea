import { newId } from "../../model/ids.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, LedgerRecord, NewEvent, VolumeRecord } from "../../state/records.ts";
import { requireAccount } from "../account.ts";
import { call, type Fleet } from "../fleet.ts";
import { eventOf } from "../record-change.ts";
import { noteGone } from "./open-removal.ts";
import { removeVolume } from "./volume-removal.ts";
import { userOf } from "./volume-use.ts";
import { volumeNamed } from "./volumes.ts";

/** The volume that holds the root disk of a parked machine, if there is one. */
export async function rootOf(fleet: Fleet, record: Pick<InstanceRecord, "rootVolume">): Promise<VolumeRecord | undefined> {
  if (record.rootVolume === null) return undefined;
  const [root] = await fleet.state.volumes({ ids: [record.rootVolume] });
  return root;
}

/** What becomes of a record whose machine boots from another disk than the one that was kept for it: that one stays, and is said. */
export async function leaveRoot(
  fleet: Fleet,
  record: InstanceRecord,
): Promise<{ readonly set: Partial<Pick<InstanceRecord, "rootVolume">>; readonly events: readonly NewEvent[] }> {
  if (record.rootVolume === null) return { set: {}, events: [] };
  const root = await rootOf(fleet, record);
  const set = { rootVolume: null };
  if (root === undefined) return { set, events: [] };
  const { name, provider, zone } = root;
  fleet.say(
    `${record.name}: it comes back elsewhere; the root disk of its machine before is kept as ${name} in ${provider} ${zone} and goes on billing: spot volumes rm ${name}`,
  );
  return { set, events: [eventOf(fleet, record, "action", { action: "root-left", volume: name, zone, providerId: root.providerId })] };
}

/** Whether a machine that boots from it can have the volume of that record as well: a disk boots where it lies. */
export async function isWithVolume(fleet: Fleet, { spec }: Pick<InstanceRecord, "spec">, root: VolumeRecord): Promise<boolean> {
  const home = spec.volume === null ? undefined : await volumeNamed(fleet, spec.volume.name);
  if (home === undefined || home.providerId === null) return true;
  const { zonalVolumes } = (await fleet.provider(root.provider)).capabilities;
  return home.provider === root.provider && home.region === root.region && (!zonalVolumes || home.zone === root.zone);
}

export interface KeptRoot {
  readonly volume: VolumeRecord;
  readonly ledger: readonly LedgerRecord[];
}

/** The record of a root disk that is about to outlive its machine; the one there is, when it is known already. */
export async function keptRoot(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  signal: AbortSignal,
): Promise<KeptRoot | null> {
  const provider = await fleet.provider(record.provider);
  const { rootVolumeId } = instance;
  if (!provider.capabilities.keepsRoot) return null;
  if (rootVolumeId === null) {
    // A machine that is only ordered does not say yet which disk it boots from: the one that it was ordered with.
    const ordered = await rootOf(fleet, record);
    return ordered === undefined ? null : { volume: ordered, ledger: [] };
  }
  const living = await fleet.state.volumes();
  const known = living.find((volume) => volume.provider === record.provider && volume.providerId === rootVolumeId);
  if (known !== undefined) return { volume: known, ledger: [] };
  const listed = await call(signal, (context) => provider.volumes?.list(context) ?? Promise.resolve([])).catch(() => []);
  const there = listed.find((volume) => volume.providerId === rootVolumeId);
  const at = fleet.clock.now();
  const volume: VolumeRecord = {
    id: newId("v", fleet.rng),
    name: freeName(`${record.name}-root`, new Set(living.map(({ name }) => name))),
    provider: record.provider,
    providerId: rootVolumeId,
    region: instance.region,
    zone: instance.zone,
    sizeGb: there?.sizeGb ?? 0,
    state: "available",
    createdAt: at,
    pricePerHour: there?.pricePerHour ?? null,
    ...(record.account === null ? {} : { account: record.account.id }),
  };
  return {
    volume,
    ledger: volume.pricePerHour === null ? [] : [diskInterval(volume, rootVolumeId, volume.pricePerHour, at, record.fleet)],
  };
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted}-${count}`;
    if (!taken.has(name)) return name;
  }
}

function diskInterval(
  volume: VolumeRecord,
  providerId: string,
  rate: LedgerRecord["rate"],
  from: number,
  fleet: string | null,
): LedgerRecord {
  return {
    id: `${volume.id}/${from}`,
    instanceId: null,
    instance: volume.name,
    fleet,
    provider: volume.provider,
    providerId,
    kind: "disk",
    billing: "on-demand",
    from,
    to: null,
    rate,
    onDemandRate: rate,
    billed: null,
  };
}

/** Once it is a volume of its own, the provider says how large it is and what it costs. */
export async function refreshRoot(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  const volume = await rootOf(fleet, record);
  if (volume === undefined || volume.providerId === null || volume.sizeGb > 0) return;
  const { volumes } = await fleet.provider(volume.provider);
  const listed = await call(signal, (context) => volumes?.list(context) ?? Promise.resolve([]));
  const there = listed.find((candidate) => candidate.providerId === volume.providerId);
  if (there === undefined) return;
  const at = fleet.clock.now();
  const { sizeGb, pricePerHour } = there;
  const ledger = pricePerHour === null ? [] : [diskInterval(volume, volume.providerId, pricePerHour, at, record.fleet)];
  await fleet.state.commit({ volumes: [{ ...volume, sizeGb, pricePerHour }], ledger });
}

/** Whether the provider still has it: a reclaim may have taken it along. A list may be behind, and is waited for. Writes nothing. */
export async function isRootSeen(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<boolean> {
  const { volumes, capabilities } = await fleet.provider(volume.provider);
  if (volumes === undefined) return false;
  await requireAccount(fleet, volume, signal);
  const until = fleet.clock.monotonic() + capabilities.listSettlesMs;
  for (;;) {
    const listed = await call(signal, (context) => volumes.list(context));
    if (listed.some((candidate) => candidate.providerId === volume.providerId)) return true;
    const restMs = until - fleet.clock.monotonic();
    if (restMs <= 0) break;
    await fleet.clock.sleep(Math.min(Math.max(500, capabilities.pollMs), restMs), signal);
  }
  return false;
}

/**
 * The same, and one that no list shows is written off; nothing is deleted, because a list may leave out a disk that is not let go
 * of yet. What turns up later is seen among the orphans.
 */
export async function isRootThere(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<boolean> {
  if (await isRootSeen(fleet, volume, signal)) return true;
  // Of a cloud without volumes nothing is known.
  if ((await fleet.provider(volume.provider)).volumes !== undefined) await noteGone(fleet, volume, "volume-lost");
  return false;
}

/** Deletes the root disk that was kept for a machine that is to be no more. */
export async function removeRoot(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  const volume = await rootOf(fleet, record);
  if (volume === undefined) return;
  const user = await userOf(fleet, volume, [record.id]);
  if (user === undefined) return removeVolume(fleet, volume, signal, { for: record.id });
  fleet.say(`${record.name}: volume ${volume.name} stays, since ${user.name} uses it`);
}
