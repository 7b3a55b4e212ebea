import { closeSync, existsSync, lstatSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { checkpointFolder } from "../../src/checkpoints/catalogue.ts";
import { CheckpointDamaged, restoreCheckpoint } from "../../src/checkpoints/restore.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import type { Rng } from "../../src/model/ids.ts";
import { bytePath, idAt, sealSample } from "./sealing.ts";

/** One byte of a sealed checkpoint, and what it is to become. */
export interface Corruption {
  /** Relative to the checkpoint's folder, as bytes. */
  readonly file: string;
  readonly at: number;
  /** What the byte is combined with: any change but none. */
  readonly flip: number;
}

const whole = (rng: Rng, below: number) => Math.floor(rng.next() * below);
const noise = (rng: Rng, bytes: number) => Buffer.from(Array.from({ length: bytes }, () => whole(rng, 256)));

/** A checkpoint with files of every kind: one byte, a page and its neighbours, megabytes, zeros, texts, odd names, deep ones. */
export function sealVaried(volume: string, rng: Rng): { readonly id: string; readonly folder: string; readonly files: readonly string[] } {
  const files: Record<string, Buffer> = {
    one: noise(rng, 1),
    page: noise(rng, 4096),
    "page-1": noise(rng, 4095),
    "page+1": noise(rng, 4097),
    "model/weights": noise(rng, 3_000_001),
    "model/zeros": Buffer.alloc(1_500_000),
    "model/deep/er/still/log": Buffer.from("step 1\n".repeat(500)),
    "odd\nname\xff": noise(rng, 300),
    [`${"n".repeat(255)}`]: noise(rng, 70),
  };
  const id = idAt(10);
  const folder = sealSample(volume, { id, files, links: { newest: "model/weights" }, folders: ["empty"], bytes: true });
  return { id, folder, files: ["MANIFEST", ...Object.keys(files).map((path) => `data/${path}`)] };
}

/** So many of them: each file's first and last byte, and the rest by chance, as many in a small file as in a large one. */
export function sampleCorruptions(folder: string, files: readonly string[], count: number, rng: Rng): readonly Corruption[] {
  const sizes = files.map((file) => lstatSync(bytePath(folder, file)).size);
  return Array.from({ length: count }, (_, index) => {
    const which = index % files.length;
    const size = sizes[which] ?? 0;
    const round = Math.floor(index / files.length);
    const at = round === 0 ? 0 : round === 1 ? size - 1 : whole(rng, size);
    return { file: files[which] ?? "", at, flip: 1 + whole(rng, 255) };
  });
}

function flipByte(path: Buffer, { at, flip }: Corruption): void {
  const handle = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(handle, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ flip;
  writeSync(handle, byte, 0, 1, at);
  closeSync(handle);
}

/** The path as people read it. */
const named = (file: string) =>
  file.includes("\xff") ? file.replaceAll(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`) : file;

/**
 * Changes the byte, and asks the checks whether they find it; then puts it back. `alsoFound` may ask others besides.
 * Fails when a change is not found, is not named, is blamed on another path, or is handed over.
 */
export async function expectFound(
  volume: string,
  id: string,
  corruption: Corruption,
  alsoFound: (path: string) => Promise<void> = async () => undefined,
): Promise<void> {
  const folder = checkpointFolder(volume, id);
  const path = bytePath(folder, corruption.file);
  const target = join(volume, "target");
  flipByte(path, corruption);
  try {
    const { ok, problems } = await verifyCheckpoint(folder);
    expect({ corruption, ok, paths: problems.map((problem) => problem.path) }).toEqual({
      corruption,
      ok: false,
      paths: [named(corruption.file)],
    });
    const refused = await restoreCheckpoint(folder, target).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CheckpointDamaged);
    expect((refused as CheckpointDamaged).problems.map((problem) => problem.path)).toEqual([named(corruption.file)]);
    expect(existsSync(target)).toBe(false);
    await alsoFound(corruption.file);
  } finally {
    flipByte(path, corruption);
  }
}
