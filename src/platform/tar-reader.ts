import type { Readable } from "node:stream";

/** An archive that does not look as it should, or holds what must not be unpacked. */
export class ArchiveDamage extends Error {}

/** One entry of a tar stream. Names are bytes, as latin1 text. */
export interface TarEntry {
  readonly name: string;
  readonly kind: "file" | "folder" | "symlink" | "hardlink";
  /** Permission bits only: what an archive says of setuid and the like counts for nothing. */
  readonly mode: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Of a link. */
  readonly target: string;
  /** The file's bytes; to be read to the end before the next entry. */
  readonly body: AsyncIterable<Buffer>;
}

const BLOCK = 512;
const MOST_EXTRA_BYTES = 1024 * 1024;

interface Bytes {
  /** Exactly so many bytes. @throws ArchiveDamage when the stream ends before. */
  exactly(count: number): Promise<Buffer>;
  /** At least one byte and at most `most`. @throws ArchiveDamage when the stream has ended. */
  some(most: number): Promise<Buffer>;
  /** Reads to the stream's end. */
  rest(): Promise<void>;
}

function bytesOf(stream: Readable): Bytes {
  const source = stream[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  const some = async (most: number): Promise<Buffer> => {
    while (held.length === 0) {
      const next = await source.next();
      if (next.done === true) throw new ArchiveDamage("the archive is cut short");
      held = next.value as Buffer;
    }
    const taken = held.subarray(0, most);
    held = held.subarray(taken.length);
    return taken;
  };
  return {
    some,
    async exactly(count) {
      const parts: Buffer[] = [];
      for (let left = count; left > 0; ) {
        const part = await some(left);
        parts.push(part);
        left -= part.length;
      }
      return Buffer.concat(parts);
    },
    async rest() {
      while ((await source.next()).done !== true);
    },
  };
}

function text(header: Buffer, from: number, length: number): string {
  const field = header.toString("latin1", from, from + length);
  const end = field.indexOf("\0");
  return end < 0 ? field : field.slice(0, end);
}

/** Octal digits, or with its first bit set a big-endian number, as GNU writes what does not fit. */
function number(header: Buffer, from: number, length: number): number {
  const field = header.subarray(from, from + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    if (field[0] === 0xff) return 0; // a time before 1970
    return [...field.subarray(1)].reduce((value, byte) => value * 256 + byte, (field[0] ?? 0) & 0x7f);
  }
  const digits = text(header, from, length).trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw new ArchiveDamage("a number of the archive is none");
  return Number.parseInt(digits, 8);
}

function requireChecksum(header: Buffer): void {
  let sum = 0;
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 32 : byte;
  if (sum !== number(header, 148, 8)) throw new ArchiveDamage("a header of the archive is damaged");
}

/** The records of a pax header: `length key=value`, one after the other. */
function paxRecords(data: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(32, at);
    const length = Number(data.toString("latin1", at, space < 0 ? at : space));
    const record = data.toString("latin1", space + 1, at + length - 1);
    const equals = record.indexOf("=");
    if (!Number.isInteger(length) || length < 5 || at + length > data.length || equals < 1)
      throw new ArchiveDamage("a header of the archive is damaged");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

const KINDS: Readonly<Record<string, TarEntry["kind"]>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "5": "folder",
};

const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

function sizeOf(header: Buffer, extra: ReadonlyMap<string, string>): number {
  const stated = extra.get("size");
  const size = stated === undefined ? number(header, 124, 12) : Number(stated);
  if (!Number.isSafeInteger(size) || size < 0) throw new ArchiveDamage("a size in the archive is none");
  return size;
}

function entryOf(header: Buffer, extra: ReadonlyMap<string, string>, body: AsyncIterable<Buffer>): TarEntry {
  const type = text(header, 156, 1) || "\0";
  const prefix = header.toString("latin1", 257, 263) === "ustar\0" ? text(header, 345, 155) : "";
  const short = text(header, 0, 100);
  const name = extra.get("path") ?? (prefix === "" ? short : `${prefix}/${short}`);
  const kind = type === "\0" && name.endsWith("/") ? "folder" : KINDS[type];
  if (kind === undefined) throw new ArchiveDamage(`${JSON.stringify(name)} is neither file, folder nor link`);
  const mtime = Number(extra.get("mtime") ?? number(header, 136, 12));
  return {
    name,
    kind,
    mode: number(header, 100, 8) & 0o777,
    mtime: Number.isFinite(mtime) ? mtime : 0,
    target: extra.get("linkpath") ?? text(header, 157, 100),
    body,
  };
}

async function* bodyOf(bytes: Bytes, size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const part = await bytes.some(left);
    left -= part.length;
    yield part;
  }
}

/**
 * Reads a tar stream as GNU tar, busybox and bsdtar write it (ustar, pax, GNU's long names), to its end.
 * @throws ArchiveDamage when it is cut short or holds what is neither file, folder nor link.
 */
export async function* tarEntries(stream: Readable): AsyncGenerator<TarEntry> {
  const bytes = bytesOf(stream);
  let extra = new Map<string, string>();
  for (;;) {
    const header = await bytes.exactly(BLOCK);
    if (header.every((byte) => byte === 0)) break;
    requireChecksum(header);
    const type = text(header, 156, 1);
    if (["x", "g", "L", "K"].includes(type)) {
      const size = number(header, 124, 12);
      if (size > MOST_EXTRA_BYTES) throw new ArchiveDamage("a header of the archive is too long");
      const data = await bytes.exactly(size);
      await bytes.exactly(padding(size));
      if (type === "x") extra = new Map([...extra, ...paxRecords(data)]);
      if (type === "L") extra.set("path", text(data, 0, data.length));
      if (type === "K") extra.set("linkpath", text(data, 0, data.length));
      continue;
    }
    const size = KINDS[type === "" ? "\0" : type] === "file" ? sizeOf(header, extra) : 0;
    yield entryOf(header, extra, bodyOf(bytes, size));
    await bytes.exactly(padding(size));
    extra = new Map();
  }
  // What fills the archive up to its record.
  for await (const _ of stream);
}
