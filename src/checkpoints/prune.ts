import { lstat, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { hasErrorCode, syncFolder } from "../platform/files.ts";
import { eachOf } from "./bounded.ts";
import { checkpointFolder, listSealed, sealedFolder } from "./catalogue.ts";
import { discardFolder } from "./discard.ts";
import { below, walk } from "./verify.ts";

/** A checkpoint that is being removed: nobody takes a name with a dot for a checkpoint. */
const PRUNED = ".pruned-";
const AT_ONCE = 8;
/** Bytes of a block as `stat` counts them, whatever the file system's own are. */
const BLOCK_BYTES = 512n;

interface Inode {
  readonly links: bigint;
  readonly bytes: bigint;
  seen: bigint;
}

/**
 * The bytes that the disk has back when these folders are gone: the blocks of all files of which no hard link is left outside
 * of them. Files that other checkpoints share count for nothing, sparse ones for what they take, folders are not counted.
 */
async function freedBytes(folders: readonly string[], signal: AbortSignal | undefined): Promise<number> {
  const inodes = new Map<string, Inode>();
  for (const folder of folders) {
    const files = [...(await walk(folder))].filter(([, kind]) => kind === "file").map(([path]) => path);
    await eachOf(files, AT_ONCE, async (path) => {
      signal?.throwIfAborted();
      const { dev, ino, nlink, blocks } = await lstat(below(folder, path), { bigint: true });
      const inode = inodes.get(`${dev}:${ino}`) ?? { links: nlink, bytes: blocks * BLOCK_BYTES, seen: 0n };
      inode.seen += 1n;
      inodes.set(`${dev}:${ino}`, inode);
    });
  }
  let freed = 0n;
  for (const { links, bytes, seen } of inodes.values()) if (seen >= links) freed += bytes;
  return Number(freed);
}

/** The bytes of disk that the sealed checkpoints of a volume take: content that they share counts once, holes nothing. */
export async function sealedBytes(volumePath: string, signal?: AbortSignal): Promise<number> {
  const folders = (await namesIn(volumePath)).map((name) => join(sealedFolder(volumePath), name));
  const inodes = new Map<string, bigint>();
  for (const folder of folders) {
    const files = [...((await walk(folder).catch(undefinedIfGone)) ?? [])].filter(([, kind]) => kind === "file").map(([path]) => path);
    await eachOf(files, AT_ONCE, async (path) => {
      signal?.throwIfAborted();
      const found = await lstat(below(folder, path), { bigint: true }).catch(undefinedIfGone);
      if (found !== undefined) inodes.set(`${found.dev}:${found.ino}`, found.blocks * BLOCK_BYTES);
    });
  }
  return Number([...inodes.values()].reduce((sum, bytes) => sum + bytes, 0n));
}

/** What somebody removes meanwhile, and what is no folder, takes nothing. */
function undefinedIfGone(error: unknown): undefined {
  if (hasErrorCode(error, "ENOENT", "ENOTDIR")) return undefined;
  throw error;
}

/** What removing these sealed checkpoints would free, in bytes of disk. Those that are not there free nothing. */
export async function prunableBytes(volumePath: string, ids: readonly string[], signal?: AbortSignal): Promise<number> {
  const there = new Set(await namesIn(volumePath));
  const folders = ids.filter((id) => there.has(id)).map((id) => checkpointFolder(volumePath, id));
  return freedBytes(folders, signal);
}

async function namesIn(volumePath: string): Promise<readonly string[]> {
  try {
    return await readdir(sealedFolder(volumePath));
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return [];
    throw error;
  }
}

/** Deletes what a pruning that was killed left behind. */
export async function clearPruned(volumePath: string): Promise<void> {
  for (const name of await namesIn(volumePath)) if (name.startsWith(PRUNED)) await discardFolder(join(sealedFolder(volumePath), name));
}

/** @throws Problem (exit 7) when one of them is the newest sealed one of its instance. */
async function requireNotNewest(volumePath: string, ids: readonly string[]): Promise<void> {
  const seen = new Set<string>();
  for (const { id, instance } of await listSealed(volumePath)) {
    if (!seen.has(instance) && ids.includes(id))
      throw new Problem({
        code: "SPOT_E_CHECKPOINT_NEWEST",
        message: `${id} is the newest sealed checkpoint of ${instance}: it stays`,
        exit: EXIT.verification,
        next: [`spot checkpoints ls ${instance}`],
      });
    seen.add(instance);
  }
}

/**
 * Removes sealed checkpoints from a volume that this computer sees and no machine has. Each is first taken out of everybody's
 * sight by one rename, and those renames are made durable, before a single file of it goes: whatever interrupts this, each
 * checkpoint that is still listed is whole, and the next pruning or sealing deletes the rest.
 * @returns what went, and the bytes of disk that are free for it. Those that are not there are passed over.
 * @throws Problem (exit 7) when one of them is the newest sealed one of its instance: then none goes.
 */
export async function pruneSealed(
  volumePath: string,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<{ readonly pruned: readonly string[]; readonly freed: number }> {
  await requireNotNewest(volumePath, ids);
  await clearPruned(volumePath);
  const hidden = (id: string) => join(sealedFolder(volumePath), `${PRUNED}${id}`);
  const pruned: string[] = [];
  for (const id of ids) {
    signal?.throwIfAborted();
    try {
      await rename(checkpointFolder(volumePath, id), hidden(id));
      pruned.push(id);
    } catch (error) {
      if (!hasErrorCode(error, "ENOENT")) throw error;
    }
  }
  if (pruned.length === 0) return { pruned, freed: 0 };
  await syncFolder(sealedFolder(volumePath));
  // From here on they are gone, and whoever is told to stop still says so.
  const freed = await freedBytes(pruned.map(hidden), undefined);
  await eachOf(pruned, AT_ONCE, (id) => discardFolder(hidden(id)));
  return { pruned, freed };
}
