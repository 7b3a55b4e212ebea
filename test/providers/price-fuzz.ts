import { Readable } from "node:stream";
import fc from "fast-check";
import { expect } from "vitest";
import type { ListedPrice } from "../../src/model/listed-price.ts";
import { moneyToDecimal } from "../../src/model/money.ts";
import { advisorData, sharesOf } from "../../src/providers/aws/advisor.ts";
import { CatalogDamage } from "../../src/providers/catalog/columns.ts";
import { memoryPerGpu } from "../../src/providers/catalog/gpu-info.ts";
import { parseCatalog } from "../../src/providers/catalog/parse.ts";
import type { Tally } from "../../src/providers/catalog/reader.ts";
import { ProviderError } from "../../src/providers/errors.ts";

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

/** A file as it should be. */
const rows = fc.array(
  fc.record({
    type: fc.stringMatching(/^[a-z][a-z0-9.-]{0,11}$/),
    region: fc.constantFrom("us-east-1", ", US, NA", "Bács-Kiskun, HU, EU", 'quo"ted', "", "two\nlines", "冬"),
    count: fc.integer({ min: 1, max: 16 }),
    price: fc.integer({ min: 1, max: 99_999_999 }),
    spot: fc.option(fc.integer({ min: 1, max: 99_999_999 })),
  }),
  { minLength: 1, maxLength: 12 },
);

const JUNK = [
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
    "2.5100000000000002",
    "2.0699999999999998",
    "0.30000000000000004",
    "\ufeff1",
    "1\u00a0000",
    "#REF!",
  ],
];
/** Written as it is, whatever it does to the row. */
const RAW = ['"', 'a"b', '"x', 'x"', ",", ",,", '""', "\r", "\n", '"\n"', "1,5"];
const NAMES = ["InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region", "vCPUs", "MemoryGiB", "GpuInfo"];
const PRICES = { Price: "on-demand", SpotPrice: "spot" } as const;

