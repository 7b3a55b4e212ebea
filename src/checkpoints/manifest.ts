import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { CHECKPOINT_REASONS, type CheckpointReason } from "../model/checkpoint.ts";

/**
 * A name as the file system keeps it: each character stands for one byte (latin-1), so that names which are no
 * UTF-8 survive. `bytesText` makes it readable.
 */
export type ByteString = string;

/** `mode` holds the permission bits only; `mtime` is in epoch seconds; paths are relative, with `/` between. */
export type ManifestEntry =
  | {
      readonly kind: "file";
      readonly path: ByteString;
      readonly mode: number;
      readonly mtime: number;
      readonly size: number;
      readonly sha256: string;
    }
  | { readonly kind: "folder"; readonly path: ByteString; readonly mode: number; readonly mtime: number }
  | { readonly kind: "link"; readonly path: ByteString; readonly mode: number; readonly mtime: number; readonly target: ByteString };

/** What a sealed checkpoint holds. */
export interface Manifest {
  readonly id: string;
  readonly instance: string;
  /** The volume's name; null when the agent was not told. */
  readonly volume: string | null;
  /** Epoch seconds. */
  readonly created: number;
  readonly reason: CheckpointReason;
  readonly step: string | null;
  /** Version of the agent that sealed it. */
  readonly agent: string;
  readonly entries: readonly ManifestEntry[];
}

/** Thrown by `parseManifest`: the text is not what an agent wrote. */
export class ManifestDamage extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ManifestDamage";
  }
}

const FIRST_LINE = "spot.manifest/1";
const HEADER = ["id", "instance", "volume", "created", "reason", "step", "agent", "files", "bytes"] as const;
const ENTRY = /^([fdl]) (-|[0-9a-f]{64}) (\d{1,16}) ([0-7]{1,5}) (-?\d{1,12}) ([^\t]+)(?:\t([^\t]+))?$/;

