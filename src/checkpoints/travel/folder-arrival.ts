import { constants, createReadStream } from "node:fs";
import {
  chmod,
  copyFile,
  type FileHandle,
  lstat,
  lutimes,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { hasErrorCode, syncFolder } from "../../platform/files.ts";
import { eachOf } from "../bounded.ts";
import type { ByteString, Manifest, ManifestEntry } from "../manifest.ts";
import { below, compareFolder, verifyCheckpoint } from "../verify.ts";
import type { Arrival } from "./arrival.ts";
import { checked, drain } from "./contents.ts";
import type { FileEntry } from "./plan.ts";
import { type CheckpointSource, damagedProblem } from "./source.ts";

/**
 * Below this name a checkpoint arrives. Not under the name of an unfinished seal, which the next seal on that volume takes away.
 */
export const ARRIVING = ".arriving-";

const AT_ONCE = 8;

async function forget(path: Buffer | string): Promise<void> {
  await rm(path as string, { recursive: true, force: true });
}

const foldersOf = ({ entries }: Manifest) =>
  entries
    .filter((entry): entry is Extract<ManifestEntry, { kind: "folder" }> => entry.kind === "folder")
    .sort((a, b) => (a.path < b.path ? -1 : 1));
const filesOf = ({ entries }: Manifest) => entries.filter((entry): entry is FileEntry => entry.kind === "file");

/** Makes every folder, writable for us until the end; what stands in the way of one is removed. */
async function makeFolders(data: string, manifest: Manifest): Promise<void> {
  await mkdir(data, { recursive: true, mode: 0o700 });
  for (const { path } of foldersOf(manifest)) {
    const place = below(data, path);
    const found = await lstat(place).catch(() => null);
    if (found?.isDirectory() === true) await chmod(place, 0o700);
    else {
      await forget(place);
      await mkdir(place, { mode: 0o700 });
    }
  }
}

/** The files of which all bytes are there. */
async function wholeFiles(data: string, manifest: Manifest, signal: AbortSignal): Promise<ReadonlySet<ByteString>> {
  const whole = new Set<ByteString>();
  await eachOf(filesOf(manifest), AT_ONCE, async (file) => {
    signal.throwIfAborted();
    const place = below(data, file.path);
    const found = await lstat(place).catch(() => null);
    if (found?.isFile() !== true || found.size !== file.size) return;
    await drain(checked([file], createReadStream(place))).then(
      () => whole.add(file.path),
      () => undefined,
    );
  });
  return whole;
}

async function writeAll(handle: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < piece.length; ) {
    const { bytesWritten } = await handle.write(piece, written, piece.length - written, position + written);
    written += bytesWritten;
  }
}

/** Writes files one after the other, as their contents come. */
async function writeFiles(data: string, files: readonly FileEntry[], contents: AsyncIterable<Uint8Array>, skip: number): Promise<void> {
  let handle: FileHandle | null = null;
  let index = 0;
  let at = 0;
  try {
    for await (const piece of checked(files, contents)) {
      const file = files[index];
      if (file === undefined) break;
      const place = below(data, file.path);
      if (handle === null) {
        const goesOn = index === 0 && skip > 0;
        if (!goesOn) await forget(place);
        handle = await open(place, goesOn ? "r+" : "wx", 0o600);
        at = 0;
      }
      if (index > 0 || at >= skip) await writeAll(handle, piece, at);
      at += piece.length;
      if (at < file.size) continue;
      await handle.close();
      handle = null;
      index += 1;
    }
  } finally {
    await handle?.close();
  }
}

/** Gives everything its mode and time, and waits for the disk; folders last, from the deepest up. */
async function finish(data: string, manifest: Manifest, signal: AbortSignal): Promise<void> {
  await eachOf(manifest.entries, AT_ONCE, async (entry) => {
    signal.throwIfAborted();
    const place = below(data, entry.path);
    if (entry.kind === "link") {
      await forget(place);
      await symlink(Buffer.from(entry.target, "latin1"), place);
      await lutimes(place, entry.mtime, entry.mtime);
    } else if (entry.kind === "file") {
      await chmod(place, 0o600);
      const handle = await open(place, "r+");
      try {
        await handle.sync();
        await handle.utimes(entry.mtime, entry.mtime);
        await handle.chmod(entry.mode);
      } finally {
        await handle.close();
      }
    }
  });
  for (const { path, mtime } of foldersOf(manifest).reverse()) {
    const place = below(data, path);
    await utimes(place, mtime, mtime);
    await syncFolder(place);
  }
}

