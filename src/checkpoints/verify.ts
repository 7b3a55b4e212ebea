import { createHash } from "node:crypto";
import type { Dirent, Stats } from "node:fs";
import { lstat, open, readdir, readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { hasErrorCode } from "../platform/files.ts";
import { eachOf } from "./bounded.ts";
import { type ByteString, bytesText, type Manifest, ManifestDamage, type ManifestEntry, parseManifest } from "./manifest.ts";

/** One thing that is not as the manifest says. `path` is relative to the checkpoint's folder. */
export interface CheckpointProblem {
  readonly path: string;
  readonly what: string;
}

export interface Verification {
  readonly ok: boolean;
  readonly problems: readonly CheckpointProblem[];
  /** Null when the manifest itself is missing or damaged. */
  readonly manifest: Manifest | null;
}

type FoundKind = ManifestEntry["kind"] | "other";

const CHUNK_BYTES = 1024 * 1024;
const AT_ONCE = 8;

/** The path of a byte string below a folder, as Node's file functions take it. */
export function below(folder: string, path: ByteString): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, "latin1")]);
}

function kindOf(entry: Dirent<Buffer> | Stats): FoundKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  return entry.isSymbolicLink() ? "link" : "other";
}

/** Everything below a folder; the folder itself is not in it. */
export async function walk(folder: string): Promise<ReadonlyMap<ByteString, FoundKind>> {
  const found = new Map<ByteString, FoundKind>();
  const open: ByteString[] = [""];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const inside = await readdir(path === "" ? Buffer.from(folder) : below(folder, path), { withFileTypes: true, encoding: "buffer" });
    for (const entry of inside) {
      const name = entry.name.toString("latin1");
      const child = path === "" ? name : `${path}/${name}`;
      const kind = kindOf(entry);
      found.set(child, kind);
      if (kind === "folder") open.push(child);
    }
  }
  return found;
}

/** SHA-256 and size of a file's content. */
async function hashFile(path: Buffer, signal: AbortSignal | undefined): Promise<{ readonly sha256: string; readonly size: number }> {
  const handle = await open(path, "r");
  try {
    const hash = createHash("sha256");
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(4096, (await handle.stat()).size + 1)));
    let size = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
      if (bytesRead === 0) return { sha256: hash.digest("hex"), size };
      hash.update(chunk.subarray(0, bytesRead));
      size += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

const KIND_WORDS: Readonly<Record<FoundKind, string>> = {
  file: "a file",
  folder: "a folder",
  link: "a link",
  other: "neither file, folder nor link",
};

async function compareEntry(
  folder: string,
  entry: ManifestEntry,
  found: FoundKind | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (found === undefined) return "missing";
  if (found !== entry.kind) return `is ${KIND_WORDS[found]}, the manifest says ${KIND_WORDS[entry.kind]}`;
  try {
    if (entry.kind === "link") {
      const target = (await readlink(below(folder, entry.path), "buffer")).toString("latin1");
      return target === entry.target
        ? undefined
        : `points to ${JSON.stringify(bytesText(target))}, the manifest says ${JSON.stringify(bytesText(entry.target))}`;
    }
    if (entry.kind === "folder") return undefined;
    const { sha256, size } = await hashFile(below(folder, entry.path), signal);
    if (size !== entry.size) return `has ${size} bytes, the manifest says ${entry.size}`;
    return sha256 === entry.sha256 ? undefined : "damaged: its content differs from its hash";
  } catch (error) {
    if (hasErrorCode(error, "EACCES", "EIO", "EPERM", "ENOENT")) return `cannot be read (${error.code})`;
    throw error;
  }
}

/** Reads one entry below a folder again. @returns what is wrong with it; undefined when it is as the manifest says. */
export async function entryProblem(folder: string, entry: ManifestEntry, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return await compareEntry(folder, entry, kindOf(await lstat(below(folder, entry.path))), signal);
  } catch (error) {
    if (error instanceof Error && "syscall" in error && "code" in error) return `cannot be read any more (${error.code})`;
    throw error;
  }
}

/** Compares a folder with a manifest, reading and hashing every file. Problems come in the manifest's order, extras last. */
export async function compareFolder(folder: string, manifest: Manifest, signal?: AbortSignal): Promise<readonly CheckpointProblem[]> {
  const found = await walk(folder);
  const answers: (string | undefined)[] = [];
  await eachOf(manifest.entries, AT_ONCE, async (entry, index) => {
    answers[index] = await compareEntry(folder, entry, found.get(entry.path), signal);
  });
  const listed = new Set(manifest.entries.map((entry) => entry.path));
  const different = manifest.entries.flatMap((entry, index) => {
    const what = answers[index];
    return what === undefined ? [] : [{ path: bytesText(entry.path), what }];
  });
  const extra = [...found.keys()].filter((path) => !listed.has(path)).sort();
  return [...different, ...extra.map((path) => ({ path: bytesText(path), what: "not in the manifest" }))];
}

/** Reads a sealed checkpoint again, every byte, and names what is damaged, missing or extra. */
export async function verifyCheckpoint(folder: string, signal?: AbortSignal): Promise<Verification> {
  const refused = (what: string): Verification => ({ ok: false, problems: [{ path: "MANIFEST", what }], manifest: null });
  let manifest: Manifest;
  try {
    manifest = parseManifest(await readFile(join(folder, "MANIFEST")));
  } catch (error) {
    if (error instanceof ManifestDamage) return refused(`damaged: ${error.message}`);
    if (hasErrorCode(error, "ENOENT", "ENOTDIR")) return refused("missing");
    if (hasErrorCode(error, "EACCES", "EIO", "EISDIR")) return refused(`cannot be read (${error.code})`);
    throw error;
  }
  if (manifest.id !== basename(folder)) return refused(`is that of ${manifest.id}`);
  try {
    const problems = (await compareFolder(join(folder, "data"), manifest, signal)).map(({ path, what }) => ({
      path: `data/${path}`,
      what,
    }));
    return { ok: problems.length === 0, problems, manifest };
  } catch (error) {
    if (hasErrorCode(error, "ENOENT", "ENOTDIR", "EACCES", "EIO"))
      return {
        ok: false,
        problems: [{ path: "data", what: error.code === "ENOENT" ? "missing" : `cannot be read (${error.code})` }],
        manifest,
      };
    throw error;
  }
}
