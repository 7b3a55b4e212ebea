/** One entry of a tar stream. Names are bytes, as latin1 text. */
export interface TarHeader {
  readonly name: string;
  readonly kind: "file" | "folder" | "symlink";
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Of a file. */
  readonly size: number;
  /** Of a link; else empty. */
  readonly target: string;
}

const BLOCK = 512;
const NAME_BYTES = 100;
const TYPES = { file: "0", folder: "5", symlink: "2" } as const;

/** Octal digits, or where they do not suffice a big-endian number with its first bit set, as GNU has it. */
function writeNumber(header: Buffer, from: number, length: number, value: number): void {
  const digits = value.toString(8);
  if (value >= 0 && digits.length < length) {
    header.write(`${digits.padStart(length - 1, "0")}\0`, from, "latin1");
    return;
  }
  let left = BigInt(value);
  for (let at = from + length - 1; at > from; at--) {
    header[at] = Number(left & 0xffn);
    left >>= 8n;
  }
  header[from] = value < 0 ? 0xff : 0x80;
}

function block(name: string, type: string, { mode, mtime, size, target }: Omit<TarHeader, "name" | "kind">): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name.slice(0, NAME_BYTES), 0, "latin1");
  writeNumber(header, 100, 8, mode);
  // Whoever unpacks it owns it.
  writeNumber(header, 108, 8, 0);
  writeNumber(header, 116, 8, 0);
  writeNumber(header, 124, 12, size);
  writeNumber(header, 136, 12, mtime);
  header.write("        ", 148, "latin1");
  header.write(type, 156, "latin1");
  header.write(target.slice(0, NAME_BYTES), 157, "latin1");
  header.write("ustar  \0", 257, "latin1");
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** What fills a file's last block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** Two empty blocks. */
export const TAR_END_BYTES = 2 * BLOCK;

/** The header of an entry, as GNU tar writes it and others read it; the file's bytes and `tarPadding` follow. */
export function tarHeader(entry: TarHeader): Buffer {
  const long = (type: string, text: string) => {
    const bytes = Buffer.from(`${text}\0`, "latin1");
    const own = { mode: 0o644, mtime: 0, size: bytes.length, target: "" };
    return [block("././@LongLink", type, own), bytes, tarPadding(bytes.length)];
  };
  const name = entry.kind === "folder" ? `${entry.name}/` : entry.name;
  return Buffer.concat([
    ...(entry.target.length > NAME_BYTES ? long("K", entry.target) : []),
    ...(name.length > NAME_BYTES ? long("L", name) : []),
    block(name, TYPES[entry.kind], entry),
  ]);
}
