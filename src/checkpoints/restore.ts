import { chmod, lstat, lutimes, mkdir, open, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { syncFolder } from "../platform/files.ts";
import { eachOf } from "./bounded.ts";
import { copyWithHoles } from "./copy-file.ts";
import { bytesText, type Manifest, type ManifestEntry } from "./manifest.ts";
import { prepareRestore } from "./restore-place.ts";
import { below, type CheckpointProblem, compareFolder, entryProblem, verifyCheckpoint } from "./verify.ts";

const AT_ONCE = 8;

/** The checkpoint is not as it was sealed, and nothing of it was handed over. */
export class CheckpointDamaged extends Problem {
  readonly problems: readonly CheckpointProblem[];

  constructor(what: string, problems: readonly CheckpointProblem[]) {
    super({
      code: "SPOT_E_CHECKPOINT_DAMAGED",
      message: `${what}: ${problemsText(problems)}`,
      exit: EXIT.verification,
      hint: "nothing was restored; an older checkpoint may be whole",
      next: ["spot checkpoints ls", "spot checkpoints verify --all"],
    });
    this.name = "CheckpointDamaged";
    this.problems = problems;
  }
}

const PROBLEMS_SHOWN = 3;

/** For people: the first of them by path, and how many more. */
export function problemsText(problems: readonly CheckpointProblem[]): string {
  const named = problems.slice(0, PROBLEMS_SHOWN).map(({ path, what }) => `${path === "" ? "" : `${JSON.stringify(path)} `}${what}`);
  const more = problems.length > named.length ? [`and ${problems.length - named.length} more`] : [];
  return [...named, ...more].join("; ");
}

const TARGET_WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "its disk is full",
  EDQUOT: "its disk quota is used up",
  EROFS: "its file system is read-only",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EIO: "its disk fails",
  EFBIG: "its file system takes no file that large",
  ENAMETOOLONG: "its file system takes no name that long",
  EILSEQ: "its file system does not take such a name",
  EINVAL: "its file system does not take such a name",
  EBUSY: "it is in use",
  ENOENT: "its folder was taken away meanwhile",
  ENOTEMPTY: "somebody else has put something there",
};

/** A file that could not be copied although it reads as it was sealed. */
class TargetFailed extends Error {
  readonly code: string;

  constructor(code: string, cause: unknown) {
    super(code, { cause });
    this.code = code;
  }
}

const goneAway = (folder: string, problem: CheckpointProblem) =>
  new CheckpointDamaged(`the checkpoint in ${folder} went away while it was copied`, [problem]);

/** Faults of these kinds are never those of a disk that is only read. */
const ONLY_WRITING = ["ENOSPC", "EDQUOT", "EROFS", "EFBIG"];

/**
 * Whose fault it is that a file could not be copied. The error does not say: it names the source first, whichever side failed.
 * So the source is read again.
 */
async function fileProblem(error: unknown, folder: string, entry: ManifestEntry, signal: AbortSignal | undefined): Promise<unknown> {
  if (!(error instanceof Error && "syscall" in error && "code" in error)) return error;
  const what = ONLY_WRITING.includes(String(error.code)) ? undefined : await entryProblem(join(folder, "data"), entry, signal);
  return what === undefined
    ? new TargetFailed(String(error.code), error)
    : goneAway(folder, { path: `data/${bytesText(entry.path)}`, what });
}

/** What kept the copy from being made, in words: the checkpoint that went away meanwhile, or the target. */
async function copyProblem(error: unknown, folder: string, target: string): Promise<unknown> {
  const isDamage = error instanceof CheckpointDamaged;
  if (!(error instanceof Error && "code" in error) || (error instanceof Problem && !isDamage)) return error;
  const readable = await lstat(join(folder, "data")).then(
    () => true,
    () => false,
  );
  if (!readable) return goneAway(folder, { path: "data", what: "is not there any more" });
  if (isDamage) return error;
  const code = String(error.code);
  const words = TARGET_WORDS[code] ?? (error instanceof TargetFailed ? code : undefined);
  if (words === undefined) return error;
  return new Problem({
    code: "SPOT_E_TARGET",
    message: `the checkpoint could not be copied to ${target}: ${words}`,
    exit: EXIT.failed,
    hint: "nothing was left there; the checkpoint is whole",
    next: ["spot checkpoints ls"],
    cause: error,
  });
}

async function copyEntry(folder: string, to: string, entry: ManifestEntry, signal: AbortSignal | undefined): Promise<void> {
  const path = below(to, entry.path);
  if (entry.kind === "link") {
    await symlink(Buffer.from(entry.target, "latin1"), path);
    await lutimes(path, entry.mtime, entry.mtime);
    return;
  }
  if (entry.kind === "folder") return;
  try {
    await copyWithHoles(below(join(folder, "data"), entry.path), path, signal);
  } catch (error) {
    throw await fileProblem(error, folder, entry, signal);
  }
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
    await syncFolder(path);
    await utimes(path, folder.mtime, folder.mtime);
    await chmod(path, folder.mode);
  }
}

async function fill(work: string, folder: string, manifest: Manifest, signal: AbortSignal | undefined): Promise<void> {
  const folders = manifest.entries.filter((entry) => entry.kind === "folder").sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const entry of folders) await mkdir(below(work, entry.path), { mode: 0o700 });
  await eachOf(manifest.entries, AT_ONCE, async (entry) => {
    signal?.throwIfAborted();
    await copyEntry(folder, work, entry, signal);
  });
}

/**
 * Verifies a sealed checkpoint and copies it into a new or empty folder, with holes, modes and times, durably; then reads the
 * copy again. What goes wrong leaves nothing behind, and killed at any moment there is nothing that could be taken for a
 * checkpoint's content (`prepareRestore`).
 * @throws CheckpointDamaged when it does not verify or goes away; Problem: exit 2 when the target is not empty, exit 1 when it
 * takes no more, exit 7 when the copy differs.
 */
export async function restoreCheckpoint(folder: string, target: string, signal?: AbortSignal): Promise<Manifest> {
  const { ok, problems, manifest } = await verifyCheckpoint(folder, signal);
  if (!ok || manifest === null) throw new CheckpointDamaged(`the checkpoint in ${folder} does not verify`, problems);
  const place = await prepareRestore(target);
  try {
    await fill(place.work, folder, manifest, signal);
    const different = await compareFolder(place.work, manifest, signal);
    if (different.length > 0) throw copyDiffers(target, different);
    await place.handOver((made) => finishFolders(made, manifest));
    return manifest;
  } catch (error) {
    await place.giveUp();
    throw await copyProblem(error, folder, target);
  }
}

function copyDiffers(target: string, problems: readonly CheckpointProblem[]): Problem {
  return new Problem({
    code: "SPOT_E_COPY_DIFFERS",
    message: `the copy in ${target} differs from the checkpoint: ${problemsText(problems)}`,
    exit: EXIT.verification,
    hint: "nothing was left there; the checkpoint itself verified, so look at that disk and at the memory of this computer",
    next: ["spot checkpoints ls"],
  });
}
