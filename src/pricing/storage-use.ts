import { groupedBy } from "../model/grouped-by.ts";
import type { InstanceRecord, LedgerRecord, VolumeRecord } from "../state/records.ts";

/**
 * What a disk was paid for. `inUse`: while a GPU of its instance was paid for. `asleep`: while its instance had none, be it that it
 * slept or waited for one. `kept`: while no living instance had it.
 */
export const STORAGE_USES = ["inUse", "asleep", "kept"] as const;
export type StorageUse = (typeof STORAGE_USES)[number];

export interface DiskMoment {
  readonly use: StorageUse;
  /** Whose it was; null while it was kept. */
  readonly instance: string | null;
}

/** Whose disks were whose, and when. */
export interface StorageBook {
  /** The moments within the interval at which that changes. */
  cutsOf(disk: LedgerRecord, from: number, to: number): readonly number[];
  at(disk: LedgerRecord, moment: number): DiskMoment;
}

type User = Pick<InstanceRecord, "id" | "name" | "createdAt"> & { readonly goneAt: number; readonly disk: string };
type Span = { readonly from: number; readonly to: number };

/** What is looked at of an instance. */
export type DiskUser = Pick<InstanceRecord, "id" | "name" | "provider" | "state" | "createdAt" | "changedAt" | "volumes" | "rootVolume">;

const keyOf = (provider: string, providerId: string) => `${provider}\u0000${providerId}`;

/**
 * Goes by the volumes that each record names, from when it was made until it was gone, and by the ledger's own GPU intervals.
 * Of several instances the one whose GPU is paid for has the disk, else the newest one. Pure.
 */
export function storageBook(
  instances: readonly DiskUser[],
  volumes: readonly Pick<VolumeRecord, "id" | "provider" | "providerId">[],
  ledger: readonly LedgerRecord[],
): StorageBook {
  const users = usersOf(instances, volumes);
  const spans = gpuSpans(ledger);
  const usersOfDisk = (disk: LedgerRecord) => users.get(keyOf(disk.provider, disk.providerId)) ?? [];
  return {
    cutsOf(disk, from, to) {
      if (disk.kind !== "disk") return [];
      const cuts = new Set<number>();
      const add = (at: number) => {
        if (at > from && at < to) cuts.add(at);
      };
      if (disk.instanceId !== null) return [];
      for (const { id, createdAt, goneAt } of usersOfDisk(disk)) {
        add(createdAt);
        add(goneAt);
        for (const span of spans.get(id) ?? []) {
          add(span.from);
          add(span.to);
        }
      }
      return [...cuts];
    },
    at(disk, moment) {
      if (disk.instanceId !== null) return { use: "asleep", instance: disk.instance };
      const living = usersOfDisk(disk).filter(({ createdAt, goneAt }) => createdAt <= moment && moment < goneAt);
      const paying = living.find(({ id }) => isWithin(spans.get(id) ?? [], moment));
      if (paying !== undefined) return { use: "inUse", instance: paying.name };
      const [newest] = living;
      return newest === undefined ? { use: "kept", instance: null } : { use: "asleep", instance: newest.name };
    },
  };
}

/** Newest first. */
function usersOf(
  instances: readonly DiskUser[],
  volumes: readonly Pick<VolumeRecord, "id" | "provider" | "providerId">[],
): ReadonlyMap<string, readonly User[]> {
  const keys = new Map(
    volumes.flatMap(({ id, provider, providerId }) => (providerId === null ? [] : [[id, keyOf(provider, providerId)] as const])),
  );
  const newestFirst = instances.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
  const users = newestFirst.flatMap(({ id, name, createdAt, state, changedAt, volumes: own, rootVolume }) => {
    const goneAt = state === "gone" ? changedAt : Number.POSITIVE_INFINITY;
    const disks = [...new Set([...own.map((one) => one.id), rootVolume])].flatMap((volume) => keys.get(volume ?? "") ?? []);
    return disks.map((disk): User => ({ id, name, createdAt, goneAt, disk }));
  });
  return groupedBy(users, ({ disk }) => disk);
}

/** When GPUs of each instance were paid for, in order and without overlaps. */
function gpuSpans(ledger: readonly LedgerRecord[]): ReadonlyMap<string, readonly Span[]> {
  const spans = ledger.flatMap(({ instanceId, kind, from, to }) =>
    kind !== "gpu" || instanceId === null ? [] : [{ instanceId, from, to: to ?? Number.POSITIVE_INFINITY }],
  );
  return new Map([...groupedBy(spans, ({ instanceId }) => instanceId)].map(([id, own]) => [id, merged(own)]));
}

function merged(spans: readonly Span[]): readonly Span[] {
  const result: Span[] = [];
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last !== undefined && from <= last.to) result[result.length - 1] = { from: last.from, to: Math.max(last.to, to) };
    else result.push({ from, to });
  }
  return result;
}

function isWithin(spans: readonly Span[], moment: number): boolean {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.to ?? 0) <= moment) low = middle + 1;
    else high = middle;
  }
  return (spans[low]?.from ?? Number.POSITIVE_INFINITY) <= moment;
}
