import { Readable } from "node:stream";
import fc from "fast-check";
import { expect } from "vitest";
import type { ListedPrice } from "../../src/model/listed-price.ts";
import { type Money, moneyToDecimal } from "../../src/model/money.ts";
import { CatalogDamage } from "../../src/providers/catalog/columns.ts";
import { memoryPerGpu } from "../../src/providers/catalog/gpu-info.ts";
import { parseCatalog } from "../../src/providers/catalog/parse.ts";
import type { Tally } from "../../src/providers/catalog/reader.ts";

/** The prices of a file, which comes in pieces of `piece` bytes. */
export async function parsed(
  cloud: string,
  text: string | Buffer,
  piece = 1_000_000,
): Promise<{ readonly prices: readonly ListedPrice[]; readonly tally: Tally }> {
  const prices: ListedPrice[] = [];
  const bytes = Buffer.from(text);
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, index) => bytes.subarray(index * piece, (index + 1) * piece));
  const tally = await parseCatalog(cloud, Readable.from(pieces, { objectMode: true }), 3, async (batch) => {
    prices.push(...batch);
  });
  return { prices, tally };
}

/** What a price is of, in short. */
export const brief = ({ type, gpu, billing, price, onDemandPrice, zone }: ListedPrice) => [
  type,
  `${gpu.count}x ${gpu.model}${gpu.form === undefined ? "" : ` ${gpu.form}`} ${gpu.vramGb}`,
  zone,
  billing,
  Number(moneyToDecimal(price)),
  onDemandPrice === null ? null : Number(moneyToDecimal(onDemandPrice)),
];

/** GPUs as the catalogues name them, and what they are. */
const GPUS = [
  { name: "T4", mib: 16384, model: "T4", gb: 16 },
  { name: "A100-80GB", mib: 81920, model: "A100", gb: 80 },
  { name: "V100", mib: 32768, model: "V100", gb: 32 },
  { name: "RTX4090", mib: 49152, model: "RTX4090", gb: 48 },
];

/** A file as it should be. */
const rows = fc.array(
  fc.record({
    type: fc.stringMatching(/^[a-z][a-z0-9.-]{0,11}$/),
    /** Whether it is another row of the machine above, at another price. */
    isAgain: fc.nat({ max: 4 }).map((one) => one === 0),
    region: fc.constantFrom("us-east-1", ", US, NA", "Bács-Kiskun, HU, EU", 'quo"ted', "", "two\nlines", "冬"),
    zone: fc.constantFrom("", "a", "us-east-1b"),
    gpu: fc.constantFrom(...GPUS),
    count: fc.integer({ min: 1, max: 16 }),
    vcpus: fc.integer({ min: 1, max: 255 }),
    memory: fc.integer({ min: 1, max: 4000 }),
    price: fc.integer({ min: 1, max: 99_999_999 }),
    spot: fc.option(fc.integer({ min: 1, max: 99_999_999 })),
  }),
  { minLength: 1, maxLength: 12 },
);
type Machine = typeof rows extends fc.Arbitrary<readonly (infer One)[]> ? One : never;

export const JUNK = [
  ...["", "NaN", "-3", "0", "0.00", "-0", "1e308", "1e-3", "inf", "-Infinity", "abc", "1.2.3", "0x10", "١٢", " ", "9".repeat(40), "null"],
  ...[
    "\u0000",
    "3 ",
    "+5",
    "1_000",
    "$2",
    "2USD",
    "0.0000001",
    "10000.000001",
    "1,5",
    "None",
    "nan",
    "’",
    "\ufeff1",
    "1\u00a0000",
    "#REF!",
  ],
  ...["2.5100000000000002", "2.0699999999999998", "0.30000000000000004"],
];
/** Written as it is, whatever it does to the row. */
const RAW = ['"', 'a"b', '"x', 'x"', ",", ",,", '""', "\r", "\n", '"\n"', "1,5"];
/** In any order: type, price and place are needed. */
const NAMES = [
  ...["InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region"],
  ...["AvailabilityZone", "vCPUs", "MemoryGiB", "GpuInfo"],
];
const PRICES = { "on-demand": "Price", spot: "SpotPrice" } as const;

const place = fc.record({ row: fc.nat({ max: 11 }), name: fc.constantFrom(...NAMES.slice(1)) });
const harm = fc.record({
  bom: fc.boolean(),
  end: fc.constantFrom("\n", "\r\n", "\r"),
  order: fc.shuffledSubarray([...NAMES, "New", "Other"], { minLength: 12 }),
  lost: fc.option(fc.constantFrom(...NAMES), { freq: 10 }),
  cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  junk: fc.array(fc.tuple(place, fc.constantFrom(...JUNK)), { maxLength: 4 }),
  raw: fc.array(fc.tuple(place, fc.constantFrom(...RAW)), { maxLength: 2 }),
  /** A quote that is opened in one row and closed in the same column of the next one. */
  swallowed: fc.option(place),
  /** Without a comma GpuInfo is not quoted. */
  separator: fc.constantFrom(", ", "; "),
  encoding: fc.oneof(
    { weight: 4, arbitrary: fc.constant("utf8") },
    { weight: 1, arbitrary: fc.constantFrom("latin1", "utf16le", "utf16be") },
  ),
  piece: fc.constantFrom(1, 7, 1_000_000),
});