const place = fc.record({ row: fc.nat({ max: 11 }), name: fc.constantFrom(...NAMES) });
const harm = fc.record({
  bom: fc.boolean(),
  end: fc.constantFrom("\n", "\r\n"),
  order: fc.shuffledSubarray([...NAMES, "AvailabilityZone", "New", "Other"], { minLength: 12 }),
  lost: fc.option(fc.constantFrom(...NAMES), { freq: 10 }),
  cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  junk: fc.array(fc.tuple(place, fc.constantFrom(...JUNK)), { maxLength: 4 }),
  raw: fc.array(fc.tuple(place, fc.constantFrom(...RAW)), { maxLength: 2 }),
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

/**
 * Columns in any order, new ones, lost ones, marks and ends of line of all kinds, cells of nonsense, quotes that are not closed,
 * other encodings, an end anywhere: every price that is taken is that of its own row and column, exactly.
 */
export const statedOnly = () =>
  fc.asyncProperty(rows, harm, async (machines, { bom, end, order, lost, cut, junk, raw, encoding, piece }) => {
    const stated = new Map<string, Set<string>>();
    const state = (key: string, amount: string) =>
      stated.set(key, (stated.get(key) ?? new Set()).add(String(Math.round(Number(amount) * 1e6) / 1e6)));
    const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const columns = order.filter((name) => name !== lost);
    const hasRaw = raw.some(([{ row }]) => row < machines.length);
    const lines = machines.map(({ type, region, count, price, spot }, index) => {
      const own = `${index}-${type}`;
      const cells: Record<string, string> = {
        InstanceType: own,
        AcceleratorName: "T4",
        AcceleratorCount: String(count),
        Price: (price / 10_000).toFixed(4),
        SpotPrice: spot === null ? "" : (spot / 10_000).toFixed(4),
        Region: region,
        vCPUs: "4",
        MemoryGiB: "16",
        GpuInfo: "{'Gpus': [{'MemoryInfo': {'SizeInMiB': 16384}}], 'TotalGpuMemoryInMiB': 16384}",
      };
      for (const [{ row, name }, text] of junk) if (row === index && name !== "InstanceType") cells[name] = text;
      const written = Object.fromEntries(order.map((name) => [name, quote(cells[name] ?? "x")]));
      for (const [{ row, name }, text] of raw) if (row === index && name !== "InstanceType") written[name] = text;
      const line = columns.map((name) => written[name]).join(",");
      for (const [name, billing] of Object.entries(PRICES)) {
        state(`${own} ${billing}`, cells[name] ?? "");
        if (raw.some(([at]) => at.row === index)) for (const word of wordsIn(line)) state(`${own} ${billing}`, word);
      }
      return `${line}${end}`;
    });
    const whole = encoded(`${bom ? "\ufeff" : ""}${columns.map(quote).join(",")}${end}${lines.join("")}`, encoding);
    const bytes = cut === null ? whole : whole.subarray(0, Math.floor(whole.length * cut));
    try {
      const { prices, tally } = await parsed("runpod", bytes, piece);
      for (const { type, billing, price, onDemandPrice, gpu } of prices) {
        expect(price.micros > 0n && price.micros <= 10_000_000_000n).toBe(true);
        expect([...(stated.get(`${type} ${billing}`) ?? [])]).toContain(String(Number(moneyToDecimal(price))));
        if (onDemandPrice !== null)
          expect([...(stated.get(`${type} on-demand`) ?? [])]).toContain(String(Number(moneyToDecimal(onDemandPrice))));
        expect(Number.isInteger(gpu.count) && gpu.count > 0).toBe(true);
      }
      expect(tally.kept).toBe(prices.length);
      expect(tally.read).toBeGreaterThanOrEqual(new Set(prices.map(({ type }) => type)).size);
      // Nothing is dropped in silence: of a file that nobody harmed, every row is read, and those without a place are refused.
      if (encoding === "utf8" && cut === null && !hasRaw) {
        expect(tally.read).toBe(machines.length);
        const lasting = machines.filter((_, index) => junk.every(([at]) => at.row !== index));
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

const key = fc.constantFrom("us-east-1", "eu-west-1", "g4dn.xlarge", "p5.48xlarge", "m5.large", "__proto__", "constructor", "toString", "");
const band = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(0, 1, 2, 3, 4) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(-1, 5, 1.5, 1e308, null, "0", Number.NaN, {}) },
);
const label = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>("<5%", "5-10%", "10-15%", "15-20%", ">20%") },
  { weight: 1, arbitrary: fc.constantFrom<unknown>("90-5%", ">500%", "<0%", "5-10", "-5%", "", 5, null, "NaN%", "5–10%", "100-999%") },
);

/** The file of the AWS Spot Advisor: parts of other kinds, names that objects have anyway, an end anywhere, other encodings. */
export const anyAdvisor = () =>
  fc.property(
    fc.array(fc.record({ index: band, label }), { maxLength: 6 }),
    fc
      .tuple(
        fc.dictionary(
          key,
          fc.oneof(fc.record({ Linux: fc.dictionary(key, fc.record({ r: band, s: band })) }), fc.constantFrom<unknown>(null, {}, [])),
        ),
        fc.record({ r: band, s: band }),
        fc.boolean(),
      )
      // Mostly one that is asked for below.
      .map(([others, one, isOdd]) => (isOdd ? others : { "us-east-1": { Linux: { "g4dn.xlarge": one } } })),
    fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    fc.constantFrom("", "\ufeff", "\u0000"),
    fc.constantFrom("", "not a date", "Wed, 21 Oct 2026 07:28:00 GMT"),
    (ranges, regions, cut, before, lastModified) => {
      const whole = `${before}${JSON.stringify({ ranges, spot_advisor: regions, instance_types: {} })}`;
      const text = cut === null ? whole : whole.slice(0, Math.floor(whole.length * cut));
      try {
        const data = advisorData(
          { status: 200, headers: { "last-modified": lastModified }, text, asked: "GET /x", effect: "read" },
          1_700_000_000_000,
        );
        expect(Number.isFinite(data.dataAt)).toBe(true);
        const share = sharesOf(data);
        for (const region of [...Object.keys(regions), "nowhere", "constructor"])
          for (const type of ["g4dn.xlarge", "p5.48xlarge", "__proto__", "constructor", "toString"]) {
            const found = share(region, type);
            if (found === undefined) continue;
            expect(ranges.map((range) => range.label)).toContain(found.label);
            expect(
              found.atLeast >= 0 && found.atLeast <= 1 && (found.atMost === null || (found.atMost >= found.atLeast && found.atMost <= 1)),
            ).toBe(true);
          }
        // What was cut off is no JSON: nothing of it is taken.
        expect(text.length).toBe(whole.length);
      } catch (error) {
        if (!(error instanceof ProviderError)) throw error;
      }
    },
  );
