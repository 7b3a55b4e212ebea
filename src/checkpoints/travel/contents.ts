import { createHash } from "node:crypto";
import { bytesText } from "../manifest.ts";
import type { FileEntry } from "./plan.ts";

/** Thrown while contents are read: what came is not what the manifest says of this file. */
export class ContentDamage extends Error {
  readonly path: string;
  readonly what: string;
  constructor(path: string, what: string) {
    super(`${JSON.stringify(path)} ${what}`);
    this.name = "ContentDamage";
    this.path = path;
    this.what = what;
  }
}

/**
 * Passes on what it reads, file by file (`next` is called with each file before its first byte), and holds each against its
 * size and hash. @throws ContentDamage behind the last byte of the first file that is not as it should be.
 */
export async function* checked(files: readonly FileEntry[], contents: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let index = 0;
  let hash = createHash("sha256");
  let seen = 0;
  const endFiles = () => {
    for (let file = files[index]; file !== undefined && seen === file.size; file = files[index]) {
      if (hash.digest("hex") !== file.sha256)
        throw new ContentDamage(bytesText(file.path), "is damaged: its content differs from its hash");
      index += 1;
      seen = 0;
      hash = createHash("sha256");
    }
  };
  endFiles();
  for await (const chunk of contents) {
    for (let at = 0; at < chunk.length; ) {
      const file = files[index];
      if (file === undefined) throw new ContentDamage(bytesText(files.at(-1)?.path ?? ""), "is longer than the manifest says");
      const piece = chunk.subarray(at, at + file.size - seen);
      hash.update(piece);
      seen += piece.length;
      at += piece.length;
      // Handed on before the file is judged: whoever takes it asks for more before he takes it for whole.
      yield piece;
      endFiles();
    }
  }
  const file = files[index];
  if (file !== undefined) throw new ContentDamage(bytesText(file.path), `is cut short: ${seen} of ${file.size} bytes`);
}

/** Reads to the end and keeps nothing. */
export async function drain(contents: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of contents);
}