function encoded(text: string, encoding: string): Buffer {
  if (encoding !== "utf16be") return Buffer.from(text, encoding as BufferEncoding);
  return Buffer.from(text, "utf16le").swap16();
}

/** In a row that something was put into as it is, any cell may have become any other: it states whatever stands there. */
const wordsIn = (line: string) => line.split(/[",\r\n]/).map((word) => word.trim());
const millionths = (text: string) => Math.round(Number(text) * 1e6);
const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function cellsOf(
  { region, zone, gpu, count, vcpus, memory, price, spot }: Machine,
  type: string,
  separator: string,
): Record<string, string> {
  return {
    InstanceType: type,
    AcceleratorName: gpu.name,
    AcceleratorCount: String(count),
    Price: (price / 10_000).toFixed(4),
    SpotPrice: spot === null ? "" : (spot / 10_000).toFixed(4),
    Region: region,
    AvailabilityZone: zone,
    vCPUs: String(vcpus),
    MemoryGiB: String(memory),
    GpuInfo: `{'Gpus': [{'MemoryInfo': {'SizeInMiB': ${gpu.mib}}}]${separator}'TotalGpuMemoryInMiB': ${gpu.mib * count}}`,
  };
}

interface WrittenRow {
  readonly machine: Machine;
  readonly cells: Readonly<Record<string, string>>;
  readonly line: string;
  readonly junk: ReadonlySet<string>;
  readonly hasRaw: boolean;
}

/** Whether a row states all that was taken for one of its prices. `known`: columns of the file, in our own encoding. */
function isStatedBy(taken: ListedPrice, { machine, cells, line, junk, hasRaw }: WrittenRow, known: ReadonlySet<string> | null): boolean {
  const states = (amount: Money, column: string) =>
    (hasRaw ? wordsIn(line) : [cells[column] ?? ""]).some((text) => millionths(text) === Number(amount.micros));
  const { price, onDemandPrice, billing, region, zone, gpu, vcpus, memoryGb } = taken;
  if (!states(price, PRICES[billing as "spot"])) return false;
  if (onDemandPrice !== null && !states(onDemandPrice, "Price")) return false;
  if (hasRaw || known === null) return true;
  const cell = (column: string) => (known.has(column) ? (cells[column] ?? "").trim() : "");
  const number = (column: string, read: number) => read === Number(cell(column)) || (junk.has(column) && read === 0);
  const isWholeGpu = ["AcceleratorName", "AcceleratorCount", "GpuInfo"].every((column) => !junk.has(column) && known.has(column));
  return (
    region === cell("Region") &&
    zone === (cell("AvailabilityZone") || region) &&
    number("vCPUs", vcpus) &&
    number("MemoryGiB", memoryGb) &&
    gpu.count === Number(cell("AcceleratorCount")) &&
    (!isWholeGpu || (gpu.model === machine.gpu.model && gpu.vramGb === machine.gpu.gb))
  );
}

/**
 * Columns in any order, new ones, lost ones, marks and ends of line of all kinds, cells of nonsense, quotes that are not closed,
 * other encodings, a machine twice, an end anywhere: everything that is taken is what one row states, exactly.
 */
export const statedOnly = () =>
  fc.asyncProperty(rows, harm, async (machines, { bom, end, order, lost, cut, junk, raw: odd, swallowed, separator, encoding, piece }) => {
    const opened =
      swallowed === null ? [] : ([[swallowed, '"x'] as const, [{ ...swallowed, row: swallowed.row + 1 }, 'x"'] as const] as const);
    const raw = [...odd, ...opened];
    const columns = order.filter((name) => name !== lost);
    let above = "";
    const written = machines.map((machine, index): WrittenRow => {
      above = machine.isAgain && above !== "" ? above : `${index}-${machine.type}`;
      const cells = cellsOf(machine, above, separator);
      const ofRow = junk.filter(([at]) => at.row === index);
      for (const [{ name }, text] of ofRow) cells[name] = text;
      const texts = Object.fromEntries(order.map((name) => [name, quote(cells[name] ?? "x")]));
      for (const [{ row, name }, text] of raw) if (row === index) texts[name] = text;
      const line = columns.map((name) => texts[name]).join(",");
      return { machine, cells, line, junk: new Set(ofRow.map(([{ name }]) => name)), hasRaw: raw.some(([at]) => at.row === index) };
    });
    const hasRaw = written.some((row) => row.hasRaw);
    const lines = written.map(({ line }) => `${line}${end}`);
    const whole = encoded(`${bom ? "\ufeff" : ""}${columns.map(quote).join(",")}${end}${lines.join("")}`, encoding);
    const bytes = cut === null ? whole : whole.subarray(0, Math.floor(whole.length * cut));
    try {
      const { prices, tally } = await parsed("runpod", bytes, piece);
      const known = encoding === "utf8" ? new Set(columns) : null;
      for (const taken of prices) {
        expect(taken.price.micros > 0n && taken.price.micros <= 10_000_000_000n).toBe(true);
        expect(Number.isInteger(taken.gpu.count) && taken.gpu.count > 0).toBe(true);
        const own = written.filter(({ cells }) => cells["InstanceType"] === taken.type);
        if (!own.some((row) => isStatedBy(taken, row, known))) expect(taken).toEqual(own);
      }
      expect(tally.kept).toBe(prices.length);
      expect(tally.read).toBeGreaterThanOrEqual(new Set(prices.map(({ type }) => type)).size);
      // Nothing is dropped in silence: of a file that nobody harmed, every row is read, and those without a place are refused.
      if (encoding === "utf8" && cut === null && !hasRaw) {
        expect(tally.read).toBe(machines.length);
        const lasting = written.filter((row) => row.junk.size === 0).map(({ machine }) => machine);
        const sane = lasting.filter(({ region }) => region !== "" && !region.includes("\n"));
        const kept = sane.reduce((sum, { spot }) => sum + (spot === null ? 1 : 2), 0);
        expect(tally.kept).toBeGreaterThanOrEqual(kept);
        const refused = Object.values(tally.refused).reduce((sum, count) => sum + count, 0);
        expect(refused).toBeGreaterThanOrEqual(lasting.length - sane.length);
      }
    } catch (error) {
      if (!(error instanceof CatalogDamage)) throw error;
      // A whole file in our own encoding is refused only for what was done to it.
      expect(lost !== null || cut !== null || hasRaw || encoding !== "utf8").toBe(true);
    }
  });

const GOOD =
  "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone\n" +
  "1x-A100_SXM4-32,A100,1,32,64.0,\"{'Gpus': [{'MemoryInfo': {'SizeInMiB': 40960}}]}\",0.76,0.00,\"Georgia, US\",z1\n".repeat(3) +
  ",A100,1,,,\"{'Gpus': [{'MemoryInfo': {'SizeInMiB': 40960}}]}\",2.9,1.4,us-central1,us-central1-a\n" +
  "a2-highgpu-1g,,,12.0,85.0,,0.73,0.36,us-central1,us-central1-a\n";

/** Bytes changed, put in and taken out at random, of any cloud. */
export const anyBytes = () =>
  fc.asyncProperty(
    fc.array(fc.tuple(fc.nat({ max: GOOD.length - 1 }), fc.uint8Array({ maxLength: 3 }), fc.nat({ max: 20 })), { maxLength: 12 }),
    fc.constantFrom("utf8", "latin1", "utf16le"),
    fc.constantFrom("vast", "gcp", "aws", "verda"),
    async (changes, encoding, cloud) => {
      let bytes = Buffer.from(GOOD, encoding as BufferEncoding);
      for (const [at, put, out] of changes) bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + out)]);
      try {
        const { prices, tally } = await parsed(cloud, bytes, 64);
        for (const { price, gpu } of prices) {
          expect(price.micros > 0n && price.micros <= 20_000_000_000n).toBe(true);
          expect(gpu.vramGb >= 0 && gpu.vramGb <= 1024).toBe(true);
        }
        expect(tally.kept).toBe(prices.length);
      } catch (error) {
        if (!(error instanceof CatalogDamage)) throw error;
      }
    },
  );

/** The column GpuInfo. */
export const anyGpuInfo = () =>
  fc.property(
    fc.oneof(fc.string(), fc.constantFrom(...JUNK, "1e9", "81920", "80", "655360", "1023", "1024")),
    fc.oneof(fc.string(), fc.constantFrom(...JUNK, "81920", "655360")),
    fc.integer({ min: 1, max: 1024 }),
    fc.constantFrom("'", '"'),
    fc.constantFrom("vast", "primeintellect", "lambda"),
    fc.constantFrom("H100", "A100-80GB", "RTX4090", "NOBODYKNOWS", "X-99999GB"),
    (size, total, count, mark, cloud, name) => {
      const text = `{${mark}SizeInMiB${mark}: ${size}, ${mark}TotalGpuMemoryInMiB${mark}: ${total}}`;
      const memory = memoryPerGpu(cloud, text, { name, model: name, count });
      expect(memory === null || (memory >= 0 && memory <= 1024 && Number.isFinite(memory))).toBe(true);
    },
  );
