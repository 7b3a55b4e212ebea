import { createHash } from "node:crypto";
import { linkSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { checkpointFolder } from "../../src/checkpoints/catalogue.ts";
import { formatManifest, type ManifestEntry, textBytes } from "../../src/checkpoints/manifest.ts";

export interface SampleCheckpoint {
  readonly id: string;
  readonly instance?: string;
  /** Epoch seconds. */
  readonly created?: number;
  /** Content by path; names are latin-1 byte strings when `bytes` is set. */
  readonly files: Readonly<Record<string, string | Buffer>>;
  readonly folders?: readonly string[];
  readonly links?: Readonly<Record<string, string>>;
  /** The id of a sealed one with which unchanged files are shared by hard links, as an agent does it. */
  readonly after?: string;
  /** Names are byte strings already. */
  readonly bytes?: boolean;
}

const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

/** A path of any bytes below a folder. */
export function bytePath(folder: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, "latin1")]);
}

/** A sealed checkpoint as an agent leaves it on a volume. @returns its folder. */
export function sealSample(volume: string, sample: SampleCheckpoint): string {
  const { id, instance = "train", created = 1_700_000_000, files, folders = [], links = {} } = sample;
  const asBytes = sample.bytes === true ? (name: string) => name : textBytes;
  const folder = checkpointFolder(volume, id);
  mkdirSync(`${folder}/data`, { recursive: true });
  const made = new Set(folders.map(asBytes));
  for (const path of [...Object.keys(files), ...Object.keys(links)].map(asBytes))
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) made.add(path.slice(0, at));
  const entries: ManifestEntry[] = [];
  for (const path of [...made].sort()) {
    mkdirSync(bytePath(`${folder}/data`, path), { recursive: true });
    entries.push({ kind: "folder", path, mode: 0o755, mtime: 1000 });
  }
  for (const [name, target] of Object.entries(links)) {
    symlinkSync(Buffer.from(asBytes(target), "latin1"), bytePath(`${folder}/data`, asBytes(name)));
    entries.push({ kind: "link", path: asBytes(name), mode: 0o777, mtime: 1000, target: asBytes(target) });
  }
  for (const [name, content] of Object.entries(files)) {
    const path = asBytes(name);
    const size = Buffer.byteLength(content);
    const place = bytePath(`${folder}/data`, path);
    const earlier = sample.after === undefined ? undefined : bytePath(`${checkpointFolder(volume, sample.after)}/data`, path);
    if (earlier !== undefined && sameContent(earlier, size)) linkSync(earlier, place);
    else writeFileSync(place, content);
    entries.push({ kind: "file", path, mode: 0o644, mtime: 1000, size, sha256: sha256(content) });
  }
  const manifest = { id, instance, volume: "disk", created, reason: "manual", step: null, agent: "1", entries } as const;
  writeFileSync(`${folder}/MANIFEST`, formatManifest(manifest));
  return folder;
}

/** In these samples a file that is unchanged is one of the same size. */
function sameContent(path: Buffer, size: number): boolean {
  try {
    return lstatSync(path).size === size;
  } catch {
    return false;
  }
}

/** What the files below a folder take on the disk, each inode counted once: not as the program counts it, but by what is left. */
export function diskBytes(folder: string): number {
  const inodes = new Map<string, number>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const { dev, ino, blocks } = lstatSync(`${entry.parentPath}/${entry.name}`);
    inodes.set(`${dev}:${ino}`, blocks * 512);
  }
  return [...inodes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** An id as an agent makes one, for the moment so many seconds after some day's beginning. */
export function idAt(seconds: number): string {
  const time = new Date(Date.UTC(2026, 10, 21) + seconds * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  return `c-${time}Z-00000014`;
}