/** A byte string as text for people; bytes that are no UTF-8 are written `\\xff`, so that no two names look alike. */
export function bytesText(bytes: ByteString): string {
  const buffer = Buffer.from(bytes, "latin1");
  if (isUtf8(buffer)) return buffer.toString("utf8");
  return bytes.replaceAll(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Text as the bytes of its UTF-8. */
export function textBytes(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1");
}

function escapeName(name: ByteString): string {
  return name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

function unescapeName(text: string): ByteString {
  return text.replace(/\\(.?)/gs, (_, code: string) => {
    if (code === "\\") return "\\";
    if (code === "n") return "\n";
    if (code === "t") return "\t";
    throw new ManifestDamage(`unknown escape in the name ${JSON.stringify(bytesText(text))}`);
  });
}

/** Names that could lead out of the folder are never written by an agent. */
function requireInside(path: ByteString): ByteString {
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..") || path.includes("\0"))
    throw new ManifestDamage(`a path that no agent writes: ${JSON.stringify(bytesText(path))}`);
  return path;
}

function parseEntry(line: string): ManifestEntry {
  const match = ENTRY.exec(line);
  const [, letter, sha256, size, modeText, mtimeText, name, target] = match ?? [];
  if (name === undefined || sha256 === undefined) throw new ManifestDamage(`not an entry: ${JSON.stringify(bytesText(line).slice(0, 80))}`);
  const common = { path: requireInside(unescapeName(name)), mode: Number.parseInt(modeText ?? "", 8), mtime: Number(mtimeText) };
  const bare = sha256 === "-" && size === "0";
  if (letter === "f" && sha256 !== "-" && target === undefined) return { kind: "file", ...common, size: Number(size), sha256 };
  if (letter === "d" && bare && target === undefined) return { kind: "folder", ...common };
  if (letter === "l" && bare && target !== undefined) return { kind: "link", ...common, target: unescapeName(target) };
  throw new ManifestDamage(`an entry that contradicts itself: ${JSON.stringify(bytesText(line).slice(0, 80))}`);
}

function requireNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new ManifestDamage(`not a number: ${JSON.stringify(text)}`);
  return Number(text);
}

function requireReason(text: string): CheckpointReason {
  const reason = CHECKPOINT_REASONS.find((known) => known === text);
  if (reason === undefined) throw new ManifestDamage(`not a reason: ${JSON.stringify(text)}`);
  return reason;
}

function parseHeader(lines: readonly string[]): Readonly<Record<(typeof HEADER)[number], string>> {
  const values = HEADER.map((name, index) => {
    const line = lines[index] ?? "";
    if (!line.startsWith(`${name} `)) throw new ManifestDamage(`line ${index + 2} is not "${name} …"`);
    return [name, bytesText(line.slice(name.length + 1))] as const;
  });
  return Object.fromEntries(values) as Record<(typeof HEADER)[number], string>;
}

/** How many files a manifest lists and how many bytes they have. */
export function manifestTotals(entries: readonly ManifestEntry[]): { readonly files: number; readonly bytes: number } {
  let files = 0;
  let bytes = 0;
  for (const entry of entries) {
    if (entry.kind !== "file") continue;
    files += 1;
    bytes += entry.size;
  }
  return { files, bytes };
}

/**
 * Reads a manifest and checks it against its own hash.
 * @throws ManifestDamage that says what is wrong.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const text = Buffer.from(bytes).toString("latin1");
  const endsAt = text.lastIndexOf("\nend ") + 1;
  const seal = /^end ([0-9a-f]{64})\n$/.exec(text.slice(endsAt));
  if (endsAt === 0 || seal === null) throw new ManifestDamage("it has no end line: it was cut off or is no manifest");
  const body = text.slice(0, endsAt);
  if (createHash("sha256").update(body, "latin1").digest("hex") !== seal[1])
    throw new ManifestDamage("its content differs from its own hash");
  const [first, ...lines] = body.slice(0, -1).split("\n");
  if (first !== FIRST_LINE)
    throw new ManifestDamage(`it begins with ${JSON.stringify(bytesText(first ?? "").slice(0, 40))}, not ${FIRST_LINE}`);
  const header = parseHeader(lines);
  const entries = lines.slice(HEADER.length).map(parseEntry);
  const totals = manifestTotals(entries);
  if (requireNumber(header.files) !== totals.files || requireNumber(header.bytes) !== totals.bytes)
    throw new ManifestDamage("its totals differ from its entries");
  return {
    id: header.id,
    instance: header.instance,
    volume: header.volume === "-" ? null : header.volume,
    created: requireNumber(header.created),
    reason: requireReason(header.reason),
    step: header.step === "-" ? null : header.step,
    agent: header.agent,
    entries,
  };
}

function formatEntry(entry: ManifestEntry): string {
  const rest = `${entry.mode.toString(8)} ${entry.mtime} ${escapeName(entry.path)}`;
  if (entry.kind === "file") return `f ${entry.sha256} ${entry.size} ${rest}`;
  return entry.kind === "folder" ? `d - 0 ${rest}` : `l - 0 ${rest}\t${escapeName(entry.target)}`;
}

/** The bytes of the file MANIFEST, as an agent writes them. */
export function formatManifest(manifest: Manifest): Buffer {
  const totals = manifestTotals(manifest.entries);
  const header = [
    FIRST_LINE,
    `id ${manifest.id}`,
    `instance ${manifest.instance}`,
    `volume ${manifest.volume ?? "-"}`,
    `created ${manifest.created}`,
    `reason ${manifest.reason}`,
    `step ${manifest.step ?? "-"}`,
    `agent ${manifest.agent}`,
    `files ${totals.files}`,
    `bytes ${totals.bytes}`,
  ].map(textBytes);
  const body = [...header, ...manifest.entries.map(formatEntry), ""].join("\n");
  const end = createHash("sha256").update(body, "latin1").digest("hex");
  return Buffer.from(`${body}end ${end}\n`, "latin1");
}
