import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { hasErrorCode } from "../../platform/files.ts";
import { type Manifest, ManifestDamage, parseManifest } from "../manifest.ts";
import { below } from "../verify.ts";
import { ContentDamage } from "./contents.ts";
import { type FileEntry, requireTree } from "./plan.ts";

/** A sealed checkpoint, wherever it lies. */
export interface CheckpointSource {
  readonly manifest: Manifest;
  /** The file MANIFEST, byte by byte. */
  readonly manifestBytes: Buffer;
  /**
   * The contents of these files, one after the other, unchecked; of the first one from that byte on. Several may be read at once.
   * @throws ContentDamage when one of them cannot be read.
   */
  read(files: readonly FileEntry[], signal: AbortSignal, from?: number): AsyncIterable<Uint8Array>;
}

const CHUNK_BYTES = 1024 * 1024;

export function damagedProblem(what: string, next: readonly string[] = ["spot checkpoints ls", "spot checkpoints verify"]): Problem {
  return new Problem({
    code: "SPOT_E_CHECKPOINT_DAMAGED",
    message: what,
    exit: EXIT.verification,
    hint: "nothing was sealed or listed at the far end",
    next,
  });
}

/** @throws Problem (exit 7) when it is not a whole manifest of that checkpoint, or one that no agent writes. */
export function readManifest(bytes: Buffer, id: string, where: string): Manifest {
  try {
    const manifest = parseManifest(bytes);
    if (manifest.id !== id) throw new ManifestDamage(`it is that of ${manifest.id}`);
    requireTree(manifest);
    return manifest;
  } catch (error) {
    if (error instanceof ManifestDamage) throw damagedProblem(`${where}: the manifest of ${id} does not hold: ${error.message}`);
    throw error;
  }
}

/** A checkpoint in a folder of this machine. @throws Problem (exit 7) when its manifest does not hold. */
export async function folderSource(folder: string): Promise<CheckpointSource> {
  const manifestBytes = await readFile(join(folder, "MANIFEST")).catch((error: unknown) => {
    if (hasErrorCode(error, "ENOENT", "ENOTDIR", "EISDIR", "EIO", "EACCES"))
      throw damagedProblem(`${folder}: its manifest cannot be read (${error.code})`);
    throw error;
  });
  const manifest = readManifest(manifestBytes, basename(folder), folder);
  const data = join(folder, "data");
  return {
    manifest,
    manifestBytes,
    async *read(files, signal, from = 0) {
      for (const [index, file] of files.entries()) {
        signal.throwIfAborted();
        try {
          yield* createReadStream(below(data, file.path), {
            start: index === 0 ? from : 0,
            highWaterMark: CHUNK_BYTES,
          }) as AsyncIterable<Buffer>;
        } catch (error) {
          if (hasErrorCode(error, "ENOENT", "ENOTDIR", "EISDIR", "EIO", "EACCES"))
            throw new ContentDamage(Buffer.from(file.path, "latin1").toString("utf8"), `cannot be read (${error.code})`);
          throw error;
        }
      }
    },
  };
}
