import { constants } from "node:fs";
import { copyFile, type FileHandle, lstat, open } from "node:fs/promises";
import { hasErrorCode } from "../platform/files.ts";

const CHUNK_BYTES = 1024 * 1024;
/** Zeros are looked for in pieces of this size: whole blocks of any file system, and few enough of them. */
const PIECE_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(PIECE_BYTES);
/** `stat` counts a file's blocks in these. */
const BLOCK_BYTES = 512;

async function writeAt(file: FileHandle, piece: Buffer, place: number): Promise<void> {
  // A disk that fills up takes less than all before it takes nothing.
  for (let done = 0; done < piece.length; ) done += (await file.write(piece, done, piece.length - done, place + done)).bytesWritten;
}

/** Writes what is no hole from `from` to `to`, piece by piece, and gives it its length. */
async function copyPieces(from: FileHandle, to: FileHandle, signal: AbortSignal | undefined): Promise<void> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let place = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await from.read(chunk, 0, chunk.length, place);
    if (bytesRead === 0) break;
    for (let at = 0; at < bytesRead; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, Math.min(at + PIECE_BYTES, bytesRead));
      if (!piece.equals(ZEROS.subarray(0, piece.length))) await writeAt(to, piece, place + at);
    }
    place += bytesRead;
  }
  await to.truncate(place);
}

async function copySparse(source: Buffer, target: Buffer, signal: AbortSignal | undefined): Promise<void> {
  const from = await open(source, "r");
  try {
    const to = await open(target, "wx", 0o600);
    try {
      await copyPieces(from, to, signal);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/**
 * Copies a file to where there is none. Where the file system can, the two share their blocks until one of them is written to;
 * where not, what has holes keeps them.
 */
export async function copyWithHoles(source: Buffer, target: Buffer, signal?: AbortSignal): Promise<void> {
  const { size, blocks } = await lstat(source);
  // A small file may lie in its inode, without a block.
  const hasHoles = size > PIECE_BYTES && blocks * BLOCK_BYTES < size;
  if (!hasHoles) return copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  try {
    await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
  } catch (error) {
    if (!hasErrorCode(error, "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV", "EINVAL", "ENOTTY", "EPERM")) throw error;
    await copySparse(source, target, signal);
  }
}