async function shutFolders(data: string, manifest: Manifest): Promise<void> {
  for (const { path, mode } of foldersOf(manifest).reverse()) await chmod(below(data, path), mode);
}

/** Whether this very checkpoint is there, and whole. @throws Problem when another one is, or it does not verify. */
async function isThere(folder: string, { manifest, manifestBytes }: CheckpointSource, signal: AbortSignal): Promise<boolean> {
  const there = await readFile(join(folder, "MANIFEST")).catch((error: unknown) => {
    if (hasErrorCode(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  });
  if (there === null) {
    if ((await lstat(folder).catch(() => null)) === null) return false;
    throw damagedProblem(`${folder} is there, without a manifest`);
  }
  if (!there.equals(manifestBytes))
    throw new Problem({
      code: "SPOT_E_CONFLICT",
      message: `another checkpoint lies there as ${manifest.id}: ${folder}`,
      exit: EXIT.failed,
    });
  const { ok, problems } = await verifyCheckpoint(folder, signal);
  if (ok) return true;
  throw damagedProblem(`${manifest.id} lies there already and does not verify: ${problems[0]?.path} ${problems[0]?.what}`);
}

/**
 * A checkpoint that arrives in `folder` (a volume's `spot/checkpoints`, or any other), which is made. What an earlier try has
 * brought counts. `look`: nothing is made.
 * @throws Problem when another checkpoint lies there under that id, or a damaged one.
 */
export async function folderArrival(folder: string, source: CheckpointSource, look: boolean, signal: AbortSignal): Promise<Arrival> {
  const { manifest, manifestBytes } = source;
  const final = join(folder, manifest.id);
  const work = join(folder, `${ARRIVING}${manifest.id}`);
  const data = join(work, "data");
  const isSealed = await isThere(final, source, signal);
  if (!isSealed && !look) {
    await mkdir(folder, { recursive: true });
    await mkdir(work, { recursive: true, mode: 0o700 });
    await makeFolders(data, manifest);
  }
  const present = isSealed ? new Set<ByteString>() : await wholeFiles(data, manifest, signal);
  return {
    isSealed,
    present,
    async begun(file) {
      const found = await lstat(below(data, file.path)).catch(() => null);
      return found?.isFile() === true && found.size < file.size && (found.mode & 0o600) === 0o600 ? found.size : 0;
    },
    beginning: (file, bytes) => createReadStream(below(data, file.path), { end: bytes - 1 }),
    take: (files, contents, skip) => writeFiles(data, files, contents, skip),
    async copy(from, to) {
      const place = below(data, to.path);
      await forget(place);
      await copyFile(below(data, from.path), place, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await chmod(place, 0o600);
    },
    async seal() {
      for (const file of filesOf(manifest)) {
        if (file.size > 0 || present.has(file.path)) continue;
        await forget(below(data, file.path));
        await writeFile(below(data, file.path), "", { flag: "wx", mode: 0o600 });
      }
      await finish(data, manifest, signal);
      const different = await compareFolder(data, manifest, signal);
      const [first] = different;
      if (first !== undefined) {
        await forget(work);
        throw damagedProblem(`the copy in ${folder} does not verify: ${JSON.stringify(first.path)} ${first.what}; it was removed`);
      }
      await shutFolders(data, manifest);
      await syncFolder(data);
      await writeFile(join(work, "MANIFEST.tmp"), manifestBytes, { flush: true });
      await rename(join(work, "MANIFEST.tmp"), join(work, "MANIFEST"));
      await syncFolder(work);
      await chmod(work, 0o755);
      await rename(work, final);
      await syncFolder(folder);
    },
  };
}
