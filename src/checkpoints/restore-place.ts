import { createHash, randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, readdir, rename, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { usageProblem } from "../model/problem.ts";
import { hasErrorCode, isFolder, syncFolder } from "../platform/files.ts";
import { isTagAlive, ownTag } from "../platform/process-identity.ts";
import { discardFolder } from "./discard.ts";
import { type ByteString, bytesText } from "./manifest.ts";
import { below } from "./verify.ts";

const PREFIX = ".spot-restoring-";
/** The tag of its process, the target, and the restore. */
const OWNED = /^\.spot-restoring-(\d+\.[0-9a-f]{12})\.([0-9a-f]{12})\.[0-9a-f]{8}$/;

const short = (target: string) => createHash("sha256").update(target).digest("hex").slice(0, 12);

/** A name for a folder of this restore alone. */
const ownName = (target: string) => `${PREFIX}${ownTag()}.${short(target)}.${randomBytes(4).toString("hex")}`;

/** Whether a restore that still runs on this computer has that folder. */
const isHeld = (name: ByteString) => isTagAlive(OWNED.exec(name)?.[1] ?? "");

const heldProblem = (target: string) =>
  usageProblem(`another restore into ${target} is under way`, "wait for it, or restore into another folder");

const takenProblem = (target: string) =>
  usageProblem(
    `${target} is not empty: somebody else has put something there meanwhile`,
    "restore goes into a new or an empty folder only",
  );

/** Where a checkpoint is copied to before it is handed over. */
export interface RestorePlace {
  /** A new folder for our eyes only. */
  readonly work: string;
  /** Puts what is in `work` in the target's place, durably; `finish` gives the folders in it their rights and times. */
  handOver(finish: (folder: string) => Promise<void>): Promise<void>;
  /** Leaves everything as it was found. */
  giveUp(): Promise<void>;
}

/** The names in a folder; undefined when there is none. @throws Problem (usage) when it is no folder. */
async function namesIn(target: string): Promise<readonly ByteString[] | undefined> {
  try {
    return (await readdir(Buffer.from(target), "buffer")).map((name) => name.toString("latin1"));
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return undefined;
    if (hasErrorCode(error, "ENOTDIR")) throw usageProblem(`${target} is not a folder`);
    throw error;
  }
}

/** Removes the folders from `target` up to `made`, as long as nobody has put anything into them. */
async function removeMade(target: string, made: string | undefined): Promise<void> {
  if (made === undefined) return;
  for (let folder = target; folder.length >= made.length; folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch (error) {
      if (!hasErrorCode(error, "ENOTEMPTY", "EEXIST", "ENOENT", "EACCES", "EPERM", "EBUSY", "EROFS")) throw error;
    }
  }
}

/** Clears what killed restores into the target have left beside it. @throws Problem (usage) when one is under way. */
async function clearLeftBeside(parent: string, target: string): Promise<void> {
  const left = ((await namesIn(parent)) ?? []).filter((name) => OWNED.exec(name)?.[2] === short(target));
  if (left.some(isHeld)) throw heldProblem(target);
  for (const name of left) await discardFolder(join(parent, name));
}

/** Beside a target that is not there yet; undefined where its name leaves no room for ours. */
async function besideNew(target: string): Promise<RestorePlace | undefined> {
  const parent = dirname(target);
  const made = await makeFolders(parent, target);
  const work = join(parent, ownName(target));
  try {
    await clearLeftBeside(parent, target);
    await mkdir(work);
  } catch (error) {
    await removeMade(parent, made);
    if (hasErrorCode(error, "ENAMETOOLONG")) return undefined;
    throw error;
  }
  const mode = (await lstat(work)).mode & 0o777;
  await chmod(work, 0o700);
  let isReady = false;
  return {
    work,
    async handOver(finish) {
      await finish(work);
      await chmod(work, mode);
      await syncFolder(work);
      isReady = true;
      await rename(work, target).catch((error: unknown) => {
        // Two that began at the same moment: the first one that is whole has the place.
        throw hasErrorCode(error, "ENOTEMPTY", "EEXIST") ? takenProblem(target) : error;
      });
      await syncFolder(parent);
    },
    async giveUp() {
      // Some file systems do a rename and report a failure: then what is in the target's place is ours.
      if (isReady && !(await isFolder(work))) await rename(target, work);
      await discardFolder(work);
      await removeMade(parent, made);
    },
  };
}

/** @returns the first folder that had to be made, if any. */
async function makeFolders(folder: string, target: string): Promise<string | undefined> {
  try {
    return await mkdir(folder, { recursive: true });
  } catch (error) {
    if (hasErrorCode(error, "EEXIST", "ENOTDIR")) throw usageProblem(`${target} is not a folder`);
    throw error;
  }
}

/** @throws Problem (usage) when it holds something. What a killed restore left in its own folder is cleared. */
async function requireEmpty(target: string, names: readonly ByteString[]): Promise<void> {
  const stranger = names.find((name) => !name.startsWith(PREFIX));
  if (stranger !== undefined) {
    const wasCut = names.some((name) => name.startsWith(PREFIX));
    throw usageProblem(
      `${target} is not empty: it holds ${JSON.stringify(bytesText(stranger))}`,
      wasCut
        ? "a restore into it was cut short, and what is in it is not all: empty it by hand, then run this again"
        : "restore goes into a new or an empty folder only",
    );
  }
  if (names.some(isHeld)) throw heldProblem(target);
  for (const name of names) await discardFolder(join(target, bytesText(name)));
}

/** Before anything is read: whether a restore may go there at all. @throws Problem (usage) when it is no folder or not empty. */
export async function requireRestorable(target: string): Promise<void> {
  const names = await namesIn(target);
  if (names !== undefined) await requireEmpty(target, names);
}

/** Inside a target that is there: whoever stands in it must not be left in a folder that has gone. */
async function insideOf(target: string, made: string | undefined): Promise<RestorePlace> {
  const own = ownName(target);
  const work = join(target, own);
  await mkdir(work, { mode: 0o700 });
  const moved: ByteString[] = [];
  /** Of those that began at the same moment the one whose name comes first goes on. */
  const requireTurn = async () => {
    const others = ((await namesIn(target)) ?? []).filter((name) => name !== own);
    if (others.some((name) => !name.startsWith(PREFIX))) throw takenProblem(target);
    if (others.some((name) => name < own && isHeld(name))) throw heldProblem(target);
  };
  await requireTurn().catch(async (error: unknown) => {
    await discardFolder(work);
    throw error;
  });
  return {
    work,
    async handOver(finish) {
      await requireTurn();
      for (const name of (await namesIn(work)) ?? []) {
        moved.push(name);
        await rename(below(work, name), below(target, name));
      }
      await finish(target);
      await syncFolder(target);
      await rmdir(work);
      await syncFolder(target);
    },
    async giveUp() {
      // Back to where all of it is removed: a folder that came read-only can be removed only there.
      await mkdir(work, { recursive: true });
      for (const name of moved) await rename(below(target, name), below(work, name)).catch(() => undefined);
      await discardFolder(work);
      await removeMade(target, made);
    },
  };
}

/**
 * Prepares a new or an empty folder to be filled. A new one appears by one rename, when it is whole. In one that is there, the
 * content is made in a folder whose name begins with `.spot-restoring-`, which stays until the target is whole.
 * @throws Problem (usage) when the target is no folder or not empty.
 */
export async function prepareRestore(target: string): Promise<RestorePlace> {
  const names = await namesIn(target);
  if (names !== undefined) {
    await requireEmpty(target, names);
    return insideOf(target, undefined);
  }
  return (await besideNew(target)) ?? insideOf(target, await makeFolders(target, target));
}
