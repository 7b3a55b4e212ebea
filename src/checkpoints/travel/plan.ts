import { createHash } from "node:crypto";
import { type ByteString, bytesText, type Manifest, ManifestDamage, type ManifestEntry } from "../manifest.ts";

export type FileEntry = Extract<ManifestEntry, { readonly kind: "file" }>;

/**
 * One object of a bucket. Its content is that of `members`, one after the other; where several files have the same content,
 * the first of them is the member.
 */
export interface TravelObject {
  /** `data/<sha256>` or `packs/<sha256 of the members' hashes and sizes>`. */
  readonly key: string;
  readonly size: number;
  readonly members: readonly FileEntry[];
}

export interface TravelPlan {
  readonly objects: readonly TravelObject[];
  /** Files whose content is that of another one, by the SHA-256 that they have in common. */
  readonly twins: ReadonlyMap<string, readonly FileEntry[]>;
  readonly empty: readonly FileEntry[];
  /** Of all objects. */
  readonly bytes: number;
}

/** A file of this size or more is an object of its own. Part of the layout of a bucket: never changed. */
export const OWN_OBJECT_BYTES = 1024 * 1024;
/** A pack is closed before it grows past this. */
const MOST_PACK_BYTES = 64 * 1024 * 1024;
/** How large a pack becomes on average. */
const USUAL_PACK_BYTES = 16 * 1024 * 1024;
/** What a member counts besides its bytes, so that packs of tiny files end as well. */
const MEMBER_BYTES = 512;

/**
 * Whether a pack ends behind this member. The content decides by itself, so that a file that was added or changed moves the
 * ends of one or two packs and not of all that follow.
 */
function endsPack({ sha256, size }: FileEntry): boolean {
  return Number.parseInt(sha256.slice(-8), 16) / 2 ** 32 < (size + MEMBER_BYTES) / USUAL_PACK_BYTES;
}

function packOf(members: readonly FileEntry[]): TravelObject {
  const hash = createHash("sha256");
  for (const { sha256, size } of members) hash.update(`${sha256} ${size}\n`);
  return { key: `packs/${hash.digest("hex")}`, size: members.reduce((sum, { size }) => sum + size, 0), members };
}

/** The objects that a checkpoint lies in; follows from its manifest alone. Pure. */
export function planTravel(manifest: Manifest): TravelPlan {
  const objects: TravelObject[] = [];
  const twins = new Map<string, FileEntry[]>();
  const empty: FileEntry[] = [];
  let pack: FileEntry[] = [];
  let packBytes = 0;
  const closePack = () => {
    if (pack.length > 0) objects.push(packOf(pack));
    pack = [];
    packBytes = 0;
  };
  for (const entry of manifest.entries) {
    if (entry.kind !== "file") continue;
    const same = twins.get(entry.sha256);
    if (entry.size === 0) empty.push(entry);
    else if (same !== undefined) same.push(entry);
    else {
      twins.set(entry.sha256, []);
      if (entry.size >= OWN_OBJECT_BYTES) objects.push({ key: `data/${entry.sha256}`, size: entry.size, members: [entry] });
      else {
        if (packBytes + entry.size > MOST_PACK_BYTES) closePack();
        pack.push(entry);
        packBytes += entry.size;
        if (endsPack(entry)) closePack();
      }
    }
  }
  closePack();
  for (const [sha256, same] of twins) if (same.length === 0) twins.delete(sha256);
  return { objects, twins, empty, bytes: objects.reduce((sum, { size }) => sum + size, 0) };
}

const EMPTY_SHA256 = createHash("sha256").digest("hex");

/**
 * Refuses a manifest by which files could be written elsewhere than below the checkpoint's own folder, or in which one thing
 * contradicts the other. `parseManifest` sees each line for itself; this sees all of them.
 * @throws ManifestDamage
 */
export function requireTree(manifest: Manifest): void {
  const kinds = new Map<ByteString, ManifestEntry["kind"]>();
  const sizes = new Map<string, number>([[EMPTY_SHA256, 0]]);
  for (const entry of manifest.entries) {
    if (kinds.has(entry.path)) throw new ManifestDamage(`${JSON.stringify(bytesText(entry.path))} is in it twice`);
    kinds.set(entry.path, entry.kind);
    if (entry.kind !== "file") continue;
    const known = sizes.get(entry.sha256);
    if ((known !== undefined && known !== entry.size) || (entry.size === 0 && entry.sha256 !== EMPTY_SHA256))
      throw new ManifestDamage(`${JSON.stringify(bytesText(entry.path))} has a size that its hash cannot have`);
    sizes.set(entry.sha256, entry.size);
  }
  for (const path of kinds.keys()) {
    const slash = path.lastIndexOf("/");
    if (slash >= 0 && kinds.get(path.slice(0, slash)) !== "folder")
      throw new ManifestDamage(`${JSON.stringify(bytesText(path))} lies in what is no folder`);
  }
}
