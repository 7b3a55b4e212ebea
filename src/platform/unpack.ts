import { chmod, type FileHandle, link, lutimes, mkdir, open, readdir, rmdir, symlink, unlink, utimes } from "node:fs/promises";
import type { Readable } from "node:stream";
import { ArchiveDamage, type TarEntry, tarEntries } from "./tar-reader.ts";

interface Unpacked {
  readonly folder: string;
  /** By clean path: what we have made so far. Nothing else is ever written through or into. */
  readonly made: Map<string, "folder" | "file" | "link">;
  /** Their rights and times are given last: a read-only one takes no more files. */
  readonly folders: { readonly path: string; readonly mode: number; readonly mtime: number }[];
}

/** The parts of a name that stays below the folder; none for the folder itself. */
function partsOf(name: string): readonly string[] {
  if (name.startsWith("/")) throw new ArchiveDamage(`${JSON.stringify(name)} leads out of the folder`);
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || name.includes("\0")) throw new ArchiveDamage(`${JSON.stringify(name)} leads out of the folder`);
  return parts;
}

function at(folder: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, "latin1")]);
}

async function makeFolder(state: Unpacked, path: string): Promise<void> {
  const there = state.made.get(path);
  if (there === "folder" || path === "") return;
  if (there !== undefined) throw new ArchiveDamage(`${JSON.stringify(path)} is a ${there} and a folder`);
  const parent = path.lastIndexOf("/");
  if (parent > 0) await makeFolder(state, path.slice(0, parent));
  await mkdir(at(state.folder, path), { mode: 0o700 });
  state.made.set(path, "folder");
}

/** So many zeros in a row are left a hole. */
const HOLE_BYTES = 4096;

async function writeFile(path: Buffer, entry: TarEntry, signal: AbortSignal): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    let place = 0;
    for await (const chunk of entry.body) {
      signal.throwIfAborted();
      if (chunk.length < HOLE_BYTES || chunk.some((byte) => byte !== 0)) await writeAt(file, chunk, place);
      place += chunk.length;
    }
    await file.truncate(place);
    await file.chmod(entry.mode);
    await file.utimes(entry.mtime, entry.mtime);
  } finally {
    await file.close();
  }
}

async function writeAt(file: FileHandle, chunk: Buffer, place: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done, chunk.length - done, place + done)).bytesWritten;
}

async function unpackEntry(state: Unpacked, entry: TarEntry, signal: AbortSignal): Promise<void> {
  const parts = partsOf(entry.name);
  const path = parts.join("/");
  if (entry.kind === "folder") {
    await makeFolder(state, path);
    state.folders.push({ path, mode: entry.mode, mtime: entry.mtime });
    return;
  }
  if (path === "" || state.made.has(path)) throw new ArchiveDamage(`${JSON.stringify(path)} is in the archive twice`);
  await makeFolder(state, parts.slice(0, -1).join("/"));
  const where = at(state.folder, path);
  if (entry.kind === "symlink") {
    await symlink(Buffer.from(entry.target, "latin1"), where);
    await lutimes(where, entry.mtime, entry.mtime);
  } else if (entry.kind === "hardlink") {
    const target = partsOf(entry.target).join("/");
    if (state.made.get(target) !== "file") throw new ArchiveDamage(`${JSON.stringify(path)} is a link to what is not in the archive`);
    await link(at(state.folder, target), where);
  } else await writeFile(where, entry, signal);
  state.made.set(path, entry.kind === "symlink" ? "link" : "file");
}

/**
 * Unpacks a tar stream into an empty folder that nobody else writes to. Nothing outside it is touched, whatever the archive
 * says: no absolute name, no `..`, nothing through a link, no device, no setuid. Files appear in it one by one, so it should
 * be moved to its place as a whole.
 * @returns how many files it holds. @throws ArchiveDamage for an archive that is cut short or tries any of that.
 */
export async function unpackTar(stream: Readable, folder: string, signal: AbortSignal): Promise<number> {
  const state: Unpacked = { folder, made: new Map(), folders: [] };
  for await (const entry of tarEntries(stream)) {
    signal.throwIfAborted();
    await unpackEntry(state, entry, signal);
  }
  for (const { path, mode, mtime } of state.folders.toSorted((a, b) => (a.path < b.path ? 1 : -1))) {
    const where = at(folder, path);
    await utimes(where, mtime, mtime);
    await chmod(where, mode);
  }
  return [...state.made.values()].filter((kind) => kind === "file").length;
}

/** Deletes all that is in a folder: also names that are no UTF-8, and folders that came without the right to be changed. */
export async function emptyFolder(folder: string | Buffer): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true, encoding: "buffer" })) {
    const path = Buffer.concat([Buffer.from(folder), Buffer.from("/"), entry.name]);
    if (entry.isDirectory()) {
      await emptyFolder(path);
      await rmdir(path);
    } else await unlink(path);
  }
}
