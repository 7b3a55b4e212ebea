import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Checkpoint } from "../model/checkpoint.ts";
import { hasErrorCode } from "../platform/files.ts";
import { bytesText, type Manifest, ManifestDamage, manifestTotals, parseManifest } from "./manifest.ts";

/** Folder of the sealed checkpoints, relative to the volume. */
const SEALED_FOLDER = "spot/checkpoints";
const CHECKPOINT_ID = /^c-[0-9A-Za-z-]{1,64}$/;

/** A folder that has a checkpoint's name and no manifest that holds. */
export interface DamagedCheckpoint {
  readonly id: string;
  readonly what: string;
  /** Whose it is, by what is left of its header: a hint. */
  readonly instance?: string;
}

/** What a volume holds, newest first. Whatever an unfinished seal left behind is not in it. */
export interface Catalogue {
  readonly sealed: readonly Checkpoint[];
  readonly damaged: readonly DamagedCheckpoint[];
}

/** Where the sealed checkpoints of a volume lie. */
export function sealedFolder(volumePath: string): string {
  return join(volumePath, SEALED_FOLDER);
}

/** Where a checkpoint lies below a volume. @throws RangeError when the id cannot be one. */
export function checkpointFolder(volumePath: string, id: string): string {
  if (!CHECKPOINT_ID.test(id)) throw new RangeError(`not a checkpoint's id: ${JSON.stringify(id)}`);
  return join(sealedFolder(volumePath), id);
}

/** Which instance a manifest that does not hold was made for, if that can still be read. */
function instanceOf(bytes: Uint8Array): { readonly instance?: string } {
  const [, instance] = /^instance ([a-z][a-z0-9-]{0,39})$/m.exec(Buffer.from(bytes.subarray(0, 1000)).toString("latin1")) ?? [];
  return instance === undefined ? {} : { instance };
}

/** What a manifest says of its checkpoint; `bytes` are the manifest's own, `volume` is where it lies. */
export function checkpointOf(manifest: Manifest, volume: string, bytes: Uint8Array): Checkpoint {
  return {
    id: manifest.id,
    instance: manifest.instance,
    volume,
    createdAt: manifest.created * 1000,
    ...manifestTotals(manifest.entries),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    sealed: true,
    verifiedAt: null,
    step: manifest.step,
    reason: manifest.reason,
  };
}

async function readCheckpoint(folder: string, id: string, volume: string | null): Promise<Checkpoint | DamagedCheckpoint> {
  let bytes = Buffer.alloc(0);
  try {
    bytes = await readFile(join(folder, "MANIFEST"));
    const manifest = parseManifest(bytes);
    if (manifest.id !== id) return { id, what: `its manifest is that of ${manifest.id}`, instance: manifest.instance };
    return checkpointOf(manifest, volume ?? manifest.volume ?? "", bytes);
  } catch (error) {
    if (error instanceof ManifestDamage) return { id, what: `its manifest is damaged: ${error.message}`, ...instanceOf(bytes) };
    if (hasErrorCode(error, "ENOENT", "ENOTDIR")) return { id, what: "its manifest is missing" };
    if (hasErrorCode(error, "EACCES", "EIO", "EISDIR")) return { id, what: `its manifest cannot be read (${error.code})` };
    throw error;
  }
}

/**
 * Reads the manifests on a volume that this machine can see. Contents are not read again: that is `verifyCheckpoint`.
 * @param volume the volume's name in our records; without it the name in each manifest stands.
 */
export async function readCatalogue(volumePath: string, volume?: string): Promise<Catalogue> {
  let names: readonly string[];
  try {
    names = (await readdir(sealedFolder(volumePath), "latin1")).map(bytesText);
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return { sealed: [], damaged: [] };
    throw error;
  }
  const ids = names
    .filter((name) => CHECKPOINT_ID.test(name))
    .sort()
    .reverse();
  const rows: (Checkpoint | DamagedCheckpoint)[] = [];
  // One after the other: a volume holds tens of them, and each manifest may be megabytes.
  for (const id of ids) rows.push(await readCheckpoint(checkpointFolder(volumePath, id), id, volume ?? null));
  return {
    sealed: rows.filter((row): row is Checkpoint => "sealed" in row),
    damaged: rows.filter((row): row is DamagedCheckpoint => "what" in row),
  };
}

/** The sealed checkpoints on a volume, newest first. */
export async function listSealed(volumePath: string, volume?: string): Promise<readonly Checkpoint[]> {
  return (await readCatalogue(volumePath, volume)).sealed;
}
