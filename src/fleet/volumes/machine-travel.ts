import { bytesText } from "../../checkpoints/manifest.ts";
import type { Arrival } from "../../checkpoints/travel/arrival.ts";
import { ContentDamage, checked } from "../../checkpoints/travel/contents.ts";
import type { FileEntry } from "../../checkpoints/travel/plan.ts";
import { type CheckpointSource, readManifest } from "../../checkpoints/travel/source.ts";
import type { VerbOptions } from "../../guest/run-verb.ts";
import { guestGive, guestManifest, guestReceiveBegin, guestReceiveFiles, guestReceiveSeal } from "../../guest/travel.ts";
import { Problem } from "../../model/problem.ts";
import { TAR_END_BYTES, tarHeader, tarPadding } from "../../platform/tar-writer.ts";
import type { Reach } from "../../providers/provider.ts";

type Way = Omit<VerbOptions, "signal">;

/** A checkpoint on the volume of a machine. @throws Problem (exit 7) when its manifest does not hold. */
export async function machineSource(reach: Reach, id: string, way: Way, signal: AbortSignal): Promise<CheckpointSource> {
  const manifestBytes = await guestManifest(reach, id, { ...way, signal });
  return {
    manifest: readManifest(manifestBytes, id, "the machine"),
    manifestBytes,
    async *read(files, until, from = 0) {
      const paths = files.map(({ path }) => path);
      if (paths.length === 0) return;
      try {
        yield* guestGive(reach, id, paths, from, { ...way, signal: until });
      } catch (error) {
        // The agent was there and could not read one of them.
        if (!(error instanceof Problem) || error.code !== "SPOT_E_GUEST") throw error;
        throw new ContentDamage(bytesText(paths[0] ?? ""), `or one after it could not be read: ${error.message}`);
      }
    },
  };
}

/** Contents as a tar stream of these files. @throws ContentDamage when they are not as the manifest says. */
async function* tarOf(files: readonly FileEntry[], contents: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let index = 0;
  let seen = 0;
  for await (const piece of checked(files, contents)) {
    const file = files[index];
    if (file === undefined) break;
    if (seen === 0) yield tarHeader({ ...file, name: file.path, target: "" });
    yield piece;
    seen += piece.length;
    if (seen < file.size) continue;
    yield tarPadding(file.size);
    index += 1;
    seen = 0;
  }
  yield Buffer.alloc(TAR_END_BYTES);
}

type Folder = Extract<CheckpointSource["manifest"]["entries"][number], { kind: "folder" }>;

function foldersOf({ manifest }: CheckpointSource): readonly Folder[] {
  return manifest.entries.filter((entry): entry is Folder => entry.kind === "folder").sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function* foldersFirst(source: CheckpointSource): AsyncGenerator<Uint8Array> {
  for (const { path, mtime } of foldersOf(source))
    yield tarHeader({ name: path, kind: "folder", mode: 0o700, mtime: Math.max(0, mtime), size: 0, target: "" });
  yield Buffer.alloc(TAR_END_BYTES);
}

/** What has no content, and the folders' own modes and times, from the deepest up. */
async function* theRest(source: CheckpointSource): AsyncGenerator<Uint8Array> {
  for (const entry of source.manifest.entries) {
    if (entry.kind === "link")
      yield tarHeader({ name: entry.path, kind: "symlink", mode: 0o777, mtime: entry.mtime, size: 0, target: entry.target });
    if (entry.kind === "file" && entry.size === 0) yield tarHeader({ ...entry, name: entry.path, target: "" });
  }
  for (const { path, mode, mtime } of foldersOf(source).toReversed())
    yield tarHeader({ name: path, kind: "folder", mode, mtime, size: 0, target: "" });
  yield Buffer.alloc(TAR_END_BYTES);
}

/** A checkpoint that arrives on the volume of a machine. @throws Problem when another one lies there under that id, or it has no room. */
export async function machineArrival(reach: Reach, source: CheckpointSource, way: Way, signal: AbortSignal): Promise<Arrival> {
  const { id } = source.manifest;
  const options = { ...way, signal };
  const { isSealed, present } = await guestReceiveBegin(reach, id, source.manifestBytes, options);
  if (!isSealed) await guestReceiveFiles(reach, id, foldersFirst(source), options);
  return {
    isSealed,
    present,
    take: (files, contents) => guestReceiveFiles(reach, id, tarOf(files, contents), options),
    async seal() {
      await guestReceiveFiles(reach, id, theRest(source), options);
      await guestReceiveSeal(reach, id, options);
    },
  };
}
