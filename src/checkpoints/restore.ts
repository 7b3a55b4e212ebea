import { constants } from "node:fs";
import { chmod, copyFile, lutimes, mkdir, open, readdir, rename, rm, rmdir, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { hasErrorCode, syncFolder } from "../platform/files.ts";
import { eachOf } from "./bounded.ts";
import type { Manifest, ManifestEntry } from "./manifest.ts";
import { below, type CheckpointProblem, compareFolder, verifyCheckpoint } from "./verify.ts";

const AT_ONCE = 8;
const PREFIX = ".spot-restoring-";

function doesNotVerify(what: string, problems: readonly CheckpointProblem[]): Problem {
  const named = problems.slice(0, 3).map(({ path, what: wrong }) => `${JSON.stringify(path)} ${wrong}`);
  const more = problems.length > named.length ? ` and ${problems.length - named.length} more` : "";
  return new Problem({
    code: "SPOT_E_CHECKPOINT_DAMAGED",
    message: `${what}: ${named.join("; ")}${more}`,
    exit: EXIT.verification,
    hint: "nothing was restored; an older checkpoint may be whole",
    next: ["spot checkpoints ls", "spot checkpoints verify"],
  });
}

/** Makes the target and clears what a killed restore left in it. */
async function requireEmpty(target: string): Promise<void> {
  try {
    await mkdir(target, { recursive: true });
    const inside = await readdir(target);
    const stranger = inside.find((name) => !name.startsWith(PREFIX));
    if (stranger !== undefined)
      throw usageProblem(`${target} is not empty: it holds ${JSON.stringify(stranger)}`, "restore goes into a new or an empty folder only");
    for (const name of inside) await rm(join(target, name), { recursive: true, force: true });
  } catch (error) {
    if (hasErrorCode(error, "EEXIST", "ENOTDIR")) throw usageProblem(`${target} is not a folder`);
    throw error;
  }
}

async function copyEntry(from: string, to: string, entry: ManifestEntry): Promise<void> {
  const path = below(to, entry.path);
  if (entry.kind === "link") {
    await symlink(Buffer.from(entry.target, "latin1"), path);
    await lutimes(path, entry.mtime, entry.mtime);
    return;
  }
  if (entry.kind === "folder") return;
  await copyFile(below(from, entry.path), path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(path, 0o600);
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(path, entry.mode);
  await utimes(path, entry.mtime, entry.mtime);
}

/** Folders get their rights and times last and from the deepest up: a read-only one takes no more files. */
async function finishFolders(target: string, manifest: Manifest): Promise<void> {
  const folders = manifest.entries.filter((entry) => entry.kind === "folder").sort((a, b) => (a.path < b.path ? 1 : -1));
  for (const folder of folders) {
    const path = below(target, folder.path);
    await utimes(path, folder.mtime, folder.mtime);
    await chmod(path, folder.mode);
  }
}

/**
 * Verifies a sealed checkpoint and copies it into a new or empty folder, with modes and times, durably; then reads the
 * copy again. A failure leaves nothing that could be taken for a checkpoint's content.
 * @throws Problem: exit 2 when the target is not empty, exit 7 when the checkpoint or the copy does not verify.
 */
export async function restoreCheckpoint(folder: string, target: string, signal?: AbortSignal): Promise<Manifest> {
  const { ok, problems, manifest } = await verifyCheckpoint(folder, signal);
  if (!ok || manifest === null) throw doesNotVerify(`the checkpoint in ${folder} does not verify`, problems);
  await requireEmpty(target);
  const work = join(target, `${PREFIX}${manifest.id}`);
  try {
    await mkdir(work, { mode: 0o700 });
    const from = join(folder, "data");
    const folders = manifest.entries.filter((entry) => entry.kind === "folder").sort((a, b) => (a.path < b.path ? -1 : 1));
    for (const entry of folders) await mkdir(below(work, entry.path), { mode: 0o700 });
    await eachOf(manifest.entries, AT_ONCE, async (entry) => {
      signal?.throwIfAborted();
      await copyEntry(from, work, entry);
    });
    const different = await compareFolder(work, manifest, signal);
    if (different.length > 0) throw doesNotVerify(`the copy in ${target} differs from the checkpoint`, different);
    for (const name of await readdir(Buffer.from(work), "buffer")) {
      const place = name.toString("latin1");
      await rename(below(work, place), below(target, place));
    }
    await rmdir(work);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
  await finishFolders(target, manifest);
  await syncFolder(target);
  return manifest;
}
